"""Heat conduction on periodic boxes with the backend ``spectral``."""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import iv

from benchmarks.families.study import OrderStudy
from pdesolve import evolve
from pdesolve.problems.heat import HeatProblem

TITLE = "heat conduction, Fourier modes"
CONDUCTIVITY, FINAL_TIME = 0.01, 0.5


def modulation(time: float) -> float:
    return 1.0 + 0.5 * math.sin(7.0 * time)


def elapsed(time: float) -> float:
    """∫ κ dt from 0."""
    return CONDUCTIVITY * (time + 0.5 * (1 - math.cos(7.0 * time)) / 7.0)


def exponential_of_waves(points: np.ndarray, decay: float = 0.0) -> np.ndarray:
    """Σ over the axes of exp(sin 2πx), each Fourier mode of it decayed: its exact solution."""
    total = np.zeros(points.shape[1:])
    for x in points:
        total += iv(0, 1.0)
        for m in range(1, 25):
            factor = math.exp(-decay * (2 * math.pi * m) ** 2)
            total += 2 * iv(m, 1.0) * factor * np.cos(m * (2 * math.pi * x - math.pi / 2))
    return total


def error_of_decay(dimension: int, cells: float) -> float:
    problem = HeatProblem(
        CONDUCTIVITY,
        modulation,
        initial=exponential_of_waves,
        dimension=dimension,
        times=(0.0, FINAL_TIME),
    )
    field = evolve(problem, mesh=int(cells), backend="spectral").gather()
    exact = exponential_of_waves(field.mesh.points(), elapsed(FINAL_TIME))
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def error_with_source(dt: float) -> float:
    """Source cos 2πx from a state at rest: one amplitude, known from an accurate ODE solver."""
    problem = HeatProblem(
        CONDUCTIVITY * 10,
        modulation,
        source=lambda x: np.cos(2 * np.pi * x[0]),
        dimension=1,
        times=(0.0, FINAL_TIME),
    )
    steps = round(FINAL_TIME / dt)
    field = evolve(problem, mesh=16, backend="spectral", dt=FINAL_TIME / steps).gather()
    rate = CONDUCTIVITY * 10 * (2 * math.pi) ** 2
    found = solve_ivp(
        lambda t, a: 1.0 - rate * modulation(t) * a,
        (0.0, FINAL_TIME),
        [0.0],
        method="DOP853",
        rtol=1e-13,
        atol=1e-15,
    )
    amplitude = float(found.y[0, -1])
    exact = amplitude * np.cos(2 * np.pi * field.mesh.points()[0])
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def orders() -> list[OrderStudy]:
    space = [
        OrderStudy(
            f"heat{dimension}d",
            "spectral, κ(t), one step",
            "u, relative L2",
            lambda cells, dimension=dimension: error_of_decay(dimension, cells),
            (8, 12, 16, 24, 32),
            (8, 16, 24),
            math.inf,
            1e-13,
            "spectral",
        )
        for dimension in (1, 2, 3)
    ]
    return [
        *space,
        OrderStudy(
            "heat1d",
            "spectral, κ(t) and f, etdrk4",
            "u, relative L2",
            error_with_source,
            (1 / 16, 1 / 32, 1 / 64, 1 / 128),
            (1 / 16, 1 / 32, 1 / 64),
            4.0,
            1e-6,
            "time",
        ),
    ]
