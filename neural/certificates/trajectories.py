"""Trajectories on periodic boxes, by the dual norm of their space-time residual."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from meshes.structured import StructuredGrid
from neural.certificates.certificate import Certificate
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.residuals import SpaceTimeResidual
from pdesolve.problems.evolution import EvolutionProblem

STATEMENT = (
    "an estimate: exact for linear equations and continuous time, equivalent to the error up to "
    "factors of the flow and the viscosity otherwise; errors of the differences in time count too"
)


def certify_trajectory(
    problem: EvolutionProblem,
    grid: StructuredGrid,
    times: Sequence[float],
    frames: Tensor | np.ndarray,
    num_known: int = 1,
) -> Certificate:
    """Estimate the error of the predicted frames of a trajectory.

    Parameters
    ----------
    problem
        With a form for the backend ``spectral``.
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
        over ∂u/∂t, in the dual norm.

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
    begin = time.perf_counter()
    given = torch.as_tensor(frames, dtype=torch.float64)
    residual = SpaceTimeResidual(problem, grid, times, given[:num_known])
    estimator = ResidualEstimator(residual)
    predicted = residual.forward(given[num_known:])
    estimate = float(torch.sqrt(estimator.squared(predicted)))
    rate = residual.rate_of_change(torch.cat([residual.forward_known(), predicted]))
    changes = float(torch.sqrt(estimator.dual_square(rate)))
    size = estimator.norm(predicted, residual.forward_known())
    return Certificate(
        "estimate",
        "spectral",
        "space-time energy",
        estimate / size if size > 0 else float("nan"),
        residual=estimate / changes if changes > 0 else float("nan"),
        statement=STATEMENT,
        seconds=time.perf_counter() - begin,
    )
