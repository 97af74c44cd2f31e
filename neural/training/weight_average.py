"""A moving average of the weights, which is validated and saved in their place."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor

from meshes.errors import InputError

_KEY = "weight_average"


class WeightAverage(lightning.Callback):
    r"""Exponential moving average of the weights of a training module.

    After every optimiser step from number `start` on

    .. math:: \bar\theta \leftarrow d\, \bar\theta + (1 - d)\, \theta, \qquad
              d = \min(\mathrm{decay}, (1 + n)/(10 + n))

    after n averaged steps, so that the average forgets the start of a short run. Up to
    `start` it is the weights themselves. Validation sees the average; checkpoints hold it as
    the weights of the model, beside the weights of training, from which a resumed run goes
    on; and the model holds it when training ends. Buffers that are not integers, such as
    running statistics of batch normalisation, are averaged too.

    Parameters
    ----------
    decay
        At least 0, below 1. 0.999 remembers about the last thousand steps.
    start
        Optimiser steps before the average begins.

    Raises
    ------
    InputError
        If an option is out of range.

    References
    ----------
    B. T. Polyak, A. B. Juditsky (1992), Acceleration of stochastic approximation by
    averaging, SIAM Journal on Control and Optimization, doi:10.1137/0330046.

    Examples
    --------
    >>> WeightAverage(decay=0.99).decay
    0.99
    """

    def __init__(self, decay: float = 0.999, start: int = 0) -> None:
        if isinstance(decay, bool) or not 0 <= decay < 1:
            raise InputError(f"decay={decay!r} must be at least 0 and below 1")
        if isinstance(start, bool) or not isinstance(start, int) or start < 0:
            raise InputError(f"start={start!r} must be an integer of at least 0")
        self.decay, self.start = float(decay), start
        self.num_averaged = 0
        self._average: dict[str, Tensor] = {}
        self._exchanged: dict[str, Tensor] = {}  # those of training, while the model has the others
        self._resumed: dict[str, Tensor] = {}
        self._steps = 0

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Forget an earlier run."""
        del trainer, pl_module
        self._average, self._exchanged = {}, {}

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Begin with the weights, or go on with what a checkpoint held."""
        self._average = _copies(pl_module)
        self._steps = trainer.global_step
        if self._resumed:
            _assign(pl_module, self._resumed)
        else:
            self.num_averaged = 0
        self._resumed = {}

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Average, if the optimiser has stepped."""
        del outputs, batch, batch_idx
        if trainer.global_step == self._steps:
            return
        self._steps = trainer.global_step
        decay = 0.0
        if self._steps > self.start:
            decay = min(self.decay, (1 + self.num_averaged) / (10 + self.num_averaged))
            self.num_averaged += 1
        for name, value in _weights(pl_module).items():
            self._average[name].lerp_(value, 1 - decay)

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Exchange the weights for their average."""
        if self._average and trainer.state.fn == TrainerFn.FITTING:
            self._to_average(pl_module)

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Exchange them back."""
        if self._exchanged and trainer.state.fn == TrainerFn.FITTING:
            _assign(pl_module, self._exchanged)
            self._exchanged = {}

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Leave the average in the model."""
        del trainer
        self._to_average(pl_module)

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Put the average where the weights are, and these beside it."""
        del trainer
        if self._average:
            own = self._exchanged or _copies(pl_module)
            checkpoint[_KEY] = {"num_averaged": self.num_averaged, "training_weights": own}
            checkpoint["state_dict"] = {**checkpoint["state_dict"], **self._average}

    def on_load_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        """Keep what a resumed run needs; a checkpoint without an average begins one."""
        del pl_module
        if trainer.state.fn == TrainerFn.FITTING and _KEY in checkpoint:
            self.num_averaged = int(checkpoint[_KEY]["num_averaged"])
            self._resumed = dict(checkpoint[_KEY]["training_weights"])

    def _to_average(self, module: lightning.LightningModule) -> None:
        self._exchanged = _copies(module)
        _assign(module, self._average)


def _weights(module: lightning.LightningModule) -> dict[str, Tensor]:
    return {
        name: value
        for name, value in module.state_dict().items()
        if value.is_floating_point() or value.is_complex()
    }


def _copies(module: lightning.LightningModule) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in _weights(module).items()}


@torch.no_grad()
def _assign(module: lightning.LightningModule, values: dict[str, Tensor]) -> None:
    for name, value in _weights(module).items():
        value.copy_(values[name])
