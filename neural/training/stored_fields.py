"""Fields inside files of any layout: where they lie, the order of their axes, reading them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from operators.failures import DataFileError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
SPACE = ("x", "y", "z")


def array_at(file: Any, place: str, path: Path) -> Any:
    """An array of real numbers in an open HDF5 file, or in a dictionary of arrays.

    Parameters
    ----------
    file
        ``h5py.File``, or a mapping from names to arrays.
    place
        Its name; in HDF5 with the groups before it.
    path
        For messages.

    Raises
    ------
    DataFileError
        If it is not there, is reached through a link, lies in another file, or does not
        hold real numbers.

    Examples
    --------
    >>> array_at({"u": np.ones(3)}, "u", Path("u.mat")).shape
    (3,)
    """
    group, passed = file, ""
    for part in place.split("/"):
        if part not in group:
            raise DataFileError(
                f"'{path}' lacks '{place}'; '{passed or '/'}' holds {listed(list(group))}"
            )
        if isinstance(group, h5py.Group):
            link = group.get(part, getlink=True)
            if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
                raise DataFileError(
                    f"'{path}': '{place}' is reached through a link, which is refused because it "
                    "may lead to other files; copy the data into one file"
                )
        group, passed = group[part], f"{passed}/{part}"
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise DataFileError(
            f"'{path}': '{place}' lies in another file, which is refused; copy it into this one"
        )
    if not hasattr(group, "dtype") or group.dtype.kind not in "fiub":
        kind = getattr(group, "dtype", type(group).__name__)
        raise DataFileError(
            f"'{path}': '{place}' must be an array of real numbers, and is of type {kind}"
        )
    return group


def listed(names: Sequence[Any], limit: int = 12) -> str:
    """Some names, for messages.

    Examples
    --------
    >>> listed(["a", "b"])
    'a, b'
    """
    shown = ", ".join(str(name) for name in names[:limit])
    return (shown + (", ..." if len(names) > limit else "")) or "nothing"


@dataclass(frozen=True)
class StoredField:
    """One scalar field, or one component of a field with components, in a file.

    Parameters
    ----------
    places
        Name of the array; with a name for each sample where every sample has a group of
        its own.
    axes
        What each stored axis is: ``"sample"``, ``"time"``, ``"x"``, ``"y"``, ``"z"`` or
        ``"component"``. An axis that is missing, or of size 1 where the grid has more
        points, is one along which the field is constant.
    component
        Position along each axis called ``"component"``.

    Examples
    --------
    >>> field = StoredField(("u",), ("y", "x", "sample"))
    >>> stored = {"u": np.arange(6.0).reshape(1, 2, 3)}
    >>> field.read(stored, Path("u.mat"), np.array([2]), None, (2, 1))[0, :, 0]
    array([2., 5.])
    """

    places: tuple[str, ...]
    axes: tuple[str, ...]
    component: tuple[int, ...] = ()

    def read(
        self,
        file: Any,
        path: Path,
        numbers: IntArray,
        times: slice | None,
        shape: tuple[int, ...],
    ) -> FloatArray:
        """Values of some samples.

        Parameters
        ----------
        file
            The open file.
        path
            For messages.
        numbers
            Samples, in any order.
        times
            Which times of a field that changes in time; None for one that does not.
        shape
            Points along each axis of the grid.

        Returns
        -------
        numpy.ndarray
            Shape ``(n, time, *shape)``, without the axis of time if `times` is None.

        Raises
        ------
        DataFileError
            If the array is missing, damaged, or of another shape.
        """
        if "sample" in self.axes:
            stored = array_at(file, self.places[0], path)
            starts = np.flatnonzero(np.diff(numbers, prepend=-2) != 1)
            stops = np.append(starts, len(numbers))[1:]
            parts = [  # one read for each run of consecutive samples
                self._part(stored, path, slice(numbers[a], numbers[b - 1] + 1), times, shape)
                for a, b in zip(starts, stops, strict=True)
            ]
        elif len(self.places) > 1:
            parts = [
                self._part(array_at(file, self.places[n], path), path, None, times, shape)
                for n in numbers
            ]
        else:
            one = self._part(array_at(file, self.places[0], path), path, None, times, shape)
            parts = [one] * len(numbers)
        return np.concatenate(parts) if parts else np.empty((0, *shape))

    def _part(
        self,
        stored: Any,
        path: Path,
        samples: slice | None,
        times: slice | None,
        shape: tuple[int, ...],
    ) -> FloatArray:
        """Some consecutive samples, with the axes in this project's order."""
        components = iter(self.component)
        if stored.ndim != len(self.axes):
            raise DataFileError(
                f"'{path}': '{self.places[0]}' has shape {stored.shape}; expected are the axes "
                f"({', '.join(self.axes)})"
            )
        index: list[Any] = []
        for axis in self.axes:
            if axis == "sample":
                index.append(samples)
            elif axis == "time":
                index.append(times if times is not None else slice(0, 1))
            else:
                index.append(next(components) if axis == "component" else slice(None))
        try:
            values = np.asarray(stored[tuple(index)], dtype=np.float64)
        except (OSError, RuntimeError) as error:
            raise DataFileError(
                f"'{path}' is damaged: '{self.places[0]}' cannot be read ({error})"
            ) from error
        kept = [axis for axis in self.axes if axis != "component"]
        wanted = ["sample", "time", *SPACE[: len(shape)]]
        values = values.transpose([kept.index(axis) for axis in wanted if axis in kept])
        missing = [place for place, axis in enumerate(wanted) if axis not in kept]
        values = np.expand_dims(values, missing)
        length = 1 if times is None else values.shape[1]
        try:
            values = np.broadcast_to(values, (values.shape[0], length, *shape))
        except ValueError:
            raise DataFileError(
                f"'{path}': '{self.places[0]}' of shape {stored.shape} does not fit the grid of "
                f"{shape} points"
            ) from None
        return values[:, 0] if times is None else values


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

    Examples
    --------
    >>> box_of({"x": np.array([0.125, 0.375, 0.625, 0.875])}, [False])
    Box(lower=(0.0,), upper=(1.0,), periodic=(False,), location='cell', uneven=())
    >>> box_of({"x": np.linspace(0, 1, 5)}, [False]).location
    'vertex'
    """
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
