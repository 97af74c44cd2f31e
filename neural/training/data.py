"""Training, validation and test data from files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytorch_lightning as lightning
from torch.utils.data import DataLoader, Subset

from meshes.errors import InputError, suggest
from neural.models.spectral_convolution import positive_integer
from neural.training.batches import MIXINGS, EpochBatches, Mixing
from neural.training.compatibility import (
    check_disjoint,
    check_same_channels,
    check_same_distribution,
    check_same_family,
    check_same_grid,
)
from neural.training.layouts import Layout, open_samples
from neural.training.samples import SampleDataset, values_of
from neural.training.splits import (
    SPLITS,
    Paths,
    as_list,
    as_names,
    checked_fractions,
    divide,
    first,
    labelled,
    streams_of,
)
from neural.training.symmetries import BoxSymmetries

AUGMENTATIONS = ("none", "square symmetries")
FAMILIES = ("one", "several", "labelled")
Loader = DataLoader[Any]


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
    layout
        Of the files: ``"auto"`` finds out. See :func:`neural.training.layouts.open_samples`.
    subsampling
        Use every so-manyth vertex, or means over so many cells, along each axis.
    input_fields, output_fields
        Which fields to use, where the layout leaves a choice.
    scalar_channels
        Scalar parameters of the files that become inputs, constant over the grid.
    mixing
        ``"none"``: the files of a split are on one grid. ``"proportional"`` and
        ``"alternating"`` allow several; a batch is of one grid and one family, see
        :class:`neural.training.batches.EpochBatches`. Validation and test errors are then
        given for each file and over all. `num_train` counts the samples of each file.
    families
        ``"one"``; with `mixing`, ``"several"`` families with the same channels may be mixed,
        and ``"labelled"`` adds an input ``family_NAME`` for each, 1 in samples of that
        family and 0 in others. Units and box then may differ between families.

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
        layout: Layout = "auto",
        subsampling: int = 1,
        input_fields: Sequence[str] | None = None,
        output_fields: Sequence[str] | None = None,
        scalar_channels: Sequence[str] | None = None,
        mixing: Mixing = "none",
        families: Literal["one", "several", "labelled"] = "one",
    ) -> None:
        super().__init__()
        self.paths = {
            name: as_list(given)
            for name, given in zip(SPLITS, (train, validation, test), strict=True)
        }
        self.fractions = checked_fractions(fractions)
        if self.fractions and not self.paths["train"]:
            raise InputError("fractions split the training files, but train is missing")
        if self.fractions and (self.paths["validation"] or self.paths["test"]):
            raise InputError(
                "fractions and validation or test files are given; fractions split the training "
                "files, so give one or the other"
            )
        if not any(self.paths.values()):
            raise InputError("no data file; give train, validation or test")
        for name, value, allowed in (
            ("augment", augment, AUGMENTATIONS),
            ("mixing", mixing, MIXINGS),
            ("families", families, FAMILIES),
        ):
            if value not in allowed:
                raise InputError(f"{name}={value!r}. {suggest(str(value), allowed)}")
        if families != "one" and mixing == "none":
            raise InputError(
                f"families='{families}' mixes batches of several families; set mixing to "
                "'proportional' or 'alternating'"
            )
        for name, number in (
            ("num_workers", num_workers), ("memory_limit", memory_limit), ("seed", seed),
        ):  # fmt: skip
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                raise InputError(f"{name}={number!r} must be at least 0 and an integer")
        self.batch_size = positive_integer("batch_size", batch_size)
        self.num_train = None if num_train is None else positive_integer("num_train", num_train)
        self.augment = augment
        self.seed = seed
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.memory_limit = memory_limit
        self.output_time = output_time
        self.mixing = mixing
        self.families = families
        given: dict[str, Any] = {
            "layout": None if layout == "auto" else layout,
            "subsampling": None if subsampling == 1 else subsampling,
            "input_fields": as_names("input_fields", input_fields),
            "output_fields": as_names("output_fields", output_fields),
            "scalar_channels": as_names("scalar_channels", scalar_channels),
        }
        self.reading = {name: value for name, value in given.items() if value is not None}
        """Options of :func:`open_samples` that are not its defaults."""
        self._splits: dict[str, SampleDataset] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the files and check that they fit together (once, for all stages)."""
        del stage
        if self._splits:
            return
        sources: dict[str, list[Any]] = {
            name: [
                open_samples(path, output_time=self.output_time, **self.reading)
                for path in self.paths[name]
            ]
            for name in SPLITS
        }
        if self.families == "labelled":
            sources = labelled(sources)
        every = [source for name in SPLITS for source in sources[name]]
        if self.families == "one":
            check_same_family(every)
        else:
            check_same_channels(every)
            for family in {source.info.family for source in every}:
                check_same_family([source for source in every if source.info.family == family])
        for name in SPLITS:
            if self.mixing == "none":
                check_same_grid(name, sources[name])
            check_same_distribution(name, sources[name])
        check_disjoint(sources)
        chosen = {name: [source.valid_indices for source in sources[name]] for name in SPLITS}
        if self.fractions:
            streams = streams_of(sources["train"])
            parts = divide(chosen["train"], self.fractions, self.seed, streams)
            sources = {name: sources["train"] if parts[name] else [] for name in SPLITS}
            chosen = parts
        if self.num_train is not None and chosen["train"]:
            mixed = self.mixing != "none"
            counts = [len(numbers) for numbers in chosen["train"]]
            available = min(counts) if mixed else sum(counts)
            if self.num_train > available:
                raise InputError(
                    f"num_train={self.num_train}, but there are {available} training samples"
                    + (" in the smallest file" if mixed else "")
                )
            chosen["train"] = (
                [numbers[: self.num_train] for numbers in chosen["train"]]
                if mixed
                else first(chosen["train"], self.num_train)
            )
        for name in SPLITS:
            if not sources[name]:
                continue
            count = sum(len(numbers) for numbers in chosen[name])
            if count == 0:
                raise InputError(f"the {name} split is empty: no usable sample in its files")
            size = sum(
                4 * len(numbers) * values_of(source.info)
                for source, numbers in zip(sources[name], chosen[name], strict=True)
            )
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

    def train_dataloader(self) -> Loader:
        """Training batches, in a new order each epoch."""
        dataset = self.split("train")
        sampler = EpochBatches(
            dataset.groups,
            self.batch_size,
            seed=self.seed,
            symmetries=self._symmetries(),
            mixing=self.mixing,
            drop_last=self.drop_last,
        )
        return self._loader(dataset, batch_size=None, sampler=sampler)

    def val_dataloader(self) -> Loader | list[Loader]:
        """Validation batches, a loader a file with `mixing`; none without validation files."""
        return self._ordered("validation") if self.has("validation") else []

    def test_dataloader(self) -> Loader | list[Loader]:
        """Test batches, a loader a file with `mixing`."""
        return self._ordered("test")

    def predict_dataloader(self) -> Loader:
        """The test batches, for predictions.

        Raises
        ------
        InputError
            If they are on several grids, or of several families.
        """
        if len(self.labels("test")) > 1:
            raise InputError(
                "predictions are for the test data of one file; give 'test' one of "
                f"{', '.join(str(source.path) for source in self.split('test').sources)}"
            )
        return self._loader(self.split("test"), batch_size=self.batch_size)

    def labels(self, name: str) -> list[str]:
        """What the loaders of a split are called in metrics: names of files with `mixing`.

        One loader has the empty name.
        """
        sources = self.split(name).sources
        if self.mixing == "none" or len(sources) == 1:
            return [""]
        stems = [source.path.stem for source in sources]
        twice = len(set(stems)) < len(stems)
        return [f"{stem}_{number}" if twice else stem for number, stem in enumerate(stems)]

    def _ordered(self, name: str) -> Loader | list[Loader]:
        dataset, count = self.split(name), len(self.labels(name))
        if count == 1:
            return self._loader(dataset, batch_size=self.batch_size)
        parts = [Subset(dataset, dataset.items_of(file)) for file in range(count)]
        return [self._loader(part, batch_size=self.batch_size) for part in parts]

    def _loader(self, dataset: Any, **options: Any) -> Loader:
        device = getattr(getattr(self.trainer, "strategy", None), "root_device", None)
        return DataLoader(
            dataset,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=device is not None and device.type == "cuda",
            **options,
        )

    def _symmetries(self) -> list[BoxSymmetries] | None:
        if self.augment == "none":
            return None
        dataset, found = self.split("train"), []
        for group in dataset.groups:
            info = dataset.source_of(int(group[0])).info
            if "square" not in _declared_symmetries(info.family):
                raise InputError(
                    "augment='square symmetries' needs a family that declares the symmetry "
                    f"'square'; '{info.family}' does not. Use augment='none'"
                )
            extent = [high - low for low, high in zip(info.lower, info.upper, strict=True)]
            found.append(BoxSymmetries(info.shape, extent))
        return found


def _declared_symmetries(family: str) -> tuple[str, ...]:
    from pdesolve.problems.registry import FAMILIES, get_family

    return get_family(family).symmetries if family in FAMILIES else ()
