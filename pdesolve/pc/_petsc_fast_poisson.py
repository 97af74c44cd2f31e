"""Fast Poisson solvers as PETSc preconditioners."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from meshes.errors import InputError, suggest
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.pc.constant_operator import (
    SCALINGS,
    Scaling,
    StencilValues,
    nearest_constant_operator,
)
from pdesolve.pc.fast_poisson import FastSolver

_INFERRED = "mean"


class FastPoisson:
    """The inverse of S L S with L of constant coefficients, by fast transforms.

    For matrices of scalar equations on grids of boxes: cell-centred finite volumes of
    −∇·(a ∇u) + c u, with any conditions on the sides. Everything is read off the matrix
    (see :func:`pdesolve.pc.nearest_constant_operator`) and its ``DMDA``: which sides fix u,
    the ratio of the spacings, S² ≈ a, and the mean of c. For constant a and c it is the
    inverse of the matrix; otherwise the number of iterations does not depend on the grid.
    It is symmetric, and positive definite for c ≥ 0. Where constants solve the homogeneous
    problem it is so on vectors of mean zero, onto which it projects.

    Chosen by ``{"pc_type": "python", "pc_python_type": "pdesolve.pc.FastPoisson"}``, on
    one process. When values of the matrix change, S and the scaled eigenvalues are made
    again; the transforms are kept.

    Options (with the solver's prefix)

    - ``fast_poisson_scaling``: ``auto`` (default), ``smooth``, ``diagonal`` or ``none``;
    - ``fast_poisson_shift``: ``mean`` (default), or the number that takes its place, in
      units of the operator between the scalings.

    References
    ----------
    Concus, Golub (1973), Use of fast direct methods for the efficient numerical solution
    of nonseparable elliptic equations, SIAM Journal on Numerical Analysis 10(6),
    doi:10.1137/0710092.

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> options = {"pc_type": "python", "pc_python_type": "pdesolve.pc.FastPoisson"}
    >>> problem = DarcyProblem(7.0, dimension=2)
    >>> solve(problem, mesh=(24, 20), solver_parameters=options).result.iterations
    1
    """

    def __init__(self) -> None:
        self._scaling: Scaling = "auto"
        self._shift: float | None = None
        self._solver: FastSolver | None = None
        self._scale: FloatArray | None = None
        self._pattern: _Pattern | None = None
        self._mean_free = False

    def setFromOptions(self, pc: Any) -> None:
        """Read the options (called by PETSc)."""
        options = PETSc.Options(pc.getOptionsPrefix())
        scaling = str(options.getString("fast_poisson_scaling", "auto"))
        if scaling not in SCALINGS:
            raise InputError(
                f"fast_poisson_scaling={scaling!r} is not known. {suggest(scaling, SCALINGS)}"
            )
        self._scaling = cast(Scaling, scaling)
        shift = str(options.getString("fast_poisson_shift", _INFERRED))
        try:
            self._shift = None if shift == _INFERRED else float(shift)
        except ValueError:
            raise InputError(
                f"fast_poisson_shift={shift!r} must be '{_INFERRED}' or a number, such as 0"
            ) from None
        if self._shift is not None and not np.isfinite(self._shift):
            raise InputError(f"fast_poisson_shift={shift} must be finite, such as 0")

    def setUp(self, pc: Any) -> None:
        """Read the matrix (called by PETSc when its values have changed)."""
        _, matrix = pc.getOperators()
        shape, periodic = _grid(matrix)
        if self._pattern is None or not self._pattern.fits(matrix, shape, periodic):
            self._pattern = _Pattern(matrix, shape, periodic)
            self._solver = None
        values = self._pattern.values(matrix)
        operator = nearest_constant_operator(values, self._scaling, self._shift)
        transforms = operator.transforms()
        if self._solver is not None and self._solver.transforms == transforms:
            transforms = self._solver.transforms
        self._solver = FastSolver(transforms, operator.weights, operator.shift)
        self._mean_free = self._solver.singular and bool(
            np.abs(values.row_sums).max() <= 1e-10 * values.diagonal.max()
        )
        self._scale = 1.0 / operator.scale

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """Y = S⁻¹ L⁻¹ S⁻¹ x (called by PETSc)."""
        del pc
        if self._solver is None or self._scale is None:
            raise InputError("FastPoisson is applied before its set-up; call KSP.setUp() first")
        right = x.array_r.reshape(self._scale.shape)
        scaled = (right - right.mean()) * self._scale if self._mean_free else right * self._scale
        answer = self._solver.solve(scaled)
        answer *= self._scale
        if self._mean_free:
            answer -= answer.mean()
        y.array = answer.ravel()

    def applyTranspose(self, pc: Any, x: Any, y: Any) -> None:
        """The same, as the preconditioner is symmetric."""
        self.apply(pc, x, y)

    def applySymmetricLeft(self, pc: Any, x: Any, y: Any) -> None:
        """Not offered."""
        del pc, x, y
        raise InputError("FastPoisson has no symmetric halves; use pc_side left or right")

    def view(self, pc: Any, viewer: Any) -> None:
        """Say what it is in ``-ksp_view`` (called by PETSc)."""
        del pc
        viewer.printfASCII(f"  fast Poisson solver, scaling {self._scaling}\n")


def _grid(matrix: Any) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Shape and periodic axes of a matrix's grid, axis 0 being x."""
    if matrix.comm.getSize() > 1:
        raise InputError(
            f"FastPoisson works on one process, and the matrix is spread over "
            f"{matrix.comm.getSize()}. Solve on PETSc.COMM_SELF, many systems side by side, or "
            "use pc_type gamg"
        )
    dm = matrix.getDM()
    if not isinstance(dm, PETSc.DMDA) or dm.handle == 0:
        raise InputError(
            "FastPoisson needs a matrix that knows its grid, one with a DMDA, and this one has "
            "none. Make it with operators.StencilMatrix, or call Mat.setDM"
        )
    if dm.getDof() != 1:
        raise InputError(
            f"FastPoisson needs one unknown a cell, and the matrix's grid has {dm.getDof()}. "
            "Use it for the scalar blocks of a fieldsplit, or another preconditioner"
        )
    wraps = PETSc.DM.BoundaryType.PERIODIC
    shape = tuple(int(size) for size in reversed(dm.getSizes()))
    periodic = tuple(kind == wraps for kind in reversed(dm.getBoundaryType()))
    return shape, periodic


class _Pattern:
    """Where the entries of neighbours are among a matrix's nonzeros."""

    def __init__(self, matrix: Any, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> None:
        self.shape, self.periodic = shape, periodic
        self._starts, self._columns = (np.array(part) for part in matrix.getRowIJ()[:2])
        size = int(np.prod(shape))
        if len(self._starts) != size + 1:
            raise InputError(
                f"the matrix has {len(self._starts) - 1} rows, and its grid of shape {shape} has "
                f"{size} cells; give a matrix of type aij with one row for each cell"
            )
        rows = np.repeat(np.arange(size), np.diff(self._starts))
        cells = np.arange(size).reshape(shape)
        self._axes = []
        for axis, wrap in enumerate(periodic):
            pair = []
            for step in (1, -1):  # the lower neighbour of i is what is rolled up to i
                wanted = np.roll(cells, step, axis)
                if not wrap:
                    edge: list[Any] = [slice(None)] * len(shape)
                    edge[axis] = 0 if step == 1 else -1
                    wanted = wanted.copy()
                    wanted[tuple(edge)] = -1
                places = np.flatnonzero(self._columns == wanted.ravel()[rows])
                pair.append((rows[places], places))
            self._axes.append(pair)
        self._diagonal = np.flatnonzero(self._columns == rows)
        if len(self._diagonal) != size:
            raise InputError(
                "some rows of the matrix have no diagonal entry; FastPoisson needs one of a "
                "positive number in each, as in −∇·(a ∇u). Use another preconditioner"
            )

    def fits(self, matrix: Any, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> bool:
        """Whether it is that of this matrix."""
        starts, columns = matrix.getRowIJ()[:2]
        return (
            (shape, periodic) == (self.shape, self.periodic)
            and np.array_equal(starts, self._starts)
            and np.array_equal(columns, self._columns)
        )

    def values(self, matrix: Any) -> StencilValues:
        """The entries of a matrix of this pattern."""
        entries: npt.NDArray[np.float64] = matrix.getValuesCSR()[2]
        diagonal = entries[self._diagonal].reshape(self.shape)
        if not (np.isfinite(entries.sum()) and diagonal.min() > 0):
            _refuse(diagonal, entries)
        size = diagonal.size
        neighbours = np.zeros((len(self.shape), 2, size))
        for axis, pair in enumerate(self._axes):
            for end, (rows, places) in enumerate(pair):
                neighbours[axis, end, rows] = -entries[places]
        sums = np.add.reduceat(entries, self._starts[:-1])
        return StencilValues(
            diagonal,
            neighbours.reshape(len(self.shape), 2, *self.shape),
            sums.reshape(self.shape),
            self.periodic,
        )


def _refuse(diagonal: FloatArray, entries: FloatArray) -> None:
    wrong = np.argwhere(~(np.isfinite(diagonal) & (diagonal > 0)))
    if len(wrong):
        where = tuple(int(i) for i in wrong[0])
        axes = ", ".join(AXIS_NAMES[: len(where)])
        raise InputError(
            f"the diagonal entry of cell {where} (along {axes}) is {diagonal[where]:.6g}; "
            "FastPoisson needs finite positive ones, as those of −∇·(a ∇u). Give the matrix that "
            "sign, look at the coefficients, or use another preconditioner"
        )
    raise InputError(
        f"{int((~np.isfinite(entries)).sum())} entries of the matrix are not finite; FastPoisson "
        "needs finite ones. Look at the coefficients"
    )
