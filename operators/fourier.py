"""Operators that are diagonal in Fourier space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.linear import LinearOperator, Space

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ComplexArray = npt.NDArray[np.complex128]

_LARGEST_MATRIX = 4096


def wavenumbers(grid: StructuredGrid) -> tuple[FloatArray, ...]:
    """Angular wavenumbers 2π m / L along each axis, shaped to broadcast over ``rfftn``.

    The last axis is the half spectrum. Shapes are ``(n_0, 1, ..)`` to ``(.., n // 2 + 1)``.

    Raises
    ------
    InputError
        If an axis does not wrap.
    """
    if not all(grid.periodic):
        raise InputError(
            f"Fourier modes need a grid that wraps on every axis; periodic={grid.periodic}"
        )
    last = grid.dimension - 1
    result: list[FloatArray] = []
    for axis, (size, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        line = np.fft.rfftfreq(size, h) if axis == last else np.fft.fftfreq(size, h)
        shape = [1] * grid.dimension
        shape[axis] = -1
        result.append((2 * np.pi * line).astype(np.float64).reshape(shape))
    return tuple(result)


def derivative_symbols(grid: StructuredGrid) -> tuple[ComplexArray, ...]:
    """Symbols i k along each axis, with the mode at half the sampling frequency set to zero.

    On an even number of points that mode's derivative cannot be told from zero.
    """
    symbols = []
    for axis, k in enumerate(wavenumbers(grid)):
        symbol: ComplexArray = (1j * k).astype(np.complex128)
        size = grid.shape[axis]
        if size % 2 == 0:
            symbol[np.isclose(np.abs(k), np.pi / grid.spacing[axis])] = 0.0
        symbols.append(symbol)
    return tuple(symbols)


class FourierMultiplier(LinearOperator):
    """(M u)^(k) = m(k) û(k) on a periodic grid, with a real symbol that is even in k.

    Parameters
    ----------
    grid
        Grid that wraps on every axis.
    symbol
        m at the modes of ``numpy.fft.rfftn``, shape ``(n_0, ..., n_d // 2 + 1)``.

    Raises
    ------
    InputError
        If the shape does not fit or a value is not finite and real.

    Examples
    --------
    >>> grid = StructuredGrid((8,), periodic=(True,))
    >>> minus_laplacian = FourierMultiplier(grid, wavenumbers(grid)[0] ** 2)
    >>> wave = np.sin(2 * np.pi * grid.axes()[0])
    >>> bool(np.allclose(minus_laplacian.apply(wave), 4 * np.pi**2 * wave))
    True
    """

    def __init__(self, grid: StructuredGrid, symbol: npt.ArrayLike) -> None:
        modes = (*grid.shape[:-1], grid.shape[-1] // 2 + 1)
        values = np.asarray(symbol)
        if np.iscomplexobj(values):
            raise InputError("the symbol must be real (an even operator)")
        if values.shape != modes:
            raise InputError(f"a symbol of shape {values.shape} must have shape {modes}")
        if not np.isfinite(values).all():
            raise InputError("the symbol has values that are not finite")
        wavenumbers(grid)  # refuses grids that do not wrap
        self.grid = grid
        self.symbol = values.astype(np.float64)
        self.source = self.range = Space(grid.shape, grid)

    def _apply(self, x: FloatArray) -> FloatArray:
        result: FloatArray = np.fft.irfftn(
            self.symbol * np.fft.rfftn(x), s=self.grid.shape, axes=range(self.grid.dimension)
        )
        return result

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self._apply(y)

    def to_csr(self) -> csr_array:
        """The matrix (dense, so for small grids only)."""
        from scipy.sparse import csr_array

        size = self.grid.num_points
        if size > _LARGEST_MATRIX:
            raise InputError(
                f"the matrix of a Fourier multiplier is dense; {size} unknowns are more than the "
                f"{_LARGEST_MATRIX} allowed. Use apply()"
            )
        columns = [self._apply(unit.reshape(self.grid.shape)).ravel() for unit in np.eye(size)]
        return csr_array(np.stack(columns, axis=1))
