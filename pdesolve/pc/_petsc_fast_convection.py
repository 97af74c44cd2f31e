"""Fast convection–diffusion solvers as PETSc preconditioners."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray
from pdesolve.pc._petsc_grid import grid_of_matrix
from pdesolve.pc.fast_poisson import AxisTransform, FastSolver

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
    each axis the entries towards the two neighbours, −l and −r, differ by convection; the
    scaling s_i = (l / r)^(i/2) makes the axis symmetric, and eigenvectors along each axis
    invert the sum of the axes. Nothing is left to iterate then. The scalings grow like
    exp(Σ |b_k| L_k / 2ε), and digits are lost with them (beyond e^14 a second pass corrects
    the first), so this works where diffusion has its say. Beyond e^30, for
    coefficients that vary, periodic axes, and axes of more than 512 cells, an inner
    preconditioner takes its place, which is good where convection prevails if the cells are
    numbered along the flow: incomplete factors.

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
        self._solver: _ScaledSolver | None = None
        self._corrected: Any = None

    def setFromOptions(self, pc: Any) -> None:  # noqa: N802
        """Make the inner preconditioner (called by PETSc)."""
        if self._inner is None:
            self._inner = PETSc.PC().create(comm=pc.comm)
            self._inner.setOptionsPrefix((pc.getOptionsPrefix() or "") + "fast_convection_")
            self._inner.setType("ilu")
        self._inner.setFromOptions()

    def setUp(self, pc: Any) -> None:
        """Read the matrix (called by PETSc when its values have changed)."""
        operator, matrix = pc.getOperators()
        shape, periodic, _ = grid_of_matrix(matrix, "FastConvection")
        self._solver = self._corrected = None
        if not any(periodic) and min(shape) > 2 and max(shape) <= LARGEST_AXIS:
            lines = _Lines.of(matrix, shape)
            self._solver = _solver_of(lines, matrix)
            if lines.growth > EXACT_GROWTH:
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
            if self._inner is None:
                raise InputError(
                    "FastConvection is applied before its set-up; call KSP.setUp() first"
                )
            self._inner.apply(x, y)
            return
        y.array = self._solver.solve(x.array_r)
        if self._corrected is not None:
            left = x.duplicate()
            self._corrected.mult(y, left)
            left.aypx(-1.0, x)
            y.array = y.array_r + self._solver.solve(left.array_r)
            left.destroy()

    def view(self, pc: Any, viewer: Any) -> None:
        """Say what it is in ``-ksp_view`` (called by PETSc)."""
        del pc
        way = "incomplete factors" if self._solver is None else "eigenvectors along each axis"
        viewer.printfASCII(f"  fast convection-diffusion solver, by {way}\n")

    def destroy(self, pc: Any) -> None:
        """Free the inner preconditioner (called by PETSc)."""
        del pc
        if self._inner is not None:
            self._inner.destroy()


@dataclass(frozen=True, eq=False)
class _ScaledSolver:
    """S L⁻¹ S⁻¹ on flat vectors.

    Parameters
    ----------
    solver
        L⁻¹.
    scale
        S, of the grid's shape.
    """

    solver: FastSolver
    scale: FloatArray

    def solve(self, right: FloatArray) -> FloatArray:
        """The answer for a right-hand side."""
        scaled = right.reshape(self.scale.shape) / self.scale
        answer: FloatArray = (self.solver.solve(scaled) * self.scale).ravel()
        return answer


@dataclass(frozen=True, eq=False)
class _Lines:
    """Entries of a matrix of constant coefficients, read off a few rows.

    Parameters
    ----------
    shape
        Of the grid.
    diagonal
        Entry of an inner cell.
    lower, upper
        Entries towards the two neighbours along each axis.
    ends
        What the diagonal has more at the two sides of each axis.
    """

    shape: tuple[int, ...]
    diagonal: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    ends: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, matrix: Any, shape: tuple[int, ...]) -> _Lines:
        """From the row in the middle of the grid, and those in the middle of its sides."""
        middle = tuple(n // 2 for n in shape)

        def row(cell: tuple[int, ...]) -> dict[int, float]:
            columns, values = matrix.getRow(int(np.ravel_multi_index(cell, shape)))
            return dict(zip(columns.tolist(), values.tolist(), strict=True))

        def moved(axis: int, place: int) -> tuple[int, ...]:
            return (*middle[:axis], place, *middle[axis + 1 :])

        def number(cell: tuple[int, ...]) -> int:
            return int(np.ravel_multi_index(cell, shape))

        inner = row(middle)
        diagonal = inner.get(number(middle), 0.0)
        lower, upper, ends = [], [], []
        for axis, n in enumerate(shape):
            lower.append(inner.get(number(moved(axis, middle[axis] - 1)), 0.0))
            upper.append(inner.get(number(moved(axis, middle[axis] + 1)), 0.0))
            sides = (moved(axis, 0), moved(axis, n - 1))
            first, last = (row(cell).get(number(cell), 0.0) - diagonal for cell in sides)
            ends.append((first, last))
        return cls(shape, diagonal, tuple(lower), tuple(upper), tuple(ends))

    def times(self, values: FloatArray) -> FloatArray:
        """The product of the matrix that has these entries everywhere."""
        result: FloatArray = self.diagonal * values
        for axis in range(len(self.shape)):
            into, source = np.moveaxis(result, axis, 0), np.moveaxis(values, axis, 0)
            into[1:] += self.lower[axis] * source[:-1]
            into[:-1] += self.upper[axis] * source[1:]
            into[0] += self.ends[axis][0] * source[0]
            into[-1] += self.ends[axis][1] * source[-1]
        return result

    @property
    def growth(self) -> float:
        """Logarithm of the ratio of the largest to the smallest scaling."""
        total = 0.0
        for n, below, above in zip(self.shape, self.lower, self.upper, strict=True):
            if not (below < 0 and above < 0):
                return math.inf
            total += 0.5 * (n - 1) * abs(math.log(below / above))
        return total


def _solver_of(lines: _Lines, matrix: Any) -> _ScaledSolver | None:
    """The solver, or nothing where the matrix is another or they overflow."""
    if not lines.growth <= LARGEST_GROWTH:
        return None
    means = [math.sqrt(a * b) for a, b in zip(lines.lower, lines.upper, strict=True)]
    sides = [
        (1.0 + first / mean, 1.0 + last / mean)
        for (first, last), mean in zip(lines.ends, means, strict=True)
    ]
    if min(min(pair) for pair in sides) < 0:  # eigenvalues that AxisTransform does not have
        return None
    probe, image = matrix.createVecs()
    with probe as array:
        array[:] = np.random.default_rng(0).random(array.size)
    matrix.mult(probe, image)
    expected = lines.times(probe.array_r.reshape(lines.shape))
    difference = np.abs(image.array_r.reshape(lines.shape) - expected).max()
    probe.destroy()
    image.destroy()
    if not difference <= ROUNDING * abs(lines.diagonal):
        return None
    axes = [AxisTransform(n, *pair) for n, pair in zip(lines.shape, sides, strict=True)]
    shift = lines.diagonal - 2.0 * sum(means)
    scale = np.ones(lines.shape)
    for axis, n in enumerate(lines.shape):
        rate = 0.5 * math.log(lines.lower[axis] / lines.upper[axis])
        along = np.exp(rate * (np.arange(n) - 0.5 * (n - 1)))
        scale *= along.reshape([-1 if k == axis else 1 for k in range(len(lines.shape))])
    return _ScaledSolver(FastSolver(axes, means, shift), scale)
