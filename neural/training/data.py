"""Training, validation and test data from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytorch_lightning as lightning
from torch import Tensor
from torch.utils.data import DataLoader

from meshes.errors import InputError, suggest
from neural.models.spectral_convolution import positive_integer
from neural.training.compatibility import (
    check_disjoint,
    check_same_distribution,
    check_same_family,
    check_same_grid,
)
from neural.training.mesh_files import MeshFileReader, is_mesh_file
from neural.training.samples import EpochSampler, SampleDataset, SampleSource
from neural.training.symmetries import BoxSymmetries
from neural.training.tensor_files import SUFFIXES, TensorFileReader

Paths = str | Path | Sequence[str | Path] | None
SPLITS = ("train", "validation", "test")
AUGMENTATIONS = ("none", "square symmetries")


def open_samples(path: str | Path, *, output_time: int = -1) -> SampleSource:
    """Open a generated HDF5 set, or a ``{x, y}`` tensor file.

    Parameters
    ----------
    path
        The file.
    output_time
        Which of the times of a data set of trajectories gives the outputs.
    """
    if Path(path).suffix in SUFFIXES:
        return TensorFileReader(path)
    if is_mesh_file(path):
        return MeshFileReader(path)
    from pdesolve.data import open_dataset

    return open_dataset(path, output_time=output_time)


class PDEDataModule(lightning.LightningDataModule):
    """Batches of input and output fields from data-set files.

    A batch is ``(inputs, outputs, numbers)``: tensors of shape ``(batch, channel,
    *shape)`` in the units of the files, and the position of each sample in its split.

    Parameters
    ----------
    train, validation, test
        One file, or several that are joined. Validation and test files may have another
        resolution than the training files, but the same family, fields, units and box.
    fractions
        Instead of validation and test files: the parts of the training files that
        become training, validation and test data. They sum to 1; a part may be 0.
    batch_size
        Samples a step.
    num_train
        Use the first so many training samples only.
    augment
        ``"square symmetries"``: every training sample is flipped and its axes exchanged
        at random. For families that declare this symmetry.
    seed
        Fixes the order of training samples, the symmetries, and the split by fractions.
    drop_last
        Leave out the last, smaller batch of training.
    num_workers
        Processes that load; 0 loads in the main process, fastest for sets in memory.
    memory_limit
        Splits of at most so many bytes are held in memory.
    output_time
        In data sets of trajectories, the number of the time whose state is the output;
        -1 is the last. The inputs are the initial state and whatever else the family
        names.

    Raises
    ------
    InputError
        If files do not fit together, splits overlap or are empty, or an option is out of
        range.

    Examples
    --------
    >>> data = PDEDataModule(train="train.h5", test="test.h5", batch_size=20)
    >>> data.batch_size
    20
    """

    def __init__(
        self,
        train: Paths = None,
        validation: Paths = None,
        test: Paths = None,
        fractions: Sequence[float] | None = None,
        batch_size: int = 20,
        num_train: int | None = None,
        augment: Literal["none", "square symmetries"] = "none",
        seed: int = 0,
        drop_last: bool = False,
        num_workers: int = 0,
        memory_limit: int = 2 * 1024**3,
        output_time: int = -1,
    ) -> None:
        super().__init__()
        self.paths = {
            name: _as_list(given)
            for name, given in zip(SPLITS, (train, validation, test), strict=True)
        }
        self.fractions = _checked_fractions(fractions)
        if self.fractions and not self.paths["train"]:
            raise InputError("fractions split the training files, but train is missing")
        if self.fractions and (self.paths["validation"] or self.paths["test"]):
            raise InputError(
                "fractions and validation or test files are given; fractions split the training "
                "files, so give one or the other"
            )
        if not any(self.paths.values()):
            raise InputError("no data file; give train, validation or test")
        if augment not in AUGMENTATIONS:
            raise InputError(f"augment={augment!r}. {suggest(str(augment), AUGMENTATIONS)}")
        if num_workers < 0 or memory_limit < 0 or seed < 0:
            raise InputError(
                f"num_workers={num_workers}, memory_limit={memory_limit} and seed={seed} must be "
                "at least 0"
            )
        self.batch_size = positive_integer("batch_size", batch_size)
        self.num_train = None if num_train is None else positive_integer("num_train", num_train)
        self.augment = augment
        self.seed = seed
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.memory_limit = memory_limit
        self.output_time = output_time
        self._splits: dict[str, SampleDataset] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the files and check that they fit together (once, for all stages)."""
        del stage
        if self._splits:
            return
        sources = {
            name: [open_samples(path, output_time=self.output_time) for path in self.paths[name]]
            for name in SPLITS
        }
        every = [source for name in SPLITS for source in sources[name]]
        check_same_family(every)
        for name in SPLITS:
            check_same_grid(name, sources[name])
            check_same_distribution(name, sources[name])
        check_disjoint(sources)
        chosen = {name: [source.valid_indices for source in sources[name]] for name in SPLITS}
        if self.fractions:
            parts = self._divide(chosen["train"])
            sources = {name: sources["train"] if parts[name] else [] for name in SPLITS}
            chosen = parts
        if self.num_train is not None and chosen["train"]:
            available = sum(len(numbers) for numbers in chosen["train"])
            if self.num_train > available:
                raise InputError(
                    f"num_train={self.num_train}, but there are {available} training samples"
                )
            chosen["train"] = _first(chosen["train"], self.num_train)
        for name in SPLITS:
            if not sources[name]:
                continue
            count = sum(len(numbers) for numbers in chosen[name])
            if count == 0:
                raise InputError(f"the {name} split is empty: no usable sample in its files")
            shape, info = sources[name][0].info.shape, sources[name][0].info
            size = 4 * count * (len(info.inputs) + len(info.outputs)) * int(np.prod(shape))
            self._splits[name] = SampleDataset(
                sources[name], chosen[name], in_memory=size <= self.memory_limit
            )
        if self.drop_last and "train" in self._splits:
            count = len(self._splits["train"])
            if self.batch_size > count:
                raise InputError(
                    f"batch_size={self.batch_size} is larger than the {count} training samples, "
                    "and drop_last leaves out the only batch; lower batch_size or set "
                    "drop_last=False"
                )

    def split(self, name: str) -> SampleDataset:
        """The data set of a split.

        Raises
        ------
        InputError
            If no file was given for it.
        """
        self.setup()
        if name not in self._splits:
            raise InputError(f"there is no {name} data; give '{name}' a file, or use fractions")
        return self._splits[name]

    def has(self, name: str) -> bool:
        """Whether there are data for a split."""
        self.setup()
        return name in self._splits

    @property
    def info(self) -> Any:
        """What the first file says about itself; names, units, box are those of all files."""
        self.setup()
        return next(iter(self._splits.values())).sources[0].info

    def info_of(self, name: str) -> Any:
        """What the first file of a split says about itself."""
        return self.split(name).sources[0].info

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor, int]]:
        """Training batches, in a new order each epoch."""
        dataset = self.split("train")
        sampler = EpochSampler(len(dataset), self.seed, self._symmetries())
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            sampler=sampler,
            drop_last=self.drop_last,
            num_workers=self.num_workers,
            persistent_workers=False,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor, int]] | list[Any]:
        """Validation batches; none without validation files."""
        return self._ordered("validation") if self.has("validation") else []

    def test_dataloader(self) -> DataLoader[tuple[Tensor, Tensor, int]]:
        """Test batches."""
        return self._ordered("test")

    def predict_dataloader(self) -> DataLoader[tuple[Tensor, Tensor, int]]:
        """The test batches, for predictions."""
        return self._ordered("test")

    def _ordered(self, name: str) -> DataLoader[tuple[Tensor, Tensor, int]]:
        return DataLoader(
            self.split(name), batch_size=self.batch_size, num_workers=self.num_workers
        )

    def _symmetries(self) -> BoxSymmetries | None:
        if self.augment == "none":
            return None
        info = self.info_of("train")
        if "square" not in _declared_symmetries(info.family):
            raise InputError(
                f"augment='square symmetries' needs a family that declares the symmetry 'square'; "
                f"'{info.family}' does not. Use augment='none'"
            )
        extent = [high - low for low, high in zip(info.lower, info.upper, strict=True)]
        return BoxSymmetries(info.shape, extent)

    def _divide(self, files: list[Any]) -> dict[str, list[Any]]:
        """Split each file's samples at random by the fractions."""
        rng = np.random.default_rng(self.seed)
        parts: dict[str, list[Any]] = {name: [] for name in SPLITS}
        for numbers in files:
            order = rng.permutation(numbers)
            ends = np.rint(np.cumsum(self.fractions) * len(order)).astype(int)[:-1]
            for name, part in zip(SPLITS, np.split(order, ends), strict=True):
                parts[name].append(np.sort(part))
        return {
            name: parts[name] if fraction > 0 else []
            for name, fraction in zip(SPLITS, self.fractions, strict=True)
        }


def _declared_symmetries(family: str) -> tuple[str, ...]:
    from pdesolve.problems.registry import FAMILIES, get_family

    return get_family(family).symmetries if family in FAMILIES else ()


def _as_list(given: Paths) -> list[Path]:
    if given is None:
        return []
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]


def _checked_fractions(given: Sequence[float] | None) -> tuple[float, ...]:
    if given is None:
        return ()
    values = tuple(float(value) for value in given)
    if len(values) != 3 or any(value < 0 for value in values) or abs(sum(values) - 1) > 1e-9:
        raise InputError(
            f"fractions={list(values)} must be three numbers of at least 0 (training, validation, "
            f"test) that sum to 1; they sum to {sum(values):g}"
        )
    if values[0] == 0:
        raise InputError("fractions leave the train split empty")
    return values


def _first(files: list[Any], count: int) -> list[Any]:
    kept = []
    for numbers in files:
        kept.append(numbers[:count])
        count -= len(kept[-1])
    return kept
