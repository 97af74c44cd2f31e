"""Fast convection–diffusion solvers as PETSc preconditioners."""

from __future__ import annotations

from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve.pc._petsc_grid import grid_of_matrix
from pdesolve.pc.fast_convection import ConstantRows, FastConvectionSolver

LARGEST_GROWTH = 30.0
"""Logarithm of the largest ratio of scalings: e^30 leaves three digits of sixteen."""

EXACT_GROWTH = 14.0
"""The same up to which one application has ten digits; beyond, it corrects itself once."""

LARGEST_AXIS = 512
"""Cells along an axis up to which its eigenvectors are computed for each matrix."""

ROUNDING = 1e-10


class FastConvection:
    """The inverse of −ε Δ + b·∇ + c with constant ε, b and c, where that can be computed.

    For matrices of scalar equations on grids of boxes that couple next neighbours only. Along
    each axis the entries towards the two neighbours, l and r, differ by convection; the
    scaling s_i = (l / r)^(i/2) makes an axis symmetric, and eigenvectors along all axes but
    the one with the strongest convection leave lines along that one, which are solved by
    elimination (:class:`pdesolve.pc.FastConvectionSolver`). Nothing is left to iterate then.
    The scalings grow like exp(Σ |b_k| L_k / 2ε) over those axes, and digits are lost with them
    (beyond e^14 a second pass corrects the first), so this works where diffusion has its say,
    or the flow follows an axis. Beyond e^30, for coefficients that vary, periodic axes, axes of
    more than 512 cells, matrices that are not positive definite or singular, and walls without
    diffusive flux across a flow, an inner preconditioner takes its place, which is good where
    convection prevails if the cells are numbered along the flow: incomplete factors.

    Chosen by ``{"pc_type": "python", "pc_python_type": "pdesolve.pc.FastConvection"}``, on one
    process. Which of the two is used is found for each matrix by multiplying with it once.

    Options (with the solver's prefix)

    - ``fast_convection_``: prefix of the inner preconditioner's; ILU where nothing is said.

    References
    ----------
    Lynch, Rice, Thomas (1964), Direct solution of partial difference equations by tensor
    product methods, Numerische Mathematik 6, doi:10.1007/BF01386067.

    Elman, Golub (1990), Iterative methods for cyclically reduced non-self-adjoint linear
    systems, Mathematics of Computation 54(190), doi:10.1090/S0025-5718-1990-1011442-X (which
    symmetrises by such scalings).

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.convection_diffusion import ConvectionDiffusionProblem
    >>> options = {"ksp_type": "gmres", "pc_type": "python",
    ...            "pc_python_type": "pdesolve.pc.FastConvection"}
    >>> problem = ConvectionDiffusionProblem(0.1, (0.6, -0.8), 1.0)
    >>> solve(problem, mesh=(24, 20), solver_parameters=options).result.iterations
    1
    """

    def __init__(self) -> None:
        self._inner: Any = None
        self._solver: FastConvectionSolver | None = None
        self._transposed: FastConvectionSolver | None = None
        self._corrected: Any = None
        self._shape: tuple[int, ...] = ()

    def setFromOptions(self, pc: Any) -> None:  # noqa: N802
        """Make the inner preconditioner, or refuse its options (called by PETSc)."""
        if self._inner is None:
            self._inner = PETSc.PC().create(comm=pc.comm)
            self._inner.setOptionsPrefix((pc.getOptionsPrefix() or "") + "fast_convection_")
            self._inner.setType("ilu")
        try:
            self._inner.setFromOptions()
        except PETSc.Error as error:
            raise InputError(
                f"PETSc refused the options '{self._inner.getOptionsPrefix()}...' of the inner "
                f"preconditioner: {str(error).strip().splitlines()[-1]}"
            ) from error

    def setUp(self, pc: Any) -> None:
        """Read the matrix (called by PETSc when its values have changed)."""
        operator, matrix = pc.getOperators()
        shape, periodic, _ = grid_of_matrix(matrix, "FastConvection")
        self._shape = shape
        self._solver = self._transposed = self._corrected = None
        if not any(periodic) and min(shape) > 2 and max(shape) <= LARGEST_AXIS:
            self._solver = _solver_of(matrix, shape)
            if self._solver is not None and self._solver.growth > EXACT_GROWTH:
                self._corrected = matrix
        if self._solver is None:
            if self._inner is None:
                self.setFromOptions(pc)
            self._inner.setOperators(operator, matrix)
            self._inner.setUp()

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """Y = A⁻¹ x, or about that (called by PETSc)."""
        del pc
        if self._solver is None:
            self._ready().apply(x, y)
        else:
            self._invert(self._solver, getattr(self._corrected, "mult", None), x, y)

    def applyTranspose(self, pc: Any, x: Any, y: Any) -> None:  # noqa: N802
        """Y = A⁻ᵀ x, or about that, for methods such as BiCG (called by PETSc)."""
        del pc
        if self._solver is None:
            self._ready().applyTranspose(x, y)
            return
        if self._transposed is None:
            self._transposed = FastConvectionSolver(self._solver.rows.transposed)
        self._invert(self._transposed, getattr(self._corrected, "multTranspose", None), x, y)

    def _ready(self) -> Any:
        if self._inner is None:
            raise InputError("FastConvection is applied before its set-up; call KSP.setUp() first")
        return self._inner

    def _invert(self, solver: FastConvectionSolver, product: Any, x: Any, y: Any) -> None:
        """Solve, and once more for what is left where a product is given to tell that."""
        y.array = solver.solve(x.array_r.reshape(self._shape)).ravel()
        if product is not None:
            left = x.duplicate()
            product(y, left)
            left.aypx(-1.0, x)
            y.array = y.array_r + solver.solve(left.array_r.reshape(self._shape)).ravel()
            left.destroy()

    def view(self, pc: Any, viewer: Any) -> None:
        """Say what it is in ``-ksp_view`` (called by PETSc)."""
        del pc
        way = "by eigenvectors and elimination along the axes"
        if self._solver is None:
            way = "by an inner preconditioner"
        viewer.printfASCII(f"  fast convection-diffusion solver, {way}\n")
        if self._solver is None and self._inner is not None:
            self._inner.view(viewer)

    def destroy(self, pc: Any) -> None:
        """Free the inner preconditioner, and let go of the matrix (called by PETSc)."""
        del pc
        self._corrected = None
        if self._inner is not None:
            self._inner.destroy()
            self._inner = None


def _rows_of(matrix: Any, shape: tuple[int, ...]) -> ConstantRows:
    """From the row in the middle of the grid, and those in the middle of its sides."""
    middle = tuple(n // 2 for n in shape)

    def moved(axis: int, place: int) -> tuple[int, ...]:
        return (*middle[:axis], place, *middle[axis + 1 :])

    def entry(row: tuple[int, ...], column: tuple[int, ...]) -> float:
        wanted = int(np.ravel_multi_index(column, shape))
        columns, values = matrix.getRow(int(np.ravel_multi_index(row, shape)))
        return float(values[columns == wanted].sum())

    diagonal = entry(middle, middle)
    lower, upper, ends = [], [], []
    for axis, n in enumerate(shape):
        lower.append(entry(middle, moved(axis, middle[axis] - 1)))
        upper.append(entry(middle, moved(axis, middle[axis] + 1)))
        first, last = moved(axis, 0), moved(axis, n - 1)
        ends.append((entry(first, first) - diagonal, entry(last, last) - diagonal))
    return ConstantRows(shape, diagonal, tuple(lower), tuple(upper), tuple(ends))


def _solver_of(matrix: Any, shape: tuple[int, ...]) -> FastConvectionSolver | None:
    """The solver, or nothing where the matrix is another one or too much would be lost."""
    rows = _rows_of(matrix, shape)
    if not sum(rows.growths) - max(rows.growths) <= LARGEST_GROWTH:
        return None
    probe, image = matrix.createVecs()
    with probe as array:
        array[:] = np.random.default_rng(0).random(array.size)
    matrix.mult(probe, image)
    expected = rows.times(probe.array_r.reshape(shape))
    difference = np.abs(image.array_r.reshape(shape) - expected).max()
    probe.destroy()
    image.destroy()
    if not difference <= ROUNDING * abs(rows.diagonal):
        return None
    try:
        return FastConvectionSolver(rows)
    except ArithmeticError:
        return None
