"""One file from the finished shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pdesolve.data.layout import create_layout, finish_layout
from pdesolve.data.samples import MOMENTS, sample_moments
from pdesolve.data.schema import DIGEST, FIELDS, GROUP, PER_SAMPLE, USABLE
from pdesolve.data.shards import Arrays, ShardFolder

MOST_OPEN = 128
"""Shards that are open at once while samples are put in order."""

FORMAT = ("v110", "v110")
"""Object format of HDF5 1.10, whose metadata carry checksums."""


class FieldStatistics:
    """Minimum, maximum, mean and standard deviation of a field, sample by sample.

    Means and squared deviations are merged pairwise (Chan et al. 1983), in the order of
    the samples, so that the result does not depend on how they are grouped in shards.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque: Algorithms for computing the sample variance.
    The American Statistician 37 (1983). doi:10.1080/00031305.1983.10483115
    """

    def __init__(self) -> None:
        self.minimum, self.maximum = np.inf, -np.inf
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, samples: Any) -> None:
        """Take in samples of shape ``(m, ...)``."""
        self.add_moments(sample_moments(samples), int(np.prod(samples.shape[1:])))

    def add_moments(self, moments: Any, size: int) -> None:
        """Take in samples by their :func:`pdesolve.data.samples.sample_moments`.

        Parameters
        ----------
        moments
            Shape ``(m, 4)``.
        size
            Values of each sample.
        """
        for minimum, maximum, mean, square in np.asarray(moments).tolist():
            self.minimum, self.maximum = min(self.minimum, minimum), max(self.maximum, maximum)
            total = self.count + size
            shift = mean - self.mean
            self.squares += square + shift * shift * self.count * size / total
            self.mean += shift * size / total
            self.count = total

    def values(self) -> np.ndarray[Any, Any]:
        """The four numbers; NaN without samples."""
        if self.count == 0:
            return np.full(4, np.nan)
        deviation = float(np.sqrt(self.squares / self.count))
        return np.array([self.minimum, self.maximum, self.mean, deviation])


def merge(folder: ShardFolder) -> Path:
    """Write the data set under a temporary name in the folder of shards.

    Shards are read one at a time. The same shards give the same bytes.

    Returns
    -------
    Path
        The whole file, to be brought to disk and renamed.

    Raises
    ------
    DataFileError
        If a shard is damaged.
    """
    settings = folder.settings
    target = folder.path / "merged.h5"
    names = (*settings.inputs, *settings.outputs)
    statistics = {name: FieldStatistics() for name in names}
    digest = hashlib.sha256()
    with h5py.File(target, "w", libver=FORMAT) as file:
        create_layout(file, settings)
        steady = len(settings.times) == 1
        first = 0
        for arrays in _by_number(folder):
            _append(file, settings.scalars, names, first, arrays, steady=steady)
            first += len(arrays["status"])
            usable = np.isin(arrays["status"], USABLE)
            for name in names:
                size = int(np.prod(arrays[f"field {name}"].shape[1:]))
                statistics[name].add_moments(arrays[MOMENTS + name][usable], size)
            digest.update(arrays[DIGEST].tobytes())
        numbers = {name: found.values() for name, found in statistics.items()}
        finish_layout(file, numbers, digest.digest())
    return target


def _by_number(folder: ShardFolder) -> Iterator[Arrays]:
    """The samples in the order of their numbers, a shard's number of them at a time."""
    if folder.order is None:
        for shard in range(folder.num_shards):
            yield folder.read(shard)
        return
    # maps of the files, fewer than a process may have open
    read = lru_cache(maxsize=MOST_OPEN)(folder.read)
    names = tuple(read(0))
    places = np.argsort(folder.order)
    for first in range(0, len(places), folder.shard_size):
        rows = [
            divmod(int(place), folder.shard_size)
            for place in places[first : first + folder.shard_size]
        ]
        yield {name: np.stack([read(shard)[name][row] for shard, row in rows]) for name in names}


def _append(
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
