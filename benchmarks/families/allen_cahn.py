"""Allen–Cahn on periodic boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve
from pdesolve.problems.allen_cahn import AllenCahnProblem
from pdesolve.spectral.batch import rollout

TITLE = "Allen–Cahn"
FIGURES = {"allen_cahn2d": ["allen_cahn2d"]}
WIDTH = 0.02


def two_fronts(points: np.ndarray) -> np.ndarray:
    """Fronts at 1/4 and 3/4 along x: at rest, as their forces on each other are below 1e-14."""
    scale = math.sqrt(2) * WIDTH
    return -np.tanh((points[0] - 0.25) / scale) * np.tanh((points[0] - 0.75) / scale)


def error_of_fronts(dimension: int, cells: float) -> float:
    problem = AllenCahnProblem(WIDTH, two_fronts, dimension=dimension, times=(0.0, 1.0))
    field = evolve(problem, mesh=int(cells)).gather()
    exact = two_fronts(field.mesh.points())
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def error_of_reaction(dt: float) -> float:
    """Against u = u₀ eᵗ / √(1 + u₀² (e²ᵗ − 1)), the same everywhere."""
    problem = AllenCahnProblem(WIDTH, 0.1, dimension=1, times=(0.0, 4.0))
    found = evolve(problem, mesh=8, dt=dt).field().values[0, 0]
    exact = 0.1 * math.exp(4.0) / math.sqrt(1 + 0.01 * (math.exp(8.0) - 1))
    return abs(float(found) - exact) / exact


def manufactured_error(dt: float) -> float:
    """Against u = sin(2πx) cos(3t) with the forcing that makes it a solution."""
    problem = AllenCahnProblem(0.1, lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    grid = problem.grid(32)
    wave = np.sin(2 * np.pi * grid.points())
    evolution = problem.spectral_evolution(grid)
    reaction = evolution.nonlinear
    assert reaction is not None

    def forced(transforms: Any, time: float, u_hat: Any, parameters: Mapping[str, Any]) -> Any:
        u = wave * math.cos(3 * time)
        rate = -3 * wave * math.sin(3 * time)
        forcing = rate + 0.01 * (2 * math.pi) ** 2 * u - u + u**3
        return reaction(transforms, time, u_hat, parameters) + transforms.forward(forcing)

    found = rollout(replace(evolution, nonlinear=forced), (0.0, 1.0), dt=dt)[-1]
    exact = wave * math.cos(3.0)
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))


def orders() -> list[OrderStudy]:
    fronts = [
        OrderStudy(
            f"allen_cahn{dimension}d",
            "spectral",
            "u, relative L2 (fronts at rest)",
            lambda cells, dimension=dimension: error_of_fronts(dimension, cells),
            (48, 64, 96, 128, 192),
            (64, 96, 128),
            math.inf,
            1e-5,
            "spectral",
        )
        for dimension in (1, 2)
    ]
    return [
        *fronts,
        OrderStudy(
            "allen_cahn1d",
            "spectral, etdrk4",
            "u, relative (reaction alone)",
            error_of_reaction,
            (0.2, 0.1, 0.05, 0.025),
            (0.1, 0.05, 0.025),
            4.0,
            1e-6,
            "time",
        ),
        OrderStudy(
            "allen_cahn1d",
            "spectral, etdrk4",
            "u, relative L2 (manufactured)",
            manufactured_error,
            (0.1, 0.05, 0.025, 0.0125),
            (0.1, 0.05, 0.025),
            4.0,
            1e-6,
            "time",
        ),
    ]
