"""The entry to batched solves."""

from __future__ import annotations

import numbers
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meshes.errors import InputError
from operators.failures import LinearSolveFailure
from pdesolve.batched.refinement import ChunkRecord, ChunkSolver, RefinementSettings
from pdesolve.batched.result import INDEFINITE, ITERATIONS, STAGNATED, BatchedResult, host
from pdesolve.batched.stencils import StackedStencils
from pdesolve.spectral.transforms import Array
from pdesolve.tolerances import checked_tolerance

_CACHED_BYTES = 2**20  # of one field of the iteration; larger chunks fall out of a core's cache
_DEVICE_BYTES = 2**28
_SMALLEST = 1e-15
_FIRST_ITERATIONS = 25
_WORTH_A_RETRY = (ITERATIONS, INDEFINITE, STAGNATED)
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
    retry: bool = True,
    workers: int = 1,
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
        Whether to go on from residuals in float64. Without, what the inner type reaches is
        the answer.
    inner_iterations
        Iterations from one residual in float64 to the next; 4 when left out (25 in float64).
    constant_null_space
        Whether constants solve A u = 0 in all samples. b must then sum to zero and the answer
        is the one with mean zero. Left out, it is found from the row sums of each sample.
    chunk
        Samples that are worked on together. Left out, what fits a processor's cache, or much
        more for arrays of other libraries.
    retry
        Whether samples that float32 does not solve in 25 iterations go on in float64, all
        together in a batch of their own.
    workers
        Threads for chunks of NumPy arrays.
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
    counts = {
        "max_iterations": max_iterations,
        "inner_iterations": inner_iterations,
        "workers": workers,
        "chunk": 1 if chunk is None else chunk,
    }
    for name, count in counts.items():
        _positive(name, count)
    if not stencils.known_symmetric and not stencils.symmetric():
        raise InputError(
            "the stencils are not symmetric; conjugate gradients need that they are. Solve these "
            "systems one by one with PETSc (ksp_type gmres or bcgs)"
        )
    singular = _null_space(stencils, constant_null_space)
    settings = RefinementSettings(
        tolerance, max_iterations, inner_dtype, inner_iterations, refine=refinement
    )
    batch = _Batch(stencils, right, first, singular)
    if (
        not retry
        or not refinement
        or inner_dtype == "float64"
        or max_iterations <= _FIRST_ITERATIONS
    ):
        result = _in_chunks(batch, settings, chunk, workers)
    else:
        result = _in_chunks(
            batch, replace(settings, max_iterations=_FIRST_ITERATIONS), chunk, workers
        )
        begun = np.isfinite(result.relative_residuals)
        left = np.flatnonzero(np.isin(result.status, _WORTH_A_RETRY) & begun)
        if left.size:
            settings = replace(
                settings,
                max_iterations=max_iterations - _FIRST_ITERATIONS,
                inner_dtype="float64",
                inner_iterations=25,
            )
            again = batch.taken(left, result)
            _put(result, left, _in_chunks(again, settings, chunk, workers))
    if check and not result.converged.all():
        raise LinearSolveFailure(result.describe(), solution=result)
    return result


@dataclass(frozen=True, eq=False)
class _Batch:
    stencils: StackedStencils
    right: Array
    initial: Array | None
    singular: Array | None

    def part(self, start: int, stop: int) -> _Batch:
        """Some samples, without a copy."""
        return _Batch(
            self.stencils.part(start, stop),
            self.right[start:stop, ...],
            None if self.initial is None else self.initial[start:stop, ...],
            None if self.singular is None else self.singular[start:stop],
        )

    def taken(self, numbers: np.ndarray[Any, Any], reached: BatchedResult) -> _Batch:
        """Copies of some samples, with what was reached as the first guess if it is of use."""
        from array_api_compat import device

        xp = self.stencils.xp
        place = xp.asarray(numbers, device=device(self.right))

        def take(array: Array) -> Array:
            return xp.take(array, place, axis=0)

        kept = xp.asarray(reached.relative_residuals < 1.0, device=device(self.right))
        values = take(reached.values)
        factors = xp.reshape(take(kept), (-1, *(1,) * self.stencils.grid.dimension))
        return _Batch(
            self.stencils.with_coefficients(take(self.stencils.coefficients)),
            take(self.right),
            xp.where(factors, values, xp.zeros_like(values)),
            None if self.singular is None else take(self.singular),
        )


def _in_chunks(
    batch: _Batch, settings: RefinementSettings, chunk: int | None, workers: int
) -> BatchedResult:
    stencils = batch.stencils
    size = min(stencils.batch, chunk or _default_chunk(stencils, batch.right, workers))
    kept = threading.local()

    def solve(start: int) -> ChunkRecord:
        part = batch.part(start, min(start + size, stencils.batch))
        solver: ChunkSolver | None = getattr(kept, "solver", None)
        if solver is None or solver.batch != part.stencils.batch:
            solver = kept.solver = ChunkSolver(part.stencils, settings)
        return solver.solve(part.stencils, part.right, part.initial, part.singular)

    starts = range(0, stencils.batch, size)
    if workers == 1 or len(starts) == 1:
        records = [solve(start) for start in starts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            records = list(pool.map(solve, starts))
    return _joined(stencils.xp, records, settings.rtol)


def _put(result: BatchedResult, numbers: np.ndarray[Any, Any], again: BatchedResult) -> None:
    """Put what was reached in float64 in the place of what float32 left."""
    for position, number in enumerate(numbers.tolist()):
        result.values[number, ...] = again.values[position, ...]
    result.status[numbers] = again.status
    result.iterations[numbers] += again.iterations
    result.refinements[numbers] += again.refinements
    result.relative_residuals[numbers] = again.relative_residuals


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


def _default_chunk(stencils: StackedStencils, right: Array, workers: int) -> int:
    from array_api_compat import device

    allowed = _CACHED_BYTES if str(device(right)) == "cpu" else _DEVICE_BYTES
    found = max(1, allowed // (4 * stencils.grid.num_points))
    return min(found, -(-stencils.batch // workers))
