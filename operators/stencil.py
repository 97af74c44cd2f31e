"""Discrete operators on grids as data: offsets and coefficient arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.linear import LinearOperator, Space, real_array

if TYPE_CHECKING:
    from scipy.sparse import csr_array

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Stencil(LinearOperator):
    """A linear operator on a grid with a fixed neighbourhood.

    (A u)[i] = Σ_s coefficients[s, i] · u[i + offsets[s]], with indices that wrap on
    periodic axes. On the other axes a neighbour outside the grid must have coefficient
    zero: boundary data belong to the right-hand side.

    The same object renders to a SciPy matrix (:meth:`to_csr`), to a PETSc matrix on a
    DMDA (``operators.StencilMatrix``) and to a torch convolution
    (``neural.StencilConvolution``).

    Parameters
    ----------
    grid
        The grid of both source and range.
    offsets
        Shape ``(S, dimension)``, different integer rows.
    coefficients
        Shape ``(S, *grid.shape)``; shape ``(S,)`` for coefficients equal everywhere
        (then set to zero where the neighbour does not exist).

    Raises
    ------
    InputError
        If shapes do not fit, offsets repeat, a coefficient is not finite, or one is
        not zero where the neighbour is outside the grid.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> second_difference = Stencil(grid, [[-1], [0], [1]], [-1.0, 2.0, -1.0])
    >>> second_difference.apply([0.0, 1.0, 0.0, 0.0])
    array([-1.,  2., -1.,  0.])
    """

    grid: StructuredGrid
    offsets: IntArray
    coefficients: FloatArray
    source: Space = field(init=False)
    range: Space = field(init=False)

    def __post_init__(self) -> None:
        given = np.asarray(self.offsets)
        offsets = given.reshape(-1, 1) if given.ndim == 1 and self.grid.dimension == 1 else given
        if offsets.shape[1:] != (self.grid.dimension,) or len(offsets) == 0:
            raise InputError(
                f"offsets of shape {given.shape} must have shape (S, {self.grid.dimension})"
            )
        if not np.issubdtype(offsets.dtype, np.integer):
            raise InputError(f"offsets must be integers, not {offsets.dtype}")
        if len(set(map(tuple, offsets.tolist()))) != len(offsets):
            raise InputError(f"offsets repeat: {offsets.tolist()}")
        if (np.abs(offsets).max(axis=0) >= np.array(self.grid.shape)).any():
            raise InputError(
                f"the stencil reaches {np.abs(offsets).max(axis=0).tolist()} cells along each "
                f"axis; the grid has only {self.grid.shape}. Use a larger grid."
            )
        offsets = np.ascontiguousarray(offsets, dtype=np.int64)
        coefficients = real_array("the coefficient array", self.coefficients)
        object.__setattr__(self, "offsets", offsets)
        uniform = coefficients.shape == (len(offsets),)
        if uniform:
            ones = (1,) * self.grid.dimension
            coefficients = np.tile(coefficients.reshape(-1, *ones), (1, *self.grid.shape))
        if coefficients.shape != (len(offsets), *self.grid.shape):
            raise InputError(
                f"coefficients of shape {coefficients.shape} must have shape "
                f"{(len(offsets), *self.grid.shape)}"
            )
        if not np.isfinite(coefficients).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(coefficients))[0])
            raise InputError(
                f"coefficient of offset {offsets[where[0]].tolist()} is not finite at "
                f"index {where[1:]}"
            )
        object.__setattr__(self, "coefficients", coefficients)
        for row, values in zip(offsets, coefficients, strict=True):
            for window in self._windows_outside(row):
                if uniform:
                    values[window] = 0.0
                elif values[window].any():
                    raise InputError(
                        f"the coefficient of offset {row.tolist()} is not zero where that "
                        "neighbour is outside the grid; move boundary terms to the right-hand side"
                    )
        space = Space(self.grid.shape, self.grid)
        object.__setattr__(self, "source", space)
        object.__setattr__(self, "range", space)

    def _windows_outside(self, offset: IntArray) -> list[tuple[slice, ...]]:
        windows = []
        for axis, step in enumerate(offset):
            if step == 0 or self.grid.periodic[axis]:
                continue
            window = [slice(None)] * self.grid.dimension
            window[axis] = slice(-int(step), None) if step > 0 else slice(0, -int(step))
            windows.append(tuple(window))
        return windows

    def _shifted(self, values: FloatArray, offset: IntArray) -> FloatArray:
        """values[i + offset], wrapping on every axis (unused where it must not)."""
        axes = tuple(int(axis) for axis in np.flatnonzero(offset))
        return np.roll(values, tuple(-int(offset[axis]) for axis in axes), axes) if axes else values

    def _apply(self, x: FloatArray) -> FloatArray:
        result = np.zeros(self.grid.shape)
        for row, values in zip(self.offsets, self.coefficients, strict=True):
            result += values * self._shifted(x, row)
        return result

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        result = np.zeros(self.grid.shape)
        for row, values in zip(self.offsets, self.coefficients, strict=True):
            result += self._shifted(values * y, -row)
        return result

    def transpose(self) -> Stencil:
        """The transposed operator, again as a stencil."""
        moved = [
            self._shifted(values, -row)
            for row, values in zip(self.offsets, self.coefficients, strict=True)
        ]
        return Stencil(self.grid, -self.offsets, np.stack(moved))

    def is_symmetric(self, tolerance: float = 1e-12) -> bool:
        """Whether ‖A − Aᵀ‖ ≤ tolerance ‖A‖ in the largest entry, without a matrix."""
        place = {tuple(row): s for s, row in enumerate(self.offsets.tolist())}
        if any((np.array(self.grid.shape) == 2) & np.array(self.grid.periodic)):
            return super().is_symmetric(tolerance)  # two offsets may reach the same neighbour
        for row, values in zip(self.offsets, self.coefficients, strict=True):
            partner = place.get(tuple((-row).tolist()))
            if partner is not None and place[tuple(row.tolist())] >= partner:
                continue  # the centre, or a pair compared already
            opposite = 0.0 if partner is None else self._shifted(self.coefficients[partner], row)
            if np.array_equal(values, opposite):
                continue
            largest = float(np.abs(self.coefficients).max())
            if float(np.abs(values - opposite).max()) > tolerance * largest:
                return False
        return True

    def diagonal(self) -> FloatArray:
        """Diagonal of the matrix, shape ``grid.shape``."""
        centre = np.flatnonzero((self.offsets == 0).all(axis=1))
        if len(centre) == 0:
            return np.zeros(self.grid.shape)
        values: FloatArray = self.coefficients[int(centre[0])]
        return values

    def column_indices(self) -> IntArray:
        """C-order index of each neighbour, shape ``(S, *shape)``; -1 outside the grid."""
        index = np.arange(self.grid.num_points, dtype=np.int64).reshape(self.grid.shape)
        columns = np.empty((len(self.offsets), *self.grid.shape), dtype=np.int64)
        for s, row in enumerate(self.offsets):
            axes = tuple(range(self.grid.dimension))
            columns[s] = np.roll(index, tuple(int(-step) for step in row), axes)
            for window in self._windows_outside(row):
                columns[s][window] = -1
        return columns

    def to_csr(self) -> csr_array:
        """SciPy matrix with unknowns in C order."""
        from scipy.sparse import coo_array

        columns = self.column_indices()
        rows = np.broadcast_to(
            np.arange(self.grid.num_points).reshape(self.grid.shape), columns.shape
        )
        inside = columns >= 0
        size = self.grid.num_points
        return coo_array(
            (self.coefficients[inside], (rows[inside], columns[inside])), shape=(size, size)
        ).tocsr()
