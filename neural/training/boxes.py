"""The box that the coordinates in a file belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neural.training.file_arrays import (
    FloatArray,
)


@dataclass(frozen=True)
class Box:
    """A uniform grid as coordinates describe it.

    Parameters
    ----------
    lower, upper
        Corners.
    periodic
        Whether each axis wraps.
    location
        ``"cell"`` or ``"vertex"``.
    uneven
        Names of the axes whose points are not equally spaced.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    periodic: tuple[bool, ...]
    location: str
    uneven: tuple[str, ...] = ()


def box_of(coordinates: Mapping[str, FloatArray], periodic: Sequence[bool]) -> Box:
    """The box and kind of grid that coordinates belong to.

    Files do not say whether their points are centres of cells or vertices. They are taken as
    centres if the first lies half a spacing off the multiples of the spacing, or if only so
    the corners of the box come out as multiples of 1/8, or of π/8.

    Parameters
    ----------
    coordinates
        Points of each axis, in order.
    periodic
        Whether each axis wraps; the last point then is one spacing before the end.

    Raises
    ------
    ValueError
        If coordinates are not finite or do not increase.

    Examples
    --------
    >>> box_of({"x": np.array([0.125, 0.375, 0.625, 0.875])}, [False])
    Box(lower=(0.0,), upper=(1.0,), periodic=(False,), location='cell', uneven=())
    >>> box_of({"x": np.linspace(0, 1, 5)}, [False]).location
    'vertex'
    """
    for name, points in coordinates.items():
        if not (np.isfinite(points).all() and (np.diff(points) > 0).all()):
            raise ValueError(f"coordinates along {name} must be finite and increase")
    spacing = {
        name: float(points[-1] - points[0]) / max(len(points) - 1, 1) or 1.0
        for name, points in coordinates.items()
    }
    cells = all(_is_centred(points, spacing[name]) for name, points in coordinates.items())
    lower, upper, uneven = [], [], []
    for (name, points), wraps in zip(coordinates.items(), periodic, strict=True):
        step = spacing[name]
        before = step / 2 if cells else 0.0
        lower.append(_clean(float(points[0]) - before, step))
        upper.append(_clean(float(points[-1]) + (before if cells or not wraps else step), step))
        if len(points) > 1 and np.abs(np.diff(points) - step).max() > 1e-2 * abs(step):
            uneven.append(name)
    location = "cell" if cells else "vertex"
    return Box(tuple(lower), tuple(upper), tuple(periodic), location, tuple(uneven))


def _is_centred(points: FloatArray, step: float) -> bool:
    first, last = float(points[0]), float(points[-1])
    if abs((first / step) % 1 - 0.5) < 0.05:
        return True
    return _round(first - step / 2, last + step / 2, step) and not _round(first, last, step)


def _round(lower: float, upper: float, step: float) -> bool:
    corners = np.array([lower, upper])
    return any(
        bool(np.all(np.abs(corners - unit * np.rint(corners / unit)) < 1e-3 * abs(step)))
        for unit in (0.125, np.pi / 8)
    )


def _clean(value: float, step: float) -> float:
    """Without the rounding of single-precision coordinates."""
    near = round(value, 6)
    return near if abs(near - value) < 1e-4 * abs(step) else value
