"""One file from the finished shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdesolve.data.field_statistics import FieldStatistics
from pdesolve.data.layout import create_layout, finish_layout
from pdesolve.data.samples import MOMENTS
from pdesolve.data.schema import DIGEST, FIELDS, GROUP, PER_SAMPLE, USABLE
from pdesolve.data.shards import Arrays, ShardFolder

MOST_OPEN = 128
"""Shards that are open at once while samples are put in order."""

FORMAT = ("v110", "v110")
"""Object format of HDF5 1.10, whose metadata carry checksums."""


class MergedFile:
    """The data set under a temporary name in the folder of shards, while it grows.

    Shards are read one at a time, in the order of their numbers; the same shards give the
    same bytes, whenever they came.

    Parameters
    ----------
    folder
        The shards.
    """

    def __init__(self, folder: ShardFolder) -> None:
        self.folder = folder
        self.path = folder.path / "merged.h5"
        settings = folder.settings
        self._names = (*settings.inputs, *settings.outputs)
        self._statistics = {name: FieldStatistics() for name in self._names}
        self._digest = hashlib.sha256()
        self._file: Any = None
        self._shards = self._samples = 0

    def advance(self) -> None:
        """Take in the next shards that are there, where samples are solved by number.

        Raises
        ------
        DataFileError
            If a shard is damaged.
        """
        folder = self.folder
        if folder.order is not None:
            return
        while self._shards < folder.num_shards and folder.file(self._shards).exists():
            self._append(folder.read(self._shards))
            self._shards += 1

    def finish(self) -> Path:
        """Take in all that is left.

        Returns
        -------
        Path
            The whole file, to be brought to disk and renamed.

        Raises
        ------
        DataFileError
            If a shard is damaged.
        """
        if self.folder.order is not None:
            for arrays in _by_number(self.folder, self.folder.order):
                self._append(arrays)
        else:
            for shard in range(self._shards, self.folder.num_shards):
                self._append(self.folder.read(shard))
        numbers = {name: found.values() for name, found in self._statistics.items()}
        finish_layout(self._open(), numbers, self._digest.digest())
        self._file.close()
        self._file = None
        return self.path

    def abandon(self) -> None:
        """Drop a file that is not finished."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self.path.unlink(missing_ok=True)

    def _open(self) -> Any:
        if self._file is None:
            self._file = h5py.File(self.path, "w", libver=FORMAT)
            create_layout(self._file, self.folder.settings)
        return self._file

    def _append(self, arrays: Arrays) -> None:
        settings, file = self.folder.settings, self._open()
        steady = len(settings.times) == 1
        _write_rows(file, settings.scalars, self._names, self._samples, arrays, steady=steady)
        self._samples += len(arrays["status"])
        usable = np.isin(arrays["status"], USABLE)
        for name in self._names:
            size = int(np.prod(arrays[f"field {name}"].shape[1:]))
            self._statistics[name].add_moments(arrays[MOMENTS + name][usable], size)
        self._digest.update(arrays[DIGEST].tobytes())


def _by_number(folder: ShardFolder, order: Sequence[int]) -> Iterator[Arrays]:
    """The samples in the order of their numbers, a shard's number of them at a time."""
    # maps of the files, fewer than a process may have open
    read = lru_cache(maxsize=MOST_OPEN)(folder.read)
    names = tuple(read(0))
    places = np.argsort(order)
    for first in range(0, len(places), folder.shard_size):
        rows = [
            divmod(int(place), folder.shard_size)
            for place in places[first : first + folder.shard_size]
        ]
        yield {name: np.stack([read(shard)[name][row] for shard, row in rows]) for name in names}


def _write_rows(
    file: Any,
    scalars: tuple[str, ...],
    names: tuple[str, ...],
    first: int,
    arrays: Arrays,
    *,
    steady: bool,
) -> None:
    rows = slice(first, first + len(arrays["status"]))
    for name in names:
        values = arrays[f"field {name}"]
        file[FIELDS][name][rows] = values[:, None] if steady else values
    for name in scalars:
        file["scalars"][name][rows] = arrays[f"scalar {name}"]
    for name in (*(key for key in PER_SAMPLE if key != "status"), DIGEST, "status"):
        file[GROUP][name][rows] = arrays[name]
