"""Relative errors of values and differences on uniform grids."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from meshes.errors import InputError
from neural.training.losses.base import FieldLoss, Reduction, relative_l2


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

    with D the differences of neighbouring values along each axis of a uniform grid. They
    are divided by the spacing of their axis, once ``prepare`` has told the sides of the box;
    without it all spacings count as equal. With w = 0 it is :class:`RelativeL2`.

    Parameters
    ----------
    weight
        w, at least 0.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        If the weight is out of range; by ``prepare`` and ``check``, for data on points of a
        mesh, which have no neighbours along axes, and for boxes of different forms; when
        applied, if shapes do not fit, or a target or its differences are zero.

    Examples
    --------
    >>> loss = RelativeH1(weight=0.5)
    >>> float(loss(torch.zeros(1, 1, 3), torch.tensor([[[1.0, 2.0, 3.0]]])))
    1.5
    """

    def __init__(self, weight: float = 0.5, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        if not 0 <= weight < float("inf"):
            raise InputError(f"weight={weight!r} must be a number of at least 0")
        self.weight = float(weight)
        self._box: tuple[tuple[float, ...], tuple[bool, ...]] | None = None

    def prepare(self, info: Any) -> None:
        """Take the sides of the box; refuse data that are not on a grid."""
        self._box = None
        self.check(info)
        self._box = _box_of(info)

    def check(self, info: Any) -> None:
        """Refuse data that are not on a grid, or on a box of another form."""
        if info.location not in ("cell", "vertex"):
            raise InputError(
                f"the values of '{info.path}' are not on a uniform grid (location="
                f"'{info.location}'), so that neighbours in the array need not be neighbours in "
                "space and RelativeH1 has no meaning; use RelativeL2, or MeshNorm(stiffness=1) on "
                "one mesh with cells"
            )
        if self._box is not None and _box_of(info) != self._box:
            raise InputError(
                f"the box of '{info.path}' has not the form of that of the first training file, "
                "and differences are divided by spacings; train on boxes of one form, or take "
                "RelativeL2"
            )

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""
        value = relative_l2(prediction, target)
        if self.weight == 0:
            return value
        slopes = self._slopes(prediction), self._slopes(target)
        return value + self.weight * relative_l2(*slopes, what="differences of the target")

    def _slopes(self, values: Tensor) -> Tensor:
        """Differences over spacings, in units of the smallest spacing."""
        space = values.shape[2:]
        if not space or (self._box and len(space) != len(self._box[0])):
            number = len(self._box[0]) if self._box else "one or more"
            raise InputError(
                f"fields of shape {tuple(values.shape)} must have shape (batch, channel, *space) "
                f"with {number} axes of space"
            )
        slopes = [values.diff(dim=axis + 2) for axis in range(len(space))]
        if self._box:
            axes = zip(space, *self._box, strict=True)
            inverse = [max(size - closed, 1) / side for size, side, closed in axes]
            pairs = zip(slopes, inverse, strict=True)
            slopes = [slope * (one / max(inverse)) for slope, one in pairs]
        return torch.cat([slope.flatten(1) for slope in slopes], 1)


def _box_of(info: Any) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Sides over the longest, and which axes have a point at both ends."""
    sides = [high - low for low, high in zip(info.lower, info.upper, strict=True)]
    closed = tuple(info.location == "vertex" and not wraps for wraps in info.periodic)
    return tuple(round(side / max(sides), 9) for side in sides), closed
