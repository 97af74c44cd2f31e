"""Relative errors in Sobolev norms of any order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from meshes.errors import InputError
from neural.training.losses.base import Reduction, check_shapes, relative
from neural.training.losses.spectral_loss import SpectralLoss
from neural.training.losses.spectrum import Extension


class RelativeSobolev(SpectralLoss):
    r"""Relative error in the norm of H^s, by Parseval's identity.

    .. math:: \frac{\lVert u - \hat u\rVert_s}{\lVert u\rVert_s}, \qquad
              \lVert u\rVert_s^2 = \sum_k (\alpha + |k|^2)^s\, |u_k|^2

    over the amplitudes u_k of the Laplace eigenfunctions of wave vector k, in radians per
    unit of length. Order 0 is relative L2; positive orders weigh short waves more, which
    the eye sees as sharpness; negative orders weigh long waves more: −1 is the norm in
    which a residual of a second-order equation bounds the error.

    The weight stands at the squared amplitudes, so that one square root is taken, of the
    whole sum. (Code that passes a weight which is rooted already computes the norm of
    order s/2.)

    Parameters
    ----------
    order
        s, any number.
    alpha
        α ≥ 0, in (radians per unit of length) squared: below √α waves count alike.
        Negative orders need α > 0 where constants are among the eigenfunctions, that is
        unless some axis has sines.
    extension, lengths, periodic
        As in :class:`neural.training.losses.spectral_loss.SpectralLoss`.
    reduction
        As in :class:`FieldLoss`.

    Raises
    ------
    InputError
        If an argument is out of range; if (when applied) the box is not known, shapes do
        not fit, or the norm of a target is zero.

    References
    ----------
    Adams, Fournier (2003), Sobolev Spaces, ISBN 978-0-12-044143-3.

    Cao, Brarda, Li, Xi (2025), Spectral-Refiner: accurate fine-tuning of spatiotemporal
    Fourier neural operator for turbulent flows, doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    For u = cos(2πx) and û = u + cos(4πx) the ratio is that of the weights:

    >>> x = torch.arange(8, dtype=torch.float64) / 8
    >>> u, e = torch.cos(2 * math.pi * x), torch.cos(4 * math.pi * x)
    >>> loss = RelativeSobolev(-1, alpha=0.0001, lengths=[1.0], periodic=True)
    >>> round(float(loss((u + e)[None, None], u[None, None])), 4)
    0.5
    """

    def __init__(
        self,
        order: float = -1.0,
        alpha: float = 1.0,
        extension: Extension = "even",
        lengths: Sequence[float] | None = None,
        periodic: Sequence[bool] | bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(extension, lengths, periodic, reduction)
        if not math.isfinite(order):
            raise InputError(f"order={order!r} must be a finite number, such as -1")
        if not 0 <= alpha < math.inf:
            raise InputError(f"alpha={alpha!r} must be a finite number of at least 0")
        self.order, self.alpha = float(order), float(alpha)

    def per_sample(self, prediction: Tensor, target: Tensor) -> Tensor:
        """One relative error a sample, shape ``(batch,)``."""
        check_shapes(prediction, target)
        return relative(self.norm(prediction - target), self.norm(target), "norm of the target")

    def norm(self, values: Tensor) -> Tensor:
        """‖u‖ of order s of each sample ``(batch, channel, *space)``, shape ``(batch,)``.

        The mean over the points (by the trapezoidal rule, where the ends of an axis are
        points) takes the place of the integral: the norm is the same on every grid that
        resolves the field, up to the root of the box's volume.
        """
        amplitudes = self.box.amplitudes(values)
        weights = self.weights(values.shape[2:], values.device).sqrt().to(amplitudes.real.dtype)
        weighted: Tensor = torch.linalg.vector_norm((amplitudes * weights).flatten(1), dim=1)
        return weighted / math.sqrt(self.box.num_cells(values.shape[2:]))

    def weights(self, shape: Sequence[int], device: Any = None) -> Tensor:
        """Of every mode, (α + |k|²)^s, shape ``modes``, float64."""
        if self.order < 0 and self.alpha == 0 and "odd" not in self.box.bases:
            raise InputError(
                f"order={self.order:g} with alpha=0 divides by zero for the mean of the field; "
                "give a positive alpha, or extension='odd' for fields that are zero on the sides"
            )
        return (self.alpha + self.box.squared_wave_numbers(shape, device)) ** self.order
