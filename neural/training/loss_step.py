"""What every training step does with the terms of a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import pytorch_lightning as lightning
import torch
from torch import Tensor

from neural.failures import TrainingFailure
from neural.training.losses import FieldLoss, total_of


def log_mean(module: lightning.LightningModule, name: str, value: Tensor, count: int) -> None:
    """Log the mean over an epoch of a value that belongs to `count` samples."""
    module.log(
        name, value, on_step=False, on_epoch=True, prog_bar=True, batch_size=count,
        sync_dist=module.trainer.world_size > 1, add_dataloader_idx=False,
    )  # fmt: skip


def reduced_loss(
    module: lightning.LightningModule,
    loss: FieldLoss,
    terms: Mapping[str, Tensor],
    failure: Callable[[Tensor], TrainingFailure],
) -> Tensor:
    """The number to minimise; logs the terms where there are several.

    Parameters
    ----------
    module
        Logs ``train_loss_NAME``.
    loss
        Says how to reduce.
    terms
        By name, each ``(batch,)``.
    failure
        Makes the error from the rows of the batch whose loss is not finite, ``(batch,)``.

    Raises
    ------
    TrainingFailure
        If a value is not finite.
    """
    values = total_of(terms)
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        raise failure(~finite)
    if len(terms) > 1:
        for name, term in terms.items():
            log_mean(module, f"train_loss_{name}", term.detach().mean(), len(values))
    # processes average their gradients, which for a sum over the batch is one part of it
    total = values.sum() * module.trainer.world_size
    return total if loss.reduction == "sum" else values.mean()


def training_failure(what: str, where: str, samples: Iterable[str], remedy: str) -> TrainingFailure:
    """That a number is not finite: which one, when, for which samples, and what to do.

    Examples
    --------
    >>> print(training_failure("loss", "epoch 3", ["sample 1 of 'a.h5'"], "clip gradients"))
    the loss is not finite in epoch 3, for sample 1 of 'a.h5'. If it is every sample, clip \
gradients; if it is a few, check them with `pdesolve check`
    """
    named = tuple(samples)
    shown = ", ".join(named[:5]) + (", ..." if len(named) > 5 else "")
    return TrainingFailure(
        f"the {what} is not finite in {where}, for {shown}. If it is every sample, {remedy}; if it "
        "is a few, check them with `pdesolve check`",
        samples=named,
    )
