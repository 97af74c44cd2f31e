"""Limited slopes for finite volumes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshes.structured import FloatArray


def _minmod(a: FloatArray, b: FloatArray) -> FloatArray:
    result: FloatArray = np.where(a * b > 0, np.where(np.abs(a) < np.abs(b), a, b), 0.0)
    return result


def _monotonized_central(a: FloatArray, b: FloatArray) -> FloatArray:
    return _minmod(0.5 * (a + b), 2.0 * _minmod(a, b))


def _van_leer(a: FloatArray, b: FloatArray) -> FloatArray:
    product = a * b
    total = np.where(product > 0, a + b, 1.0)
    result: FloatArray = np.where(product > 0, 2.0 * product / total, 0.0)
    return result


def _superbee(a: FloatArray, b: FloatArray) -> FloatArray:
    first, second = _minmod(2.0 * a, b), _minmod(a, 2.0 * b)
    result: FloatArray = np.where(np.abs(first) > np.abs(second), first, second)
    return result


def _none(a: FloatArray, b: FloatArray) -> FloatArray:
    return 0.5 * (a + b)


LIMITERS: dict[str, Callable[[FloatArray, FloatArray], FloatArray]] = {
    "monotonized_central": _monotonized_central,
    "van_leer": _van_leer,
    "minmod": _minmod,
    "superbee": _superbee,
    "none": _none,
}
"""Slope of a cell from the differences to its lower and to its upper neighbour.

All but ``"none"`` give at most twice the smaller difference and zero at extrema, with
which a scheme of second order is total-variation diminishing (Sweby 1984,
doi:10.1137/0721062; van Leer 1979, doi:10.1016/0021-9991(79)90145-1).
"""
