"""Burgers' equation on grids: orders of accuracy."""

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
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.burgers import BurgersProblem

TITLE = "Burgers' equation"
FIGURES = {"burgers1d_inviscid": ["burgers1d_inviscid"], "burgers2d": ["burgers2d"]}

VISCOSITY = 0.05


def cole_hopf(dimension: int, time: float) -> tuple[Callable[[FloatArray], FloatArray], ...]:
    """Components of u = −2ν ∇φ/φ with φ = 2 + e^(−(2π)² d ν t) Π cos(2π x_k), ∂φ/∂t = ν Δφ.

    References
    ----------
    Cole (1951), On a quasi-linear parabolic equation occurring in aerodynamics,
    Quarterly of Applied Mathematics 9, doi:10.1090/qam/42889.
    """
    wave = 2 * math.pi
    decay = math.exp(-(wave**2) * dimension * VISCOSITY * time)

    def component(axis: int) -> Callable[[FloatArray], FloatArray]:
        def velocity(x: FloatArray) -> FloatArray:
            cosines = np.cos(wave * x)
            product = np.prod(cosines, axis=0)
            cosines[axis] = np.sin(wave * x[axis])
            slope = -wave * decay * np.prod(cosines, axis=0)
            return -2 * VISCOSITY * slope / (2.0 + decay * product)

        return velocity

    return tuple(component(axis) for axis in range(dimension))


def viscous_error(dimension: int) -> Callable[[int], float]:
    final_time = 0.5
    problem = BurgersProblem(
        VISCOSITY,
        cole_hopf(dimension, 0.0),
        dimension=dimension,
        times=(0.0, final_time),
    )
    exact = cole_hopf(dimension, final_time)[0]

    def error(size: int) -> float:
        trajectory = evolve(problem, mesh=(size,) * dimension, backend="grid", rtol=1e-8)
        return relative_error(trajectory, exact, 1.0)

    return error


def steepening(x: FloatArray) -> FloatArray:
    return 1.0 + 0.5 * np.sin(2 * math.pi * x[0])


def along_characteristics(x: FloatArray, time: float) -> FloatArray:
    """The smooth inviscid solution from :func:`steepening`: u constant along x = ξ + u t."""
    start = x[0].copy()
    for _ in range(50):  # Newton's method for the foot ξ
        residual = start + time * (1.0 + 0.5 * np.sin(2 * math.pi * start)) - x[0]
        start -= residual / (1.0 + time * math.pi * np.cos(2 * math.pi * start))
    return steepening(start[None])


def smooth_error(size: int) -> float:
    """Before the shock, which forms at t = 1/π."""
    final_time = 0.15
    problem = BurgersProblem(0.0, steepening, times=(0.0, final_time))
    trajectory = evolve(problem, mesh=size, backend="grid")
    return relative_error(trajectory, lambda x: along_characteristics(x, final_time), 1.0)


def riemann_problem(left: float, right: float) -> BurgersProblem:
    """A jump at x = 0.3 on (0, 1)."""
    conditions = {
        "x_lower": Dirichlet(left) if left > 0 else Neumann(0.0),
        "x_upper": Dirichlet(right) if right < 0 else Neumann(0.0),
    }
    return BurgersProblem(
        0.0,
        lambda x: np.where(x[0] < 0.3, left, right),
        conditions,
        times=(0.0, 0.5),
    )


def riemann_solution(left: float, right: float, x: FloatArray, time: float) -> FloatArray:
    """The entropy solution: a shock with speed (left + right)/2, or a rarefaction fan."""
    where = (x[0] - 0.3) / time
    if left > right:
        return np.where(where < 0.5 * (left + right), left, right)
    return np.clip(where, left, right)


def riemann_error(left: float, right: float) -> Callable[[int], float]:
    problem = riemann_problem(left, right)

    def error(size: int) -> float:
        trajectory = evolve(problem, mesh=size, backend="grid")
        return relative_error(trajectory, lambda x: riemann_solution(left, right, x, 0.5), 1.0)

    return error


def _imex_problem() -> BurgersProblem:
    return BurgersProblem(0.02, steepening, times=(0.0, 0.2), limiter="none")


IMEX: dict[str, Any] = {"ts_adapt_type": "none", "ksp_rtol": 1e-12}


@cache
def _reference(size: int) -> FloatArray:
    trajectory = evolve(
        _imex_problem(),
        mesh=size,
        backend="grid",
        method="arkimex 4",
        dt=0.2 / 1024,
        solver_parameters=IMEX,
    )
    return trajectory.gather().values[0]


def time_error(method: str) -> Callable[[float], float]:
    """Against steps so small that they add no error, on one grid."""
    size = 32

    def error(dt: float) -> float:
        trajectory = evolve(
            _imex_problem(),
            mesh=size,
            backend="grid",
            method=method,
            dt=dt,
            solver_parameters=IMEX,
        )
        return relative_error(trajectory, lambda x: _reference(size))  # noqa: ARG005

    return error


def orders() -> list[OrderStudy]:
    cells = (64, 128, 256, 512)
    quantity = "u, relative L1"
    studies = [
        OrderStudy(
            "burgers1d, Cole–Hopf",
            "grid, monotonized_central",
            quantity,
            viscous_error(1),
            (32, 64, 128, 256),
            (32, 64, 128),
            2.0,
            2e-4,
        ),
        OrderStudy(
            "burgers2d, Cole–Hopf",
            "grid, monotonized_central",
            quantity,
            viscous_error(2),
            (32, 64),
            (32, 64),
            2.0,
            5e-3,
        ),
        OrderStudy(
            "burgers1d_inviscid, smooth",
            "grid, monotonized_central",
            quantity,
            smooth_error,
            cells,
            cells[:3],
            2.0,
            1e-4,
        ),
        OrderStudy(
            "burgers1d_inviscid, shock",
            "grid, monotonized_central",
            quantity,
            riemann_error(1.0, 0.0),
            (60, 120, 240, 480),
            (60, 120, 240),
            1.0,
            1e-2,
        ),
        OrderStudy(
            "burgers1d_inviscid, rarefaction",
            "grid, monotonized_central",
            quantity,
            riemann_error(-0.4, 1.0),
            (60, 120, 240, 480),
            (60, 120, 240),
            1.0,
            2e-2,
        ),
    ]
    steps = (0.2 / 16, 0.2 / 32, 0.2 / 64)
    for method, theory, cap in (("arkimex 3", 3.0, 1e-5), ("arkimex 4", 4.0, 1e-6)):
        studies.append(
            OrderStudy(
                "burgers1d, ν = 0.02",
                f"grid, {method} (IMEX)",
                "u in time, relative L2",
                time_error(method),
                steps,
                steps,
                theory,
                cap,
                "time",
            )
        )
    return studies
