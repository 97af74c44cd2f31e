"""A correction of frames with one number for every Fourier mode and frame."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neural.refinement.estimator import ResidualEstimator


class FourierCorrection(nn.Module):
    """Predicted frames plus a correction that is free in every Fourier mode and frame.

    The largest head that a model could have. The unknowns y are scaled mode by mode by
    the linear part of the equation, ŵ_k = (∂_t − L_k)⁻¹ (α + |k|²)^½ y_k, with ∂_t the
    differentiation matrix of the frames: without advection, η² is then |y|² up to a
    constant, so that gradient methods need few steps.

    Parameters
    ----------
    frames
        The prediction, ``(T, channel, *shape)``.
    estimator
        Of the problem.

    Attributes
    ----------
    unknowns : Parameter, shape (2, T, channel, *modes)
        y, real and imaginary parts; zero at first.

    Examples
    --------
    >>> from pdesolve import get_family
    >>> from neural.refinement import SpaceTimeResidual
    >>> values = {"amplitude": 1.0, "viscosity": 0.1, "shift_x": 0.0, "shift_y": 0.0}
    >>> problem = get_family("taylor_green2d").problem(values)
    >>> start = torch.as_tensor(problem.initial_on(problem.grid(8)))[None, None]
    >>> residual = SpaceTimeResidual(problem, problem.grid(8), (0.0, 0.1), start)
    >>> correction = FourierCorrection(start, ResidualEstimator(residual))
    >>> bool(torch.allclose(correction(), start))
    True
    """

    def __init__(self, frames: Tensor, estimator: ResidualEstimator) -> None:
        super().__init__()
        self.estimator = estimator
        self.register_buffer("base", estimator.residual.forward(frames).detach())
        self.base: Tensor
        self.inverse = linear_inverse(estimator)
        self.scale = torch.where(estimator.dual_weight > 0, 1.0, 0.0) / torch.sqrt(
            torch.where(estimator.dual_weight > 0, estimator.dual_weight, 1.0)
        )
        self.unknowns = nn.Parameter(
            torch.zeros((2, *self.base.shape), dtype=torch.float64, device=self.base.device)
        )

    def forward(self) -> Tensor:
        """The corrected frames, ``(T, channel, *shape)``."""
        result: Tensor = self.estimator.residual.transforms.inverse(self.modes())
        return result

    def modes(self) -> Tensor:
        """Their Fourier coefficients."""
        right = torch.complex(self.unknowns[0], self.unknowns[1]) * self.scale
        return self.base + apply_inverse(self.inverse, right)


def linear_inverse(estimator: ResidualEstimator) -> Tensor:
    """(∂_t − L_k)⁻¹ on the predicted frames for every mode.

    Returns
    -------
    Tensor
        Shape ``(channel, *modes, T, T)``, complex if L is. Modes in which the matrix is
        singular get the pseudo-inverse.
    """
    residual = estimator.residual
    rate = residual.derivative[:, len(residual.known) :]
    linear = residual.linear
    shape = (residual.known.shape[1], *residual.transforms.modes)
    symbol = linear.broadcast_to(shape) if linear.is_complex() else linear.real.broadcast_to(shape)
    pairs = torch.stack([symbol.real.reshape(-1), _imaginary(symbol).reshape(-1)], dim=1)
    rows, place = torch.unique(pairs, dim=0, return_inverse=True)
    distinct = torch.complex(rows[:, 0], rows[:, 1]) if symbol.is_complex() else rows[:, 0]
    identity = torch.eye(len(rate), dtype=distinct.dtype, device=distinct.device)
    matrices = rate.to(distinct.dtype) - distinct[:, None, None] * identity
    result: Tensor = torch.linalg.pinv(matrices)[place].reshape(*shape, *rate.shape)
    return result


def apply_inverse(inverse: Tensor, modes: Tensor) -> Tensor:
    """The product of :func:`linear_inverse` with coefficients ``(T, channel, *modes)``."""
    moved = modes.movedim(0, -1)
    return torch.einsum("...ij,...j->...i", inverse.to(moved.dtype), moved).movedim(-1, 0)


def _imaginary(symbol: Tensor) -> Tensor:
    return symbol.imag if symbol.is_complex() else torch.zeros_like(symbol)
