"""Opening data-set files and checking that they are what they claim to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from meshes.errors import InputError
from operators.failures import DataFileError
from pdesolve.data.schema import (
    AXES,
    DIGEST,
    FIELDS,
    GROUP,
    PER_SAMPLE,
    SCHEMA_VERSION,
    attributes_digest,
    fingerprint,
    stored_shape,
    text_digest,
)

_AGAIN = "Generate it again or restore a copy"


def open_file(path: str | Path) -> Any:
    """Open an HDF5 file for reading.

    Raises
    ------
    InputError
        If there is no such file.
    DataFileError
        If it is not HDF5 or truncated.
    """
    file = Path(path)
    if not file.exists():
        parts = file.with_name(file.name + ".parts")
        hint = (
            f" '{parts}' holds an unfinished run; repeat its command to go on with it."
            if parts.exists()
            else ""
        )
        raise InputError(f"there is no file '{file}'.{hint}")
    try:
        return h5py.File(file, "r")
    except OSError as error:
        if "truncated" in str(error):
            raise DataFileError(f"'{file}' is truncated ({error}). {_AGAIN}") from error
        if not h5py.is_hdf5(file):
            raise DataFileError(
                f"'{file}' is not an HDF5 file, or its first bytes are damaged ({error})"
            ) from error
        raise DataFileError(f"'{file}' cannot be opened ({error}). {_AGAIN}") from error


def verify_version(file: Any, path: Path) -> None:
    """Check that the file is a data set of this project in a layout known here."""
    if GROUP not in file:
        raise DataFileError(
            f"'{path}' has no group '{GROUP}': pdesolve generate did not write it. Its groups: "
            f"{', '.join(file) or 'none'}"
        )
    attributes = file[GROUP].attrs
    if "schema_version" not in attributes:
        raise DataFileError(f"'{path}' does not state its schema version. {_AGAIN}")
    if attributes.get_id("schema_version").dtype.kind != "i":
        raise DataFileError(f"'{path}' states an unknown schema version, which is no integer")
    version = int(attributes["schema_version"])
    if version < 1:
        raise DataFileError(f"'{path}' states the unknown schema version {version}")
    if version > SCHEMA_VERSION:
        raise DataFileError(
            f"'{path}' has schema version {version}; this pdesolve reads up to {SCHEMA_VERSION}. "
            "Update pdesolve"
        )


def verify_complete(file: Any, path: Path) -> None:
    """Check that writing came to its end."""
    if not bool(file[GROUP].attrs.get("complete", False)):
        raise DataFileError(
            f"'{path}' lacks the mark 'complete': writing it was interrupted. Generate it again"
        )


def verify_texts(file: Any, path: Path) -> None:
    """Check the bytes of the attributes' texts, before any is read."""
    attributes = file[GROUP].attrs
    found = text_digest(path, attributes["text_blocks"])
    if found != attributes["text_sha256"].tobytes():
        raise DataFileError(f"'{path}' is damaged: texts do not fit their digest. {_AGAIN}")


def verify_attributes(file: Any, path: Path) -> dict[str, Any]:
    """Check the attributes' digest; the settings."""
    attributes = file[GROUP].attrs
    if attributes["attributes_sha256"].tobytes().hex() != attributes_digest(file):
        raise DataFileError(
            f"'{path}' is damaged: its attributes do not fit their digest. {_AGAIN}"
        )
    settings: dict[str, Any] = json.loads(attributes["settings"])
    if fingerprint(settings) != attributes["fingerprint"]:
        raise DataFileError(f"'{path}' is damaged: its settings do not fit their fingerprint")
    return settings


def expected_arrays(settings: dict[str, Any]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of every array by its place in the file."""
    count, shape = int(settings["num_samples"]), tuple(settings["shape"])
    arrays: dict[str, tuple[tuple[int, ...], str]] = {
        "dimensions/time": ((len(settings.get("times", (0.0,))),), "float64")
    }
    for axis, size in zip(AXES, shape, strict=False):
        arrays[f"dimensions/{axis}"] = ((size,), "float64")
    for name in settings["scalars"]:
        arrays[f"scalars/{name}"] = ((count,), "float64")
    for name in (*settings["inputs"], *settings["outputs"]):
        arrays[f"{FIELDS}/{name}"] = ((count, *stored_shape(name, settings)), settings["dtype"])
        arrays[f"{GROUP}/statistics/{name}"] = ((4,), "float64")
    for name, (dtype, _) in PER_SAMPLE.items():
        arrays[f"{GROUP}/{name}"] = ((count,), dtype)
    arrays[f"{GROUP}/{DIGEST}"] = ((count, 32), "uint8")
    return arrays


def verify_arrays(file: Any, path: Path, settings: dict[str, Any]) -> None:
    """Check place, type and shape of every array, and that none reaches out of the file."""

    def inside(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
            raise DataFileError(f"'{path}': array '{name}' lies in another file, which is refused")
        if isinstance(item, h5py.Dataset) and item.dtype.hasobject:
            raise DataFileError(f"'{path}': array '{name}' holds objects, which is refused")

    _refuse_links(file, path)
    file.visititems(inside)
    for name, (shape, dtype) in expected_arrays(settings).items():
        if name not in file:
            raise DataFileError(f"'{path}' lacks the array '{name}'. {_AGAIN}")
        array = file[name]
        if array.dtype != np.dtype(dtype):
            raise DataFileError(f"'{path}': array '{name}' has type {array.dtype}, not {dtype}")
        if array.shape != shape:
            raise DataFileError(
                f"'{path}': array '{name}' has shape {array.shape}; its settings say {shape}"
            )
        if not array.fletcher32:
            raise DataFileError(f"'{path}': array '{name}' has no checksums")
    for name in settings["inputs"] + settings["outputs"]:
        if not file[FIELDS][name].attrs.get("sample_varying", False):
            raise DataFileError(f"'{path}': field '{name}' does not vary between samples")


def _refuse_links(group: Any, path: Path) -> None:
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink | h5py.SoftLink):
            raise DataFileError(f"'{path}': '{group.name}/{name}' is a link, which is refused")
        if isinstance(group[name], h5py.Group):
            _refuse_links(group[name], path)


def verify_columns(file: Any, path: Path, settings: dict[str, Any]) -> None:
    """Check sample numbers and status."""
    index = file[GROUP]["sample_index"][:]
    if len(np.unique(index)) != len(index):
        values, counts = np.unique(index, return_counts=True)
        raise DataFileError(f"'{path}': sample {values[counts > 1][0]} is there more than once")
    if index.tolist() != list(range(settings["num_samples"])):
        raise DataFileError(f"'{path}': its samples are not numbered 0 to n - 1")
    status = file[GROUP]["status"][:]
    if (status == 0).any():
        raise DataFileError(f"'{path}': sample {int(np.argmin(status))} was never written")


def verify_layout(file: Any, path: Path) -> dict[str, Any]:
    """All checks that do not read fields; the settings.

    Raises
    ------
    DataFileError
        If one fails; the message says which.
    """
    try:
        verify_version(file, path)
        verify_complete(file, path)
        verify_texts(file, path)
        settings = verify_attributes(file, path)
        verify_arrays(file, path, settings)
        verify_columns(file, path, settings)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DataFileError(f"'{path}' is damaged: {error}. {_AGAIN}") from error
    return settings
