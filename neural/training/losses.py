"""Training losses of fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn

from meshes.errors import InputError, suggest


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

    def __init__(self, reduction: Literal["mean", "sum"] = "mean") -> None:
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

    def of_batch(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> Tensor:
        """One value a sample, for losses that look at the inputs too; else ``per_sample``."""
        del inputs
        return self.per_sample(prediction, target)

    @abstractmethod
    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The reduced loss of fields of shape ``(batch, channel, *space)``."""
        values = self.per_sample(prediction, target)
        return values.sum() if self.reduction == "sum" else values.mean()


class RelativeL2(FieldLoss):
    r"""Relative error in the discrete L2 norm, over all channels together.

    .. math:: \frac{\lVert u - \hat u\rVert_2}{\lVert u\rVert_2}

    Examples
    --------
    >>> loss = RelativeL2()
    >>> float(loss(torch.zeros(2, 1, 4), torch.ones(2, 1, 4)))
    1.0
    """

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One relative error a sample, shape ``(batch,)``."""
        return relative_l2(prediction, target)


class RelativeH1(FieldLoss):
    r"""Relative L2 error plus a weighted relative error of the differences.

    .. math:: \frac{\lVert u - \hat u\rVert_2}{\lVert u\rVert_2}
              + w \frac{\lVert D(u - \hat u)\rVert_2}{\lVert D u\rVert_2}

    with D the differences of neighbouring values along each axis of a uniform grid with
    equal spacings.

    Parameters
    ----------
    weight
        w, at least 0.
    reduction
        As in :class:`FieldLoss`.

    Examples
    --------
    >>> loss = RelativeH1(weight=0.5)
    >>> float(loss(torch.zeros(1, 1, 3), torch.tensor([[[1.0, 2.0, 3.0]]])))
    1.5
    """

    def __init__(self, weight: float = 0.5, reduction: Literal["mean", "sum"] = "mean") -> None:
        super().__init__(reduction)
        if not 0 <= weight < float("inf"):
            raise InputError(f"weight={weight!r} must be a number of at least 0")
        self.weight = float(weight)

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""
        value = relative_l2(prediction, target)
        slopes = _differences(prediction), _differences(target)
        return value + self.weight * relative_l2(*slopes, what="differences of the target")


def _differences(values: Tensor) -> Tensor:
    slopes = [values.diff(dim=axis).flatten(1) for axis in range(2, values.ndim)]
    return torch.cat(slopes, 1)


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
    if prediction.shape != target.shape:
        raise InputError(
            f"prediction of shape {tuple(prediction.shape)} and target of shape "
            f"{tuple(target.shape)} must be equal in shape"
        )
    norms = target.flatten(1).norm(dim=1)
    if bool((norms == 0).any()):
        rows = torch.nonzero(norms == 0)[:, 0].tolist()
        raise InputError(
            f"the {what} is zero for sample(s) {rows} of the batch: a relative error is not "
            "defined there; leave these samples out"
        )
    errors: Tensor = (prediction - target).flatten(1).norm(dim=1)
    ratios: Tensor = errors / norms
    return ratios
