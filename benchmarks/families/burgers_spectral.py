"""Viscous Burgers equation on periodic boxes with the backend ``spectral``."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve
from pdesolve.problems.burgers import BurgersProblem

TITLE = "Burgers' equation, Fourier modes"
VISCOSITY, FINAL_TIME, OFFSET = 0.02, 0.5, 1.1


def cole_hopf(points: np.ndarray, time: float) -> np.ndarray:
    """Exact u = −2ν ∇φ/φ, φ = 1.1 + e^(−4π²dνt) Π cos 2πx_i, shape ``(d, ...)``.

    Cole (1951), doi:10.1090/qam/42889; Hopf (1950), doi:10.1002/cpa.3160030302.
    """
    dimension = len(points)
    decay = math.exp(-4 * math.pi**2 * dimension * VISCOSITY * time)
    cosines, sines = np.cos(2 * np.pi * points), np.sin(2 * np.pi * points)
    potential = OFFSET + decay * np.prod(cosines, axis=0)
    slopes = [
        -2 * np.pi * decay * sines[axis] * np.prod(np.delete(cosines, axis, axis=0), axis=0)
        for axis in range(dimension)
    ]
    return -2 * VISCOSITY * np.stack(slopes) / potential


def component(points: np.ndarray, axis: int) -> np.ndarray:
    return cole_hopf(points, 0.0)[axis]


def error(dimension: int, cells: int, dt: float | None) -> float:
    problem = BurgersProblem(
        VISCOSITY,
        tuple(partial(component, axis=axis) for axis in range(dimension)),
        dimension=dimension,
        times=(0.0, FINAL_TIME),
    )
    field = evolve(problem, mesh=cells, backend="spectral", dt=dt).gather()
    exact = cole_hopf(field.mesh.points(), FINAL_TIME)
    return float(np.linalg.norm(field.values - exact) / np.linalg.norm(exact))


def orders() -> list[OrderStudy]:
    studies = []
    for dimension in (1, 2):
        studies += [
            OrderStudy(
                f"burgers{dimension}d",
                "spectral",
                "u, relative L2 (Cole–Hopf)",
                lambda cells, dimension=dimension: error(dimension, int(cells), 1 / 400),
                (16, 32, 64, 128),
                (16, 32, 64),
                math.inf,
                1e-9,
                "spectral",
            ),
            OrderStudy(
                f"burgers{dimension}d",
                "spectral, etdrk4",
                "u, relative L2 (Cole–Hopf)",
                lambda dt, dimension=dimension: error(dimension, 256 if dimension == 1 else 96, dt),
                (1 / 20, 1 / 40, 1 / 80, 1 / 160),
                (1 / 20, 1 / 40, 1 / 80),
                4.0,
                1e-6,
                "time",
            ),
        ]
    return studies
