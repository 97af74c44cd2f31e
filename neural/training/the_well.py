"""Files in the layout of The Well.

References
----------
R. Ohana et al.: The Well: a large-scale collection of diverse physics simulations for
machine learning. NeurIPS Datasets and Benchmarks (2024). doi:10.48550/arXiv.2412.00568
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neural.training.boxes import box_of
from neural.training.field_contents import FieldContents
from neural.training.file_arrays import (
    FloatArray,
    array_at,
    listed,
)
from neural.training.stored_fields import SPACE, StoredField
from operators.failures import DataFileError

GROUPS = ("t0_fields", "t1_fields", "t2_fields")
EXPECTED = (
    "a file of The Well has the attributes n_trajectories and n_spatial_dims and the groups "
    "dimensions, boundary_conditions, scalars, t0_fields, t1_fields and t2_fields"
)


def is_the_well(file: Any) -> bool:
    """Whether an open HDF5 file looks like one of The Well.

    Examples
    --------
    >>> is_the_well({"tensor": 0})
    False
    """
    return "dimensions" in file and any(group in file for group in GROUPS)


def read_contents(file: Any, path: Path) -> FieldContents:
    """What an open file of The Well holds.

    Arrays are ``(sample, time, *space, *components)``; attributes say along which of the
    axes a field changes, and the others are left out or have size 1. Components of vectors
    and tensors become fields named ``velocity_x``, ``stress_xy``. Numbers in the group
    ``scalars`` that do not change in time become scalar parameters.

    Parameters
    ----------
    file
        ``h5py.File``.
    path
        For messages.

    Raises
    ------
    DataFileError
        If something is missing or has another shape than it should.
    """
    for name in ("n_trajectories", "n_spatial_dims"):
        if name not in file.attrs:
            raise DataFileError(
                f"'{path}' has no attribute '{name}', and holds {listed(list(file))}; {EXPECTED}"
            )
    if "dimensions" not in file or "spatial_dims" not in file["dimensions"].attrs:
        raise DataFileError(f"'{path}' has no group 'dimensions' with 'spatial_dims'; {EXPECTED}")
    count = int(file.attrs["n_trajectories"])
    names = _texts(file["dimensions"].attrs["spatial_dims"])
    if len(names) != int(file.attrs["n_spatial_dims"]) or not 1 <= len(names) <= len(SPACE):
        raise DataFileError(
            f"'{path}': n_spatial_dims is {file.attrs['n_spatial_dims']}, spatial_dims are "
            f"{listed(names)}; they must agree, and be 1 to 3"
        )
    coordinates = {name: _common(file, f"dimensions/{name}", path) for name in names}
    times = _common(file, "dimensions/time", path)
    shape = tuple(len(points) for points in coordinates.values())
    fixed: dict[str, StoredField] = {}
    evolving: dict[str, StoredField] = {}
    for order, group in enumerate(GROUPS):
        if group not in file:
            continue
        for name in _texts(file[group].attrs.get("field_names", list(file[group]))):
            place = f"{group}/{name}"
            axes = _axes(file, place, path, names, order)
            _check_sizes(array_at(file, place, path), axes, (count, len(times), *shape), path)
            into = evolving if "time" in axes else fixed
            for components in itertools.product(range(len(names)), repeat=order):
                ending = "".join(names[index] for index in components)
                flat = _flattened(components, axes, len(names))
                into[f"{name}_{ending}" if ending else name] = StoredField((place,), axes, flat)
    if not fixed and not evolving:
        raise DataFileError(f"'{path}' holds no field; {EXPECTED}")
    return FieldContents(
        layout="the-well",
        family=str(file.attrs.get("dataset_name", "the-well")),
        num_samples=count,
        shape=shape,
        times=tuple(times.tolist()),
        fixed=fixed,
        evolving=evolving,
        box=box_of(coordinates, [_wraps(file, name) for name in names]),
        scalars=_scalars(file, path, count),
        options={
            name: float(file.attrs[name])
            for name in _texts(file.attrs.get("simulation_parameters", []))
            if name in file.attrs and np.ndim(file.attrs[name]) == 0
        },
    )


def _texts(values: Any) -> list[str]:
    return [
        value.decode() if isinstance(value, bytes) else str(value) for value in np.ravel(values)
    ]


def _common(file: Any, place: str, path: Path) -> FloatArray:
    """Coordinates or times, which must be the same for all samples."""
    stored = array_at(file, place, path)
    values = np.asarray(stored[()], dtype=np.float64)
    rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    if np.abs(rows - rows[:1]).max() > 1e-6 * max(np.abs(rows).max(), 1e-300):
        raise DataFileError(
            f"'{path}': '{place}' differs between samples; only samples of one grid and one list "
            "of times can be read together"
        )
    common: FloatArray = rows[0]
    return common


def _axes(file: Any, place: str, path: Path, names: Sequence[str], order: int) -> tuple[str, ...]:
    """What each axis of a stored field is, from its attributes."""
    stored = array_at(file, place, path)
    for attribute in ("sample_varying", "time_varying", "dim_varying"):
        if attribute not in stored.attrs:
            raise DataFileError(f"'{path}': field '{place}' has no attribute '{attribute}'")
    leading = [
        axis
        for axis, attribute in (("sample", "sample_varying"), ("time", "time_varying"))
        if bool(stored.attrs[attribute])
    ]
    varying = [bool(value) for value in np.ravel(stored.attrs["dim_varying"])]
    if len(varying) != len(names):
        raise DataFileError(
            f"'{path}': dim_varying of field '{place}' is {varying}, for {len(names)} axes"
        )
    space = list(SPACE[: len(names)])
    there = [axis for axis, varies in zip(space, varying, strict=True) if varies]
    # constant axes are kept with size 1 or left out; components of a tensor may be in one axis
    for kept, trailing in itertools.product((space, there), {order, min(order, 1)}):
        if stored.ndim == len(leading) + len(kept) + trailing:
            return (*leading, *kept, *["component"] * trailing)
    raise DataFileError(
        f"'{path}': field '{place}' has shape {stored.shape}; its attributes call for the axes "
        f"({', '.join([*leading, *there])}) and {order} of components"
    )


def _check_sizes(stored: Any, axes: Sequence[str], sizes: Sequence[int], path: Path) -> None:
    expected = dict(zip(("sample", "time", *SPACE), sizes, strict=False))
    dimension = len(sizes) - 2
    single = axes.count("component") == 1 and "t2" in stored.name
    expected["component"] = dimension**2 if single else dimension
    for axis, size in zip(axes, stored.shape, strict=True):
        if size != expected[axis] and not (axis in SPACE and size == 1):
            raise DataFileError(
                f"'{path}': '{stored.name}' has shape {stored.shape}, so {size} along the axis "
                f"'{axis}', where the file says {expected[axis]}"
            )


def _flattened(components: Sequence[int], axes: Sequence[str], size: int) -> tuple[int, ...]:
    if axes.count("component") == len(components):
        return tuple(components)
    return (components[0] * size + components[1],)


def _wraps(file: Any, axis: str) -> bool:
    if "boundary_conditions" not in file:
        return False
    for entry in file["boundary_conditions"].values():
        kind = _texts(entry.attrs.get("bc_type", ""))[0].upper()
        if kind == "PERIODIC" and axis in _texts(entry.attrs.get("associated_dims", [])):
            return True
    return False


def _scalars(file: Any, path: Path, count: int) -> dict[str, FloatArray]:
    found: dict[str, FloatArray] = {}
    if "scalars" not in file:
        return found
    for name in _texts(file["scalars"].attrs.get("field_names", list(file["scalars"]))):
        stored = array_at(file, f"scalars/{name}", path)
        if stored.attrs.get("time_varying", False):
            continue
        values = np.ravel(np.asarray(stored[()], dtype=np.float64))
        if len(values) not in (1, count):
            raise DataFileError(
                f"'{path}': scalar '{name}' has {len(values)} values for {count} samples"
            )
        found[name] = np.broadcast_to(values, (count,)).copy()
    return found
