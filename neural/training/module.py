"""Training of surrogates for steady problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from meshes.errors import InputError
from neural.failures import TrainingFailure
from neural.models.registry import describe_model
from neural.trained_family import describe_families
from neural.training.channels import channel_names, model_with_channels
from neural.training.checkpoints import KEY, check_weights, metadata_of
from neural.training.compatibility import check_resolutions
from neural.training.data import PDEDataModule
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
from neural.training.normalizers import GaussianNormalizer, Statistics
from neural.training.optimization import (
    Optimization,
    Optimizer,
    Schedule,
    check_length_of_run,
)
from neural.training.record import TrainingRecord
from neural.training.samples import plain
from neural.training.splits import SPLITS

Batch = tuple[Tensor, Tensor, Tensor]


class SurrogateModule(lightning.LightningModule):
    """A model of the map from input fields to the solution of a steady problem.

    The model sees normalised inputs and gives normalised outputs; the loss compares
    fields in their own units. Statistics are fitted on the training split when training
    starts and are kept in the checkpoint.

    Parameters
    ----------
    model
        A registered model, or a mapping ``{"name": ..., **options}`` of its name and
        options; channels then follow from `inputs` and `outputs`.
    inputs, outputs
        Names of the channels, in order, as in the data files.
    statistics
        Of the normalisers, see :class:`neural.training.normalizers.GaussianNormalizer`.
    loss
        :class:`RelativeL2` when left out.
    optimizer, learning_rate, weight_decay, schedule, warmup_fraction, step_epochs, step_factor
        As in :class:`neural.training.optimization.Optimization`.
    div_factor, final_div_factor
        Of the one-cycle schedule, see there.

    Raises
    ------
    InputError
        If an option is out of range, data do not fit, or the precision is not supported.
    TrainingFailure
        If the loss is not finite; names the samples.
    CheckpointError
        If a checkpoint is of another model or other data.

    Examples
    --------
    >>> module = SurrogateModule(
    ...     {"name": "fno", "modes": [4, 4], "width": 8}, inputs=["coefficient"],
    ...     outputs=["pressure"])
    >>> module.model.in_channels
    1
    """

    def __init__(
        self,
        model: dict[str, Any] | nn.Module,
        inputs: Sequence[str],
        outputs: Sequence[str],
        statistics: Statistics = "channel",
        loss: FieldLoss | None = None,
        optimizer: Optimizer = "adam",
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-5,
        schedule: Schedule = "one_cycle",
        warmup_fraction: float = 0.3,
        step_epochs: int = 100,
        step_factor: float = 0.5,
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
        self.inputs = channel_names("inputs", inputs)
        self.outputs = channel_names("outputs", outputs)
        counts = (len(self.inputs), len(self.outputs))
        self.model = model_with_channels(model, *counts, "channels are named")
        self.input_normalizer = GaussianNormalizer(len(self.inputs), statistics)
        self.output_normalizer = GaussianNormalizer(len(self.outputs), statistics)
        self.loss = RelativeL2() if loss is None else loss
        self.settings: dict[str, Any] = {
            "statistics": statistics,
            "loss": type(self.loss).__name__,
            **self.optimization.options(),
        }
        self.record = TrainingRecord()
        self._totals: dict[str, tuple[Tensor, int]] = {}

    def setup(self, stage: str) -> None:
        """Fit the normalisers, and check precision and data."""
        check_precision(str(self.trainer.precision))
        if stage == "fit":
            data = self._data_module()
            every = [
                one for name in SPLITS[:2] if data.has(name) for one in data.split(name).sources
            ]
            check_resolutions(every, self.model, self.input_normalizer.statistics)
            self.loss.prepare(data.info_of("train"))
            for source in data.split("train").sources:
                self.loss.check(source.info)
            if not self.input_normalizer.is_fitted:
                self._fit_normalizers()

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs ``(batch, channel, *space)`` of inputs, both in their own units."""
        return self.output_normalizer.inverse(self.model(self.input_normalizer(inputs)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of one batch."""
        inputs, targets, numbers = batch
        predictions = self(inputs)
        terms = self.loss.terms(predictions, targets, inputs)
        with torch.no_grad():
            error = relative_l2(predictions, targets).mean()
        log_mean(self, "train_relative_l2", error, len(inputs))

        def failure(rows: Tensor) -> TrainingFailure:
            split = self._data_module().split("train")
            return training_failure(
                "loss",
                f"epoch {self.current_epoch}, batch {batch_idx}",
                (split.name(int(number)) for number in numbers[rows]),
                "lower learning_rate or clip gradients (trainer.gradient_clip_val)",
            )

        return reduced_loss(self, self.loss, terms, failure)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Relative L2 error of one batch."""
        del batch_idx
        self._log_error("validation", batch, dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """The error over all files, where each has a loader of its own."""
        self._log_total("validation")

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Relative L2 error of one batch."""
        del batch_idx
        self._log_error("test", batch, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        """The error over all files, where each has a loader of its own."""
        self._log_total("test")

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Outputs of one batch."""
        del batch_idx
        predictions: Tensor = self(batch[0])
        return predictions

    def configure_optimizers(self) -> Any:
        """Optimiser and schedule."""
        return self.optimization.configure(self.parameters(), self.trainer, self.device)

    def on_train_start(self) -> None:
        """Refuse to go on past the end of a one-cycle schedule."""
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
    def training_seconds(self) -> float:
        """Wall-clock seconds spent in training so far, over all resumed runs."""
        return self.record.seconds

    def metadata(self) -> dict[str, Any]:
        """What a checkpoint says about this model: plain values only."""
        ranges = {
            name: [float(low), float(high)]
            for name, low, high in zip(
                self.inputs,
                self.input_normalizer.minimum.tolist(),
                self.input_normalizer.maximum.tolist(),
                strict=True,
            )
        }
        return plain(
            {
                **describe_training(self.model, self.settings),
                "inputs": self.inputs,
                "outputs": self.outputs,
                "input_normalizer": self.input_normalizer.state(),
                "output_normalizer": self.output_normalizer.state(),
                "parameter_ranges": ranges,
                **self.record.entries(),
            }
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the description."""
        checkpoint[KEY] = self.metadata()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Check the description and make room for the statistics."""
        stored = metadata_of(checkpoint, "the checkpoint")
        own = {"model": describe_model(self.model), "inputs": self.inputs, "outputs": self.outputs}
        check_stored(stored, own, self.record.described)
        self.input_normalizer.allocate(stored["input_normalizer"])
        self.output_normalizer.allocate(stored["output_normalizer"])
        self.record.restore(stored, DESCRIBED)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load weights, with a clear refusal of those of another model."""
        if strict:
            check_weights(self.state_dict(), state_dict, "the checkpoint")
        return super().load_state_dict(state_dict, strict, assign)

    def _fit_normalizers(self) -> None:
        data = self._data_module()
        info, split = data.info_of("train"), data.split("train")
        self._check_channels(info)
        more: dict[str, Any] = {"reading": data.reading} if data.reading else {}
        more.update(describe_families(split.sources))
        self.record.described = describe_data(info, split, output_time=data.output_time, **more)
        origin = {key: self.record.described["data"][key] for key in ("sha256", "num_train")}
        self.input_normalizer.fit((pair[0] for pair in split.batches()), origin)
        self.output_normalizer.fit((pair[1] for pair in split.batches()), origin)

    def _data_module(self) -> PDEDataModule:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, PDEDataModule):
            raise InputError(
                "give the trainer a PDEDataModule (trainer.fit(module, datamodule=data)): the "
                "normalisers are fitted on its training split"
            )
        return data

    def _check_channels(self, info: Any) -> None:
        for name in ("inputs", "outputs"):
            own, given = getattr(self, name), tuple(getattr(info, name))
            if own != given:
                raise InputError(
                    f"{name}={list(own)}, but the fields of '{info.path}' are {list(given)}; name "
                    "the channels as in the file, in its order"
                )

    def _check_data(self, split: str) -> None:
        data = getattr(self.trainer, "datamodule", None)
        if not isinstance(data, PDEDataModule) or not data.has(split):
            return
        others = self.record.described.get("data", {}).get("families", [])[1:]
        for source in data.split(split).sources:
            self._check_channels(source.info)
            if source.info.family not in others:
                check_described(source.info, self.record.described)

    def _log_error(self, split: str, batch: Batch, loader: int) -> None:
        errors = relative_l2(self(batch[0]), batch[1])
        data = getattr(self.trainer, "datamodule", None)
        labels = data.labels(split) if isinstance(data, PDEDataModule) and data.has(split) else []
        label = labels[loader] if len(labels) > 1 else ""
        name = f"{split}_{label}_relative_l2" if label else f"{split}_relative_l2"
        log_mean(self, name, errors.mean(), len(errors))
        if label:
            total, count = self._totals.get(split, (torch.zeros_like(errors[0]), 0))
            self._totals[split] = (total + errors.sum(), count + len(errors))

    def _log_total(self, split: str) -> None:
        if split in self._totals:
            total, count = self._totals.pop(split)
            log_mean(self, f"{split}_relative_l2", total / count, count)
