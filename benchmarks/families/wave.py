"""Waves on grids: orders of accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from benchmarks.families.heat import relative_error
from benchmarks.families.study import OrderStudy
from meshes.structured import FloatArray
from pdesolve import evolve
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Periodic
from pdesolve.problems.wave import WaveProblem

TITLE = "the wave equation"
FIGURES = {"wave2d": ["wave2d"]}

SPEED = 1.5


def standing_wave(
    dimension: int, boundary: str, final_time: float = 1.1
) -> tuple[WaveProblem, Callable[[FloatArray], FloatArray]]:
    """cos(ωt) times an eigenfunction of the Laplacian."""
    wave = 2 * math.pi if boundary == "periodic" else math.pi
    trigonometric = np.cos if boundary == "neumann" else np.sin

    def shape(x: FloatArray) -> FloatArray:
        return np.prod(trigonometric(wave * x), axis=0)

    conditions: dict[str, Condition] = {
        "periodic": Periodic(),
        "dirichlet": Dirichlet(0.0),
        "neumann": Neumann(0.0),
    }
    problem = WaveProblem(
        SPEED,
        shape,
        boundary_conditions={"all": conditions[boundary]},
        dimension=dimension,
        times=(0.0, final_time),
    )
    frequency = SPEED * wave * math.sqrt(dimension)
    return problem, lambda x: math.cos(frequency * final_time) * shape(x)


def space_error(dimension: int, boundary: str) -> Callable[[int], float]:
    problem, exact = standing_wave(dimension, boundary)

    def error(size: int) -> float:
        trajectory = evolve(problem, mesh=(size,) * dimension, backend="grid", method="rk 8vr")
        return relative_error(trajectory, exact)

    return error


def time_error(method: str) -> Callable[[float], float]:
    """Against the exact solution of the discrete equations, with their own frequency."""
    size, final_time = 16, 1.1
    problem, _ = standing_wave(1, "periodic", final_time)
    frequency = SPEED * 2 * size * math.sin(math.pi / size)
    factor = math.cos(frequency * final_time)

    def error(dt: float) -> float:
        trajectory = evolve(
            problem,
            mesh=size,
            backend="grid",
            method=method,
            dt=dt,
            solver_parameters={"ts_adapt_type": "none"},
        )
        return relative_error(trajectory, lambda x: factor * np.sin(2 * math.pi * x[0]))

    return error


def orders() -> list[OrderStudy]:
    studies = [
        OrderStudy(
            f"wave{dimension}d, {boundary}",
            "grid",
            "u, relative L2",
            space_error(dimension, boundary),
            (32, 64, 128) if dimension == 1 else (16, 32, 64),
            (32, 64, 128) if dimension == 1 else (16, 32, 64),
            2.0,
            2e-2,
        )
        for dimension, boundary in (
            (1, "periodic"),
            (1, "dirichlet"),
            (1, "neumann"),
            (2, "periodic"),
            (2, "dirichlet"),
        )
    ]
    steps = (1.1 / 40, 1.1 / 80, 1.1 / 160)
    for method, theory, cap in (
        ("cn", 2.0, 5e-3),
        ("rk 3bs", 3.0, 2e-4),
        ("rk 4", 4.0, 5e-6),
        ("ssp rk104", 4.0, 1e-6),
    ):
        studies.append(
            OrderStudy(
                "wave1d",
                f"grid, {method}",
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
