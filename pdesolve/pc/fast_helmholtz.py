"""Fast direct solvers of the Helmholtz equation with constant wavenumber on boxes."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray
from pdesolve.pc.fast_poisson import product_along

ComplexArray = npt.NDArray[np.complex128]

LARGEST_AXIS = 1024
"""Cells along an axis up to which eigenvectors of it are computed."""

DEFECT = 1e-6
"""Relative error of a decomposition above which it is of no use."""


@dataclass(frozen=True)
class ComplexAxis:
    """Eigenvectors of T u = −u_{i−1} + 2 u_i − u_{i+1} with complex weights of the sides.

    As :class:`pdesolve.pc.AxisTransform`, with sides that may absorb: where the ghost is g
    times its neighbour the weight is 1 − g, and ∂u/∂n = i k u gives g = (1 + i c) / (1 − i c)
    with c = k h / 2. T is then symmetric but not Hermitian, and its eigenvectors are not
    orthonormal.

    Parameters
    ----------
    size
        Number of cells n, at least 2.
    lower, upper
        Weights of the sides: 2 for u = 0, 0 for no flux.
    periodic
        Whether the last cell is next to the first; the weights are of no meaning then.

    Raises
    ------
    InputError
        For fewer than two cells or too many, or weights that are not finite.

    Examples
    --------
    >>> axis = ComplexAxis(8, 0.1 - 0.4j, 0.1 - 0.4j)
    >>> bool((axis.eigenvalues.imag < 0).all())
    True
    """

    size: int
    lower: complex = 2.0
    upper: complex = 2.0
    periodic: bool = False

    def __post_init__(self) -> None:
        if not 2 <= self.size <= LARGEST_AXIS:
            raise InputError(
                f"an axis of {self.size} cells must have 2 to {LARGEST_AXIS}: all eigenvectors "
                "along each axis are computed. Use a direct solver or multigrid"
            )
        for weight in (self.lower, self.upper):
            if not cmath.isfinite(weight):
                raise InputError(
                    f"the weight {weight!r} of a side must be finite: 2 for Dirichlet, 0 for "
                    "Neumann, 1 − g for a ghost of g times its neighbour"
                )

    @property
    def eigenvalues(self) -> ComplexArray:
        """Shape ``(n,)``."""
        return self._decomposition[0]

    @cached_property
    def _decomposition(self) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
        """Eigenvalues, eigenvectors as columns, and the inverse of these."""
        n = self.size
        matrix = 2.0 * np.eye(n, dtype=complex) - np.eye(n, k=1) - np.eye(n, k=-1)
        if self.periodic:
            matrix[0, -1] -= 1.0
            matrix[-1, 0] -= 1.0
        else:
            matrix[0, 0], matrix[-1, -1] = 1.0 + self.lower, 1.0 + self.upper
        if not matrix.imag.any():
            values, vectors = np.linalg.eigh(matrix.real)
            full = vectors.astype(complex)
            return values.astype(complex), full, np.ascontiguousarray(full.T)
        values, vectors = np.linalg.eig(matrix)
        try:
            inverse = np.linalg.inv(vectors)
            error = np.abs(vectors * values @ inverse - matrix).max()
        except np.linalg.LinAlgError:
            error = math.inf
        if not error <= DEFECT:
            raise InputError(
                f"the axis of {n} cells with side weights {self.lower:.4g} and {self.upper:.4g} "
                "has no basis of eigenvectors in floating point; use a direct solver"
            )
        return values, np.ascontiguousarray(vectors), np.ascontiguousarray(inverse)

    def forward(self, values: ComplexArray, axis: int) -> ComplexArray:
        """Coefficients in the basis of eigenvectors along an axis."""
        return product_along(self._decomposition[2], values, axis)

    def backward(self, coefficients: ComplexArray, axis: int) -> ComplexArray:
        """The inverse of :meth:`forward`."""
        return product_along(self._decomposition[1], coefficients, axis)


class FastHelmholtzSolver:
    """Solve (Σ_k w_k T_k + σ) u = f with complex T_k and σ by products along each axis.

    The fast diagonalisation method: O(N n) operations for N cells, n along an axis, nearly
    all in matrix products. Where the operator is singular, the pseudo-inverse.

    Parameters
    ----------
    axes
        One for each axis.
    weights
        w_k > 0, 1 / h_k².
    shift
        σ = −k², with an imaginary part where the medium damps.
    least
        What takes the place of eigenvalues of smaller absolute value; 0 for none. A
        preconditioner that leaves their eigenvectors out, or multiplies them by very much, would
        not serve for other operators nearby, which are not singular.

    References
    ----------
    Lynch, Rice, Thomas (1964), Direct solution of partial difference equations by tensor
    product methods, Numerische Mathematik 6, doi:10.1007/BF01386067.

    Examples
    --------
    >>> axis = ComplexAxis(16, 0.05 - 0.3j, 0.05 - 0.3j)
    >>> solver = FastHelmholtzSolver([axis, axis], [256.0, 256.0], -25.0)
    >>> bool(abs(solver.solve(np.ones((16, 16), complex))).max() < 1.0)
    True
    """

    def __init__(
        self,
        axes: Sequence[ComplexAxis],
        weights: Sequence[float],
        shift: complex,
        least: float = 0.0,
    ) -> None:
        self.axes = tuple(axes)
        self.shape = tuple(axis.size for axis in axes)
        values = np.full((1,) * len(self.shape), shift, dtype=complex)
        for number, (axis, weight) in enumerate(zip(axes, weights, strict=True)):
            along = [1] * len(self.shape)
            along[number] = axis.size
            values = values + weight * axis.eigenvalues.reshape(along)
        values = np.where(np.abs(values) < least, least, values)
        size: FloatArray = np.abs(values)
        noise = 1e-13 * float(size.max())
        with np.errstate(divide="ignore", invalid="ignore"):
            self._inverse: ComplexArray = np.where(size <= noise, 0.0, 1.0 / values)

    def solve(self, right: ComplexArray) -> ComplexArray:
        """The answer for a right-hand side of the solver's shape."""
        values = right
        for number, axis in enumerate(self.axes):
            values = axis.forward(values, number)
        values *= self._inverse
        for number, axis in enumerate(self.axes):
            values = axis.backward(values, number)
        return values
