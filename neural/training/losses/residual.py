"""Residuals of the discrete equations as a loss."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from meshes.errors import InputError
from neural.training.losses.base import FieldLoss, Reduction, relative
from neural.training.losses.family_operator import FamilyOperator
from neural.training.losses.sobolev import RelativeSobolev
from neural.training.losses.spectrum import BoxSpectrum


class PDEResidual(FieldLoss):
    r"""How far a prediction is from solving the discrete equations of its sample.

    .. math:: \frac{\lVert b - A \hat u\rVert_s}{\lVert b\rVert_s}

    with the stencil A and right-hand side b that the solver of the backend ``grid`` makes
    of the sample's input fields, and the norm of :class:`RelativeSobolev`. Targets are not
    looked at: it also trains on inputs alone.

    In H^-1 the residual of an elliptic equation of second order is equivalent to the error
    in H^1, with constants that depend on the coefficients and not on the grid. In L2
    (order 0) it is not: an error of the shortest waves counts (2/h)² times as much as its
    size, so training is slow and worsens with resolution.

    Parameters
    ----------
    order, alpha
        s and α, see :class:`RelativeSobolev`.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        By ``prepare``, if the data are not of a steady linear family (see
        :class:`FamilyOperator`); when applied, if it was not prepared, inputs are missing,
        shapes do not fit, or b is zero.

    References
    ----------
    Ern, Guermond (2021), Finite Elements II, doi:10.1007/978-3-030-56923-5.

    Li, Zheng, Kovachki, Jin, Chen, Liu, Azizzadenesheli, Anandkumar (2024),
    Physics-informed neural operator for learning partial differential equations,
    doi:10.1145/3648506.

    Examples
    --------
    Nothing but the data set's description is needed; zero fields have the residual b:

    >>> import torch
    >>> from types import SimpleNamespace
    >>> info = SimpleNamespace(
    ...     path="d.h5", family="darcy2d", inputs=("coefficient",), outputs=("pressure",),
    ...     shape=(8, 8), lower=(0.0, 0.0), upper=(1.0, 1.0), periodic=(False, False),
    ...     location="cell", settings={})
    >>> loss = PDEResidual()
    >>> loss.prepare(info)
    >>> zero = torch.zeros(1, 1, 8, 8)
    >>> loss.of_batch(zero, zero, torch.ones(1, 1, 8, 8))
    tensor([1.], dtype=torch.float64)
    """

    def __init__(
        self, order: float = -1.0, alpha: float = 0.0, reduction: Reduction = "mean"
    ) -> None:
        super().__init__(reduction)
        self._norm = RelativeSobolev(order, alpha)  # checks both
        self._operator: FamilyOperator | None = None

    def prepare(self, info: Any) -> None:
        """Take family, box and boundary conditions of the training data."""
        operator = FamilyOperator(info)
        if self._norm.order < 0 and self._norm.alpha == 0 and "odd" not in operator.bases:
            raise InputError(
                f"alpha=0 with order={self._norm.order:g} is for problems with u given on two "
                f"opposite sides; give a positive alpha for family '{info.family}'"
            )
        lengths = tuple(high - low for low, high in zip(info.lower, info.upper, strict=True))
        self._norm.take_box(BoxSpectrum(lengths, operator.bases, info.location))
        self._operator = operator

    def check(self, info: Any) -> None:
        """Refuse a file with other equations."""
        if self._operator is not None:
            self._operator.check(info)

    def of_batch(self, prediction: Tensor, target: Tensor, inputs: Tensor) -> Tensor:
        """One relative residual a sample, shape ``(batch,)``, float64."""
        del target
        residuals, right = self.residuals(prediction, inputs)
        return relative(self._norm.norm(residuals), self._norm.norm(right), "right-hand side")

    def residuals(self, prediction: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Residuals b − A û and b, both ``(batch, 1, *space)`` in float64."""
        if self._operator is None:
            raise InputError(
                "the loss does not know the equations: call prepare(info) with the info of a data "
                "set, as the trainer does"
            )
        expected = (inputs.shape[0], 1, *inputs.shape[2:])
        if tuple(prediction.shape) != expected:
            raise InputError(
                f"a prediction of shape {tuple(prediction.shape)} does not fit inputs of shape "
                f"{tuple(inputs.shape)}; it must have shape {expected}"
            )
        stencils, right = self._operator.systems(inputs)
        applied: Tensor = stencils.apply(prediction[:, 0].double())
        return (right - applied)[:, None], right[:, None]

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Refused: the equations follow from the inputs."""
        del prediction, target
        raise InputError(
            "PDEResidual needs the inputs too: call of_batch(prediction, target, inputs)"
        )
