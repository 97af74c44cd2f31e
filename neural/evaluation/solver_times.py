"""Times of the default solver beside those of predictions."""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Sequence

import numpy as np

from meshes.structured import StructuredGrid
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem


def break_even(
    spent_seconds: float, solver_seconds: float | None, surrogate_seconds: float
) -> float | None:
    """Number of solves after which the time spent beforehand is won back.

    Parameters
    ----------
    spent_seconds
        Before the first prediction.
    solver_seconds, surrogate_seconds
        Of one solve and of one prediction.

    Returns
    -------
    float or None
        Infinite if a prediction is not faster than a solve; None if that is not known.

    Examples
    --------
    >>> break_even(300.0, 0.031, 0.001)
    10000.0
    """
    if solver_seconds is None:
        return None
    saved = solver_seconds - surrogate_seconds
    return spent_seconds / saved if saved > 0 else math.inf


def default_solve_seconds(
    problems: Sequence[Problem], grid: StructuredGrid, until: tuple[float, float] | None = None
) -> tuple[float | None, str]:
    """Median wall-clock time of a default solve.

    Parameters
    ----------
    problems
        To be solved; none gives no time.
    grid
        Where.
    until
        Of problems in time, the first and the last time.

    Returns
    -------
    seconds, remark
        None, with the reason, where PETSc is needed and missing.
    """  # fmt: skip
    if not problems:
        return None, ""
    if problems[0].backends[0] != "spectral" and importlib.util.find_spec("petsc4py") is None:
        return None, "PETSc is not installed, so solves were not timed"
    from pdesolve.evolving import evolve
    from pdesolve.solving import solve

    times = []
    for problem in (problems[0], *problems):  # the first starts PETSc and is not counted
        start = time.perf_counter()
        if isinstance(problem, EvolutionProblem):
            evolve(problem, mesh=grid, times=until)
        else:
            solve(problem, mesh=grid)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:])), ""
