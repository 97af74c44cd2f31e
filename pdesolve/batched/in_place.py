"""Sums of products written into arrays that exist already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pdesolve.spectral.transforms import Array

Pair = tuple[Array, Array]


class InPlace:
    """Arithmetic without temporary arrays, for NumPy, torch and others.

    The array API has no ``out=``. NumPy and torch do, and torch has a fused multiply-add.

    Parameters
    ----------
    like
        An array of the library and device to work on.
    dtype
        Name of the type of the arrays made here.

    Examples
    --------
    >>> work = InPlace(np.zeros(1), "float64")
    >>> total = np.ones(2)
    >>> work.add_products(total, [(np.array([1.0, 2.0]), np.array([3.0, 4.0]))])
    >>> total
    array([4., 9.])
    """

    def __init__(self, like: Array, dtype: str) -> None:
        from array_api_compat import array_namespace, device

        self.xp = array_namespace(like)
        self.device = device(like)
        self.dtype = getattr(self.xp, dtype)
        self.is_numpy = isinstance(like, np.ndarray)
        self._fused = hasattr(like, "addcmul_")
        self._scratch: Array = self.zeros(0)

    def zeros(self, shape: int | tuple[int, ...]) -> Array:
        """A new array."""
        return self.xp.zeros(shape, dtype=self.dtype, device=self.device)

    def scratch(self, like: Array) -> Array:
        """An array of the size of another flat one, until the next call."""
        size = like.shape[0]
        if self._scratch.shape[0] < size:
            self._scratch = self.zeros(size)
        return self._scratch[:size]

    def multiply(self, a: Array, b: Array, out: Array) -> None:
        """Write a b to `out`."""
        if self.is_numpy:
            np.multiply(a, b, out=out)
        elif self._fused:
            self.xp.multiply(a, b, out=out)
        else:
            out[...] = a * b

    def subtract(self, a: Array, b: Array, out: Array) -> None:
        """Write a − b to `out`."""
        if self.is_numpy:
            np.subtract(a, b, out=out)
        elif self._fused:
            self.xp.subtract(a, b, out=out)
        else:
            out[...] = a - b

    def add_products(self, out: Array, pairs: Sequence[Pair]) -> None:
        """Add the products of pairs to `out`."""
        if self.is_numpy:
            scratch = self.scratch(out)
            for a, b in pairs:
                np.multiply(a, b, out=scratch)
                np.add(out, scratch, out=out)
        elif self._fused:
            for a, b in pairs:
                out.addcmul_(a, b)
        else:
            for a, b in pairs:
                out += a * b

    def products(self, out: Array, pairs: Sequence[Pair]) -> None:
        """Write the sum of the products of pairs to `out`."""
        self.multiply(*pairs[0], out=out)
        self.add_products(out, pairs[1:])
