"""Stencils of many samples on one grid, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.stencil import IntArray, Stencil
from pdesolve.spectral.transforms import Array, array_library

if TYPE_CHECKING:
    from pdesolve.problems.base import LinearSystem

Window = tuple[slice, ...]


class StackedStencils:
    """Linear operators on one grid with the same neighbourhood, one a sample.

    (A_b u)[i] = Σ_s coefficients[b, s, i] · u[b, i + offsets[s]], as in
    :class:`operators.stencil.Stencil`: indices wrap on periodic axes, and elsewhere the
    coefficient of a neighbour outside the grid must be zero.

    Parameters
    ----------
    grid
        The grid of all samples.
    offsets
        Shape ``(S, dimension)``, different integer rows.
    coefficients
        Shape ``(batch, S, *grid.shape)``, float64, an array of NumPy or of another library
        that follows the array API, on any device.
    check
        Whether to look at the values: that all are finite, and zero where there is no
        neighbour. Without it a sample that is not finite is left to
        :func:`pdesolve.batched.solve_batched`, which marks it.
    known_symmetric
        Whether it is known that all are symmetric, which is then not looked at again.
    known_free
        Whether constants are in each sample's null space, NumPy, where that is known.

    Raises
    ------
    InputError
        If shapes do not fit, offsets repeat or are too long, or `check` finds a wrong value.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> rows = np.array([[-1.0, -1, -1, 0], [2, 2, 2, 2], [0, -1, -1, -1]])[::-1]
    >>> stacked = StackedStencils(grid, [[-1], [0], [1]], np.stack([rows, 3 * rows]))
    >>> stacked.apply(np.array([[0.0, 1, 0, 0], [0, 1, 0, 0]]))
    array([[-1.,  2., -1.,  0.],
           [-3.,  6., -3.,  0.]])
    """

    def __init__(
        self,
        grid: StructuredGrid,
        offsets: IntArray | Sequence[Sequence[int]],
        coefficients: Array,
        *,
        check: bool = True,
        known_symmetric: bool = False,
        known_free: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        from array_api_compat import array_namespace, is_array_api_obj

        if not is_array_api_obj(coefficients):
            coefficients = np.asarray(coefficients)
        xp = array_namespace(coefficients)
        if not xp.isdtype(coefficients.dtype, "real floating"):
            raise InputError(
                f"coefficients must be real numbers, not {coefficients.dtype}; give them as float64"
            )
        zeros = np.zeros((len(offsets), *grid.shape))
        self.offsets = Stencil(grid, np.asarray(offsets), zeros).offsets  # checks them
        expected = (len(self.offsets), *grid.shape)
        shape = tuple(coefficients.shape)
        if len(shape) != grid.dimension + 2 or shape[1:] != expected or shape[0] < 1:
            numbers = ", ".join(map(str, expected))
            raise InputError(
                f"coefficients of shape {shape} must have shape (batch, {numbers}): batch, offset, "
                "grid. Give one system an axis of length 1 in front"
            )
        self.grid = grid
        self.known_symmetric = known_symmetric
        self.known_free = known_free
        self.coefficients = xp.astype(coefficients, xp.float64, copy=False)
        self.xp = xp
        self._windows = [self._windows_of(row.tolist()) for row in self.offsets]
        if check:
            self._check_finite()
            self._check_outside()

    @classmethod
    def of(
        cls, systems: Sequence[LinearSystem | Stencil], *, xp: Any = None, device: Any = None
    ) -> StackedStencils:
        """Stack the stencils of systems.

        Parameters
        ----------
        systems
            Linear systems or stencils, on one grid and with the same offsets.
        xp, device
            Array library (NumPy when left out, or a module such as ``torch``) and device.

        Raises
        ------
        InputError
            If there are none, or grids or offsets differ.
        """
        stencils = [item if isinstance(item, Stencil) else item.stencil for item in systems]
        if not stencils:
            raise InputError(
                "a batch needs at least one system, and none was given; leave empty ones out"
            )
        first = stencils[0]
        for number, item in enumerate(stencils):
            if item.grid != first.grid or not np.array_equal(item.offsets, first.offsets):
                raise InputError(
                    f"system {number} has another grid or other offsets than system 0: "
                    f"{item.grid}, {item.offsets.tolist()}; solve it in another batch"
                )
        values = np.stack([item.coefficients for item in stencils])
        given = [item for item in systems if not isinstance(item, Stencil)]
        complete = len(given) == len(stencils)
        return cls(
            first.grid,
            first.offsets,
            array_library(xp).asarray(values, device=device),
            check=False,
            known_symmetric=complete and all(item.symmetric for item in given),
            known_free=np.array([item.constant_null_space for item in given]) if complete else None,
        )

    @property
    def batch(self) -> int:
        """Number of samples."""
        return int(self.coefficients.shape[0])

    @property
    def kind(self) -> tuple[Any, ...]:
        """What two batches must have in common to be solved with the same arrays."""
        from array_api_compat import device

        where = str(device(self.coefficients))
        return self.grid, self.offsets.tobytes(), self.xp.__name__, where

    def part(self, start: int, stop: int) -> StackedStencils:
        """Some of the samples, without a copy."""
        values = self.coefficients[start:stop, ...]
        free = None if self.known_free is None else self.known_free[start:stop]
        return StackedStencils(
            self.grid,
            self.offsets,
            values,
            check=False,
            known_symmetric=self.known_symmetric,
            known_free=free,
        )

    def with_coefficients(
        self, values: Array, known_free: npt.NDArray[np.bool_] | None = None
    ) -> StackedStencils:
        """Others with the same grid and offsets, unchecked."""
        return StackedStencils(
            self.grid,
            self.offsets,
            values,
            check=False,
            known_symmetric=self.known_symmetric,
            known_free=known_free,
        )

    def apply(self, u: Array) -> Array:
        """A u, both of shape ``(batch, *grid.shape)``.

        Raises
        ------
        InputError
            If the shape differs.
        """
        if tuple(u.shape) != (self.batch, *self.grid.shape):
            raise InputError(
                f"u of shape {tuple(u.shape)} must have shape {(self.batch, *self.grid.shape)}; "
                "give one field a sample"
            )
        result = self.xp.zeros_like(self.coefficients[:, 0, ...])
        return self.add_to(result, u)

    def add_to(self, result: Array, u: Array, scratch: Array | None = None) -> Array:
        """Add A u to `result` in place, with a scratch array of its shape."""
        everything = slice(None)
        for number, windows in enumerate(self._windows):
            row = self.coefficients[:, number, ...]
            for target, source in windows:
                here, there = (everything, *target), (everything, *source)
                if scratch is None:
                    result[here] += row[here] * u[there]
                elif isinstance(u, np.ndarray):
                    np.multiply(row[here], u[there], out=scratch[here])
                    result[here] += scratch[here]
                elif hasattr(u, "addcmul_"):
                    result[here].addcmul_(row[here], u[there])
                else:
                    result[here] += row[here] * u[there]
        return result

    @property
    def diagonal(self) -> Array:
        """Diagonal of A, shape ``(batch, *grid.shape)``."""
        centre = np.flatnonzero((self.offsets == 0).all(axis=1))
        if len(centre) == 0:
            return self.xp.zeros_like(self.coefficients[:, 0, ...])
        return self.coefficients[:, int(centre[0]), ...]

    def asymmetry(self) -> Array:
        """Largest |A − Aᵀ| / |A| of each sample, shape ``(batch,)``."""
        xp = self.xp
        axes = tuple(range(1, self.grid.dimension + 1))
        place = {tuple(row): number for number, row in enumerate(self.offsets.tolist())}
        largest = xp.max(xp.abs(self.coefficients), axis=(1, *(axis + 1 for axis in axes)))
        worst = xp.zeros_like(largest)
        for row, number in place.items():
            opposite = place.get(tuple(-step for step in row))
            if opposite == number:
                continue
            for target, source in self._windows[number]:
                values = self.coefficients[(slice(None), number, *target)]
                if opposite is None:
                    difference = values
                else:
                    difference = values - self.coefficients[(slice(None), opposite, *source)]
                worst = xp.maximum(worst, xp.max(xp.abs(difference), axis=axes))
        return worst / xp.where(largest > 0, largest, xp.ones_like(largest))

    def symmetric(self, tolerance: float = 1e-12) -> bool:
        """Whether ‖A − Aᵀ‖ ≤ tolerance ‖A‖ for all samples, in the largest entry.

        Samples that are not finite are passed over.
        """
        return not bool(self.xp.any(self.asymmetry() > tolerance))

    def row_sums(self) -> Array:
        """A 1, shape ``(batch, *grid.shape)``."""
        return self.xp.sum(self.coefficients, axis=1)

    def _windows_of(self, offset: list[int]) -> list[tuple[Window, Window]]:
        """Where the neighbours are in the grid: pairs of the points and of those read."""
        found: list[tuple[Window, Window]] = [((), ())]
        for step, size, wraps in zip(offset, self.grid.shape, self.grid.periodic, strict=True):
            if step == 0:
                pieces = [(slice(None), slice(None))]
            elif step > 0:
                pieces = [(slice(0, size - step), slice(step, size))]
                if wraps:
                    pieces.append((slice(size - step, size), slice(0, step)))
            else:
                pieces = [(slice(-step, size), slice(0, size + step))]
                if wraps:
                    pieces.append((slice(0, -step), slice(size + step, size)))
            found = [((*a, b), (*c, d)) for a, c in found for b, d in pieces]
        return found

    def _check_finite(self) -> None:
        xp = self.xp
        if bool(xp.all(xp.isfinite(self.coefficients))):
            return
        where = [int(k[0]) for k in xp.nonzero(~xp.isfinite(self.coefficients))]
        sample, number, *index = where
        raise InputError(
            f"sample {sample}: the coefficient of offset {self.offsets[number].tolist()} is not "
            f"finite at index {tuple(index)}; all must be. Leave that sample out"
        )

    def _check_outside(self) -> None:
        for number, row in enumerate(self.offsets):
            for axis, step in enumerate(row.tolist()):
                if step == 0 or self.grid.periodic[axis]:
                    continue
                window = [slice(None)] * self.grid.dimension
                window[axis] = slice(-step, None) if step > 0 else slice(0, -step)
                values = self.coefficients[(slice(None), number, *window)]
                if bool(self.xp.any(values != 0)):
                    raise InputError(
                        f"the coefficient of offset {row.tolist()} is not zero where that "
                        "neighbour is outside the grid; move boundary terms to the right-hand side"
                    )
