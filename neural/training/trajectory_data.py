"""Training, validation and test windows from files of trajectories."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
from torch.utils.data import DataLoader

from meshes.errors import InputError
from neural.models.spectral_convolution import positive_integer
from neural.training.data import PDEDataModule
from neural.training.layouts import Layout
from neural.training.samples import EpochSampler
from neural.training.splits import SPLITS, Paths
from neural.training.windows import Window, WindowDataset, WindowPlan, static_names


class TrajectoryDataModule(lightning.LightningDataModule):
    """Batches of past and future frames from data-set files of problems in time.

    A batch is ``(history, static, future, numbers)`` in the units of the files: tensors
    of shape ``(batch, frames_in, channel, *shape)``, ``(batch, static_channel, *shape)``
    (fields that do not change in time; there may be none) and ``(batch, frames_out,
    channel, *shape)``, and the position of each window in its split.

    Training windows begin at every `stride`-th frame. A validation or test trajectory
    gives one window: its first frames, and the whole rest as the future, so that errors
    are those of a rollout.

    Parameters
    ----------
    train, validation, test, fractions, num_train, seed, drop_last, num_workers
        As in :class:`PDEDataModule`; `fractions` and `num_train` count trajectories.
    batch_size
        Windows a step.
    frames_in
        Frames of the past that a model sees.
    frames_out
        Frames of the future in a training window; when left out, all that follow.
    stride
        Frames between the beginnings of two training windows; 0 takes the first window of
        each trajectory alone.
    start
        Number of the first time that is used; 1 leaves out the initial state.
    frame_step
        A frame is every so-manieth time of the file.
    test_frames
        Frames of the future in validation and test windows; when left out, all.
    static
        Names of input fields and of scalar parameters (which become constant channels)
        that models see beside the frames. When left out: all input fields that are not
        initial states.
    memory_limit
        Splits of at most so many bytes are held in memory.
    layout, subsampling, input_fields, output_fields
        Of files of other projects, as in :class:`PDEDataModule`.

    Raises
    ------
    InputError
        If files do not fit together or hold no trajectories, times are not equally
        spaced, a window is longer than the trajectories, splits overlap or are empty, or
        an option is out of range.

    Examples
    --------
    >>> data = TrajectoryDataModule(train="train.h5", frames_in=10, frames_out=10)
    >>> data.plan.frames_out
    10
    """

    def __init__(
        self,
        train: Paths = None,
        validation: Paths = None,
        test: Paths = None,
        fractions: Sequence[float] | None = None,
        batch_size: int = 20,
        num_train: int | None = None,
        frames_in: int = 1,
        frames_out: int | None = 1,
        stride: int = 1,
        start: int = 0,
        frame_step: int = 1,
        test_frames: int | None = None,
        static: Sequence[str] | None = None,
        seed: int = 0,
        drop_last: bool = False,
        num_workers: int = 0,
        memory_limit: int = 2 * 1024**3,
        layout: Layout = "auto",
        subsampling: int = 1,
        input_fields: Sequence[str] | None = None,
        output_fields: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        # opens, checks and divides the files; reads no sample
        self._files = PDEDataModule(
            train=train,
            validation=validation,
            test=test,
            fractions=fractions,
            num_train=num_train,
            seed=seed,
            num_workers=num_workers,
            memory_limit=0,
            layout=layout,
            subsampling=subsampling,
            input_fields=input_fields,
            output_fields=output_fields,
        )
        self.plan = WindowPlan(frames_in, frames_out, stride, start, frame_step)
        self.test_plan = dataclasses.replace(self.plan, frames_out=test_frames, stride=0)
        self.batch_size = positive_integer("batch_size", batch_size)
        if memory_limit < 0:
            raise InputError(f"memory_limit={memory_limit} must be at least 0")
        if isinstance(static, str):
            raise InputError(f"static={static!r} must be a list of names, such as [{static}]")
        self.static = None if static is None else tuple(static)
        self.seed = seed
        self.drop_last = drop_last
        self.num_workers = num_workers
        self.memory_limit = memory_limit
        self._splits: dict[str, WindowDataset] = {}

    @property
    def paths(self) -> dict[str, list[Path]]:
        """Files of each split."""
        return self._files.paths

    @property
    def fractions(self) -> tuple[float, ...]:
        """Parts of the training files, where they are divided."""
        return self._files.fractions

    @property
    def reading(self) -> dict[str, Any]:
        """How files of other projects are read, where it is not by default."""
        return self._files.reading

    def setup(self, stage: str | None = None) -> None:
        """Open the files and check that they fit together (once, for all stages)."""
        del stage
        if self._splits:
            return
        self._files.setup()
        splits: dict[str, WindowDataset] = {}
        for name in SPLITS:
            if not self._files.has(name):
                continue
            samples = self._files.split(name)
            for source in samples.sources:
                _check_times(source)
            info = samples.sources[0].info
            plan = self.plan if name == "train" else self.test_plan
            plan.horizon(len(info.times), f"'{info.path}', whose trajectories are")
            plan.step(info.times, f"'{info.path}'")
            static = static_names(info, self.static)
            frames = len(plan.frames(len(info.times)))
            values = frames * len(info.outputs) + len(static)
            size = 4 * len(samples) * values * int(np.prod(info.shape))
            splits[name] = WindowDataset(
                samples.sources,  # type: ignore[arg-type]
                samples.chosen,
                plan,
                static,
                in_memory=size <= self.memory_limit,
            )
        if self.drop_last and "train" in splits and self.batch_size > len(splits["train"]):
            raise InputError(
                f"batch_size={self.batch_size} is larger than the {len(splits['train'])} training "
                "windows, and drop_last leaves out the only batch; lower batch_size or set "
                "drop_last=False"
            )
        self._splits = splits

    def split(self, name: str) -> WindowDataset:
        """The windows of a split.

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

    def info_of(self, name: str) -> Any:
        """What the first file of a split says about itself."""
        return self.split(name).sources[0].info

    def time_step(self, name: str) -> float:
        """Time between two frames of a split."""
        return self.plan.step(self.info_of(name).times)

    def train_dataloader(self) -> DataLoader[Window]:
        """Training batches, in a new order each epoch."""
        dataset = self.split("train")
        return self._loader(
            dataset, sampler=EpochSampler(len(dataset), self.seed), drop_last=self.drop_last
        )

    def val_dataloader(self) -> DataLoader[Window] | list[Any]:
        """Validation batches; none without validation files."""
        return self._ordered("validation") if self.has("validation") else []

    def test_dataloader(self) -> DataLoader[Window]:
        """Test batches."""
        return self._ordered("test")

    def predict_dataloader(self) -> DataLoader[Window]:
        """The test batches, for rollouts."""
        return self._ordered("test")

    def _ordered(self, name: str) -> DataLoader[Window]:
        return self._loader(self.split(name))

    def _loader(self, dataset: WindowDataset, **options: Any) -> DataLoader[Window]:
        device = getattr(getattr(self.trainer, "strategy", None), "root_device", None)
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=device is not None and device.type == "cuda",
            **options,
        )


def _check_times(source: Any) -> None:
    if len(getattr(source.info, "times", (0.0,))) < 2 or not hasattr(source, "read_trajectories"):
        raise InputError(
            f"'{source.path}' (family '{source.info.family}') holds no trajectories but states at "
            "one time; use task: steady (PDEDataModule) for it, or generate a family in time"
        )
