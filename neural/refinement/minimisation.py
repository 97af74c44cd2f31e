"""Lowering the residual estimator of one prediction, without knowing the solution."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from meshes.errors import InputError, suggest
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.gauss_newton import gauss_newton_step

Method = Literal["adam", "lbfgs", "gauss_newton"]


@dataclass(frozen=True)
class RefinementSettings:
    """How the estimator is minimised.

    Parameters
    ----------
    method
        ``"gauss_newton"``: the residual is linearised and the least-squares problem solved
        by conjugate gradients; a step that raises η is shortened. ``"lbfgs"``: with a
        search along each direction. ``"adam"``: as published; slow, but one gradient a
        step.
    num_steps
        Largest number of steps.
    learning_rate, bias_learning_rate
        Of Adam, for all parameters and for those named ``bias``. 1e-4 and
        0.2 are published for a forced flow, 1e-2 for the bias in decaying turbulence.
    inner_steps
        Conjugate gradient iterations of a Gauss–Newton step.
    tolerance, patience
        The end is reached when η has not fallen by this part within `patience` steps.

    Examples
    --------
    >>> RefinementSettings(method="adam", num_steps=50).learning_rate
    0.0001
    """

    method: Method = "gauss_newton"
    num_steps: int = 20
    learning_rate: float = 1e-4
    bias_learning_rate: float = 0.2
    inner_steps: int = 20
    tolerance: float = 1e-3
    patience: int = 3

    def __post_init__(self) -> None:
        if self.method not in get_args(Method):
            raise InputError(
                f"method={self.method!r} is unknown. {suggest(str(self.method), get_args(Method))}"
            )
        for name in ("num_steps", "inner_steps", "patience"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r} must be a positive integer")
        for name in ("learning_rate", "bias_learning_rate"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise InputError(f"{name}={value!r} must be positive and finite")
        if not 0 <= self.tolerance < 1:
            raise InputError(f"tolerance={self.tolerance!r} must be at least 0 and less than 1")


@dataclass(frozen=True, eq=False)
class Refinement:
    """Corrected frames and how they were found.

    Parameters
    ----------
    frames
        ``(T, channel, *shape)``, float64: those with the smallest estimate.
    estimates
        η before the first step and after each.
    reason
        Why it ended, in words.
    seconds
        Wall-clock time.
    """

    frames: Tensor
    estimates: tuple[float, ...]
    reason: str
    seconds: float

    @property
    def reduction(self) -> float:
        """η of the frames returned over that of the prediction, at most 1."""
        return min(self.estimates) / self.estimates[0] if self.estimates[0] > 0 else 1.0


def refine(
    correction: nn.Module,
    estimator: ResidualEstimator,
    settings: RefinementSettings | None = None,
) -> Refinement:
    """Minimise the residual estimator over the parameters of a correction.

    No solution is used. The frames returned are those of the smallest estimate met, so
    that they are never worse than the prediction in the estimator's sense.

    Parameters
    ----------
    correction
        Called without arguments it gives frames ``(T, channel, *shape)`` in float64, the
        prediction at first; those of its parameters that require gradients are changed. A
        :class:`~neural.refinement.correction.FourierCorrection`, or the last layer of a
        model.
    estimator
        Of the problem.
    settings
        Method, steps, stopping.

    Raises
    ------
    InputError
        If there is nothing to change, the frames are not float64, or the prediction or its
        estimate is not finite.

    References
    ----------
    Cao, Brarda, Li, Xi (2025), Spectral-Refiner: Accurate Fine-Tuning of Spatiotemporal
    Fourier Neural Operator for Turbulent Flows, ICLR, doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    >>> from pdesolve import get_family
    >>> from neural.refinement import FourierCorrection, SpaceTimeResidual
    >>> values = {"amplitude": 1.0, "viscosity": 0.1, "shift_x": 0.0, "shift_y": 0.0}
    >>> problem = get_family("taylor_green2d").problem(values)
    >>> start = torch.as_tensor(problem.initial_on(problem.grid(12)))[None, None]
    >>> residual = SpaceTimeResidual(problem, problem.grid(12), (0.0, 0.1, 0.2, 0.3), start)
    >>> estimator = ResidualEstimator(residual)
    >>> frozen = FourierCorrection(start.expand(3, 1, 12, 12), estimator)
    >>> refine(frozen, estimator).reduction < 1e-6
    True
    """
    chosen = settings or RefinementSettings()
    parameters = [item for item in correction.parameters() if item.requires_grad]
    if not parameters:
        raise InputError("the correction has no parameter that requires a gradient")
    begin = time.perf_counter()
    best, frames = _estimate(correction, estimator)
    if not math.isfinite(best):
        raise InputError(
            "the prediction, or what it leaves in the equations, is not finite: there is nothing "
            "to refine. Look at the model's output first"
        )
    step = _METHODS[chosen.method](correction, estimator, chosen)
    kept = [item.detach().clone() for item in parameters]
    estimates, waited = [best], 0
    reason = f"{chosen.num_steps} steps were taken"
    for _ in range(chosen.num_steps):
        if best == 0:
            reason = "the residual is zero"
            break
        step()
        estimate, found = _estimate(correction, estimator)
        estimates.append(estimate)
        if not math.isfinite(estimate):
            reason = "a step gave frames that are not finite; it was taken back"
            break
        waited = 0 if estimate < (1 - chosen.tolerance) * best else waited + 1
        if estimate < best:
            best, frames = estimate, found
            kept = [item.detach().clone() for item in parameters]
        if waited >= chosen.patience:
            reason = "the estimate no longer falls"
            break
    with torch.no_grad():
        for item, value in zip(parameters, kept, strict=True):
            item.copy_(value)
    return Refinement(frames, tuple(estimates), reason, time.perf_counter() - begin)


@torch.no_grad()
def _estimate(correction: nn.Module, estimator: ResidualEstimator) -> tuple[float, Tensor]:
    frames: Tensor = correction()
    if frames.dtype != torch.float64:
        raise InputError(
            f"the correction gives {frames.dtype}; residuals near round-off need float64"
        )
    return float(estimator(frames)), frames


def _adam(
    correction: nn.Module, estimator: ResidualEstimator, settings: RefinementSettings
) -> Callable[[], None]:
    groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
    for name, item in correction.named_parameters():
        if item.requires_grad:
            groups["bias" in name.split(".")].append(item)
    rates = {False: settings.learning_rate, True: settings.bias_learning_rate}
    optimizer = torch.optim.Adam(
        [{"params": items, "lr": rates[bias]} for bias, items in groups.items() if items]
    )

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(estimator(correction()))
        optimizer.step()

    return step


def _lbfgs(
    correction: nn.Module, estimator: ResidualEstimator, settings: RefinementSettings
) -> Callable[[], None]:
    del settings
    residual = estimator.residual
    optimizer = torch.optim.LBFGS(
        [item for item in correction.parameters() if item.requires_grad],
        max_iter=5,
        history_size=20,
        line_search_fn="strong_wolfe",
        tolerance_grad=0.0,
        tolerance_change=0.0,
    )
    with torch.no_grad():
        first = estimator.squared(residual.forward(correction()))

    def relative_square() -> Tensor:
        optimizer.zero_grad()
        value = estimator.squared(residual.forward(correction())) / first
        torch.autograd.backward(value)
        return value

    def step() -> None:
        optimizer.step(relative_square)

    return step


def _gauss_newton(
    correction: nn.Module, estimator: ResidualEstimator, settings: RefinementSettings
) -> Callable[[], None]:
    def step() -> None:
        gauss_newton_step(correction, estimator, settings.inner_steps)

    return step


_METHODS = {"adam": _adam, "lbfgs": _lbfgs, "gauss_newton": _gauss_newton}
