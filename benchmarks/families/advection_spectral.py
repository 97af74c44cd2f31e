"""Advection on periodic boxes with the backend ``spectral``."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve
from pdesolve.problems.advection import AdvectionProblem

TITLE = "advection, Fourier modes"
PERIOD = 1.0 / math.sqrt(0.75)  # of the velocity below: ∫ dx / (1 + sin(2πx) / 2)


def wave(points: np.ndarray) -> np.ndarray:
    return np.prod(np.exp(np.sin(2 * np.pi * points)), axis=0)


def velocity(points: np.ndarray) -> np.ndarray:
    return 1.0 + 0.5 * np.sin(2 * np.pi * points[0])


def error_of_shift(dimension: int, cells: float) -> float:
    """The wave moves without change; a time that is no multiple of cells."""
    speeds = (1.0, -0.7)[:dimension]
    problem = AdvectionProblem(speeds, wave, dimension=dimension, times=(0.0, math.pi))
    field = evolve(problem, mesh=int(cells), backend="spectral").gather()
    shift = math.pi * np.array(speeds).reshape(-1, *(1,) * dimension)
    exact = wave(field.mesh.points() - shift)
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def error_after_period(cells: int, dt: float) -> float:
    """A velocity that varies in space brings everything back after one period."""
    problem = AdvectionProblem((velocity,), wave, dimension=1, times=(0.0, PERIOD))
    steps = round(PERIOD / dt)
    field = evolve(problem, mesh=cells, backend="spectral", dt=PERIOD / steps).gather()
    exact = wave(field.mesh.points())
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def orders() -> list[OrderStudy]:
    shifts = [
        OrderStudy(
            f"advection{dimension}d",
            "spectral, uniform velocity, one step",
            "u, relative L2",
            lambda cells, dimension=dimension: error_of_shift(dimension, cells),
            (8, 12, 16, 24, 32),
            (8, 16, 32),
            math.inf,
            1e-12,
            "spectral",
        )
        for dimension in (1, 2)
    ]
    return [
        *shifts,
        OrderStudy(
            "advection1d",
            "spectral, velocity varies in space",
            "u, relative L2",
            lambda cells: error_after_period(int(cells), PERIOD / 1000),
            (16, 32, 64, 128),
            (32, 64, 128),
            math.inf,
            1e-7,
            "spectral",
        ),
        OrderStudy(
            "advection1d",
            "spectral, velocity varies in space, etdrk4",
            "u, relative L2",
            lambda dt: error_after_period(128, dt),
            (PERIOD / 200, PERIOD / 400, PERIOD / 800),
            (PERIOD / 200, PERIOD / 400, PERIOD / 800),
            4.0,
            1e-6,
            "time",
        ),
    ]
