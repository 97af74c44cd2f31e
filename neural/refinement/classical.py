"""What numerical analysis would do with the same prediction."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from meshes.errors import InputError
from neural.models.spectral_convolution import positive_integer
from neural.refinement.correction import apply_inverse, linear_inverse
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.minimisation import Refinement
from neural.refinement.residuals import SpaceTimeResidual
from pdesolve.spectral.batch import rollout


def newton_krylov(
    frames: Tensor,
    estimator: ResidualEstimator,
    *,
    num_steps: int = 2,
    rtol: float = 1e-2,
    max_iterations: int = 30,
) -> Refinement:
    """Newton's method on the residual of all frames at once, from a prediction.

    The linear systems are solved by GMRES (SciPy's) without matrices; the preconditioner
    is the exact inverse of the linear part, viscosity and differences in time, mode by
    mode. A step that does not lower η is not taken.

    Parameters
    ----------
    frames
        The prediction, ``(T, channel, *shape)``.
    estimator
        Of the problem; for η before and after.
    num_steps
        Newton steps.
    rtol, max_iterations
        Of GMRES, in the preconditioned residual.

    Returns
    -------
    Refinement
        As that of :func:`~neural.refinement.minimisation.refine`.

    Raises
    ------
    InputError
        If the prediction is not finite.

    References
    ----------
    Knoll, Keyes (2004), Jacobian-Free Newton–Krylov Methods: a Survey of Approaches and
    Applications, Journal of Computational Physics 193, doi:10.1016/j.jcp.2003.08.010.
    """
    positive_integer("num_steps", num_steps)
    positive_integer("max_iterations", max_iterations)
    begin = time.perf_counter()
    residual = estimator.residual
    best = residual.forward(frames).detach()
    estimates = [_finite(estimator, best)]
    inverse = linear_inverse(estimator)

    def preconditioned(state_hat: Tensor) -> Tensor:
        values: Tensor = residual.transforms.inverse(apply_inverse(inverse, state_hat))
        return values

    reason = f"{num_steps} steps were taken"
    for _ in range(num_steps):
        state = residual.transforms.inverse(best)
        right = preconditioned(residual.modes(best))

        def product(direction: Tensor, state: Tensor = state) -> Tensor:
            moved: Tensor = torch.func.jvp(
                lambda values: residual.modes(residual.forward(values)), (state,), (direction,)
            )[1]
            return preconditioned(moved)

        step = _gmres(product, right, rtol, max_iterations)
        tried = best - residual.forward(step)
        estimates.append(float(torch.sqrt(estimator.squared(tried))))
        if not estimates[-1] < min(estimates[:-1]):
            reason = "the estimate no longer falls"
            break
        best = tried
    values: Tensor = residual.transforms.inverse(best)
    return Refinement(values, tuple(estimates), reason, time.perf_counter() - begin)


def _gmres(product: Callable[[Tensor], Tensor], right: Tensor, rtol: float, most: int) -> Tensor:
    from scipy.sparse.linalg import LinearOperator, gmres

    def applied(vector: np.ndarray) -> np.ndarray:
        given = torch.as_tensor(vector.reshape(tuple(right.shape)), device=right.device)
        result: np.ndarray = product(given).detach().cpu().numpy().ravel()
        return result

    size = right.numel()
    operator = LinearOperator((size, size), matvec=applied, dtype=np.float64)
    vector, _ = gmres(operator, right.cpu().numpy().ravel(), rtol=rtol, restart=most, maxiter=1)
    return torch.as_tensor(vector.reshape(tuple(right.shape)), device=right.device)


@dataclass(frozen=True)
class PararealSettings:
    """Step sizes of Parareal's two propagators.

    Parameters
    ----------
    fine_steps, coarse_steps
        Steps of ETDRK4 between two frames.
    num_iterations
        Corrections; after as many as there are frames the fine solution is reached.
    """

    fine_steps: int = 8
    coarse_steps: int = 1
    num_iterations: int = 1

    def __post_init__(self) -> None:
        for name in ("fine_steps", "coarse_steps", "num_iterations"):
            positive_integer(name, getattr(self, name))


def parareal(
    frames: Tensor, estimator: ResidualEstimator, settings: PararealSettings | None = None
) -> Refinement:
    """Parareal with a prediction as the first trajectory.

    U_{n+1} ← G(U_n new) + F(U_n old) − G(U_n old), where the fine propagator F takes many
    steps of ETDRK4 from all frames at once, in one batch, and the coarse one G few steps,
    from one frame after another.

    Parameters
    ----------
    frames
        The prediction, ``(T, channel, *shape)``, equally spaced in time.
    estimator
        Of the problem; η is computed before and after each correction, but not used.
    settings
        Steps and number of corrections.

    Returns
    -------
    Refinement
        The frames after the last correction, whatever η says of them.

    Raises
    ------
    InputError
        If the prediction is not finite.

    References
    ----------
    Lions, Maday, Turinici (2001), Résolution d'EDP par un schéma en temps « pararéel »,
    Comptes Rendus de l'Académie des Sciences 332, doi:10.1016/S0764-4442(00)01793-6.
    """
    chosen = settings or PararealSettings()
    begin = time.perf_counter()
    residual = estimator.residual
    current = frames.detach().to(residual.known.device, torch.float64)
    estimates = [_finite(estimator, residual.forward(current))]
    span = _spacing(residual)
    start = residual.known[-1:]
    begins = residual.times[len(residual.known) - 1 : -1]
    for _ in range(chosen.num_iterations):
        before = torch.cat([start, current[:-1]])
        jump = _all(residual, before, begins, span, chosen.fine_steps) - _all(
            residual, before, begins, span, chosen.coarse_steps
        )
        states = [start[0]]
        for number, moment in enumerate(begins):
            coarse = propagate(residual, states[-1][None], span, chosen.coarse_steps, moment)[0]
            states.append(coarse + jump[number])
        current = torch.stack(states[1:])
        estimates.append(float(estimator(current)))
    reason = f"{chosen.num_iterations} corrections were made"
    return Refinement(current, tuple(estimates), reason, time.perf_counter() - begin)


def _all(
    residual: SpaceTimeResidual,
    states: Tensor,
    begins: Sequence[float],
    span: float,
    num_steps: int,
) -> Tensor:
    """States after a time from their own moments: one batch where these make no difference."""
    if residual.autonomous:
        return propagate(residual, states, span, num_steps)
    parts = [
        propagate(residual, states[number : number + 1], span, num_steps, moment)
        for number, moment in enumerate(begins)
    ]
    return torch.cat(parts)


def propagate(
    residual: SpaceTimeResidual,
    states: Tensor,
    span: float,
    num_steps: int,
    begin: float | None = None,
) -> Tensor:
    """States ``(batch, channel, *shape)`` a time after `begin`, or the first, by ETDRK4."""
    start = residual.times[0] if begin is None else begin
    stop = start + span
    found: Tensor = rollout(
        residual.evolution,
        (start, stop),
        dt=(stop - start) / num_steps,
        initial=states,
        xp=torch,
        device=states.device,
    )
    return found[:, -1]


def _spacing(residual: SpaceTimeResidual) -> float:
    gaps = np.diff(residual.times[len(residual.known) - 1 :])
    if not np.allclose(gaps, gaps[0], rtol=1e-9):
        raise InputError("Parareal here needs frames at equal distances in time")
    return float(gaps[0])


def _finite(estimator: ResidualEstimator, modes: Tensor) -> float:
    with torch.no_grad():
        estimate = float(torch.sqrt(estimator.squared(modes)))
    if not np.isfinite(estimate):
        raise InputError(
            "the prediction, or what it leaves in the equations, is not finite: there is nothing "
            "to correct. Look at the model's output first"
        )
    return estimate
