"""The entry to batched solves."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from meshes.errors import InputError
from operators.failures import LinearSolveFailure
from pdesolve.batched.refinement import ChunkRecord, ChunkSolver, RefinementSettings
from pdesolve.batched.result import BatchedResult, host
from pdesolve.batched.stencils import StackedStencils
from pdesolve.spectral.transforms import Array
from pdesolve.tolerances import checked_tolerance

_CACHED_BYTES = 2**21  # of the numbers of one field; larger chunks fall out of the cache
_DEVICE_BYTES = 2**28
_SMALLEST = 1e-15
_NULL_SPACE = 1e-12  # of the diagonal, the largest row sum where constants are in it


def solve_batched(
    stencils: StackedStencils,
    right_hand_side: Array,
    *,
    rtol: float = 1e-8,
    initial: Array | None = None,
    max_iterations: int = 200,
    inner_dtype: str = "float32",
    refinement: bool = True,
    inner_iterations: int | None = None,
    constant_null_space: bool | None = None,
    chunk: int | None = None,
    check: bool = False,
) -> BatchedResult:
    """Solve A u = b for all samples of a batch.

    Conjugate gradients preconditioned by a symmetric multigrid cycle, for symmetric positive
    definite stencils of nearest neighbours. The iteration runs in float32; after every few
    iterations the residual is computed in float64 and the correction added there, until
    ‖b − A u‖₂ ≤ rtol ‖b‖₂ in float64. Each sample has its own step lengths and stops by
    itself; one that cannot be solved is marked and does not touch the others.

    Parameters
    ----------
    stencils
        A.
    right_hand_side
        b, shape ``(batch, *grid.shape)``, of the library and on the device of the stencils.
    rtol
        Relative residual to reach, at least 1e-15.
    initial
        First guess, shape of b; zero when left out.
    max_iterations
        Most iterations of a sample.
    inner_dtype
        Type of the iteration, ``"float32"`` or ``"float64"``.
    refinement
        Whether to go on from a new residual. Without, the iteration is left once.
    inner_iterations
        Iterations from one residual in float64 to the next; 4 when left out (25 in float64).
    constant_null_space
        Whether constants solve A u = 0 in all samples. b must then sum to zero and the answer
        is the one with mean zero. Left out, it is found from the row sums of each sample.
    chunk
        Samples that are worked on together. Left out, what fits a processor's cache, or much
        more for arrays of other libraries.
    check
        Whether a sample that does not converge is an error.

    Returns
    -------
    BatchedResult
        Answers, and for each sample a status, iterations and the residual.

    Raises
    ------
    InputError
        If arrays do not fit together, the stencils are not symmetric or reach too far, or
        `rtol` is out of range.
    LinearSolveFailure
        If `check` is set and samples fail; ``solution`` holds the result.

    Notes
    -----
    Derivatives are not recorded; use it without gradients.

    References
    ----------
    Dendy (1982), Black box multigrid, doi:10.1016/0021-9991(82)90057-2.
    Carson, Higham (2018), Accelerating the solution of linear systems by iterative
    refinement in three precisions, doi:10.1137/17M1140819.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> family = get_family("darcy2d")
    >>> draws = [family.sample(sample_generator(0, "train", i)) for i in range(3)]
    >>> problems = [family.problem(draw) for draw in draws]
    >>> systems = [problem.discretize(problem.grid(32)) for problem in problems]
    >>> b = np.stack([system.right_hand_side for system in systems])
    >>> result = solve_batched(StackedStencils.of(systems), b)
    >>> result.values.shape, result.converged.tolist()
    ((3, 32, 32), [True, True, True])
    """
    xp = stencils.xp
    tolerance = checked_tolerance(rtol)
    if tolerance < _SMALLEST:
        raise InputError(
            f"rtol={rtol!r} is below what float64 can reach; give at least {_SMALLEST:g}"
        )
    if inner_dtype not in ("float32", "float64"):
        raise InputError(f"inner_dtype={inner_dtype!r} must be 'float32' or 'float64'")
    right = _array("right_hand_side", right_hand_side, stencils)
    first = None if initial is None else _array("initial", initial, stencils)
    if not refinement:
        inner_iterations = max_iterations
    elif inner_iterations is None:
        inner_iterations = 4 if inner_dtype == "float32" else 25
    for name, count in (("max_iterations", max_iterations), ("inner_iterations", inner_iterations)):
        _positive(name, count)
    if chunk is not None:
        _positive("chunk", chunk)
    if not stencils.known_symmetric and not stencils.symmetric():
        raise InputError(
            "the stencils are not symmetric; conjugate gradients need that they are. Solve these "
            "systems one by one with PETSc (ksp_type gmres or bcgs)"
        )
    singular = _null_space(stencils, constant_null_space)
    settings = RefinementSettings(tolerance, max_iterations, inner_dtype, inner_iterations)
    size = min(stencils.batch, chunk or _default_chunk(stencils, right))
    solver, records = None, []
    for start in range(0, stencils.batch, size):
        stop = min(start + size, stencils.batch)
        if solver is None or solver.batch != stop - start:
            solver = ChunkSolver(stencils.part(start, stop), settings)
        records.append(
            solver.solve(
                stencils.part(start, stop),
                right[start:stop, ...],
                None if first is None else first[start:stop, ...],
                None if singular is None else singular[start:stop],
            )
        )
    result = _joined(xp, records, tolerance)
    if check and not result.converged.all():
        raise LinearSolveFailure(result.describe(), solution=result)
    return result


def _joined(xp: Any, records: list[ChunkRecord], rtol: float) -> BatchedResult:
    def joined(name: str) -> np.ndarray[Any, Any]:
        return np.concatenate([host(getattr(record, name)) for record in records])

    return BatchedResult(
        xp.concat([record.values for record in records], axis=0),
        joined("status"),
        joined("iterations"),
        joined("refinements"),
        joined("relative_residuals"),
        rtol,
    )


def _array(name: str, given: Array, stencils: StackedStencils) -> Array:
    from array_api_compat import array_namespace, is_array_api_obj

    xp = stencils.xp
    if not is_array_api_obj(given):
        given = np.asarray(given)
    if array_namespace(given) is not xp:
        raise InputError(
            f"{name} is an array of {array_namespace(given).__name__}, the stencils are of "
            f"{xp.__name__}; give both from one library"
        )
    expected = (stencils.batch, *stencils.grid.shape)
    if tuple(given.shape) != expected:
        raise InputError(f"{name} of shape {tuple(given.shape)} must have shape {expected}")
    return xp.astype(given, xp.float64, copy=False)


def _positive(name: str, count: object) -> None:
    if isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1:
        raise InputError(f"{name}={count!r} must be a positive integer")


def _null_space(stencils: StackedStencils, given: bool | None) -> Array | None:
    """Whether constants are in each sample's null space, or None if in none's."""
    xp = stencils.xp
    if given is False:
        return None
    if given is None:
        axes = tuple(range(1, stencils.grid.dimension + 1))
        sums = xp.max(xp.abs(stencils.row_sums()), axis=axes)
        largest = xp.max(xp.abs(stencils.diagonal), axis=axes)
        found = sums <= _NULL_SPACE * largest
        return xp.astype(found, xp.float64) if bool(xp.any(found)) else None
    return xp.ones_like(stencils.diagonal[(slice(None), *(0,) * stencils.grid.dimension)])


def _default_chunk(stencils: StackedStencils, right: Array) -> int:
    allowed = _CACHED_BYTES if isinstance(right, np.ndarray) else _DEVICE_BYTES
    return max(1, allowed // (4 * stencils.grid.num_points))
