"""Which samples form the batches of an epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch.distributed
from torch.utils.data import DistributedSampler

from meshes.errors import InputError, suggest
from neural.training.samples import Item
from neural.training.symmetries import BoxSymmetries

Mixing = Literal["none", "proportional", "alternating"]
MIXINGS = ("none", "proportional", "alternating")


class EpochBatches(DistributedSampler[list[Item]]):
    """Batches in a new order, and with new symmetries, each epoch.

    They depend on seed and epoch alone, so a run that is interrupted and resumed sees the
    same batches as one that is not. On several processes each gets every so-manieth batch;
    the first batches are repeated where the number does not divide. The trainer calls
    ``set_epoch``.

    Parameters
    ----------
    groups
        Items that may be in one batch, an array a group.
    batch_size
        Items in a batch; the last of a group may be smaller.
    seed
        Any integer of at least 0.
    symmetries
        Which to draw from in each group; none when left out.
    mixing
        ``"proportional"``: every item once an epoch, batches of all groups in random order;
        ``"alternating"``: one batch of each group in turn, until the largest group is used
        up; smaller ones begin again in another order. ``"none"`` is for one group.
    drop_last
        Leave out batches that are not full.
    num_replicas, rank
        Processes, and the number of this one; from ``torch.distributed`` when left out.

    Examples
    --------
    >>> sampler = EpochBatches([np.arange(4), np.arange(4, 6)], 2, mixing="alternating")
    >>> [len(batch) for batch in sampler], [batch[0] > 3 for batch in sampler]
    ([2, 2, 2, 2], [False, True, False, True])
    """

    def __init__(
        self,
        groups: Sequence[npt.NDArray[np.int64]],
        batch_size: int,
        *,
        seed: int = 0,
        symmetries: Sequence[BoxSymmetries] | None = None,
        mixing: Mixing = "none",
        drop_last: bool = False,
        num_replicas: int | None = None,
        rank: int | None = None,
    ) -> None:
        if mixing not in MIXINGS:
            raise InputError(f"mixing={mixing!r} is unknown. {suggest(str(mixing), MIXINGS)}")
        apart = torch.distributed.is_available() and torch.distributed.is_initialized()
        num_replicas = num_replicas or (torch.distributed.get_world_size() if apart else 1)
        rank = rank if rank is not None else (torch.distributed.get_rank() if apart else 0)
        self.groups = [np.asarray(group) for group in groups if len(group)]
        super().__init__(
            range(sum(map(len, self.groups))),  # type: ignore[arg-type]
            num_replicas=num_replicas,
            rank=rank,
            seed=seed,
        )
        self.batch_size = batch_size
        self.symmetries = symmetries
        self.mixing = mixing
        self.drop_last = drop_last
        self._counts = [self._count(len(group)) for group in self.groups]
        if not any(self._counts):
            raise InputError(
                f"batch_size={batch_size} is larger than every group of samples of one grid and "
                "family, and drop_last leaves out all batches; lower batch_size or set "
                "drop_last=False"
            )

    def __len__(self) -> int:
        """Number of batches for this process."""
        return -(-self.num_batches // self.num_replicas)

    @property
    def num_batches(self) -> int:
        """Number of batches for all processes."""
        if self.mixing == "alternating":
            return max(self._counts) * sum(count > 0 for count in self._counts)
        return sum(self._counts)

    def __iter__(self) -> Iterator[list[Item]]:
        """Batches of this process: lists of items, or of pairs of item and symmetry."""
        # a generator, because the trainer may ask for the iterator before it sets the epoch
        batches = self._batches()
        wanted = len(self) * self.num_replicas
        batches = list(itertools.islice(itertools.cycle(batches), wanted))
        yield from batches[self.rank :: self.num_replicas]

    def _batches(self) -> list[list[Item]]:
        if len(self.groups) == 1:
            rng = np.random.default_rng([self.seed, self.epoch])
            return self._pass(0, rng)
        if self.mixing == "alternating":
            turns = [
                self._repeated(number, max(self._counts))
                for number, count in enumerate(self._counts)
                if count
            ]
            return [batch for turn in zip(*turns, strict=True) for batch in turn]
        batches = [
            batch for number in range(len(self.groups)) for batch in self._repeated(number, None)
        ]
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(batches))
        return [batches[place] for place in order]

    def _repeated(self, number: int, wanted: int | None) -> list[list[Item]]:
        """So many batches of a group, or one pass over it."""
        found: list[list[Item]] = []
        for repetition in itertools.count():
            rng = np.random.default_rng([self.seed, self.epoch, number + 1, repetition])
            found += self._pass(number, rng)
            if wanted is None or len(found) >= wanted:
                break
        return found[:wanted]

    def _pass(self, number: int, rng: np.random.Generator) -> list[list[Item]]:
        """Every item of a group once, in batches."""
        items: list[Item] = rng.permutation(self.groups[number]).tolist()
        if self.symmetries is not None:
            known = self.symmetries[number]
            drawn = rng.integers(len(known), size=len(items)).tolist()
            items = [
                (int(item), known[symmetry])  # type: ignore[arg-type]
                for item, symmetry in zip(items, drawn, strict=True)
            ]
        size = self.batch_size
        return [items[start : start + size] for start in range(0, len(items), size)][
            : self._counts[number]
        ]

    def _count(self, size: int) -> int:
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)
