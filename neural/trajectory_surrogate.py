"""Rollouts of a trained model of trajectories."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from meshes.errors import InputError
from meshes.structured import FloatArray
from neural.restoring import range_remark, restore
from neural.rollout import FramePredictor
from neural.surrogate import checked_device
from neural.trained_family import check_options
from neural.training.windows import static_names
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.problems.base import ProblemFamily


class TrajectorySurrogate:
    """A trained model that continues trajectories, with what it was trained on.

    A rollout is an approximation without a tolerance, and its error grows with the number
    of frames.

    Parameters
    ----------
    predictor
        Fitted.
    metadata
        As stored in a checkpoint.
    device
        Where to compute.

    Attributes
    ----------
    metadata
        Family, channels, box, grid, step, ranges and data that it was trained on.

    Examples
    --------
    >>> surrogate = TrajectorySurrogate.load("best.ckpt")  # doctest: +SKIP
    >>> surrogate.rollout(history, num_frames=40).shape  # doctest: +SKIP
    (1, 40, 1, 64, 64)
    """

    def __init__(
        self,
        predictor: FramePredictor,
        metadata: Mapping[str, Any],
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        self.device = checked_device(device)
        self.predictor = predictor.to(self.device).eval()
        self.metadata = dict(metadata)

    @classmethod
    def load(cls, path: str | Path, *, device: str | torch.device = "cpu") -> TrajectorySurrogate:
        """Read a checkpoint written by ``pdesolve train`` with ``task: trajectory``.

        Parameters
        ----------
        path
            The checkpoint. It is read as tensors and plain values; nothing in it is run.
        device
            Where to compute, such as ``"cpu"`` or ``"cuda"``.

        Raises
        ------
        InputError
            If there is no such file or device.
        CheckpointError
            If the file is damaged, holds pickled objects, comes from elsewhere, a newer
            release or steady training, or its weights do not fit its description.
        """

        def build(model: nn.Module, described: Mapping[str, Any]) -> FramePredictor:
            return FramePredictor.from_state(model, described["predictor"])

        predictor, metadata = restore(path, "trajectory", build, "predictor.")
        return cls(predictor, metadata, device=device)

    @property
    def family(self) -> str:
        """Name of the family it was trained on."""
        return str(self.metadata["family"])

    @property
    def state(self) -> tuple[str, ...]:
        """Names of the channels that evolve."""
        return tuple(self.metadata["state"])

    @property
    def static(self) -> tuple[str, ...]:
        """Names of the channels that do not change in time."""
        return tuple(self.metadata["static"])

    @property
    def frames_in(self) -> int:
        """Frames of the past that a rollout starts from."""
        return self.predictor.frames_in

    @property
    def time_step(self) -> float:
        """Time between two frames, in the units of the data."""
        return float(self.metadata["time_step"])

    def check(self, info: Any, time_step: float | None = None) -> None:
        """Check that trajectories are of the kind trained on.

        Parameters
        ----------
        info
            What their file says about itself, see ``pdesolve.data.DatasetInfo``.
        time_step
            Time between the frames that are used; that of the file when left out.

        Raises
        ------
        CheckpointError
            If family, channels, units, box, kind of grid or step differ, or the resolution
            differs and the model has a fixed one.
        """
        trained = self.metadata
        static = [name for name in self.static if name in (*info.inputs, *info.scalars)]
        for what, here, there in (
            ("family", info.family, self.family),
            ("evolving channels", tuple(info.outputs), self.state),
            ("static channels", static_names(info, static), self.static),
            ("units", dict(info.units), trained["units"]),
            ("lower corner", list(info.lower), trained["lower"]),
            ("upper corner", list(info.upper), trained["upper"]),
            ("location of values", info.location, trained["location"]),
            ("dimension", len(info.shape), len(trained["shape"])),
        ):
            if here != there:
                raise CheckpointError(
                    f"'{info.path}' has {what} {here}, the surrogate was trained with {there}"
                )
        if time_step is None:
            time_step = float(info.times[1] - info.times[0]) if len(info.times) > 1 else math.nan
        if not math.isclose(time_step, self.time_step, rel_tol=1e-6):
            raise CheckpointError(
                f"frames are {time_step:g} apart, the surrogate was trained with a step of "
                f"{self.time_step:g}; take other frames, or train with that step"
            )
        self._check_resolution(tuple(info.shape))

    def check_family(self, family: ProblemFamily, *, strict: bool = False) -> None:
        """Check the numbers of a family that are no input, such as a viscosity.

        How long its trajectories are plays no part. See
        :func:`neural.trained_family.check_options`.
        """
        ignored = ("final_time", "num_times")
        check_options(self.metadata, family, strict=strict, ignored=ignored)

    def rollout(
        self, history: npt.ArrayLike, num_frames: int, static: npt.ArrayLike | None = None
    ) -> FloatArray:
        """The frames that follow.

        Parameters
        ----------
        history
            Shape ``(batch, frames_in, channel, *space)``, oldest first, in the units of the
            data, `time_step` apart.
        num_frames
            How many.
        static
            Shape ``(batch, static_channel, *space)``; left out where there are none.

        Returns
        -------
        numpy.ndarray
            Shape ``(batch, num_frames, channel, *space)``; float64 of float32 accuracy.

        Raises
        ------
        InputError
            If shapes do not fit, a value is not finite, or the rollout does not stay
            finite (with the frame).
        CheckpointError
            If the resolution differs and the model has a fixed one.

        Warns
        -----
        SurrogateWarning
            If a value of the history is outside the range seen in training.
        """
        if isinstance(num_frames, bool) or not isinstance(num_frames, int | np.integer):
            raise InputError(f"num_frames={num_frames!r} must be an integer of at least 1")
        frames = np.array(history, dtype=np.float64)
        if frames.ndim != len(self.metadata["shape"]) + 3:
            raise InputError(
                f"history of shape {frames.shape} must have shape (batch, {self.frames_in}, "
                f"{len(self.state)}, *space) with {len(self.metadata['shape'])} axes of space"
            )
        if static is None and self.static:
            raise InputError(
                f"the surrogate needs the static channels {list(self.static)}; give static, shape "
                f"(batch, {len(self.static)}, *space)"
            )
        empty = np.zeros((len(frames), 0, *frames.shape[3:]))
        fields = empty if static is None else np.array(static, dtype=np.float64)
        if not (np.isfinite(frames).all() and np.isfinite(fields).all()):
            raise InputError("history or static fields hold values that are not finite")
        self._check_resolution(frames.shape[3:])
        self._check_ranges(frames)
        found: FloatArray = (
            self._evaluate(self._tensor(frames), self._tensor(fields), int(num_frames))
            .to("cpu")
            .double()
            .numpy()
        )
        finite = np.isfinite(found).all(axis=tuple(range(2, found.ndim))).all(axis=0)
        if not finite.all():
            raise InputError(
                f"the rollout is not finite from frame {int(np.argmin(finite)) + 1} of "
                f"{num_frames} on: its errors grow without bound. Take fewer frames, or train with "
                "more unrolled steps or with noise"
            )
        return found

    @torch.inference_mode()
    def _evaluate(self, frames: Tensor, static: Tensor, num_frames: int) -> Tensor:
        return self.predictor.rollout(frames, static, num_frames)

    def _tensor(self, values: FloatArray) -> Tensor:
        mean = self.predictor.normalizer("state").mean
        return torch.as_tensor(values).to(mean.dtype).to(self.device)

    def _check_resolution(self, shape: tuple[int, ...]) -> None:
        trained = tuple(self.metadata["shape"])
        fixed = not getattr(self.predictor.model, "resolution_invariant", True)
        if shape != trained and (fixed or self.predictor.statistics == "point"):
            raise CheckpointError(
                f"a '{self.metadata['model']['name']}' with statistics="
                f"'{self.predictor.statistics}' has the one resolution that it was trained at, "
                f"{trained}, these frames have {shape}; train a model that transfers, such as "
                "'fno', with statistics='channel'"
            )

    def _check_ranges(self, frames: FloatArray) -> None:
        if frames.shape[2] != len(self.state):
            return  # refused with its shape
        for channel, name in enumerate(self.state):
            low, high = self.metadata["state_ranges"][name]
            values = frames[:, :, channel]
            remark = range_remark(name, float(values.min()), float(values.max()), (low, high))
            if remark:
                warnings.warn(
                    f"{remark}: the rollout is an extrapolation", SurrogateWarning, stacklevel=3
                )
