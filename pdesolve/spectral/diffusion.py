"""Pseudo-spectral diffusion on periodic boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.fourier import FourierMultiplier, derivative_symbols
from operators.linear import LinearOperator, Space
from pdesolve.problems.base import SpectralSystem

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class SpectralDiffusion(LinearOperator):
    """A u = −Σ_k D_k (a D_k u) with Fourier derivatives D_k; symmetric, positive on mean zero.

    Parameters
    ----------
    grid
        Grid that wraps on every axis.
    coefficient
        a > 0, shape ``grid.shape``. Spectral accuracy needs a to be smooth and periodic.

    Examples
    --------
    >>> grid = StructuredGrid((16,), periodic=(True,))
    >>> wave = np.cos(2 * np.pi * grid.axes()[0])
    >>> bool(np.allclose(SpectralDiffusion(grid, np.ones(16)).apply(wave), 4 * np.pi**2 * wave))
    True
    """

    def __init__(self, grid: StructuredGrid, coefficient: FloatArray) -> None:
        self.grid = grid
        self.coefficient = coefficient
        self.symbols = derivative_symbols(grid)
        self.source = self.range = Space(grid.shape, grid)

    def _apply(self, x: FloatArray) -> FloatArray:
        axes, shape = range(self.grid.dimension), self.grid.shape
        transformed = np.fft.rfftn(x)
        divergence = np.zeros_like(transformed)
        for symbol in self.symbols:
            slope = np.fft.irfftn(symbol * transformed, s=shape, axes=axes)
            divergence -= symbol * np.fft.rfftn(self.coefficient * slope)
        result: FloatArray = np.fft.irfftn(divergence, s=shape, axes=axes)
        return result

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self._apply(y)

    def to_csr(self) -> csr_array:
        """Dense matrix, for small grids only."""
        from scipy.sparse import csr_array

        size = self.grid.num_points
        if size > 4096:
            raise InputError(f"the matrix is dense; {size} unknowns are more than the 4096 allowed")
        columns = [self._apply(unit.reshape(self.grid.shape)).ravel() for unit in np.eye(size)]
        return csr_array(np.stack(columns, axis=1))


def diffusion_spectral_system(
    grid: StructuredGrid, coefficient: FloatArray, source: FloatArray
) -> SpectralSystem:
    """−∇·(a ∇u) = f on a periodic box, preconditioned by the operator with constant a.

    The preconditioner's a is the geometric mean of the smallest and the largest value,
    so conjugate gradients need about √(max a / min a) iterations whatever the grid.

    Raises
    ------
    InputError
        If f does not have mean zero (to the accuracy of its sampling).
    """
    squares = np.zeros((*grid.shape[:-1], grid.shape[-1] // 2 + 1))
    for symbol in derivative_symbols(grid):
        squares = squares + np.abs(symbol) ** 2
    typical = float(np.sqrt(coefficient.min() * coefficient.max()))
    inverse = np.zeros_like(squares)
    np.divide(1.0, typical * squares, out=inverse, where=squares > 0)
    mean, size = float(source.mean()), float(np.abs(source).mean())
    if abs(mean) > 1e-6 * size:
        raise InputError(
            "every side is periodic, so f must have mean zero; here it is "
            f"{mean:.3g} ({abs(mean) / size:.1%} of its size)"
        )
    # modes that the derivatives cannot see stay out of the equations
    visible = FourierMultiplier(grid, (squares > 0).astype(np.float64))
    return SpectralSystem(
        SpectralDiffusion(grid, coefficient),
        visible.apply(source),
        FourierMultiplier(grid, inverse),
    )
