"""Fast direct solvers of convection and diffusion with constant coefficients on boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from meshes.structured import FloatArray
from pdesolve.pc.fast_poisson import AxisTransform

SMALLEST_PIVOT = 1e-12
"""In parts of the diagonal; matrices with smaller ones are singular up to rounding."""


@dataclass(frozen=True)
class ConstantRows:
    """A matrix on a grid with the same rows everywhere but at the sides of the box.

    (A u)_i = d u_i + Σ_k (l_k u_{i−e_k} + r_k u_{i+e_k}); neighbours beyond the box are left
    out, and the diagonal of the cells at a side is another one instead.

    Parameters
    ----------
    shape
        Cells along each axis.
    diagonal
        d.
    lower, upper
        l_k and r_k.
    ends
        What the diagonal has more at the two sides of each axis.

    Examples
    --------
    >>> rows = ConstantRows((3,), 3.0, (-2.0,), (-1.0,), ((0.0, 0.5),))
    >>> rows.times(np.ones(3)).tolist()
    [2.0, 0.0, 1.5]
    """

    shape: tuple[int, ...]
    diagonal: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    ends: tuple[tuple[float, float], ...]

    def times(self, values: FloatArray) -> FloatArray:
        """A u for u of the grid's shape."""
        result: FloatArray = self.diagonal * values
        for axis in range(len(self.shape)):
            into, source = np.moveaxis(result, axis, 0), np.moveaxis(values, axis, 0)
            into[1:] += self.lower[axis] * source[:-1]
            into[:-1] += self.upper[axis] * source[1:]
            into[0] += self.ends[axis][0] * source[0]
            into[-1] += self.ends[axis][1] * source[-1]
        return result

    @property
    def transposed(self) -> ConstantRows:
        """The rows of the transposed matrix."""
        return replace(self, lower=self.upper, upper=self.lower)

    @property
    def growths(self) -> tuple[float, ...]:
        """(n − 1) |ln(l / r)| / 2 of each axis; infinite where l and r are not both negative.

        The logarithm of the ratio of the largest to the smallest number that scales the
        axis so that it becomes symmetric.
        """
        return tuple(
            0.5 * (n - 1) * abs(math.log(below / above)) if below < 0 and above < 0 else math.inf
            for n, below, above in zip(self.shape, self.lower, self.upper, strict=True)
        )


class FastConvectionSolver:
    """Solve A u = f for :class:`ConstantRows`.

    The axis of the largest growth is solved by elimination along its lines. The others are
    made symmetric by s_i = (l / r)^(i/2), and eigenvectors along them decouple the lines.
    Rounding errors grow with the scalings of these others, see :attr:`growth`.

    Parameters
    ----------
    rows
        A.

    Raises
    ------
    ArithmeticError
        Where the scalings do not exist, or elimination meets a pivot that is not positive, or
        is so small that the matrix is singular up to rounding.

    References
    ----------
    Lynch, Rice, Thomas (1964), Direct solution of partial difference equations by tensor
    product methods, Numerische Mathematik 6, doi:10.1007/BF01386067.

    Examples
    --------
    >>> rows = ConstantRows((3, 4), 9.0, (-2.0, -1.0), (-1.0, -2.0), ((1.0, 1.0),) * 2)
    >>> solver = FastConvectionSolver(rows)
    >>> bool(np.allclose(rows.times(solver.solve(np.ones((3, 4)))), 1.0))
    True
    """

    def __init__(self, rows: ConstantRows) -> None:
        self.rows, growths = rows, rows.growths
        self._line = int(np.argmax(growths))
        others = [axis for axis in range(len(rows.shape)) if axis != self._line]
        self.growth = sum(growths[axis] for axis in others)
        if not self.growth < 600:
            raise ArithmeticError("the scalings overflow")
        self._transforms: list[tuple[int, AxisTransform]] = []
        self._scale = np.ones([1 if k == self._line else n for k, n in enumerate(rows.shape)])
        eigenvalues = np.zeros(())
        for axis in others:
            below, above, n = rows.lower[axis], rows.upper[axis], rows.shape[axis]
            mean = math.sqrt(below * above)
            first, last = (1.0 + end / mean for end in rows.ends[axis])
            if min(first, last) < 0:
                raise ArithmeticError("a side that AxisTransform does not take")
            transform = AxisTransform(n, first, last)
            self._transforms.append((axis, transform))
            rate = 0.5 * math.log(below / above)
            along = [-1 if k == axis else 1 for k in range(len(rows.shape))]
            self._scale *= np.exp(rate * (np.arange(n) - 0.5 * (n - 1))).reshape(along)
            eigenvalues = np.add.outer(eigenvalues, mean * (transform.eigenvalues - 2.0))
        self._eliminate(rows, eigenvalues.ravel())

    def _eliminate(self, rows: ConstantRows, eigenvalues: FloatArray) -> None:
        """Factors of the lines, for all combinations of the other axes' eigenvectors at once."""
        n, axis = rows.shape[self._line], self._line
        below, self._above = rows.lower[axis], rows.upper[axis]
        diagonal = np.tile(rows.diagonal + eigenvalues, (n, 1))
        diagonal[0] += rows.ends[axis][0]
        diagonal[-1] += rows.ends[axis][1]
        self._factors = np.zeros_like(diagonal)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # refused below
            for i in range(1, n):
                np.divide(below, diagonal[i - 1], out=self._factors[i])
                diagonal[i] -= self._factors[i] * self._above
        if not (diagonal > SMALLEST_PIVOT * abs(rows.diagonal)).all():
            raise ArithmeticError("a pivot is not positive, or too small")
        self._inverse = 1.0 / diagonal

    def solve(self, right: FloatArray) -> FloatArray:
        """The answer for a right-hand side of the grid's shape."""
        values = right / self._scale
        for axis, transform in self._transforms:
            values = transform.forward(values, axis)
        moved = np.moveaxis(values, self._line, 0)
        lines = np.array(moved).reshape(len(self._inverse), -1)
        for i in range(1, len(lines)):
            lines[i] -= self._factors[i] * lines[i - 1]
        lines[-1] *= self._inverse[-1]
        for i in range(len(lines) - 2, -1, -1):
            lines[i] -= self._above * lines[i + 1]
            lines[i] *= self._inverse[i]
        values = np.ascontiguousarray(np.moveaxis(lines.reshape(moved.shape), 0, self._line))
        for axis, transform in self._transforms:
            values = transform.backward(values, axis)
        values *= self._scale
        return values
