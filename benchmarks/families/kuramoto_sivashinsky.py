"""Kuramoto–Sivashinsky: self-convergence before chaos sets in."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from benchmarks.families.study import OrderStudy
from meshes import Field
from pdesolve import evolve
from pdesolve.problems.kuramoto_sivashinsky import KuramotoSivashinskyProblem

TITLE = "Kuramoto–Sivashinsky"
FIGURES = {"kuramoto_sivashinsky": ["kuramoto_sivashinsky"]}
FINAL_TIME = 20.0


def start(points: np.ndarray) -> np.ndarray:
    """The initial state of Kassam and Trefethen (2005), doi:10.1137/S1064827502410633."""
    x = points[0] / 16
    return np.cos(x) * (1 + np.sin(x))


@lru_cache(maxsize=32)
def answer(cells: int, dt: float) -> Field:
    problem = KuramotoSivashinskyProblem(start, times=(0.0, FINAL_TIME))
    trajectory = evolve(problem, mesh=cells, dt=dt)
    return trajectory.states[-1].sample(problem.grid(512))


def difference(found: Field, reference: Field) -> float:
    return float(np.linalg.norm(found.values - reference.values) / np.linalg.norm(reference.values))


def orders() -> list[OrderStudy]:
    return [
        OrderStudy(
            "kuramoto_sivashinsky",
            "spectral",
            "u, relative L2 (against 384 cells)",
            lambda cells: difference(answer(int(cells), 0.1), answer(384, 0.1)),
            (64, 96, 128, 192, 256),
            (64, 128, 256),
            math.inf,
            1e-6,
            "spectral",
        ),
        OrderStudy(
            "kuramoto_sivashinsky",
            "spectral, etdrk4",
            "u, relative L2 (against dt = 1/256)",
            lambda dt: difference(answer(96, dt), answer(96, 1 / 256)),
            (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32),
            (1 / 4, 1 / 8, 1 / 16),
            4.0,
            1e-6,
            "time",
        ),
    ]
