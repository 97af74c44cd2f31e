"""Relative errors in the energy norm of each sample's equation."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from meshes.errors import InputError
from neural.training.losses.base import FieldLoss, Reduction, check_shapes
from neural.training.losses.family_operator import FamilyOperator
from neural.training.losses.matrix_norm import relative_energy


class RelativeEnergy(FieldLoss):
    r"""Relative error in the energy norm of each sample's own equation.

    .. math:: \sqrt{\frac{e^T A e}{u^T A u}}, \qquad e = u - \hat u

    with the stencil A of the sample's input fields; for Darcy flow this is the discrete
    :math:`\int a |\nabla e|^2`, the norm in which finite elements give the best
    approximation. Boundary terms are in A.

    Parameters
    ----------
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        By ``prepare``, if the data are not of a steady linear family (see
        :class:`FamilyOperator`) or its operator is not symmetric; when applied, if it was
        not prepared, shapes do not fit, or the energy of a target is zero.

    Examples
    --------
    >>> import torch
    >>> from types import SimpleNamespace
    >>> info = SimpleNamespace(
    ...     path="d.h5", family="darcy2d", inputs=("coefficient",), outputs=("pressure",),
    ...     shape=(8, 8), lower=(0.0, 0.0), upper=(1.0, 1.0), periodic=(False, False),
    ...     location="cell", settings={})
    >>> loss = RelativeEnergy()
    >>> loss.prepare(info)
    >>> ones = torch.ones(1, 1, 8, 8)
    >>> loss.of_batch(0.75 * ones, ones, ones)
    tensor([0.2500], dtype=torch.float64)
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__(reduction)
        self._operator: FamilyOperator | None = None

    def prepare(self, info: Any) -> None:
        """Take the family and the box of the training data."""
        operator = FamilyOperator(info)
        if not operator.symmetric:
            raise InputError(
                f"the operator of family '{info.family}' is not symmetric, so it has no energy "
                "norm; use RelativeSobolev(order=1) or PDEResidual"
            )
        self._operator = operator

    def check(self, info: Any) -> None:
        """Refuse a file with other equations."""
        if self._operator is not None:
            self._operator.check(info)

    def of_batch(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> Tensor:
        """One relative error a sample, shape ``(batch,)``, in float64."""
        if self._operator is None:
            raise InputError(
                "the loss does not know the equations: call prepare(info) with the info of a data "
                "set, as the trainer does"
            )
        check_shapes(prediction, target)
        if tuple(target.shape) != (inputs.shape[0], 1, *inputs.shape[2:]):
            raise InputError(
                f"fields of shape {tuple(target.shape)} must have one channel on the grid of the "
                f"inputs, {tuple(inputs.shape)}"
            )
        stencils, _ = self._operator.systems(inputs)
        energies = []
        for values in (prediction - target, target):
            one = values[:, 0].double()
            energies.append((one * stencils.apply(one)).flatten(1).sum(1))
        return relative_energy(*energies)

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Refused: the operator follows from the inputs."""
        del prediction, target
        raise InputError(
            "RelativeEnergy needs the inputs too: call of_batch(prediction, target, inputs)"
        )
