"""Fields inside files of any layout: where they lie, the order of their axes, reading them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neural.training.file_arrays import (
    FloatArray,
    IntArray,
    array_at,
)
from operators.failures import DataFileError

SPACE = ("x", "y", "z")
BLOCK_BYTES = 256 * 2**20
"""Most that is read at once where samples lie interleaved."""


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
            if self.axes[0] != "sample" and len(numbers):
                moments = 1 if times is None else len(range(*times.indices(max(stored.shape))))
                size = 8 * int(np.prod(shape)) * moments
                order = np.argsort(numbers, kind="stable")
                found = self._interleaved(stored, path, numbers[order], times, shape, size)
                back = np.empty_like(order)
                back[order] = np.arange(len(order))
                return found[back]
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

    def _interleaved(
        self,
        stored: Any,
        path: Path,
        numbers: IntArray,
        times: slice | None,
        shape: tuple[int, ...],
        sample_bytes: int,
    ) -> FloatArray:
        """Samples in order, of which no one lies in one piece.

        One read of all between is faster than one of each, as long as it is not too large.
        """
        first, last = int(numbers[0]), int(numbers[-1])
        if len(numbers) > 1 and (last + 1 - first) * sample_bytes > BLOCK_BYTES:
            middle = len(numbers) // 2
            halves = [
                self._interleaved(stored, path, half, times, shape, sample_bytes)
                for half in (numbers[:middle], numbers[middle:])
            ]
            return np.concatenate(halves)
        block = self._part(stored, path, slice(first, last + 1), times, shape)
        return block[numbers - first]

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
