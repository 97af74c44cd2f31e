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

    with D the differences of neighbouring values along each axis of a uniform grid with
    equal spacings.

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
        mesh, which have no neighbours along axes.

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

    def prepare(self, info: Any) -> None:
        """Refuse data that are not on a grid."""
        self.check(info)

    def check(self, info: Any) -> None:
        """Refuse data that are not on a grid."""
        if info.location not in ("cell", "vertex"):
            raise InputError(
                f"the values of '{info.path}' are not on a uniform grid (location="
                f"'{info.location}'), so that neighbours in the array need not be neighbours in "
                "space and RelativeH1 has no meaning; use RelativeL2, or MeshNorm(stiffness=1) on "
                "one mesh with cells"
            )

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One value a sample, shape ``(batch,)``."""
        value = relative_l2(prediction, target)
        slopes = _differences(prediction), _differences(target)
        return value + self.weight * relative_l2(*slopes, what="differences of the target")


def _differences(values: Tensor) -> Tensor:
    slopes = [values.diff(dim=axis).flatten(1) for axis in range(2, values.ndim)]
    return torch.cat(slopes, 1)
