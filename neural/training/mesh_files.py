"""Files of fields on one mesh, or on a cloud of points for each sample."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from meshes.cells import SHAPES
from meshes.errors import InputError
from operators.failures import DataFileError

FORMAT = "pdesolve mesh samples"
FORMAT_VERSION = 1
COORDINATES = ("x", "y", "z")
MASK = "mask"
_ARRAYS = {"points": "f", "inputs": "f", "outputs": "f", "cells": "i", MASK: "u"}

FloatArray = npt.NDArray[np.float64]


def _all_of(kind: Any) -> Callable[[Any], bool]:
    return lambda given: isinstance(given, list) and all(isinstance(item, kind) for item in given)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "family": lambda given: isinstance(given, str),
    "inputs": _all_of(str),
    "outputs": _all_of(str),
    "lower": _all_of(int | float),
    "upper": _all_of(int | float),
    "cell_type": lambda given: given is None or isinstance(given, str),
    "units": lambda given: isinstance(given, dict),
    "seed": lambda given: given is None or isinstance(given, int),
    "split": lambda given: given is None or isinstance(given, str),
    "settings": lambda given: isinstance(given, dict),
}


@dataclass(frozen=True)
class MeshFileInfo:
    """What a file of fields on points says about itself.

    Parameters
    ----------
    path
        The file.
    family
        What problem the samples are of.
    inputs, outputs
        Names of the channels that :meth:`MeshFileReader.read` gives. Where every sample
        has points of its own, the inputs begin with the coordinates x, y, z and, where
        samples have different numbers of points, end with ``"mask"``.
    shape
        ``(num_points,)``.
    lower, upper
        Box that holds all points.
    moving
        Whether every sample has points of its own.
    masked
        Whether samples have different numbers of points.
    """

    path: Path
    family: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shape: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    moving: bool
    masked: bool
    num_samples: int
    sha256: str
    units: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    split: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    location: str = "points"
    num_failed: int = 0
    times: tuple[float, ...] = (0.0,)
    num_times: int = 1

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return len(self.lower)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """No axis wraps."""
        return (False,) * self.dimension


def write_mesh_samples(
    path: str | Path,
    *,
    family: str,
    points: npt.ArrayLike,
    inputs: Mapping[str, npt.ArrayLike],
    outputs: Mapping[str, npt.ArrayLike],
    cells: npt.ArrayLike | None = None,
    cell_type: str = "triangle",
    mask: npt.ArrayLike | None = None,
    box: tuple[Sequence[float], Sequence[float]] | None = None,
    units: Mapping[str, str] | None = None,
    seed: int | None = None,
    split: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write fields on points as training data.

    The file is written under another name and renamed when it is complete.

    Parameters
    ----------
    path
        The file; one that exists is replaced.
    family
        What problem the samples are of.
    points
        Shape ``(num_points, d)`` for one mesh, or ``(sample, num_points, d)``.
    inputs, outputs
        Fields by name, each ``(sample, num_points)``. Inputs may be empty where every
        sample has points of its own.
    cells, cell_type
        Cells of the mesh, ``(num_cells, k)``, if there is one; the same for all samples.
    mask
        1 where a point belongs to the sample, 0 where it fills up the array, ``(sample,
        num_points)``. What stands at the latter is replaced by the sample's first point,
        and by 0 in the outputs.
    box
        Lower and upper corner; the extreme coordinates when left out. Files that are used
        together must have the same box.
    units
        Units of fields by name.
    seed, split
        Of the random numbers that made the samples, so that overlaps are found.
    settings
        Plain values that say how the samples were made. Where `family` is a registered one
        with options, ``{"family": {"given_options": {...}}}`` names them.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If shapes do not fit together, values are not finite, or names are used twice.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = write_mesh_samples(
    ...     f"{folder.name}/bar.h5", family="bar", points=[[0.0], [0.4], [1.0]],
    ...     cells=[[0, 1], [1, 2]], cell_type="interval",
    ...     inputs={"load": [[1.0, 2.0, 3.0]]}, outputs={"displacement": [[0.0, 1.0, 0.0]]})
    >>> MeshFileReader(path).read()[1]
    array([[[0., 1., 0.]]])
    >>> folder.cleanup()
    """
    places = np.array(points, dtype=np.float64)
    moving = places.ndim == 3
    fields = {
        name: _stacked(name, given) for name, given in (("inputs", inputs), ("outputs", outputs))
    }
    count = len(fields["outputs"]) if fields["outputs"] is not None else 0
    if count == 0 or not outputs:
        raise InputError("there is no output; give at least one field with at least one sample")
    if fields["inputs"] is None:
        if not moving:
            raise InputError("there is no input; on one mesh give at least one input field")
        fields["inputs"] = np.zeros((count, 0, places.shape[1]))
    arrays: dict[str, Any] = {"points": places, **fields}
    if mask is not None:
        arrays[MASK] = np.asarray(mask).astype(np.uint8)
    if cells is not None:
        arrays["cells"] = np.asarray(cells)
    low, high = box if box is not None else _extremes(places, arrays.get(MASK))
    description = {
        "family": family,
        "inputs": list(inputs),
        "outputs": list(outputs),
        "lower": [float(value) for value in low],
        "upper": [float(value) for value in high],
        "cell_type": cell_type if cells is not None else None,
        "units": dict(units or {}),
        "seed": seed,
        "split": split,
        "settings": dict(settings or {}),
    }
    _check(arrays, description, InputError, f"'{path}'")
    if mask is not None:
        arrays = _filled(arrays)
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    text = json.dumps({"format": FORMAT, "format_version": FORMAT_VERSION, **description})
    with h5py.File(partial, "w") as file:
        file.create_dataset("description", data=np.frombuffer(text.encode(), np.uint8),
                            fletcher32=True)  # fmt: skip
        for name, values in arrays.items():
            options = {"fletcher32": True} if values.size else {}
            file.create_dataset(name, data=values, **options)
    partial.replace(target)
    return target


class MeshFileReader:
    """Samples of one file that :func:`write_mesh_samples` wrote.

    Inputs and outputs have shape ``(n, channel, num_points)``. Where every sample has
    points of its own, its coordinates are the first inputs, and where samples have
    different numbers of points the mask is the last one.

    Parameters
    ----------
    path
        The file. It is read whole, as numbers; nothing in it is run.

    Attributes
    ----------
    info
        Names, shape, box, digest.
    valid_indices
        All samples.
    points
        Shape ``(num_points, d)``, or ``(sample, num_points, d)``.
    cells, cell_type
        Of the mesh, or None.

    Raises
    ------
    InputError
        If there is no such file.
    DataFileError
        If it is of another format, damaged, or holds links, objects or values that are not
        finite.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        arrays, description = _read(self.path)
        _check(arrays, description, DataFileError, f"'{self.path}'")
        self.points: FloatArray = arrays["points"]
        self.cells: npt.NDArray[np.int64] | None = arrays.get("cells")
        self.cell_type: str | None = description["cell_type"]
        moving, masked = self.points.ndim == 3, MASK in arrays
        inputs, names = arrays["inputs"], tuple(description["inputs"])
        if moving:
            inputs = np.concatenate([self.points.transpose(0, 2, 1), inputs], axis=1)
            names = (*COORDINATES[: self.points.shape[-1]], *names)
        if masked:
            inputs = np.concatenate([inputs, arrays[MASK][:, None]], axis=1)
            names = (*names, MASK)
        self._inputs, self._outputs = inputs, arrays["outputs"]
        mesh = hashlib.sha256(self.points.tobytes())
        mesh.update(b"" if self.cells is None else self.cells.tobytes())
        family = {
            **_mapping(description["settings"], "family"),
            "name": description["family"],
            **({} if moving else {"mesh": mesh.hexdigest()}),
        }
        self.info = MeshFileInfo(
            path=self.path,
            family=description["family"],
            inputs=names,
            outputs=tuple(description["outputs"]),
            shape=self._outputs.shape[2:],
            lower=tuple(description["lower"]),
            upper=tuple(description["upper"]),
            moving=moving,
            masked=masked,
            num_samples=len(self._outputs),
            sha256=hashlib.sha256(self.path.read_bytes()).hexdigest(),
            units=description["units"],
            seed=description["seed"],
            split=description["split"],
            settings={**description["settings"], "family": family},
        )

    @property
    def valid_indices(self) -> npt.NDArray[np.int64]:
        """Numbers of all samples."""
        return np.arange(len(self._outputs), dtype=np.int64)

    def read(
        self, indices: Sequence[int] | npt.NDArray[np.int64] | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Inputs and outputs, each of shape ``(n, channel, num_points)``."""
        wanted = self.valid_indices if indices is None else np.asarray(indices, dtype=np.int64)
        return self._inputs[wanted], self._outputs[wanted]


def is_mesh_file(path: str | Path) -> bool:
    """Whether a file looks like one of :func:`write_mesh_samples`.

    Examples
    --------
    >>> is_mesh_file("nowhere.h5")
    False
    """
    if not Path(path).is_file() or not h5py.is_hdf5(path):
        return False
    with h5py.File(path, "r") as file:
        return {"description", "points", "inputs", "outputs"} <= set(file)


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What stands there, if it is a mapping."""
    found = values.get(key, {})
    return found if isinstance(found, Mapping) else {}


def _stacked(name: str, fields: Mapping[str, npt.ArrayLike]) -> FloatArray | None:
    values = {key: np.asarray(given, dtype=np.float64) for key, given in fields.items()}
    shapes = {given.shape for given in values.values()}
    if len(shapes) > 1 or any(len(shape) != 2 for shape in shapes):
        listed = ", ".join(f"{key} {given.shape}" for key, given in values.items())
        raise InputError(f"the {name} must all have shape (sample, num_points): {listed}")
    return np.stack(list(values.values()), axis=1) if values else None


def _extremes(points: FloatArray, mask: Any) -> tuple[FloatArray, FloatArray]:
    if points.ndim not in (2, 3) or (mask is not None and mask.shape != points.shape[:2]):
        return np.zeros(0), np.zeros(0)  # refused by the checks that follow
    counted = points if mask is None else points[mask != 0]
    flat = counted.reshape(-1, points.shape[-1])
    return flat.min(axis=0), flat.max(axis=0)


def _filled(arrays: dict[str, Any]) -> dict[str, Any]:
    """Arrays whose filling is the sample's first point, and 0 in the outputs."""
    real = arrays[MASK] != 0
    first = real.argmax(axis=1)
    rows = np.arange(len(real))
    points = np.where(real[..., None], arrays["points"], arrays["points"][rows, first][:, None])
    inputs = np.where(real[:, None], arrays["inputs"], arrays["inputs"][rows, :, first][:, :, None])
    return {
        **arrays,
        "points": points,
        "inputs": inputs,
        "outputs": np.where(real[:, None], arrays["outputs"], 0.0),
    }


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not path.is_file():
        raise InputError(f"there is no file '{path}'")
    try:
        with h5py.File(path, "r") as file:
            for name in file:
                _check_kind(file, name, path)
            if "description" not in file:
                raise DataFileError(f"'{path}' lacks 'description': write_mesh_samples makes it")
            described = json.loads(bytes(file["description"][:]).decode())
            arrays = {name: file[name][...] for name in _ARRAYS if name in file}
    except (OSError, RuntimeError, ValueError, UnicodeDecodeError) as error:
        if isinstance(error, DataFileError):
            raise
        raise DataFileError(f"'{path}' is damaged or not HDF5: {error}") from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        raise DataFileError(f"'{path}' is not a file of '{FORMAT}'")
    if described.get("format_version") != FORMAT_VERSION:
        raise DataFileError(
            f"'{path}' has format version {described.get('format_version')!r}; this release reads "
            f"{FORMAT_VERSION}"
        )
    needed = ("family", "inputs", "outputs", "lower", "upper", "cell_type", "units", "seed")
    missing = [key for key in (*needed, "split", "settings") if key not in described]
    missing += [name for name in ("points", "inputs", "outputs") if name not in arrays]
    if missing:
        raise DataFileError(f"'{path}' is incomplete: it lacks {', '.join(missing)}")
    wrong = [key for key, good in _TYPES.items() if not good(described[key])]
    if wrong:
        raise DataFileError(f"'{path}' is damaged: {', '.join(wrong)} of another type than written")
    return arrays, described


def _check_kind(file: Any, name: str, path: Path) -> None:
    """Only plain numbers, inside the file."""
    link = file.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
        raise DataFileError(f"'{path}': '{name}' is a link, which is refused")
    item = file[name]
    if name not in (*_ARRAYS, "description") or not isinstance(item, h5py.Dataset):
        raise DataFileError(
            f"'{path}' holds '{name}', which does not belong into a file of '{FORMAT}'"
        )
    if item.external or item.is_virtual:
        raise DataFileError(f"'{path}': '{name}' lies in another file, which is refused")
    if item.dtype.kind != _ARRAYS.get(name, "u"):
        raise DataFileError(f"'{path}': '{name}' has type {item.dtype}, which is refused")


def _check(
    arrays: Mapping[str, Any],
    description: Mapping[str, Any],
    kind: type[Exception],
    where: str,
) -> None:
    """Shapes, names and values of what is written or was read."""
    points, inputs, outputs = arrays["points"], arrays["inputs"], arrays["outputs"]
    if points.ndim not in (2, 3) or not 1 <= points.shape[-1] <= 3:
        raise kind(
            f"{where}: points of shape {points.shape} must have shape (num_points, d) or (sample, "
            "num_points, d), with d = 1, 2 or 3"
        )
    samples, count = len(outputs), points.shape[-2]
    if points.ndim == 3 and len(points) != samples:
        raise kind(f"{where}: points of {len(points)} samples, outputs of {samples}")
    for name, values in (("inputs", inputs), ("outputs", outputs)):
        expected = (samples, len(description[name]), count)
        if values.shape != expected:
            raise kind(f"{where}: {name} have shape {values.shape}, not {expected}")
    names = [*COORDINATES, MASK] if points.ndim == 3 else [MASK]
    names += [*description["inputs"], *description["outputs"]]
    if len(set(names)) != len(names):
        raise kind(f"{where}: the names {names} must be different")
    mask = arrays.get(MASK)
    real = np.ones((samples, count), bool) if mask is None else mask != 0
    if mask is not None:
        if points.ndim == 2 or mask.shape != (samples, count) or mask.max(initial=0) > 1:
            raise kind(
                f"{where}: a mask must be 0 or 1 of shape {(samples, count)}, and every sample "
                "must have points of its own"
            )
        if not real.any(axis=1).all():
            raise kind(f"{where}: sample {int(np.argmin(real.any(axis=1)))} has no point")
    for name, values in (("inputs", inputs), ("outputs", outputs), ("points", points)):
        bad = ~np.isfinite(values)
        if name == "points" and points.ndim == 2:
            broken = np.repeat(bad.any(), samples)
        else:
            axis = 1 if name != "points" else 2
            broken = (bad.any(axis=axis) & real).any(axis=1)
        if broken.any():
            raise kind(f"{where}: the {name} of sample {int(np.argmax(broken))} are not finite")
    low, high = np.array(description["lower"]), np.array(description["upper"])
    if low.shape != (points.shape[-1],) or low.shape != high.shape or not (low < high).all():
        raise kind(f"{where}: the box from {low.tolist()} to {high.tolist()} is not one")
    _check_cells(arrays, description, kind, where)


def _check_cells(
    arrays: Mapping[str, Any],
    description: Mapping[str, Any],
    kind: type[Exception],
    where: str,
) -> None:
    cells, cell_type = arrays.get("cells"), description["cell_type"]
    if cells is None:
        return
    if cell_type not in SHAPES:
        raise kind(f"{where}: there is no cell type {cell_type!r}; known: {', '.join(SHAPES)}")
    width, count = SHAPES[cell_type].num_vertices, arrays["points"].shape[-2]
    if cells.ndim != 2 or cells.shape[1] != width or cells.dtype.kind not in "iu":
        raise kind(f"{where}: cells of shape {cells.shape} must be integers (num_cells, {width})")
    if not len(cells) or cells.min() < 0 or cells.max() >= count:
        raise kind(f"{where}: cells must hold numbers of points, from 0 to {count - 1}")
