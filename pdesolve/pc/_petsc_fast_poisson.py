"""Fast Poisson solvers as PETSc preconditioners."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError, suggest
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.pc._petsc_grid import grid_of_matrix
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
    inverse of the matrix; otherwise the number of iterations hardly depends on the grid.
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
        self._mean_free = False

    def setFromOptions(self, pc: Any) -> None:  # noqa: N802
        """Read the options (called by PETSc)."""
        options = PETSc.Options(pc.getOptionsPrefix())
        scaling = str(options.getString("fast_poisson_scaling", "auto"))
        if scaling not in SCALINGS:
            raise InputError(
                f"fast_poisson_scaling={scaling!r} is not known. {suggest(scaling, SCALINGS)}"
            )
        self._scaling = cast("Scaling", scaling)
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
        shape, periodic, _ = grid_of_matrix(matrix, "FastPoisson")
        values = _values(matrix, shape, periodic)
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

    def applyTranspose(self, pc: Any, x: Any, y: Any) -> None:  # noqa: N802
        """The same, as the preconditioner is symmetric."""
        self.apply(pc, x, y)

    def view(self, pc: Any, viewer: Any) -> None:
        """Say what it is in ``-ksp_view`` (called by PETSc)."""
        del pc
        viewer.printfASCII(f"  fast Poisson solver, scaling {self._scaling}\n")


def _values(matrix: Any, shape: tuple[int, ...], periodic: tuple[bool, ...]) -> StencilValues:
    """What a matrix does to itself, to constants, and to stripes across each axis."""
    probe, image = matrix.createVecs()
    matrix.getDiagonal(image)
    diagonal = image.array_r.reshape(shape).copy()
    probe.set(1.0)
    matrix.mult(probe, image)
    sums = image.array_r.reshape(shape).copy()
    if not (np.isfinite(sums.sum()) and np.isfinite(diagonal.sum()) and diagonal.min() > 0):
        _refuse(diagonal, sums)
    couplings = np.zeros((len(shape), *shape))
    for axis, wrap in enumerate(periodic):
        # neighbours along the axis have another color than the cell, all other cells that
        # its row reaches have its own
        colors = np.arange(shape[axis]) % 2
        if wrap and shape[axis] % 2:
            colors[-1] = 2
        along = colors.reshape([-1 if k == axis else 1 for k in range(len(shape))])
        for color in range(1, int(colors.max()) + 1):
            own = along == color
            with probe as array:
                array.reshape(shape)[...] = own
            matrix.mult(probe, image)
            result = image.array_r.reshape(shape)
            couplings[axis] += result * (own - 1.0 * (along == 0))
            couplings[axis] -= sums * own
    for vector in (probe, image):
        vector.destroy()
    return StencilValues(diagonal, couplings, sums, periodic)


def _refuse(diagonal: FloatArray, sums: FloatArray) -> None:
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
        f"{int((~np.isfinite(sums)).sum())} rows of the matrix have entries that are not finite; "
        "FastPoisson needs finite ones. Look at the coefficients that the matrix was made of"
    )
