"""Training of surrogates for problems in time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.failures import TrainingFailure
from neural.models.registry import describe_model
from neural.models.spectral_convolution import positive_integer
from neural.rollout import FramePredictor, FrameStatistics, Output
from neural.training.channels import channel_names, kind_of_model, model_with_channels
from neural.training.checkpoints import KEY, check_weights, metadata_of
from neural.training.description import (
    DESCRIBED,
    check_described,
    check_precision,
    check_stored,
    describe_data,
    describe_training,
)
from neural.training.loss_step import log_mean, reduced_loss, training_failure
from neural.training.losses import FieldLoss, RelativeL2, relative_l2
from neural.training.optimization import (
    Optimization,
    Optimizer,
    Schedule,
    check_length_of_run,
)
from neural.training.record import TrainingRecord
from neural.training.samples import plain
from neural.training.trajectory_data import TrajectoryDataModule
from neural.training.unrolling import Unrolling

Batch = tuple[Tensor, Tensor, Tensor, Tensor]


class TrajectoryModule(lightning.LightningModule):
    r"""A model that continues trajectories, step by step or in one shot.

    Any grid model of the registry steps in time: it sees `frames_in` frames and the
    static fields as channels and gives the next `frames_per_step` frames; training goes
    through `unroll` such steps and adds the losses of all frames. A model with an axis of
    time gives all frames of the training windows at once. Errors of validation and
    test are those of rollouts over whole trajectories.

    Parameters
    ----------
    model
        A registered model, or a mapping ``{"name": ..., **options}`` of its name and
        options; channels then follow from the other arguments.
    state
        Names of the channels that evolve, in order, as the outputs of the data files.
    static
        Names of the channels that do not change in time, as in the data module.
    frames_in
        Frames of the past that the model sees.
    frames_per_step
        Frames that one application of the model gives; 1 when left out, and for a model
        with an axis of time the future of the training windows.
    unroll
        Steps in training; when left out, as many as fill the future of the windows.
    output
        ``"state"``, or ``"increment"``: the model gives the difference from the last frame.
    noise
        Standard deviation of the noise that is added to the frames of the past in
        training, relative to that of the normalised fields. It lets a model see histories
        as inexact as its own; it is drawn anew in every epoch for every window.
    push_forward
        The loss is that of the first step and of the last, whose past the model has
        predicted itself; no gradient flows into that past.
    whole_trajectory
        Whether the loss compares all frames of a window at once (as channels of one
        field), instead of adding the losses of frames.
    statistics
        Of the normalisers; ``"none"`` leaves fields in their own units.
    loss
        :class:`RelativeL2` when left out.
    optimizer, learning_rate, weight_decay, schedule, warmup_fraction, step_epochs, step_factor
        As in :class:`neural.training.optimization.Optimization`.
    div_factor, final_div_factor
        Of the one-cycle schedule, see there.
    noise_seed
        Fixes the noise.

    Raises
    ------
    InputError
        If an option is out of range, data do not fit, or the precision is not supported.
    TrainingFailure
        If the loss or a rollout is not finite; names the samples.
    CheckpointError
        If a checkpoint is of another model or other data.

    References
    ----------
    Z. Li, N. Kovachki, K. Azizzadenesheli, B. Liu, K. Bhattacharya, A. Stuart,
    A. Anandkumar (2021), Fourier neural operator for parametric partial differential
    equations, ICLR, doi:10.48550/arXiv.2010.08895: unrolled training on sums over frames.

    A. Sanchez-Gonzalez, J. Godwin, T. Pfaff, R. Ying, J. Leskovec, P. Battaglia (2020),
    Learning to simulate complex physics with graph networks, ICML,
    doi:10.48550/arXiv.2002.09405: noise, increments.

    J. Brandstetter, D. Worrall, M. Welling (2022), Message passing neural PDE solvers,
    ICLR, doi:10.48550/arXiv.2202.03376: push-forward.

    Examples
    --------
    >>> module = TrajectoryModule(
    ...     {"name": "fno", "modes": [4, 4], "width": 8}, state=["vorticity"], frames_in=10)
    >>> module.predictor.model.in_channels, module.predictor.model.out_channels
    (10, 1)
    """

    def __init__(
        self,
        model: dict[str, Any] | nn.Module,
        state: Sequence[str],
        static: Sequence[str] = (),
        frames_in: int = 1,
        frames_per_step: int | None = None,
        unroll: int | None = None,
        output: Output = "state",
        noise: float = 0.0,
        push_forward: bool = False,
        whole_trajectory: bool = False,
        statistics: FrameStatistics = "channel",
        loss: FieldLoss | None = None,
        optimizer: Optimizer = "adam",
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-5,
        schedule: Schedule = "one_cycle",
        warmup_fraction: float = 0.3,
        step_epochs: int = 100,
        step_factor: float = 0.5,
        noise_seed: int = 0,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        super().__init__()
        self.optimization = Optimization(
            optimizer,
            learning_rate,
            weight_decay,
            schedule,
            warmup_fraction,
            step_epochs,
            step_factor,
            div_factor,
            final_div_factor,
        )
        self.state = channel_names("state", state)
        self.static = channel_names("static", static, least=0)
        frames_in = positive_integer("frames_in", frames_in)
        if frames_per_step is not None:
            positive_integer("frames_per_step", frames_per_step)
        self.unrolling = Unrolling(unroll, push_forward, noise, noise_seed)
        built = _as_model(model, len(self.state), len(self.static), frames_in, frames_per_step or 1)
        self.predictor = FramePredictor(
            built,
            len(self.state),
            len(self.static),
            frames_in,
            frames_per_step or 1,
            output,
            statistics,
        )
        self._from_windows = self.predictor.space_time and frames_per_step is None
        if self.predictor.space_time and push_forward:
            raise InputError(
                f"push_forward needs a model that steps; {type(built).__name__} gives all frames "
                "at once. Leave it out"
            )
        self.whole_trajectory = whole_trajectory
        self.loss = RelativeL2() if loss is None else loss
        self.settings: dict[str, Any] = {
            "statistics": statistics,
            "loss": type(self.loss).__name__,
            "unroll": unroll,
            "noise": noise,
            "push_forward": push_forward,
            "whole_trajectory": whole_trajectory,
            "noise_seed": noise_seed,
            **self.optimization.options(),
        }
        self.frame_errors: list[float] = []
        self._frame_sums = torch.zeros(0)
        self.record = TrainingRecord()

    def setup(self, stage: str) -> None:
        """Fit the normalisers, and check precision and data."""
        check_precision(str(self.trainer.precision))
        if stage == "fit":
            data = self._data_module()
            info, windows = data.info_of("train"), data.split("train")
            self._check_channels(data, "train")
            self.loss.prepare(info)
            for source in windows.sources:
                self.loss.check(source.info)
            if self._from_windows:
                self.predictor.frames_per_step = windows.frames_out
            self.unrolling.num_steps(windows.frames_out, self.predictor.frames_per_step)
            if not self.predictor.is_fitted:
                self.record.described = describe_data(
                    info,
                    windows,
                    start=data.plan.start,
                    frame_step=data.plan.frame_step,
                    frames_out=windows.frames_out,
                    num_trajectories=windows.num_trajectories,
                    **({"reading": data.reading} if data.reading else {}),
                )
                self.record.described["time_step"] = data.time_step("train")
                origin = {
                    key: self.record.described["data"][key] for key in ("sha256", "num_train")
                }
                self.predictor.fit(windows.batches, origin)

    def forward(self, history: Tensor, static: Tensor) -> Tensor:
        """One step: ``(batch, frames_per_step, channel, *space)``, in the data's units."""
        frames: Tensor = self.predictor(history, static)
        return frames

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch of windows."""
        history, static, _, numbers = batch
        found, wanted = self.unrolling.predict(self.predictor, batch, self.current_epoch)
        seen = torch.cat([history.flatten(1, 2), static], 1)
        if self.whole_trajectory:
            terms = self.loss.terms(found.flatten(1, 2), wanted.flatten(1, 2), seen)
        else:
            count = found.shape[1]
            repeated = seen.repeat_interleave(count, 0)
            each = self.loss.terms(found.flatten(0, 1), wanted.flatten(0, 1), repeated)
            terms = {name: term.view(-1, count).sum(1) for name, term in each.items()}
        with torch.no_grad():
            error = relative_l2(found, wanted).mean()
        log_mean(self, "train_relative_l2", error, len(history))

        def failure(rows: Tensor) -> TrainingFailure:
            return self._failure("train", "loss", numbers[rows], batch_idx)

        return reduced_loss(self, self.loss, terms, failure)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Errors of the rollouts of one batch."""
        self._evaluate("validation", batch, batch_idx)

    def on_test_epoch_start(self) -> None:
        """Errors of frames are collected anew."""
        self._frame_sums = torch.zeros(0)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Errors of the rollouts of one batch."""
        errors = self._evaluate("test", batch, batch_idx)
        row = torch.cat([errors.sum(0), errors.new_tensor([len(errors)])]).double()
        self._frame_sums = row if not len(self._frame_sums) else self._frame_sums + row

    def on_test_epoch_end(self) -> None:
        """Mean relative error of each frame, in ``frame_errors``."""
        sums = cast("Tensor", self.trainer.strategy.reduce(self._frame_sums, reduce_op="sum"))
        self.frame_errors = (sums[:-1] / sums[-1]).tolist()

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Rollouts of one batch, ``(batch, frame, channel, *space)``."""
        return self._rollout("test", batch, batch_idx)

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule."""
        return self.optimization.configure(self.parameters(), self.trainer, self.device)

    def on_train_start(self) -> None:
        """Refuse to go on past the end of a schedule."""
        self.record.start()
        check_length_of_run(self.trainer)

    def on_train_end(self) -> None:
        """Stop the clock."""
        self.record.stop()

    def on_validation_start(self) -> None:
        """Check that the data are of the kind trained on."""
        self._check_data("validation")

    def on_test_start(self) -> None:
        """Check that the data are of the kind trained on."""
        self._check_data("test")

    def on_predict_start(self) -> None:
        """Check that the data are of the kind trained on."""
        self._check_data("test")

    @property
    def time_step(self) -> float:
        """Time between two frames of the training data."""
        return float(self.record.described["time_step"])

    @property
    def training_seconds(self) -> float:
        """Wall-clock seconds spent in training so far, over all resumed runs."""
        return self.record.seconds

    def metadata(self) -> dict[str, Any]:
        """What a checkpoint says about this model: plain values only."""
        ranges = self.predictor.normalizer("state")
        return plain(
            {
                **describe_training(self.predictor.model, self.settings),
                "kind": "trajectory",
                "state": self.state,
                "static": self.static,
                "predictor": self.predictor.state(),
                "state_ranges": {
                    name: [float(ranges.minimum[number]), float(ranges.maximum[number])]
                    for number, name in enumerate(self.state)
                },
                **self.record.entries(),
            }
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the description."""
        checkpoint[KEY] = self.metadata()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check the description and make room for the statistics."""
        stored = metadata_of(checkpoint, "the checkpoint", "trajectory")
        own = self.predictor.state()
        steps = () if self._from_windows else ("frames_per_step",)
        here = {name: own[name] for name in ("frames_in", *steps, "output", "statistics")}
        check_stored(
            {**stored, **{name: stored["predictor"][name] for name in here}},
            {
                "model": describe_model(self.predictor.model),
                "state": self.state,
                "static": self.static,
                **here,
            },
            self.record.described,
        )
        self.predictor.allocate(stored["predictor"])
        self.record.restore(stored, (*DESCRIBED, "time_step"))

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights, with a clear refusal of those of another model."""
        if strict:
            check_weights(self.state_dict(), state_dict, "the checkpoint")
        return super().load_state_dict(state_dict, strict, assign)

    def _rollout(self, split: str, batch: Batch, batch_idx: int) -> Tensor:
        history, static, future, numbers = batch
        frames = self.predictor.rollout(history, static, future.shape[1])
        finite = torch.isfinite(frames).flatten(2).all(2)
        if not bool(finite.all()):
            broken = ~finite.all(1)
            first = int((~finite).any(0).nonzero()[0])
            what = f"rollout (from frame {first + 1} of {future.shape[1]} on)"
            raise self._failure(split, what, numbers[broken], batch_idx)
        return frames

    def _evaluate(self, split: str, batch: Batch, batch_idx: int) -> Tensor:
        """Log errors; gives those of each window and frame."""
        found, future = self._rollout(split, batch, batch_idx), batch[2]
        each = relative_l2(found.flatten(0, 1), future.flatten(0, 1)).view(found.shape[:2])
        count = len(found)
        log_mean(self, f"{split}_relative_l2", relative_l2(found, future).mean(), count)
        log_mean(self, f"{split}_frame_relative_l2", each.mean(), count)
        log_mean(self, f"{split}_last_frame_relative_l2", each[:, -1].mean(), count)
        return each

    def _data_module(self) -> TrajectoryDataModule:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, TrajectoryDataModule):
            raise InputError(
                "give the trainer a TrajectoryDataModule (trainer.fit(module, datamodule=data)): "
                "the normalisers are fitted on its training split"
            )
        return data

    def _check_channels(self, data: TrajectoryDataModule, split: str) -> None:
        info, windows = data.info_of(split), data.split(split)
        for name, own, given in (
            ("state", self.state, tuple(info.outputs)),
            ("static", self.static, windows.static),
        ):
            if own != given:
                raise InputError(
                    f"model.{name}={list(own)}, but the data module gives {list(given)} for "
                    f"'{info.path}'; name the channels as there, in that order"
                )
        if windows.plan.frames_in != self.predictor.frames_in:
            raise InputError(
                f"the model sees frames_in={self.predictor.frames_in} frames, the data module "
                f"gives frames_in={windows.plan.frames_in}; make both the same"
            )

    def _check_data(self, split: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, TrajectoryDataModule) or not data.has(split):
            return
        self._check_channels(data, split)
        check_described(data.info_of(split), self.record.described)
        here, trained = data.time_step(split), self.record.described.get("time_step")
        if trained is not None and not math.isclose(here, trained, rel_tol=1e-6):
            raise InputError(
                f"frames of '{data.info_of(split).path}' are {here:g} apart, the model was trained "
                f"with a step of {trained:g}; choose data.frame_step so that they agree"
            )

    def _failure(self, split: str, what: str, numbers: Tensor, batch_idx: int) -> TrainingFailure:
        windows = self._data_module().split(split)
        return training_failure(
            what,
            f"epoch {self.current_epoch}, {split} batch {batch_idx}",
            (windows.name(int(number)) for number in numbers),
            "lower learning_rate, clip gradients (trainer.gradient_clip_val) or unroll fewer steps",
        )


def _as_model(
    given: nn.Module | Mapping[str, Any],
    num_state: int,
    num_static: int,
    frames_in: int,
    frames_per_step: int,
) -> nn.Module:
    reason = (
        f"follow from frames_in={frames_in}, frames_per_step={frames_per_step}, {num_state} "
        f"evolving and {num_static} static channels"
    )
    if getattr(kind_of_model(given), "space_time", False):
        return model_with_channels(given, num_state + num_static, num_state, reason)
    seen = frames_in * num_state + num_static
    return model_with_channels(given, seen, frames_per_step * num_state, reason)
