"""Fast Helmholtz solvers as PETSc preconditioners."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.pc._petsc_grid import grid_of_matrix
from pdesolve.pc.fast_helmholtz import ComplexArray, ComplexAxis, FastHelmholtzSolver

ROUNDING = 16.0
"""Parts of a power of two to which weights of sides are rounded."""

ALIKE = 0.3
"""Relative difference below which the two sides of an axis get their mean weight."""

RESONANCE = 0.01
"""Part of the deviation of k² from its mean below which eigenvalues of −Δ − k₀² say nothing."""

KEPT = 32
"""Axes whose eigenvectors are kept."""


class FastHelmholtz:
    """The inverse of −Δ − k₀² with one wavenumber, by eigenvectors along each axis.

    For matrices of −Δu − k² u on grids of boxes: second differences between cells, with
    one real unknown, or the two [[K, B], [B, −K]] of a complex u = v + i w for which
    (K − i B) u = f_v − i f_w (see :func:`pdesolve.grid.helmholtz.helmholtz_system`); on any
    sides, absorbing ones too. Everything is read off the matrix and its ``DMDA``: spacings,
    the mean of k², its imaginary part where there is one, and for each side a constant
    weight. With constant k and sides of one kind it is the inverse of the matrix up to the
    rounding of the weights of absorbing sides to about three percent, by which samples of
    a sequence share their eigenvectors; otherwise resonances of the mean are avoided, and
    iterations grow with the number of wavelengths by which phases differ from those of the mean.

    Chosen by ``{"pc_type": "python", "pc_python_type": "pdesolve.pc.FastHelmholtz"}``, on
    one process, for a Krylov method that takes indefinite systems, such as GMRES.

    References
    ----------
    Lynch, Rice, Thomas (1964), Direct solution of partial difference equations by tensor
    product methods, Numerische Mathematik 6, doi:10.1007/BF01386067.

    Plessix, Mulder (2003), Separation-of-variables as a preconditioner for an iterative
    Helmholtz solver, Applied Numerical Mathematics 44(3),
    doi:10.1016/S0168-9274(02)00165-4.

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.helmholtz import HelmholtzProblem
    >>> options = {"ksp_type": "gmres", "pc_type": "python",
    ...            "pc_python_type": "pdesolve.pc.FastHelmholtz"}
    >>> problem = HelmholtzProblem(12.0, 1.0, dimension=2)
    >>> solve(problem, mesh=(32, 24), solver_parameters=options).result.iterations < 12
    True
    """

    def __init__(self) -> None:
        self._axes: dict[tuple[Any, ...], ComplexAxis] = {}
        self._solver: FastHelmholtzSolver | None = None
        self._size = 1

    def setUp(self, pc: Any) -> None:
        """Read the matrix (called by PETSc when its values have changed)."""
        _, matrix = pc.getOperators()
        shape, periodic, self._size = grid_of_matrix(matrix, "FastHelmholtz", most_unknowns=2)
        if min(shape) < 3:
            raise InputError(
                f"the grid of shape {shape} must have three cells or more along every axis: sides "
                "and wavenumber are read off the rows of the matrix. Use a direct solver for it"
            )
        weights = _weights(matrix, shape, self._size)
        inner = tuple(slice(None) if wrap else slice(1, -1) for wrap in periodic)
        sums = _row_sums(matrix, shape, self._size, weights, inner)
        zeroth = sums[inner]
        edge = np.pad(zeroth, [(0, 0) if wrap else (1, 1) for wrap in periodic], mode="edge")
        excess = sums - edge
        axes = []
        for number, (n, wrap, weight) in enumerate(zip(shape, periodic, weights, strict=True)):
            sides: tuple[complex, ...] = (0.0, 0.0)
            if not wrap:
                sides = _side_weights(excess, inner, number, weight)
            axes.append(self._axis(n, *sides, wrap))
        mean = complex(zeroth.mean())
        least = RESONANCE * float(np.sqrt(np.square(np.abs(zeroth - mean)).mean()))
        self._solver = FastHelmholtzSolver(axes, weights, mean, least)

    def _axis(self, *given: Any) -> ComplexAxis:
        """Made once for each size and pair of weights."""
        if given not in self._axes:
            while len(self._axes) >= KEPT:
                del self._axes[next(iter(self._axes))]
            self._axes[given] = ComplexAxis(*given)
        return self._axes[given]

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """Y = L⁻¹ x (called by PETSc)."""
        del pc
        if self._solver is None:
            raise InputError("FastHelmholtz is applied before its set-up; call KSP.setUp() first")
        shape = self._solver.shape
        if self._size == 1:
            y.array = self._solver.solve(x.array_r.reshape(shape).astype(complex)).real.ravel()
            return
        right = np.conj(x.array_r.view(complex)).reshape(shape)
        y.array = np.ascontiguousarray(self._solver.solve(right)).ravel().view(float)

    def applyTranspose(self, pc: Any, x: Any, y: Any) -> None:  # noqa: N802
        """The same, as the preconditioner is symmetric."""
        self.apply(pc, x, y)

    def view(self, pc: Any, viewer: Any) -> None:
        """Say what it is in ``-ksp_view`` (called by PETSc)."""
        del pc
        viewer.printfASCII("  fast Helmholtz solver, by eigenvectors along each axis\n")


def _weights(matrix: Any, shape: tuple[int, ...], size: int) -> tuple[float, ...]:
    """Minus the entries of a middle row towards its neighbours along each axis."""
    middle = tuple(n // 2 for n in shape)
    columns, values = matrix.getRow(size * int(np.ravel_multi_index(middle, shape)))
    found = []
    for axis in range(len(shape)):
        neighbor = list(middle)
        neighbor[axis] = (neighbor[axis] + 1) % shape[axis]
        place = size * int(np.ravel_multi_index(tuple(neighbor), shape))
        weight = -float(values[columns == place].sum())
        if not (math.isfinite(weight) and weight > 0):
            raise InputError(
                f"the entry of the matrix towards the neighbour along {AXIS_NAMES[axis]} is "
                f"{-weight:.6g} in the middle of the grid; it must be finite and negative, as in "
                "−Δ. Give the matrix that sign, or use another preconditioner such as lu"
            )
        found.append(weight)
    return tuple(found)


def _row_sums(
    matrix: Any, shape: tuple[int, ...], size: int, weights: tuple[float, ...], inner: Any
) -> ComplexArray:
    """Sums of the rows of K − i B, after a look at what the matrix does to random numbers."""
    probe, image = matrix.createVecs()
    matrix.getDiagonal(image)
    diagonal = image.array_r.reshape(*shape, size)[..., 0].copy()

    def times(values: FloatArray) -> ComplexArray:
        with probe as array:
            array.reshape(*shape, size)[..., 0] = values
        matrix.mult(probe, image)
        result = image.array_r.reshape(*shape, size)
        product: ComplexArray = result[..., 0] - (1j * result[..., 1] if size == 2 else 0j)
        return product

    sums = times(np.ones(shape))
    values = np.random.default_rng(0).random(shape)
    found = times(values)
    probe.destroy()
    image.destroy()
    if not (np.isfinite(diagonal).all() and np.isfinite(sums).all()):
        raise InputError(
            "the matrix has entries that are not finite; look at the wavenumber it was made of"
        )
    expected = (diagonal + 1j * sums.imag) * values
    for axis, weight in enumerate(weights):
        expected -= weight * (np.roll(values, 1, axis) + np.roll(values, -1, axis))
    most = float(np.abs(found - expected)[inner].max())
    if not most <= 1e-8 * sum(weights):
        raise InputError(
            "FastHelmholtz is for −Δu − k² u: entries towards neighbours must be the same "
            f"everywhere inside the box, and products with them differ by up to {most:.3g}. Use "
            "pdesolve.pc.FastPoisson for −∇·(a ∇u), or another preconditioner"
        )
    return sums


def _side_weights(
    excess: ComplexArray, inner: Any, axis: int, weight: float
) -> tuple[complex, complex]:
    """Weights of the two sides of an axis, from the cells that touch no other side."""
    found = []
    for upper in (False, True):
        window = list(inner)
        window[axis] = slice(-1, None) if upper else slice(0, 1)
        found.append(complex(excess[tuple(window)].mean()) / weight)
    lower, upper_weight = found
    if abs(lower - upper_weight) <= ALIKE * max(abs(lower), abs(upper_weight)):
        lower = upper_weight = 0.5 * (lower + upper_weight)
    return _rounded(lower), _rounded(upper_weight)


def _rounded(weight: complex) -> complex:
    """Real weights (walls) as they are to ten digits; others to a part of their size."""
    if abs(weight) < 1e-8:
        return 0.0
    if weight.imag == 0.0:
        return complex(round(weight.real, 10))
    unit = 2.0 ** math.floor(math.log2(abs(weight))) / ROUNDING
    return complex(unit * round(weight.real / unit), unit * round(weight.imag / unit))
