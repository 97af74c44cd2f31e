"""The entry to batched solves."""

from __future__ import annotations

from pdesolve.batched.result import BatchedResult
from pdesolve.batched.solver import BatchedSolver
from pdesolve.batched.stencils import StackedStencils
from pdesolve.spectral.transforms import Array


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
    Derivatives are not recorded; use it without gradients. Where batch after batch is solved
    on one grid, a :class:`BatchedSolver` saves the making of its arrays.

    References
    ----------
    Dendy (1982), Black box multigrid, doi:10.1016/0021-9991(82)90057-2.
    Carson, Higham (2018), Accelerating the solution of linear systems by iterative
    refinement in three precisions, doi:10.1137/17M1140819.

    Examples
    --------
    >>> import numpy as np
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
    solver = BatchedSolver(
        rtol=rtol,
        max_iterations=max_iterations,
        inner_dtype=inner_dtype,
        refinement=refinement,
        inner_iterations=inner_iterations,
        retry=retry,
        chunk=chunk,
        workers=workers,
    )
    return solver.solve(
        stencils,
        right_hand_side,
        initial=initial,
        constant_null_space=constant_null_space,
        check=check,
    )
