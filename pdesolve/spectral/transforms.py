"""Fourier transforms and derivatives on periodic grids, for NumPy and torch alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.fourier import derivative_symbols, wavenumbers

Array = Any
"""An array of NumPy, or of another library that follows the array API, such as torch."""

_COMPLEX = {"float32": "complex64", "float64": "complex128"}


def array_library(xp: Any = None) -> Any:
    """The array API namespace of a library: NumPy for None, or the module that is given.

    torch is never imported here; who wants it gives it.

    Raises
    ------
    InputError
        If `xp` is no array library.

    Examples
    --------
    >>> array_library("numpy").asarray([1.0]).shape
    (1,)
    """
    from array_api_compat import array_namespace

    if xp is None or xp == "numpy":
        xp = np
    if not hasattr(xp, "empty"):
        raise InputError(
            f"xp={xp!r} is no array library; give 'numpy', or the module itself: import torch, "
            "then xp=torch"
        )
    return array_namespace(xp.empty(0))


class Transforms:
    """Real Fourier transforms over the last axes of ``(*batch, channel, *space)``.

    With d the grid's dimension, ``rfftn`` over the last d axes gives the coefficients û of
    shape ``(*batch, channel, *modes)``, ``modes = (n_0, ..., n_{d−1} // 2 + 1)``. All
    arrays kept here broadcast against û and belong to the array library, type and device
    that were asked for.

    Parameters
    ----------
    grid
        Grid that wraps on every axis.
    xp
        Array library: ``"numpy"`` (the default), or a module such as ``torch``.
    dtype
        ``"float64"`` or ``"float32"``.
    device
        Device of that library, such as ``"cuda"``; its default when left out.
    workers
        Threads of a transform in NumPy arrays (SciPy's transforms).

    Attributes
    ----------
    grid
        The grid.
    xp
        The array API namespace.
    symbols
        i k of ∂/∂x along each axis, d arrays; the mode at half the sampling frequency is
        zero, as its derivative cannot be seen.
    wavenumbers
        k along each axis, d real arrays.
    laplacian
        −|k|², shape ``modes``.
    inverse_laplacian
        −1/|k|², shape ``modes``, zero for the constant mode.

    Raises
    ------
    InputError
        If the grid does not wrap, library or type are unknown, or there is no such device.

    Examples
    --------
    >>> grid = StructuredGrid((16,), upper=2 * np.pi, periodic=True)
    >>> transforms = Transforms(grid)
    >>> wave = np.sin(grid.points())
    >>> slope = transforms.inverse(transforms.derivative(transforms.forward(wave), 0))
    >>> bool(np.allclose(slope, np.cos(grid.points())))
    True
    """

    def __init__(
        self,
        grid: StructuredGrid,
        xp: Any = None,
        dtype: str = "float64",
        device: Any = None,
        *,
        workers: int = 1,
    ) -> None:
        if dtype not in _COMPLEX:
            raise InputError(f"dtype={dtype!r} must be 'float64' or 'float32'")
        self.grid = grid
        self.xp = array_library(xp)
        self.device = device
        self.dtype = dtype
        self.workers = workers
        self.real_type = getattr(self.xp, dtype)
        self.complex_type = getattr(self.xp, _COMPLEX[dtype])
        self.axes = tuple(range(-grid.dimension, 0))
        self.modes = (*grid.shape[:-1], grid.shape[-1] // 2 + 1)
        lines = wavenumbers(grid)
        self._check_device()
        squares = np.zeros(self.modes)
        for k in lines:
            squares = squares + k**2
        inverse = np.zeros_like(squares)
        np.divide(-1.0, squares, out=inverse, where=squares > 0)
        self.wavenumbers = tuple(self.asarray(k) for k in lines)
        self.symbols = tuple(self.asarray(symbol) for symbol in derivative_symbols(grid))
        self.laplacian = self.asarray(-squares)
        self.inverse_laplacian = self.asarray(inverse)
        self._kept: dict[int, Array] = {}
        self._uses_numpy = isinstance(self.laplacian, np.ndarray)

    def _check_device(self) -> None:
        try:
            self.xp.asarray(np.zeros(1), device=self.device)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise InputError(
                f"device={self.device!r} cannot be used by {self.xp.__name__}: "
                f"{str(error).splitlines()[0]}"
            ) from error

    def asarray(self, value: Any) -> Array:
        """A number or an array in this library, type (real or complex) and device.

        Tensors keep their gradients.
        """
        xp = self.xp
        if hasattr(value, "__dlpack__") and not isinstance(value, np.ndarray | np.generic):
            array = value if self.device is None else value.to(self.device)
        else:
            array = xp.asarray(np.asarray(value), device=self.device)
        is_complex = xp.isdtype(array.dtype, "complex floating")
        return xp.astype(array, self.complex_type if is_complex else self.real_type, copy=False)

    def forward(self, u: Array) -> Array:
        """Coefficients û of real values."""
        if self._uses_numpy:
            from scipy.fft import rfftn

            return rfftn(u, axes=self.axes, workers=self.workers)
        return self.xp.fft.rfftn(u, axes=self.axes)

    def inverse(self, u_hat: Array) -> Array:
        """Real values of coefficients."""
        if self._uses_numpy:
            from scipy.fft import irfftn

            return irfftn(u_hat, s=self.grid.shape, axes=self.axes, workers=self.workers)
        return self.xp.fft.irfftn(u_hat, s=self.grid.shape, axes=self.axes)

    def derivative(self, u_hat: Array, axis: int) -> Array:
        """Coefficients of ∂u/∂x_axis."""
        return self.symbols[axis] * u_hat

    def kept(self, degree: int = 2) -> Array:
        """1 at modes whose products of `degree` factors are free of aliasing, 0 elsewhere.

        Along every axis |m| < n / (degree + 1): for quadratic terms the 2/3 rule (n/3 of
        the n/2 modes are kept), for cubic ones the 1/2 rule. Shape ``modes``.

        References
        ----------
        Orszag (1971), On the Elimination of Aliasing in Finite-Difference Schemes by
        Filtering High-Wavenumber Components, doi:10.1175/1520-0469(1971)028<1074:OTEOAI>2.0.CO;2.
        """
        if degree not in self._kept:
            kept = np.ones(self.modes)
            for k, size, length in zip(
                wavenumbers(self.grid), self.grid.shape, self.grid.extent, strict=True
            ):
                numbers = np.round(np.abs(k) * length / (2 * np.pi))
                kept = kept * (numbers * (degree + 1) < size)
            self._kept[degree] = self.asarray(kept)
        return self._kept[degree]

    def dealias(self, u_hat: Array, degree: int = 2) -> Array:
        """û without the modes that products of `degree` factors would alias."""
        return u_hat * self.kept(degree)

    def product(self, *factors: Array) -> Array:
        """Coefficients of a product of functions, formed in physical space, dealiased.

        Parameters
        ----------
        factors
            Coefficients of two or more functions; modes that would alias are left out of
            the factors and of the product, so what is left is exact.
        """
        degree = len(factors)
        first = values = self.inverse(self.dealias(factors[0], degree))
        for factor in factors[1:]:
            same = factor is factors[0]
            values = values * (first if same else self.inverse(self.dealias(factor, degree)))
        return self.dealias(self.forward(values), degree)

    def real_part(self, u_hat: Array) -> Array:
        """û without the part that belongs to no real function.

        Modes whose last number is 0 or half the sampling frequency are stored together with
        their conjugates. Rounding makes the two differ; the inverse transform does not see
        that, so where L lets such modes grow nothing else would hold it back.
        """
        last = [0] + ([self.modes[-1] - 1] if self.grid.shape[-1] % 2 == 0 else [])
        planes = {}
        for number in last:
            plane = u_hat[..., number : number + 1]
            mirrored = self.xp.conj(plane)
            for axis in self.axes[:-1]:
                mirrored = self.xp.roll(self.xp.flip(mirrored, axis=axis), 1, axis=axis)
            planes[number] = 0.5 * (plane + mirrored)
        middle = u_hat[..., 1 : last[-1]] if len(last) == 2 else u_hat[..., 1:]
        parts = [planes[0], middle, *(planes[number] for number in last[1:])]
        return self.xp.concat(parts, axis=-1)

    def per_problem(self, value: Any) -> Array:
        """A number for each problem, shape ``batch``, shaped to broadcast over û."""
        array = self.asarray(value)
        return self.xp.reshape(array, tuple(array.shape) + (1,) * (self.grid.dimension + 1))

    def integral(self, u: Array) -> Array:
        """∫ u dx over the box, from values; shape ``(*batch, channel)``."""
        return self.xp.sum(u, axis=self.axes) * self.grid.cell_volume

    def mean_square(self, u_hat: Array) -> Array:
        """Mean of u² over the box, from coefficients (Parseval); ``(*batch, channel)``."""
        xp = self.xp
        squares = xp.real(u_hat) ** 2 + xp.imag(u_hat) ** 2
        weights = np.full(self.modes[-1], 2.0)  # modes not stored are conjugates
        weights[0] = 1.0
        if self.grid.shape[-1] % 2 == 0:
            weights[-1] = 1.0
        total = xp.sum(squares * self.asarray(weights), axis=self.axes)
        return total / math.prod(self.grid.shape) ** 2
