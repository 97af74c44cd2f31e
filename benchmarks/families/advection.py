"""Transport on grids: orders of accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from benchmarks.families.heat import relative_error
from benchmarks.families.study import OrderStudy
from meshes.structured import FloatArray
from pdesolve import evolve
from pdesolve.problems.advection import AdvectionProblem
from pdesolve.problems.boundary import Dirichlet, Neumann

TITLE = "transport by a given velocity"
FIGURES = {"advection2d": ["advection2d"]}


def wave(x: FloatArray) -> FloatArray:
    return 1.0 + 0.5 * np.prod(np.sin(2 * math.pi * x), axis=0)


def periodic_problem(dimension: int, limiter: str, final_time: float = 1.0) -> AdvectionProblem:
    """After t = 1 the state is the initial one again."""
    velocity = (1.0, -1.0)[:dimension]
    return AdvectionProblem(
        velocity, wave, dimension=dimension, limiter=limiter, times=(0.0, final_time)
    )


def space_error(dimension: int, limiter: str, norm: float) -> Callable[[int], float]:
    problem = periodic_problem(dimension, limiter)

    def error(size: int) -> float:
        trajectory = evolve(problem, mesh=(size,) * dimension, backend="grid")
        return relative_error(trajectory, wave, norm)

    return error


def inflow_error(size: int) -> float:
    """A smooth state that moves through a speed that grows along x, v = 1 + x/2.

    The steady state is u v = 1; it is approached from u = 1 at t = 0 and compared after
    all of the initial state has left.
    """

    def speed(x: FloatArray) -> FloatArray:
        return 1.0 + 0.5 * x[0]

    problem = AdvectionProblem(
        (speed,),
        1.0,
        {"x_lower": Dirichlet(1.0), "x_upper": Neumann(0.0)},
        dimension=1,
        times=(0.0, 2.0),
    )
    trajectory = evolve(problem, mesh=size, backend="grid")
    return relative_error(trajectory, lambda x: 1.0 / speed(x), 1.0)


@cache
def _reference(size: int) -> FloatArray:
    problem = periodic_problem(1, "none", 0.5)
    trajectory = evolve(problem, mesh=size, backend="grid", method="ssp rk104", dt=1 / 3200)
    return trajectory.gather().values[0]


def time_error(method: str, **options: Any) -> Callable[[float], float]:
    """Against steps so small that they add no error, on one grid."""
    size = 32
    problem = periodic_problem(1, "none", 0.5)

    def error(dt: float) -> float:
        trajectory = evolve(
            problem, mesh=size, backend="grid", method=method, dt=dt, solver_parameters=options
        )
        return relative_error(trajectory, lambda x: _reference(size))  # noqa: ARG005

    return error


def orders() -> list[OrderStudy]:
    cells = (32, 64, 128, 256)
    studies = []
    for dimension, limiter, norm, cap in (
        (1, "monotonized_central", 1.0, 2e-3),
        (1, "van_leer", 1.0, 3e-3),
        (1, "none", 2.0, 2e-3),
        (2, "none", 2.0, 5e-3),
    ):
        studies.append(
            OrderStudy(
                f"advection{dimension}d",
                f"grid, {limiter}",
                f"u, relative L{norm:g}",
                space_error(dimension, limiter, norm),
                cells if dimension == 1 else cells[:3],
                (64, 128, 256) if dimension == 1 else (32, 64),
                2.0,
                cap,
            )
        )
    studies.append(
        OrderStudy(
            "advection1d, inflow",
            "grid, monotonized_central",
            "u, relative L1",
            inflow_error,
            cells,
            cells[:3],
            2.0,
            1e-4,
        )
    )
    for method, options, theory, steps, cap in (
        ("ssp rks2", {"ts_ssp_nstages": 2}, 2.0, (1 / 80, 1 / 160, 1 / 320), 1e-3),
        ("ssp rks3", {"ts_ssp_nstages": 4}, 3.0, (1 / 40, 1 / 80, 1 / 160), 1e-4),
        ("ssp rk104", {}, 4.0, (1 / 20, 1 / 40, 1 / 80), 1e-4),
    ):
        studies.append(
            OrderStudy(
                "advection1d",
                f"grid, {method}",
                "u in time, relative L2",
                time_error(method, **options),
                steps,
                steps,
                theory,
                cap,
                "time",
            )
        )
    return studies
