"""What a training loss of fields is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from meshes.errors import InputError, suggest

Reduction = Literal["mean", "sum"]


class FieldLoss(nn.Module, ABC):
    """A loss with one value for each sample, then reduced over the batch.

    Parameters
    ----------
    reduction
        ``"mean"`` or ``"sum"`` over the batch. The published Fourier neural operator
        sums, which matters beside weight decay: Adam's step does not depend on the scale
        of the loss, but the decay is added to its gradient.

    Raises
    ------
    InputError
        If the reduction is unknown, shapes differ (when applied), or a target's norm is
        zero.
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        if reduction not in ("mean", "sum"):
            raise InputError(
                f"reduction={reduction!r} is unknown. {suggest(str(reduction), ('mean', 'sum'))}"
            )
        self.reduction = reduction

    def prepare(self, info: Any) -> None:
        """Told, before training, what the first training file says about itself.

        Box, kind and family of the grid are in it, see ``pdesolve.data.DatasetInfo``.
        """

    def check(self, info: Any) -> None:
        """Refuse a further training file for which what ``prepare`` took does not hold."""

    def of_batch(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> Tensor:
        """One value a sample, for losses that look at the inputs too; else ``per_sample``."""
        del inputs
        return self.per_sample(prediction, target)

    def terms(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """What ``of_batch`` is the sum of, by name, each of shape ``(batch,)``."""
        return {"loss": self.of_batch(prediction, target, inputs)}

    @abstractmethod
    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The reduced loss of fields of shape ``(batch, channel, *space)``."""
        values = self.per_sample(prediction, target)
        return values.sum() if self.reduction == "sum" else values.mean()


def relative_l2(prediction: Tensor, target: Tensor, *, what: str = "target") -> Tensor:
    """‖target − prediction‖ / ‖target‖ of each sample, shape ``(batch,)``.

    Raises
    ------
    InputError
        If shapes differ or the norm of a target is zero.

    Examples
    --------
    >>> relative_l2(torch.tensor([[3.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([0.8000])
    """
    check_shapes(prediction, target)
    target = at_least_float32(target)
    errors = (prediction - target).flatten(1).norm(dim=1)
    return relative(errors, target.flatten(1).norm(dim=1), what)


def relative(errors: Tensor, norms: Tensor, what: str = "target") -> Tensor:
    """Errors over norms, shape ``(batch,)``.

    Raises
    ------
    InputError
        If a norm is zero; names the samples of the batch.

    Examples
    --------
    >>> relative(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 2.0]))
    tensor([0.5000, 1.0000])
    """
    if bool((norms == 0).any()):
        rows = torch.nonzero(norms == 0)[:, 0].tolist()
        raise InputError(
            f"the {what} is zero for sample(s) {rows} of the batch: a relative error is not "
            "defined there; leave these samples out"
        )
    ratios: Tensor = errors / norms
    return ratios


def total_of(terms: Mapping[str, Tensor]) -> Tensor:
    """The sum of a loss's terms, in the widest of their types.

    Examples
    --------
    >>> total_of({"data": torch.ones(2), "residual": torch.ones(2, dtype=torch.float64)})
    tensor([2., 2.], dtype=torch.float64)
    """
    first, *others = terms.values()
    return sum(others, first)


def check_shapes(prediction: Tensor, target: Tensor) -> None:
    """Refuse a prediction and a target that differ in shape or are empty."""
    if prediction.shape != target.shape:
        raise InputError(
            f"prediction of shape {tuple(prediction.shape)} and target of shape "
            f"{tuple(target.shape)} must be equal in shape"
        )
    if target.numel() == 0:
        raise InputError(
            f"a target of shape {tuple(target.shape)} has no values to compare; give at least one "
            "sample on at least one point (two along some axis, for differences)"
        )


def root(squares: Tensor) -> Tensor:
    """Square roots whose gradient at zero is zero, not infinite; negative values count as zero.

    Examples
    --------
    >>> root(torch.tensor([4.0, 0.0, -1e-9, float("nan")]))
    tensor([2., 0., 0., nan])
    """
    none = squares <= 0  # not so for nan, which must come through
    return squares.masked_fill(none, 1.0).sqrt().masked_fill(none, 0.0)


def at_least_float32(values: Tensor) -> Tensor:
    """The same numbers in a type that transforms and sums can be done in."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
