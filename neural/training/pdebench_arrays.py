"""Coordinates and times in files of PDEBench, and its layouts with components."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from neural.training.boxes import Box, box_of
from neural.training.field_contents import FieldContents
from neural.training.file_arrays import (
    FloatArray,
    array_at,
)
from neural.training.stored_fields import SPACE, StoredField
from operators.failures import DataFileError

EXPECTED = (
    "PDEBench has files with an array 'tensor', with arrays 'density', 'pressure', 'Vx', ..., "
    "with a group such as '0000/data' for each sample, or with 'velocity' and 'particles'"
)


def coordinates_of(file: Any, path: Path, pattern: str) -> dict[str, FloatArray]:
    """Points of each axis, from arrays named by a pattern such as ``"{}-coordinate"``."""
    found: dict[str, FloatArray] = {}
    for axis in SPACE:
        place = pattern.format(axis)
        if place not in file:
            break
        found[axis] = np.asarray(array_at(file, place, path)[()], dtype=np.float64)
        if found[axis].ndim != 1:
            raise DataFileError(f"'{path}': '{place}' has shape {found[axis].shape}, not (n,)")
    if not found:
        raise DataFileError(f"'{path}' has no '{pattern.format('x')}'; {EXPECTED}")
    return found


def times_of(file: Any, place: str, count: int, path: Path) -> tuple[float, ...]:
    """The times of so many states; a list that is one longer loses its last entry."""
    if place not in file:
        if count == 1:
            return (0.0,)
        raise DataFileError(f"'{path}' has {count} times, but no '{place}'; {EXPECTED}")
    times = np.ravel(np.asarray(array_at(file, place, path)[()], dtype=np.float64))
    if count == 1 and len(times) > 2:
        return (0.0,)
    if len(times) not in (count, count + 1):
        raise DataFileError(f"'{path}': '{place}' has {len(times)} times, the data {count}")
    return tuple(times[:count].tolist())


def grouped(file: Any, path: Path) -> FieldContents:
    """One group a sample; axes of the plane in the order that the coordinates call for."""
    names = sorted(name for name in file if re.fullmatch(r"\d{4,}", name))
    first = names[0]
    stored = array_at(file, f"{first}/data", path)
    coordinates = coordinates_of(file, path, first + "/grid/{}")
    shape = tuple(len(points) for points in coordinates.values())
    space = list(SPACE[: len(shape)])
    if stored.ndim == len(shape) + 2 and stored.shape[1:-1] == shape[::-1] != shape:
        space.reverse()  # some sets are stored as (time, y, x, component)
    elif stored.ndim != len(shape) + 2 or stored.shape[1:-1] != shape:
        raise DataFileError(
            f"'{path}': '{first}/data' has shape {stored.shape}; its coordinates call for "
            f"(time, {', '.join(map(str, shape))}, component)"
        )
    places = tuple(f"{name}/data" for name in names)
    axes_of_first = [
        f"grid/{axis}" for axis in (*coordinates, "t") if f"{first}/grid/{axis}" in file
    ]
    for name in names[1:]:
        _check_like_first(file, path, first, name, axes_of_first)
    axes = ("time", *space, "component")
    size = stored.shape[-1]
    return FieldContents(
        layout="pdebench",
        family="pdebench",
        num_samples=len(names),
        shape=shape,
        times=times_of(file, f"{first}/grid/t", stored.shape[0], path),
        fixed={},
        evolving={
            "data" if size == 1 else f"data{index}": StoredField(places, axes, (index,))
            for index in range(size)
        },
        box=box_of(coordinates, [False] * len(shape)),
    )


def _check_like_first(file: Any, path: Path, first: str, name: str, places: list[str]) -> None:
    """Refuse a sample of another shape, grid or list of times than the first."""
    one, two = (array_at(file, f"{sample}/data", path) for sample in (first, name))
    if one.shape != two.shape:
        raise DataFileError(
            f"'{path}': '{name}/data' has shape {two.shape}, '{first}/data' has {one.shape}; only "
            "samples of one grid and one list of times can be read together"
        )
    for place in places:
        own, other = (
            np.ravel(np.asarray(array_at(file, f"{sample}/{place}", path)[()], dtype=np.float64))
            for sample in (first, name)
        )
        if own.shape != other.shape or not np.allclose(own, other, rtol=1e-6, atol=0.0):
            raise DataFileError(
                f"'{path}': '{place}' of sample {name} differs from that of sample {first}; only "
                "samples of one grid and one list of times can be read together"
            )


def incompressible(file: Any, path: Path) -> FieldContents:
    """Velocity, particles and force, without coordinates: the unit box is taken."""
    velocity = array_at(file, "velocity", path)
    shape = tuple(velocity.shape[2:-1])
    space = tuple(SPACE[: len(shape)])
    if velocity.ndim < 4 or velocity.shape[-1] != len(shape):
        raise DataFileError(
            f"'{path}': 'velocity' has shape {velocity.shape}; expected is (sample, time, *space, "
            "component), a component an axis"
        )
    count, num_times = velocity.shape[:2]
    axes = ("sample", "time", *space, "component")
    evolving = {
        f"velocity_{axis}": StoredField(("velocity",), axes, (index,))
        for index, axis in enumerate(space)
    }
    particles = array_at(file, "particles", path)
    if particles.shape != (count, num_times, *shape, 1):
        raise DataFileError(
            f"'{path}': 'particles' has shape {particles.shape}, not "
            f"{(count, num_times, *shape, 1)}"
        )
    evolving["particles"] = StoredField(("particles",), axes, (0,))
    fixed = {}
    if "force" in file:
        for index, axis in enumerate(space):
            fixed[f"force_{axis}"] = StoredField(
                ("force",), ("sample", *space, "component"), (index,)
            )
    times: tuple[float, ...] = tuple(float(number) for number in range(num_times))
    if "t" in file:
        rows = np.asarray(array_at(file, "t", path)[()], dtype=np.float64)
        if rows.shape != (count, num_times) or np.ptp(rows, axis=0).max() > 1e-6 * rows.max():
            raise DataFileError(f"'{path}': 't' must hold the same {num_times} times a sample")
        times = tuple(rows[0].tolist())
    zeros = (0.0,) * len(shape)
    box = Box(zeros, (1.0,) * len(shape), (False,) * len(shape), "cell")
    return FieldContents("pdebench", "pdebench", count, shape, times, fixed, evolving, box)
