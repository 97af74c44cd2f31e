"""Files in the layouts of PDEBench.

References
----------
M. Takamoto et al.: PDEBench: an extensive benchmark for scientific machine learning.
NeurIPS Datasets and Benchmarks (2022). doi:10.48550/arXiv.2210.07182
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from neural.training.field_files import FieldContents
from neural.training.stored_fields import (
    SPACE,
    Box,
    FloatArray,
    StoredField,
    array_at,
    box_of,
    listed,
)
from operators.failures import DataFileError

SEPARATE = ("density", "pressure", "Vx", "Vy", "Vz")
EXPECTED = (
    "PDEBench has files with an array 'tensor', with arrays 'density', 'pressure', 'Vx', ..., "
    "with a group such as '0000/data' for each sample, or with 'velocity' and 'particles'"
)


def is_pdebench(file: Any) -> bool:
    """Whether an open HDF5 file looks like one of PDEBench.

    Examples
    --------
    >>> is_pdebench({"tensor": 0}), is_pdebench({"dimensions": 0})
    (True, False)
    """
    return (
        "tensor" in file
        or all(name in file for name in SEPARATE[:3])
        or all(name in file for name in ("velocity", "particles"))
        or any(re.fullmatch(r"\d{4,}", name) for name in file)
    )


def read_contents(file: Any, path: Path) -> FieldContents:
    """What an open file of PDEBench holds, in any of its four layouts.

    - ``tensor`` (sample, time, *space), in Darcy flow with the coefficient ``nu``
      (sample, *space) as input;
    - ``density``, ``pressure``, ``Vx``, ...: each (sample, time, *space);
    - one group a sample, ``0000/data`` (time, *space, component), with ``0000/grid/x``;
    - ``velocity``, ``particles`` (sample, time, x, y, component) and ``force`` without time.

    Lists of times that are one longer than the data, as in the published one-dimensional
    sets, lose their last entry. Nothing in the files says whether axes are periodic: they
    are taken not to be. Attributes of the file, such as ``beta``, become scalar parameters.

    Raises
    ------
    DataFileError
        If it has none of these layouts, or an array does not fit.
    """
    if "tensor" in file:
        names = ["tensor"]
    elif "velocity" in file and "particles" in file:
        return _incompressible(file, path)
    elif all(name in file for name in SEPARATE[:3]):
        names = [name for name in SEPARATE if name in file]
    elif any(re.fullmatch(r"\d{4,}", name) for name in file):
        return _grouped(file, path)
    else:
        raise DataFileError(f"'{path}' holds {listed(list(file))}; {EXPECTED}")
    coordinates = _coordinates(file, path, "{}-coordinate")
    space = tuple(SPACE[: len(coordinates)])
    shape = tuple(len(points) for points in coordinates.values())
    stored = array_at(file, names[0], path)
    if stored.ndim != len(shape) + 2 or stored.shape[2:] != shape:
        raise DataFileError(
            f"'{path}': '{names[0]}' has shape {stored.shape}; its coordinates call for "
            f"(sample, time, {', '.join(map(str, shape))})"
        )
    for name in names:
        if array_at(file, name, path).shape != stored.shape:
            raise DataFileError(
                f"'{path}': '{name}' has shape {file[name].shape}, '{names[0]}' has {stored.shape}"
            )
    count, num_times = stored.shape[:2]
    fixed = {}
    if "nu" in file:
        if array_at(file, "nu", path).shape != (count, *shape):
            raise DataFileError(
                f"'{path}': 'nu' has shape {file['nu'].shape}, not {(count, *shape)}"
            )
        fixed["nu"] = StoredField(("nu",), ("sample", *space))
    parameters = {
        name: float(value)
        for name, value in file.attrs.items()
        if np.ndim(value) == 0 and np.asarray(value).dtype.kind in "fiu"
    }
    return FieldContents(
        layout="pdebench",
        family="pdebench",
        num_samples=count,
        shape=shape,
        times=_times(file, "t-coordinate", num_times, path),
        fixed=fixed,
        evolving={name: StoredField((name,), ("sample", "time", *space)) for name in names},
        box=box_of(coordinates, [False] * len(shape)),
        scalars={name: np.full(count, value) for name, value in parameters.items()},
        options=parameters,
        roles=(("nu",), ("tensor",)) if fixed and num_times == 1 else None,
    )


def _coordinates(file: Any, path: Path, pattern: str) -> dict[str, FloatArray]:
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


def _times(file: Any, place: str, count: int, path: Path) -> tuple[float, ...]:
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


def _grouped(file: Any, path: Path) -> FieldContents:
    """One group a sample; axes of the plane in the order that the coordinates call for."""
    names = sorted(name for name in file if re.fullmatch(r"\d{4,}", name))
    first = names[0]
    stored = array_at(file, f"{first}/data", path)
    coordinates = _coordinates(file, path, first + "/grid/{}")
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
    axes = ("time", *space, "component")
    size = stored.shape[-1]
    return FieldContents(
        layout="pdebench",
        family="pdebench",
        num_samples=len(names),
        shape=shape,
        times=_times(file, f"{first}/grid/t", stored.shape[0], path),
        fixed={},
        evolving={
            "data" if size == 1 else f"data{index}": StoredField(places, axes, (index,))
            for index in range(size)
        },
        box=box_of(coordinates, [False] * len(shape)),
    )


def _incompressible(file: Any, path: Path) -> FieldContents:
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
