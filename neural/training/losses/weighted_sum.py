"""Sums of losses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

from torch import Tensor, nn

from meshes.errors import InputError, suggest
from neural.training.losses.base import FieldLoss, Reduction, total_of


class WeightedSum(FieldLoss):
    r"""A sum of losses with weights, each logged by its name.

    .. math:: \sum_n w_n\, \ell_n

    Parameters
    ----------
    losses
        By name. Their own reductions play no part.
    weights
        By the same names, positive; 1 where left out.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        If there is no loss, a name cannot be used, or a weight is not positive or belongs
        to no loss.

    Examples
    --------
    In a configuration file::

        loss:
          class_path: neural.training.losses.WeightedSum
          init_args:
            losses:
              data: {class_path: neural.training.RelativeL2}
              residual: {class_path: neural.training.losses.PDEResidual}
            weights: {residual: 0.1}

    >>> import torch
    >>> from neural.training import RelativeH1, RelativeL2
    >>> loss = WeightedSum({"values": RelativeL2(), "slopes": RelativeH1()}, {"slopes": 0.5})
    >>> ramp = torch.tensor([[[1.0, 2.0, 3.0]]])
    >>> float(loss(torch.zeros(1, 1, 3), ramp))
    1.75
    """

    def __init__(
        self,
        losses: Mapping[str, FieldLoss],
        weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(reduction)
        if not losses:
            raise InputError("losses={} names no loss; give one or more, each with a name")
        for name, loss in losses.items():
            if not name.isidentifier():
                raise InputError(f"the name {name!r} of a loss must be a word, such as 'residual'")
            if not isinstance(loss, FieldLoss):
                raise InputError(f"loss '{name}' is a {type(loss).__name__}, not a FieldLoss")
        given = dict(weights or {})
        for name, weight in given.items():
            if name not in losses:
                raise InputError(f"there is no loss '{name}' to weigh. {suggest(name, losses)}")
            if not 0 < weight < math.inf:
                raise InputError(
                    f"the weight of loss '{name}' is {weight!r}; it must be positive and finite"
                )
        self.names = tuple(losses)
        self.losses = nn.ModuleList(losses.values())
        self.weights = tuple(float(given.get(name, 1.0)) for name in losses)

    def prepare(self, info: Any) -> None:
        """Prepare every loss."""
        for _, loss, _ in self._parts():
            loss.prepare(info)

    def check(self, info: Any) -> None:
        """Let every loss look at a further training file."""
        for _, loss, _ in self._parts():
            loss.check(info)

    def terms(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> dict[str, Tensor]:
        """The weighted losses by name."""
        return {
            name: weight * loss.of_batch(prediction, target, inputs)
            for name, loss, weight in self._parts()
        }

    def of_batch(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""
        return total_of(self.terms(prediction, target, inputs))

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, for losses that do not look at the inputs."""
        return total_of(
            {
                name: weight * loss.per_sample(prediction, target)
                for name, loss, weight in self._parts()
            }
        )

    def _parts(self) -> Iterator[tuple[str, FieldLoss, float]]:
        for name, loss, weight in zip(self.names, self.losses, self.weights, strict=True):
            yield name, cast("FieldLoss", loss), weight
