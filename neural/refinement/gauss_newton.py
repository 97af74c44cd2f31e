"""One Gauss–Newton step on the residual estimator."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from neural.refinement.estimator import ResidualEstimator

_HALVINGS = 6


def gauss_newton_step(correction: nn.Module, estimator: ResidualEstimator, inner: int) -> float:
    """Solve the linearised least-squares problem and go along its solution while η falls.

    With the weighted residual r(θ), |r|² = η², and its Jacobian J, the step s minimises
    |r + J s| by conjugate gradients on the normal equations, without matrices: products
    with J and Jᵀ are forward and reverse derivatives. The parameters stay as they are if
    no part of s lowers η.

    Parameters
    ----------
    correction
        Gives frames; its parameters are changed.
    estimator
        Of the problem.
    inner
        Conjugate gradient iterations.

    Returns
    -------
    float
        The part of s that was taken; 0 if none.

    References
    ----------
    Björck (1996), Numerical Methods for Least Squares Problems, SIAM,
    doi:10.1137/1.9781611971484.
    """
    named = {name: item for name, item in correction.named_parameters() if item.requires_grad}
    weights = torch.sqrt(estimator.steps * estimator.dual_weight)

    def weighted(values: tuple[Tensor, ...]) -> Tensor:
        given = dict(zip(named, values, strict=True))
        frames = torch.func.functional_call(correction, given, ())
        residual = estimator.residual
        return torch.view_as_real(residual.modes(residual.forward(frames)) * weights)

    start = tuple(item.detach().clone() for item in named.values())
    pulled = torch.func.vjp(weighted, start)
    image, backward = pulled[0], pulled[1]

    def forward(direction: tuple[Tensor, ...]) -> Tensor:
        product: Tensor = torch.func.jvp(weighted, (start,), (direction,))[1]
        return product

    step = _least_squares(forward, lambda values: backward(values)[0], -image.detach(), inner)
    before, part = float(image.square().sum()), 1.0
    with torch.no_grad():
        for _ in range(_HALVINGS):
            tried = tuple(value + part * move for value, move in zip(start, step, strict=True))
            after = float(weighted(tried).square().sum())
            if math.isfinite(after) and after < before:
                for item, value in zip(named.values(), tried, strict=True):
                    item.copy_(value)
                return part
            part *= 0.5
    return 0.0


def _least_squares(
    forward: Callable[..., Tensor],
    backward: Callable[[Tensor], tuple[Tensor, ...]],
    right: Tensor,
    iterations: int,
) -> tuple[Tensor, ...]:
    """Conjugate gradients for min |J s − b| from s = 0."""
    gradient = [item.detach() for item in backward(right)]
    step = [torch.zeros_like(item) for item in gradient]
    direction, rest = list(gradient), right
    size = first = _dot(gradient, gradient)
    for _ in range(iterations):
        if not size > 1e-24 * first:
            break
        image = forward(tuple(direction)).detach()
        length = float(image.square().sum())
        if not (math.isfinite(length) and length > 0):
            break
        factor = size / length
        step = [value + factor * move for value, move in zip(step, direction, strict=True)]
        rest = rest - factor * image
        gradient = [item.detach() for item in backward(rest)]
        size, old = _dot(gradient, gradient), size
        direction = [g + size / old * d for g, d in zip(gradient, direction, strict=True)]
    return tuple(step)


def _dot(one: list[Tensor], two: list[Tensor]) -> float:
    return sum(float((a * b).sum()) for a, b in zip(one, two, strict=True))
