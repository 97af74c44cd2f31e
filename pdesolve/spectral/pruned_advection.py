"""The advection of vorticity on NumPy arrays, without work on modes that are left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class PrunedAdvection:
    """−(u·∇ω)^ as :class:`pdesolve.spectral.vorticity.Advection` states it.

    One third of the columns of the half spectrum, whose coefficients the 2/3 rule makes
    zero, takes no part in the transforms along the first axis; arrays between the stages
    are kept from call to call. Not to be shared by threads.

    Parameters
    ----------
    velocity, shear, strain
        As of :class:`pdesolve.spectral.vorticity.FlowSymbols`, ``(2, *modes)`` and ``modes``.
    shape
        Grid points along each axis.
    """

    def __init__(
        self, velocity: Array, shear: Array, strain: Array, shape: tuple[int, ...]
    ) -> None:
        self.shape = shape
        self.columns = (shape[-1] - 1) // 3 + 1
        kept = slice(0, self.columns)
        self._velocity = np.ascontiguousarray(velocity[..., kept])
        self._products = np.ascontiguousarray(np.stack([shear, strain])[..., kept])
        self._arrays: tuple[Array, ...] = ()

    def _workspace(self, batch: tuple[int, ...]) -> tuple[Array, ...]:
        rows, size = self.shape
        if not self._arrays or self._arrays[0].shape[:-3] != batch:
            complexly = self._velocity.dtype
            really = np.empty(0, complexly).real.dtype
            self._arrays = (
                np.empty((*batch, 2, rows, self.columns), complexly),
                np.empty((*batch, 2, rows, self.columns), complexly),
                np.empty((*batch, 2, rows, size), really),
                np.empty((*batch, 2, rows, size), really),
                np.empty((*batch, 2, rows, size // 2 + 1), complexly),
            )
        return self._arrays

    def __call__(self, w_hat: Array, out: Array) -> Array:
        """The advection, shape ``(*batch, 1, *modes)``, written to `out`."""
        first, second, values, products, half_way = self._workspace(w_hat.shape[:-3])
        kept = (..., slice(0, self.columns))
        np.multiply(self._velocity, w_hat[kept], out=first)
        np.fft.ifft(first, axis=-2, out=second)
        np.fft.irfft(second, n=self.shape[-1], axis=-1, out=values)
        u, v = values[..., 0, :, :], values[..., 1, :, :]
        np.multiply(u, v, out=products[..., 0, :, :])
        np.subtract(v, u, out=products[..., 1, :, :])
        u += v
        products[..., 1, :, :] *= u
        np.fft.rfft(products, axis=-1, out=half_way)
        np.fft.fft(half_way[kept], axis=-2, out=first)
        first *= self._products
        out[..., self.columns :] = 0
        np.add(first[..., 0:1, :, :], first[..., 1:2, :, :], out=out[kept])
        return out
