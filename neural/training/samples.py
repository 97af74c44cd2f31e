"""Samples of one split, in memory or read when asked for."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed
from torch.utils.data import Dataset
from torch.utils.data.distributed import DistributedSampler

from meshes.errors import InputError
from neural.training.symmetries import BoxSymmetries, Symmetry

Sample = tuple[Tensor, Tensor, int]
SampleBatch = tuple[Tensor, Tensor, Tensor]
Item = int | tuple[int, Symmetry]


READ_BYTES = 64 * 2**20
"""Most that is read into double precision at once."""


def values_of(info: Any) -> int:
    """Numbers in a sample."""
    return (len(info.inputs) + len(info.outputs)) * int(np.prod(info.shape))


def parts_of(numbers: npt.NDArray[np.int64], bytes_each: int) -> list[npt.NDArray[np.int64]]:
    """Samples in parts of at most `READ_BYTES`, at least one part.

    Examples
    --------
    >>> [len(part) for part in parts_of(np.arange(5), READ_BYTES // 2)]
    [2, 2, 1]
    """
    most = max(1, READ_BYTES // max(bytes_each, 1))
    return [numbers[first : first + most] for first in range(0, max(len(numbers), 1), most)]


def joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """One pair of tensors from those of several parts."""
    first, second = zip(*parts, strict=True)
    return torch.cat(first), torch.cat(second)


def as_tensors(
    pair: Sequence[npt.NDArray[np.float64]], numbers: npt.NDArray[np.int64], path: Path
) -> tuple[Tensor, Tensor]:
    """Two arrays of the same samples as tensors of the default type.

    Raises
    ------
    InputError
        If a value is not finite, or is too large for that type.
    """
    dtype = torch.get_default_dtype()
    tensors = []
    for values in pair:
        finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if not finite.all():
            raise InputError(
                f"sample {int(numbers[~finite][0])} of '{path}' is not finite "
                f"({int((~finite).sum())} such samples); remove them or generate them again"
            )
        tensor = torch.as_tensor(values).to(dtype)
        fits = torch.isfinite(tensor).reshape(len(tensor), -1).all(dim=1).numpy()
        if not fits.all():
            raise InputError(
                f"sample {int(numbers[~fits][0])} of '{path}' has values up to "
                f"{np.abs(values).max():.3g}, too large for {dtype}; store it in other units"
            )
        tensors.append(tensor)
    return tensors[0], tensors[1]


class SampleSource(Protocol):
    """What files of samples offer: ``pdesolve.data.DatasetReader`` and tensor files."""

    path: Path

    @property
    def info(self) -> Any:
        """Family, names, grid, seed, split, units, digest."""

    @property
    def valid_indices(self) -> npt.NDArray[np.int64]:
        """Numbers of the usable samples."""

    def read(
        self, indices: Sequence[int] | npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Inputs and outputs, each of shape ``(n, channel, *shape)``."""


class SampleDataset(Dataset[Any]):
    """Samples of one or more files, as a map-style dataset.

    Item i, or ``(i, symmetry)``, is ``(inputs, outputs, i)`` with float32 (or the default
    type's) tensors of shape ``(channel, *shape)``. A list of items of one group is a whole
    batch, with tensors of shape ``(batch, channel, *shape)`` and ``(batch,)``.

    Parameters
    ----------
    sources
        Open files.
    chosen
        Sample numbers to use, one array a file.
    in_memory
        Read everything now; otherwise each sample is read when asked for, through a
        handle of the worker's own.
    """

    def __init__(
        self,
        sources: Sequence[SampleSource],
        chosen: Sequence[npt.NDArray[np.int64]],
        *,
        in_memory: bool,
    ) -> None:
        self.sources = list(sources)
        self.chosen = [np.asarray(numbers, dtype=np.int64) for numbers in chosen]
        self._ends = list(itertools.accumulate(len(numbers) for numbers in self.chosen))
        self._held: list[tuple[Tensor, Tensor]] | None = None
        if in_memory:
            self._held = [
                joined(
                    [
                        self._read(source, part)
                        for part in parts_of(numbers, 8 * values_of(source.info))
                    ]
                )
                for source, numbers in zip(self.sources, self.chosen, strict=True)
            ]

    def __len__(self) -> int:
        """Number of samples."""
        return self._ends[-1]

    def __getitem__(self, item: Item | list[Item]) -> Sample | SampleBatch:
        """One sample, or a batch; transformed where symmetries are given."""
        if isinstance(item, list):
            return self._batch(item)
        inputs, outputs, _ = self._batch([item])
        return inputs[0], outputs[0], item if isinstance(item, int) else item[0]

    @property
    def groups(self) -> list[npt.NDArray[np.int64]]:
        """Items that may be in one batch: those of one grid and one family."""
        found: dict[Any, list[npt.NDArray[np.int64]]] = {}
        for source, end, numbers in zip(self.sources, self._ends, self.chosen, strict=True):
            key = (tuple(source.info.shape), source.info.family)
            found.setdefault(key, []).append(np.arange(end - len(numbers), end))
        return [np.concatenate(parts) for parts in found.values()]

    def items_of(self, file: int) -> range:
        """Items that come from one of the files."""
        return range(self._ends[file] - len(self.chosen[file]), self._ends[file])

    def source_of(self, index: int) -> SampleSource:
        """The file that an item comes from."""
        return self.sources[self._locate(index)[0]]

    def name(self, index: int) -> str:
        """Which sample of which file, for messages."""
        file, row = self._locate(index)
        return f"sample {self.chosen[file][row]} of '{self.sources[file].path}'"

    def batches(self, size: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
        """All samples in order, in batches, for statistics."""
        if self._held is not None:
            for inputs, outputs in self._held:
                yield from zip(inputs.split(size), outputs.split(size), strict=True)
            return
        for source, numbers in zip(self.sources, self.chosen, strict=True):
            for start in range(0, len(numbers), size):
                yield self._read(source, numbers[start : start + size])

    def _batch(self, items: list[Item]) -> SampleBatch:
        indices = [item if isinstance(item, int) else item[0] for item in items]
        symmetries = [None if isinstance(item, int) else item[1] for item in items]
        places = [self._locate(index) for index in indices]
        parts = [self._rows(file, [row for at, row in places if at == file])
                 for file in sorted({at for at, _ in places})]  # fmt: skip
        inputs, outputs = (torch.cat(columns) for columns in zip(*parts, strict=True))
        order = np.argsort(np.argsort([at for at, _ in places], kind="stable"), kind="stable")
        if len(parts) > 1:
            inputs, outputs = inputs[order], outputs[order]
        if any(symmetry is not None for symmetry in symmetries):
            inputs, outputs = (
                torch.stack(
                    [
                        value if symmetry is None else symmetry.apply(value)
                        for value, symmetry in zip(values, symmetries, strict=True)
                    ]
                )
                for values in (inputs, outputs)
            )
        return inputs, outputs, torch.tensor(indices)

    def _rows(self, file: int, rows: list[int]) -> tuple[Tensor, Tensor]:
        """Some samples of one file, by their place among those chosen."""
        if self._held is not None:
            inputs, outputs = self._held[file]
            return inputs[rows], outputs[rows]
        order = np.argsort(rows)  # neighbours in the file are read at once
        inputs, outputs = self._read(self.sources[file], self.chosen[file][rows][order])
        back = np.argsort(order)
        return inputs[back], outputs[back]

    def _locate(self, index: int) -> tuple[int, int]:
        file = bisect.bisect_right(self._ends, index)
        return file, index - (self._ends[file - 1] if file else 0)

    def _read(self, source: SampleSource, numbers: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        pair = source.read(numbers)
        return as_tensors(pair, numbers, source.path)


class EpochSampler(DistributedSampler[Any]):
    """A new order, and new symmetries, each epoch; the same for the same seed and epoch.

    Nothing is taken from the global random state, so a run that is interrupted and
    resumed sees the same batches as one that is not. The trainer calls ``set_epoch``.
    Of several training processes each takes every so-manieth item, so that their batches
    together are those of one process with a batch so many times as large; the order is
    filled up from its beginning where it does not divide.

    Parameters
    ----------
    num_samples
        Length of the data set.
    seed
        Any integer.
    symmetries
        Which to draw from; none when left out.
    num_replicas, rank
        Number of training processes and number of this one; asked of torch when left out.
    """

    def __init__(
        self,
        num_samples: int,
        seed: int,
        symmetries: BoxSymmetries | None = None,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        if num_replicas is None or rank is None:
            several = distributed.is_available() and distributed.is_initialized()
            num_replicas = distributed.get_world_size() if several else 1
            rank = distributed.get_rank() if several else 0
        super().__init__(range(num_samples), num_replicas, rank, seed=seed)  # type: ignore[arg-type]
        self.symmetries = symmetries

    def __iter__(self) -> Iterator[Any]:
        """Indices, or pairs of index and symmetry."""
        count = len(self.dataset)  # type: ignore[arg-type]
        rng = np.random.default_rng([self.seed, self.epoch])
        order: list[Any] = rng.permutation(count).tolist()
        if self.symmetries is not None:
            drawn = rng.integers(len(self.symmetries), size=count)
            order = [
                (index, self.symmetries[int(g)]) for index, g in zip(order, drawn, strict=True)
            ]
        filled = itertools.islice(itertools.cycle(order), self.total_size)
        return itertools.islice(filled, self.rank, None, self.num_replicas)


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with tuples and paths as lists and texts, for JSON."""
    import json

    copy: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return copy
