"""Arrays of real numbers in files, read without trusting the file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from operators.failures import DataFileError

IntArray = npt.NDArray[np.int64]

FloatArray = npt.NDArray[np.float64]

WHOLE_FILE = 1024**3
"""Larger files are told apart by their size and by 256 pieces of 1 MiB."""


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading.

    Raises
    ------
    InputError
        If there is no such file.
    DataFileError
        If it is not HDF5, or is truncated.
    """
    if not path.is_file():
        raise InputError(f"there is no file '{path}'")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataFileError(f"'{path}' is not an HDF5 file, or is damaged ({error})") from error


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


def file_digest(path: Path) -> str:
    """SHA-256 of a file; of a file above 1 GiB, of its size and 256 pieces.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     file_digest(Path(file.name))[:8]
    'e3b0c442'
    """
    digest, size, piece = hashlib.sha256(), path.stat().st_size, 1024**2
    with path.open("rb") as stream:
        if size <= WHOLE_FILE:
            while block := stream.read(piece):
                digest.update(block)
            return digest.hexdigest()
        digest.update(str(size).encode())
        for start in np.linspace(0, size - piece, 256).astype(np.int64):
            stream.seek(int(start))
            digest.update(stream.read(piece))
    return digest.hexdigest()
