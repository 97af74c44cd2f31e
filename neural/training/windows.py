"""Windows over trajectories: some frames of the past, and the frames that follow."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.utils.data import Dataset

from meshes.errors import InputError, suggest
from neural.training.samples import as_tensors, joined, parts_of

Window = tuple[Tensor, Tensor, Tensor, int]


class TrajectorySource(Protocol):
    """What files of trajectories offer, such as ``pdesolve.data.DatasetReader``."""

    path: Path

    @property
    def info(self) -> Any:
        """Family, names, grid, times, seed, split, units, digest."""

    @property
    def valid_indices(self) -> npt.NDArray[np.int64]:
        """Numbers of the usable samples."""

    def read(
        self, indices: Sequence[int] | npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Inputs and outputs, each of shape ``(n, channel, *shape)``."""

    def read_trajectories(
        self,
        indices: Sequence[int] | npt.NDArray[np.int64] | None = None,
        times: range | None = None,
    ) -> npt.NDArray[np.float64]:
        """Outputs at all times or some, shape ``(n, time, channel, *shape)``."""


@dataclass(frozen=True)
class WindowPlan:
    """Which frames of a trajectory form a window, and where windows begin.

    Frames are every `frame_step`-th time from the number `start` on; all other numbers
    count these frames.

    Parameters
    ----------
    frames_in, frames_out
        Frames of the past and of the future; ``frames_out=None`` takes all that follow.
    stride
        Frames between the beginnings of two windows; 0 takes the first window alone.
    start, frame_step
        The first time used, and the distance between two frames, as numbers of times.

    Raises
    ------
    InputError
        If a number is out of range, or (when used) the trajectory is too short.

    Examples
    --------
    >>> plan = WindowPlan(frames_in=2, frames_out=3, stride=2, start=1)
    >>> plan.frames(10), plan.beginnings(10)
    ([1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 2, 4])
    """

    frames_in: int = 1
    frames_out: int | None = 1
    stride: int = 1
    start: int = 0
    frame_step: int = 1

    def __post_init__(self) -> None:
        for name, least in (
            ("frames_in", 1), ("frames_out", 1), ("stride", 0), ("start", 0), ("frame_step", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is None and name == "frames_out":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name}={value!r} must be an integer of at least {least}")

    def frames(self, num_times: int) -> list[int]:
        """Numbers of the times that are frames, of a trajectory of so many times."""
        return list(range(self.start, num_times, self.frame_step))

    def horizon(self, num_times: int, what: str = "the trajectories") -> int:
        """Frames of the future in a window; refuses trajectories that are too short.

        Parameters
        ----------
        num_times
            Times of a trajectory.
        what
            Whose, for the message.
        """
        available = len(self.frames(num_times))
        future = available - self.frames_in if self.frames_out is None else self.frames_out
        if future < 1 or self.frames_in + future > available:
            raise InputError(
                f"windows of {self.frames_in} + {max(future, 1)} frames (past and future) do not "
                f"fit {what} of {num_times} times, which have {available} frames with "
                f"start={self.start} and frame_step={self.frame_step}: the future may have at "
                f"most {max(available - self.frames_in, 0)}. Take fewer frames, a smaller start "
                "or frame_step, or generate longer trajectories"
            )
        return future

    def beginnings(self, num_times: int) -> list[int]:
        """Numbers of the frames at which windows begin."""
        length = self.frames_in + self.horizon(num_times)
        last = len(self.frames(num_times)) - length
        return list(range(0, last + 1, self.stride)) if self.stride else [0]

    def step(self, times: Sequence[float], what: str = "the file") -> float:
        """Time between two frames.

        Raises
        ------
        InputError
            If frames are not equally spaced: a model learns one step.
        """
        chosen = np.asarray(times, dtype=float)[self.start :: self.frame_step]
        steps = np.diff(chosen)
        if len(steps) and not np.allclose(steps, steps[0], rtol=1e-6, atol=0):
            raise InputError(
                f"the times of {what} are not equally spaced: steps from {steps.min():g} to "
                f"{steps.max():g}; a model of trajectories has one step. Choose start and "
                "frame_step so that frames are equally spaced"
            )
        return float(steps.mean()) if len(steps) else 0.0


def static_names(info: Any, wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the channels that do not change in time.

    Parameters
    ----------
    info
        What a file says about itself.
    wanted
        Names of input fields and of scalar parameters (constant channels), in order; when
        left out, all inputs but the initial states (``initial_NAME`` of an output ``NAME``).

    Raises
    ------
    InputError
        If a name is unknown.
    """
    states = {f"initial_{name}" for name in info.outputs}
    fields = tuple(name for name in info.inputs if name not in states)
    if wanted is None:
        return fields
    known = (*info.inputs, *getattr(info, "scalars", ()))
    for name in wanted:
        if name not in known:
            raise InputError(
                f"static channel '{name}' is neither an input field nor a scalar parameter of "
                f"'{info.path}'. {suggest(name, known)}"
            )
    return tuple(wanted)


class WindowDataset(Dataset[Window]):
    """Windows of the trajectories of one or more files of one grid, as a map-style dataset.

    Item i is ``(history, static, future, i)`` with float32 (or the default type's) tensors
    of shape ``(frames_in, channel, *shape)``, ``(static_channel, *shape)`` and
    ``(frames_out, channel, *shape)``.

    Parameters
    ----------
    sources
        Open files.
    chosen
        Sample numbers to use, one array a file.
    plan
        Which windows.
    static
        Names of input fields and scalar parameters that the windows carry along.
    in_memory
        Read everything now; otherwise the frames of each window are read when asked
        for, through a handle of the worker's own.
    """

    def __init__(
        self,
        sources: Sequence[TrajectorySource],
        chosen: Sequence[npt.NDArray[np.int64]],
        plan: WindowPlan,
        static: Sequence[str],
        *,
        in_memory: bool,
    ) -> None:
        self.sources, self.plan = list(sources), plan
        self.static = tuple(static)
        self.chosen = [np.asarray(numbers, dtype=np.int64) for numbers in chosen]
        info = self.sources[0].info
        self.frames = range(plan.start, len(info.times), plan.frame_step)
        self.frames_out = plan.horizon(len(info.times), f"'{info.path}', whose trajectories are")
        self.beginnings = plan.beginnings(len(info.times))
        self._ends = list(itertools.accumulate(len(numbers) for numbers in self.chosen))
        self._held: list[tuple[Tensor, Tensor]] | None = None
        if in_memory:
            self._held = [
                joined([self._read(source, part) for part in self._parts(source, numbers)])
                for source, numbers in zip(self.sources, self.chosen, strict=True)
            ]

    def __len__(self) -> int:
        """Number of windows."""
        return self._ends[-1] * len(self.beginnings)

    @property
    def num_trajectories(self) -> int:
        """Number of trajectories."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> Window:
        """One window."""
        file, position, begin = self._locate(index)
        middle = self.plan.frames_in
        window = slice(begin, begin + middle + self.frames_out)
        if self._held is not None:
            states, static = (values[position] for values in self._held[file])
            states = states[window]
        else:
            number = self.chosen[file][position]
            pair = self._read(self.sources[file], np.array([number]), self.frames[window])
            states, static = pair[0][0], pair[1][0]
        return states[:middle], static, states[middle:], index

    def name(self, index: int) -> str:
        """Which window of which sample of which file, for messages."""
        file, position, begin = self._locate(index)
        where = f" from time number {self.frames[begin]} on" if len(self.beginnings) > 1 else ""
        return f"sample {self.chosen[file][position]} of '{self.sources[file].path}'{where}"

    def batches(self, size: int = 16) -> Iterator[tuple[Tensor, Tensor]]:
        """All trajectories ``(n, frame, channel, *shape)`` with their static channels."""
        if self._held is not None:
            for states, static in self._held:
                yield from zip(states.split(size), static.split(size), strict=True)
            return
        for source, numbers in zip(self.sources, self.chosen, strict=True):
            for start in range(0, len(numbers), size):
                yield self._read(source, numbers[start : start + size])

    def _locate(self, index: int) -> tuple[int, int, int]:
        trajectory, window = divmod(index, len(self.beginnings))
        file = bisect.bisect_right(self._ends, trajectory)
        start = self._ends[file - 1] if file else 0
        return file, trajectory - start, self.beginnings[window]

    def _parts(
        self, source: TrajectorySource, numbers: npt.NDArray[np.int64]
    ) -> list[npt.NDArray[np.int64]]:
        values = len(self.frames) * len(source.info.outputs) * int(np.prod(source.info.shape))
        return parts_of(numbers, 8 * values)

    def _read(
        self,
        source: TrajectorySource,
        numbers: npt.NDArray[np.int64],
        frames: range | None = None,
    ) -> tuple[Tensor, Tensor]:
        states = source.read_trajectories(numbers, self.frames if frames is None else frames)
        return as_tensors((states, self._static_of(source, numbers)), numbers, source.path)

    def _static_of(
        self, source: TrajectorySource, numbers: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        info = source.info
        values = np.zeros((len(numbers), len(self.static), *info.shape))
        fields = source.read(numbers)[0] if set(self.static) & set(info.inputs) else None
        scalars = set(self.static) - set(info.inputs)
        parameters = source.read_parameters(numbers) if scalars else {}  # type: ignore[attr-defined]
        for channel, name in enumerate(self.static):
            if name in info.inputs and fields is not None:
                values[:, channel] = fields[:, info.inputs.index(name)]
            else:
                values[:, channel] = parameters[name].reshape(-1, *[1] * len(info.shape))
        return values
