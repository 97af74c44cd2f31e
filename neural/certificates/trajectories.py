"""Trajectories on periodic boxes, by the dual norm of their space-time residual."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.wave_trajectories import certify_waves
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.residuals import SpaceTimeResidual
from neural.trajectory_surrogate import TrajectorySurrogate
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.wave import WaveProblem

STATEMENT = (
    "an estimate: exact for linear equations and continuous time, equivalent to the error up to "
    "factors of the flow and the viscosity otherwise; errors of the differences in time count too"
)
TOO_FAR_APART = (
    "; here frames are too far apart in time for the changes in them, so that these differences "
    "may be much of it: an exact solution would not do much better"
)


def certify_trajectory(
    problem: EvolutionProblem,
    grid: StructuredGrid,
    times: Sequence[float] | np.ndarray,
    frames: Tensor | np.ndarray,
    num_known: int = 1,
) -> Certificate:
    """Estimate the error of the predicted frames of a trajectory.

    Parameters
    ----------
    problem
        With a form for the backend ``spectral``. Waves have a bound of their own,
        :func:`neural.certificates.wave_trajectories.certify_waves`.
    grid
        Where the frames sit.
    times
        Of all frames.
    frames
        ``(time, channel, *shape)``, the known ones first.
    num_known
        Number of frames that are given, 1 for the initial state alone.

    Returns
    -------
    Certificate
        Relative to the prediction in the norm of
        :meth:`neural.refinement.estimator.ResidualEstimator.errors`; `residual` is the residual
        over ∂u/∂t, in the dual norm. For waves a bound in their energy, without `residual`.

    Raises
    ------
    InputError
        If shapes and times do not fit, or the problem has no spectral form.

    Examples
    --------
    >>> from pdesolve import evolve, get_family
    >>> values = {"amplitude": 1.0, "viscosity": 0.1, "shift_x": 0.0, "shift_y": 0.0}
    >>> problem = get_family("taylor_green2d").problem(values)
    >>> grid = problem.grid(16)
    >>> frames = evolve(problem, mesh=grid).on(grid)
    >>> certify_trajectory(problem, grid, problem.times, frames).upper < 1e-4
    True
    """
    if isinstance(problem, WaveProblem):
        return certify_waves(problem, grid, times, np.asarray(frames), num_known)
    begin = time.perf_counter()
    given = torch.as_tensor(frames, dtype=torch.float64)
    residual = SpaceTimeResidual(problem, grid, times, given[:num_known])
    estimator = ResidualEstimator(residual)
    predicted = residual.forward(given[num_known:])
    estimate = float(torch.sqrt(estimator.squared(predicted)))
    rate = residual.rate_of_change(torch.cat([residual.forward_known(), predicted]))
    changes = float(torch.sqrt(estimator.dual_square(rate)))
    size = estimator.size(predicted)
    unsure = _error_of_differences(residual, estimator, predicted) > 0.25 * estimate
    return Certificate(
        "estimate",
        "spectral",
        "space-time energy",
        estimate / size if size > 0 else float("nan"),
        residual=estimate / changes if changes > 0 else float("nan"),
        statement=STATEMENT + TOO_FAR_APART if unsure else STATEMENT,
        seconds=time.perf_counter() - begin,
    )


def _error_of_differences(
    residual: SpaceTimeResidual, estimator: ResidualEstimator, predicted: Tensor
) -> float:
    """How far ∂u/∂t is from that of differences of higher order, in the estimate's norm."""
    higher = SpaceTimeResidual(
        residual.problem,
        residual.grid,
        residual.times,
        residual.known,
        order=residual.order + 2,
        device=residual.known.device,
    )
    frames = torch.cat([residual.forward_known(), predicted])
    moved = residual.rate_of_change(frames) - higher.rate_of_change(frames)
    return float(torch.sqrt(estimator.dual_square(moved)))


def certify_rollout(
    surrogate: TrajectorySurrogate,
    problem: EvolutionProblem,
    grid: StructuredGrid,
    history: np.ndarray,
    num_frames: int,
    *,
    static: np.ndarray | None = None,
    begin: float | None = None,
) -> Certificate:
    """Continue a trajectory with a surrogate, and estimate the error of what it predicts.

    Parameters
    ----------
    surrogate
        Of the problem's family.
    problem
        Its numbers and forcing are those of the trajectory; its initial state is not used.
    grid
        Where the frames sit.
    history
        ``(frames_in, channel, *shape)``, the surrogate's time step apart.
    num_frames
        Frames to predict.
    static
        ``(static_channel, *shape)``, where the surrogate takes such.
    begin
        Time of the first frame, which counts where the equation changes in time; the problem's
        first time when left out.

    Returns
    -------
    Certificate
        As of :func:`certify_trajectory`; of kind ``"none"``, with the reason, for problems
        without a form in Fourier modes.

    Raises
    ------
    InputError
        If the surrogate is one of another family, or shapes do not fit.

    Examples
    --------
    >>> found = certify_rollout(surrogate, problem, grid, history, 20)  # doctest: +SKIP
    >>> found.kind  # doctest: +SKIP
    'estimate'
    """
    if problem.name != surrogate.family:
        raise InputError(
            f"the surrogate was trained on the family '{surrogate.family}', the problem is of "
            f"'{problem.name}'; train one on that family"
        )
    known = np.asarray(history, dtype=np.float64)
    reason = why_no_estimate(problem, grid, known.shape[1])
    if reason:
        return Certificate.nothing(problem.backends[0], reason)
    fixed = None if static is None else np.asarray(static)[None]
    predicted = surrogate.rollout(known[None], num_frames, fixed)[0]
    frames = np.concatenate([known, predicted])
    first = problem.times[0] if begin is None else begin
    times = first + surrogate.time_step * np.arange(len(frames))
    return certify_trajectory(problem, grid, times, frames, len(known))


def why_no_estimate(problem: Problem, grid: StructuredGrid, num_channels: int) -> str:
    """Why trajectories of a problem have no estimate; nothing where they have one.

    Parameters
    ----------
    problem
        Any.
    grid
        Where the frames sit.
    num_channels
        Of a frame.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator
    >>> family = get_family("burgers1d_inviscid")
    >>> problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    >>> why_no_estimate(problem, problem.grid(16), 1)
    'for trajectories an estimate is known on periodic boxes only, in Fourier modes'
    """
    if not isinstance(problem, EvolutionProblem):
        return "the problem does not evolve in time"
    if "spectral" not in problem.backends or not all(grid.periodic):
        return "for trajectories an estimate is known on periodic boxes only, in Fourier modes"
    evolution = problem.spectral_evolution(grid)
    names = problem.unknowns if isinstance(problem, WaveProblem) else evolution.names
    if evolution.reported_names != names:
        return (
            f"frames hold {', '.join(evolution.reported_names)}, and the equations in Fourier "
            f"modes are for {', '.join(names)}"
        )
    if len(names) != num_channels:
        return f"frames have {num_channels} channels, the equations {len(names)}: {list(names)}"
    return ""
