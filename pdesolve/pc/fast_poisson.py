"""Fast direct solvers of constant-coefficient problems on boxes, by transforms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.fft
from scipy.linalg import eigh_tridiagonal

from meshes.errors import InputError
from meshes.structured import FloatArray

DIRICHLET, NEUMANN = 2.0, 0.0
"""Weight of a side, in units of the weight of an inner face: u given half a cell away, or not."""

Number = TypeVar("Number", np.float64, np.complex128)

LARGEST_DENSE = 64
"""Cells along an axis up to which a dense matrix product is faster than a fast transform."""

_FAST = {
    (DIRICHLET, DIRICHLET): ("dst", 2, 3),
    (NEUMANN, NEUMANN): ("dct", 2, 3),
    (DIRICHLET, NEUMANN): ("dst", 4, 4),
    (NEUMANN, DIRICHLET): ("dct", 4, 4),
}


@dataclass(frozen=True)
class AxisTransform:
    """The orthonormal eigenvectors of T u = −u_{i−1} + 2 u_i − u_{i+1} along one axis.

    In the first row the diagonal is 1 + `lower`, in the last one 1 + `upper`, and
    neighbours beyond the ends are left out: cell-centred finite volumes, for which the
    weight of a side is 2 where u is given (half a cell away), 0 where the flux is, and in
    between for a Robin condition. The bases are

    - sine, DST-II, with eigenvalues 4 sin²(π (k + 1) / 2n), for weights 2 and 2;
    - cosine, DCT-II, 4 sin²(π k / 2n), for 0 and 0;
    - DST-IV and DCT-IV, 4 sin²(π (2k + 1) / 4n), for 2 and 0, and 0 and 2;
    - Hartley's cos + sin, 4 sin²(π k / n), for a periodic axis;
    - numerical eigenvectors and a dense product for other weights.

    Parameters
    ----------
    size
        Number of cells n, at least 2.
    lower, upper
        Weights of the sides, not negative; of no meaning on a periodic axis.
    periodic
        Whether the last cell is next to the first.

    Raises
    ------
    InputError
        For fewer than two cells or a weight that is negative or not finite.

    References
    ----------
    Strang (1999), The discrete cosine transform, SIAM Review 41,
    doi:10.1137/S0036144598336745.

    Bracewell (1983), Discrete Hartley transform, Journal of the Optical Society of
    America 73, doi:10.1364/JOSA.73.001832.

    Examples
    --------
    >>> AxisTransform(2, DIRICHLET, DIRICHLET).eigenvalues.round(12).tolist()
    [2.0, 4.0]
    """

    size: int
    lower: float = DIRICHLET
    upper: float = DIRICHLET
    periodic: bool = False

    def __post_init__(self) -> None:
        if self.size < 2:
            raise InputError(
                f"an axis of {self.size} cells must have two or more of them; use a finer grid"
            )
        for weight in (self.lower, self.upper):
            if not (math.isfinite(weight) and weight >= 0):
                raise InputError(
                    f"the weight {weight!r} of a side must be finite and not negative: 2 for "
                    "Dirichlet, 0 for Neumann"
                )

    @cached_property
    def eigenvalues(self) -> FloatArray:
        """Shape ``(n,)``, in the order of the coefficients."""
        n, k = self.size, np.arange(self.size, dtype=np.float64)
        name, kind, _ = self._fast
        if name == "hartley":
            angle = np.pi * k / n
        elif name == "dense":
            return self._numerical[0]
        elif kind == 4:
            angle = np.pi * (2 * k + 1) / (4 * n)
        else:
            angle = np.pi * (k + (name == "dst")) / (2 * n)
        values: FloatArray = 4.0 * np.sin(angle) ** 2
        return values

    @property
    def _fast(self) -> tuple[str, int, int]:
        if self.periodic:
            return "hartley", 0, 0
        return _FAST.get((self.lower, self.upper), ("dense", 0, 0))

    @cached_property
    def _numerical(self) -> tuple[FloatArray, FloatArray]:
        diagonal = np.full(self.size, 2.0)
        diagonal[0], diagonal[-1] = 1.0 + self.lower, 1.0 + self.upper
        values, vectors = eigh_tridiagonal(diagonal, np.full(self.size - 1, -1.0))
        return np.maximum(values, 0.0), np.ascontiguousarray(vectors)

    @cached_property
    def _dense(self) -> FloatArray | None:
        """Eigenvectors as columns, or None where a fast transform is faster."""
        if self._fast[0] == "dense":
            return self._numerical[1]
        if self.size > LARGEST_DENSE:
            return None
        return np.ascontiguousarray(self._transform(np.eye(self.size), 0, inverse=True))

    def forward(self, values: FloatArray, axis: int) -> FloatArray:
        """Coefficients in the basis along an axis; may overwrite `values`."""
        if self._dense is None:
            return self._transform(values, axis, inverse=False)
        return product_along(self._dense.T, values, axis)

    def backward(self, coefficients: FloatArray, axis: int) -> FloatArray:
        """The inverse, which is the transpose, of :meth:`forward`."""
        if self._dense is None:
            return self._transform(coefficients, axis, inverse=True)
        return product_along(self._dense, coefficients, axis)

    def _transform(self, values: FloatArray, axis: int, *, inverse: bool) -> FloatArray:
        name, kind, inverse_kind = self._fast
        if name == "hartley":
            return _hartley(values, axis)
        call: Any = scipy.fft.dst if name == "dst" else scipy.fft.dct
        result: FloatArray = call(
            values,
            type=inverse_kind if inverse else kind,
            axis=axis,
            norm="ortho",
            overwrite_x=True,
            workers=1,
        )
        return result


def product_along(
    matrix: npt.NDArray[Number], values: npt.NDArray[Number], axis: int
) -> npt.NDArray[Number]:
    """Σ_j matrix[i, j] values[..., j, ...] along an axis, real or complex.

    Examples
    --------
    >>> product_along(np.diag([1.0, 2.0]), np.ones((3, 2)), 1)[0].tolist()
    [1.0, 2.0]
    """
    shape, n = values.shape, values.shape[axis]
    if axis == values.ndim - 1:
        result: npt.NDArray[Number] = values.reshape(-1, n) @ matrix.T
    else:
        result = np.matmul(matrix, values.reshape(math.prod(shape[:axis]), n, -1))
    return result.reshape(shape)


def _hartley(values: FloatArray, axis: int) -> FloatArray:
    """Σ_j (cos + sin)(2π j k / n) u_j / √n, its own inverse."""
    n = values.shape[axis]
    half = np.moveaxis(scipy.fft.rfft(values, axis=axis, norm="ortho", workers=1), axis, 0)
    result = np.empty_like(values)
    view = np.moveaxis(result, axis, 0)
    np.subtract(half.real, half.imag, out=view[: n // 2 + 1])
    mirrored = half[1 : (n + 1) // 2]
    np.add(mirrored.real, mirrored.imag, out=view[: n // 2 : -1])
    return result


class FastSolver:
    """Solve (Σ_k w_k T_k + σ) u = f with one transform of each axis forth and back.

    O(N log N) operations for N cells. Constants that the operator maps to zero are left
    out of the answer (the pseudo-inverse).

    Parameters
    ----------
    transforms
        One for each axis.
    weights
        w_k > 0, that of an inner face across axis k: a / h_k².
    shift
        σ, of any sign.

    Raises
    ------
    InputError
        If there are not as many weights as transforms, or one is not positive.

    Examples
    --------
    >>> solver = FastSolver([AxisTransform(3), AxisTransform(3)], [9.0, 9.0])
    >>> solver.solve(np.ones((3, 3))).round(4)[1].tolist()
    [0.0528, 0.0806, 0.0528]
    """

    def __init__(
        self,
        transforms: Sequence[AxisTransform],
        weights: Sequence[float],
        shift: float = 0.0,
    ) -> None:
        if len(weights) != len(transforms) or not all(
            math.isfinite(weight) and weight > 0 for weight in weights
        ):
            raise InputError(
                f"weights={list(weights)} must be {len(transforms)} positive numbers, one an axis; "
                "give a / h² of each"
            )
        self.transforms = tuple(transforms)
        self.shape = tuple(transform.size for transform in transforms)
        values = np.full((1,) * len(self.shape), shift)
        for axis, (transform, weight) in enumerate(zip(transforms, weights, strict=True)):
            along = [1] * len(self.shape)
            along[axis] = transform.size
            values = values + weight * transform.eigenvalues.reshape(along)
        noise = 1e-13 * float(np.abs(values).max())
        self.singular = bool(np.abs(values).min() <= noise)
        with np.errstate(divide="ignore"):
            self._inverse: FloatArray = np.where(np.abs(values) <= noise, 0.0, 1.0 / values)

    def solve(self, right: FloatArray) -> FloatArray:
        """The answer for a right-hand side of the solver's shape, which may be overwritten."""
        values = right
        for axis, transform in enumerate(self.transforms):
            values = transform.forward(values, axis)
        values *= self._inverse
        for axis, transform in enumerate(self.transforms):
            values = transform.backward(values, axis)
        return values
