"""Optimiser and learning-rate schedule of a training run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pytorch_lightning as lightning
import torch
from torch import nn

from meshes.errors import InputError, suggest

Optimizer = Literal["adam", "adamw"]
Schedule = Literal["one_cycle", "step", "cosine", "constant"]
OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("one_cycle", "step", "cosine", "constant")


@dataclass(frozen=True)
class Optimization:
    """What the training modules share: an optimiser and a schedule, checked.

    Parameters
    ----------
    optimizer
        ``"adam"`` (weight decay is added to the gradient) or ``"adamw"`` (it is not).
    learning_rate
        The largest rate.
    weight_decay
        Of the optimiser.
    schedule
        ``"one_cycle"``: a rise, then a fall to almost zero over the whole run, both
        along cosines; ``"step"``: times `step_factor` every `step_epochs` epochs; ``"cosine"``:
        half a period of a cosine, from the largest rate to zero over the whole run;
        ``"constant"``.
    warmup_fraction
        Part of the run in which ``"one_cycle"`` rises.
    step_epochs, step_factor
        Of ``"step"``.
    div_factor, final_div_factor
        Of ``"one_cycle"``, as torch names them: it begins at ``learning_rate / div_factor``
        and ends at that over `final_div_factor`.

    Raises
    ------
    InputError
        If an option is out of range.

    Examples
    --------
    >>> Optimization(schedule="step", step_epochs=50).options()["step_epochs"]
    50
    """

    optimizer: Optimizer = "adam"
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    schedule: Schedule = "one_cycle"
    warmup_fraction: float = 0.3
    step_epochs: int = 100
    step_factor: float = 0.5
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def __post_init__(self) -> None:
        for name, allowed in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            given = getattr(self, name)
            if given not in allowed:
                raise InputError(f"{name}={given!r} is unknown. {suggest(str(given), allowed)}")
        for name, low, high in (
            ("learning_rate", 0.0, 10.0),
            ("weight_decay", -1e-300, 10.0),
            ("warmup_fraction", 0.0, 1.0),
            ("step_factor", 0.0, 1.0 + 1e-12),
        ):
            value = getattr(self, name)
            if not low < value < high:
                raise InputError(f"{name}={value!r} must lie between {max(low, 0):g} and {high:g}")
        for name in ("div_factor", "final_div_factor"):
            value = getattr(self, name)
            if not 1 <= value < math.inf:
                raise InputError(
                    f"{name}={value!r} must be a finite number of at least 1: rates are divided by "
                    "it, as in div_factor=25"
                )
        if self.step_epochs < 1:
            raise InputError(f"step_epochs={self.step_epochs} must be at least 1")

    def options(self) -> dict[str, Any]:
        """The arguments, as plain values."""
        return dataclasses.asdict(self)

    def configure(
        self, parameters: Iterable[nn.Parameter], trainer: lightning.Trainer, device: torch.device
    ) -> Any:
        """What ``configure_optimizers`` of a Lightning module returns.

        Parameters
        ----------
        parameters
            To be trained.
        trainer
            Knows the number of steps of the run.
        device
            Where they are; one fused kernel updates all of them on a CPU and with CUDA.
        """
        factory = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer]
        optimizer = factory(
            parameters,
            lr=self.learning_rate,
            weight_decay=self.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        if self.schedule == "constant":
            return optimizer
        schedules = torch.optim.lr_scheduler
        if self.schedule == "step":
            step = schedules.StepLR(optimizer, self.step_epochs, self.step_factor)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": step}}
        total = int(trainer.estimated_stepping_batches)
        whole_run: Any = (
            schedules.CosineAnnealingLR(optimizer, T_max=total)
            if self.schedule == "cosine"
            else schedules.OneCycleLR(
                optimizer,
                self.learning_rate,
                total_steps=total,
                pct_start=self.warmup_fraction,
                div_factor=self.div_factor,
                final_div_factor=self.final_div_factor,
            )
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": whole_run, "interval": "step"},
        }


def check_length_of_run(trainer: lightning.Trainer) -> None:
    """Refuse to resume a schedule over the whole run with another number of steps.

    Raises
    ------
    InputError
        If the schedule that came with a checkpoint is for another number of steps.
    """
    planned = int(trainer.estimated_stepping_batches)
    for configured in trainer.lr_scheduler_configs:
        scheduler = configured.scheduler
        if isinstance(scheduler, torch.optim.lr_scheduler.OneCycleLR):
            name, total = "one_cycle", scheduler.total_steps
        elif isinstance(scheduler, torch.optim.lr_scheduler.CosineAnnealingLR):
            name, total = "cosine", scheduler.T_max
        else:
            continue
        if total != planned:
            raise InputError(
                f"the checkpoint's {name} schedule is for {total} steps, this run has "
                f"{planned}: resume with the same max_epochs, data and batch_size"
            )
