"""The empty data-set file, ready to be filled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdesolve.data.schema import (
    AXES,
    DIGEST,
    FIELDS,
    GROUP,
    PER_SAMPLE,
    SCHEMA_VERSION,
    STATISTICS,
    attributes_digest,
    find_text_blocks,
    stored_shape,
    text_digest,
    to_json,
)
from pdesolve.data.settings import GenerationSettings

CHUNK_BYTES = 128 * 1024


def _texts(values: Iterable[str]) -> Any:
    return np.array(list(values), dtype=h5py.string_dtype())


def _array(group: Any, name: str, values: Any, **attributes: Any) -> Any:
    """A small array with a checksum."""
    data = np.asarray(values)
    dataset = group.create_dataset(
        name, data=data, chunks=tuple(max(size, 1) for size in data.shape), fletcher32=True
    )
    dataset.attrs.update(attributes)
    return dataset


def _column(
    group: Any,
    name: str,
    shape: tuple[int, ...],
    dtype: str,
    fill: float,
    *,
    trajectory: bool = False,
) -> Any:
    """An array with one row a sample, unwritten rows reading as `fill`."""
    row_bytes = int(np.dtype(dtype).itemsize * np.prod(shape[1:], dtype=np.int64))
    rows = min(shape[0], max(1, CHUNK_BYTES // row_bytes))
    rest = shape[1:]
    if trajectory and row_bytes > CHUNK_BYTES:  # some times of one sample
        rest = (max(1, CHUNK_BYTES * shape[1] // row_bytes), *shape[2:])
    return group.create_dataset(
        name,
        shape=shape,
        dtype=dtype,
        chunks=(rows, *rest),
        fletcher32=True,
        fillvalue=fill,
    )


def _boundary_conditions(group: Any, settings: GenerationSettings) -> None:
    """One entry an axis; The Well knows walls, open sides and periodic axes."""
    grid = settings.grid
    for axis, size in enumerate(grid.shape):
        name = AXES[axis]
        kind = "PERIODIC" if grid.periodic[axis] else "WALL"
        entry = group.create_group(f"{name}_{kind.lower()}")
        mask = np.zeros(size, dtype=bool)
        mask[[0, -1]] = True
        entry.attrs["associated_dims"] = _texts([name])
        entry.attrs["associated_fields"] = _texts([])
        entry.attrs["bc_type"] = kind
        entry.attrs["sample_varying"] = False
        entry.attrs["time_varying"] = False
        for end in ("lower", "upper"):
            side = f"{name}_{end}"
            entry.attrs[f"condition_{end}"] = settings.boundary_conditions.get(side, kind.lower())
        _array(entry, "mask", mask)
        _array(entry, "values", np.zeros(int(mask.sum())))


def create_layout(file: Any, settings: GenerationSettings) -> None:
    """Write groups, attributes and empty arrays into an open HDF5 file."""
    grid, count = settings.grid, settings.num_samples
    axes = AXES[: grid.dimension]
    file.attrs["dataset_name"] = str(settings.family["name"])
    file.attrs["grid_type"] = "cartesian"
    file.attrs["n_spatial_dims"] = grid.dimension
    file.attrs["n_trajectories"] = count
    file.attrs["simulation_parameters"] = _texts([])

    dimensions = file.create_group("dimensions")
    dimensions.attrs["spatial_dims"] = _texts(axes)
    _array(dimensions, "time", np.array(settings.times, dtype=np.float64), sample_varying=False)
    for name, points in zip(axes, grid.axes(), strict=True):
        _array(dimensions, name, points, sample_varying=False, time_varying=False)
    _boundary_conditions(file.create_group("boundary_conditions"), settings)

    scalars = file.create_group("scalars")
    scalars.attrs["field_names"] = _texts(settings.scalars)
    for name in settings.scalars:
        scalar = _column(scalars, name, (count,), "float64", np.nan)
        scalar.attrs.update(sample_varying=True, time_varying=False)
        scalar.attrs["unit"] = settings.units.get(name, "")

    fields = file.create_group(FIELDS)
    fields.attrs["field_names"] = _texts((*settings.inputs, *settings.outputs))
    steady = len(settings.times) == 1
    plain = settings.to_dict()
    for name in (*settings.inputs, *settings.outputs):
        in_time = not steady and name in settings.outputs
        shape = (count, *stored_shape(name, plain))
        values = _column(fields, name, shape, settings.dtype, np.nan, trajectory=in_time)
        values.attrs.update(sample_varying=True, time_varying=steady or in_time)
        values.attrs["dim_varying"] = np.ones(grid.dimension, dtype=bool)
        values.attrs["unit"] = settings.units.get(name, "")
    for rank in (1, 2):
        file.create_group(f"t{rank}_fields").attrs["field_names"] = _texts([])

    own = file.create_group(GROUP)
    own.attrs["schema_version"] = SCHEMA_VERSION
    own.attrs["settings"] = to_json(settings.to_dict())
    own.attrs["fingerprint"] = settings.fingerprint
    for name, (dtype, fill) in PER_SAMPLE.items():
        _column(own, name, (count,), dtype, fill)
    _column(own, DIGEST, (count, 32), "uint8", 0)
    own.create_group("statistics")

    for name in (*settings.inputs, *settings.outputs):
        _array(own["statistics"], name, np.full(len(STATISTICS), np.nan))
    own.attrs["sha256"] = np.zeros(32, dtype=np.uint8)
    seal_texts(file)


def seal_texts(file: Any) -> None:
    """Note where the texts of attributes lie, and their digest; no text may come later."""
    file.flush()
    path = Path(file.filename)
    blocks = find_text_blocks(path, file.id.get_filesize())
    file[GROUP].attrs["text_blocks"] = blocks
    file[GROUP].attrs["text_sha256"] = np.frombuffer(text_digest(path, blocks), dtype=np.uint8)


def seal_attributes(file: Any) -> None:
    """Note the digest of all attributes, and last of all that the file is complete."""
    digest = bytes.fromhex(attributes_digest(file))
    file[GROUP].attrs["attributes_sha256"] = np.frombuffer(digest, dtype=np.uint8)
    file.flush()
    file[GROUP].attrs["complete"] = True


def finish_layout(file: Any, statistics: dict[str, Any], sha256: bytes) -> None:
    """Write what is known at the end."""
    own = file[GROUP]
    for name, values in statistics.items():
        own["statistics"][name][:] = values
    own.attrs["sha256"] = np.frombuffer(sha256, dtype=np.uint8)
    seal_attributes(file)
