"""Gray–Scott: self-convergence of growing spots."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from benchmarks.families.study import OrderStudy
from meshes import Field
from pdesolve import evolve
from pdesolve.problems.gray_scott import GrayScottProblem

TITLE = "Gray–Scott"
FIGURES = {"gray_scott2d": ["gray_scott2d"]}
FINAL_TIME, LENGTH = 64.0, 0.3


def spot(points: np.ndarray) -> np.ndarray:
    """Between 0 and 1, periodic, analytic: one in the middle of the square."""
    waves = np.cos(2 * np.pi * (points / LENGTH - 0.5))
    return np.exp(8 * (waves.sum(axis=0) - 2))


@lru_cache(maxsize=32)
def answer(cells: int, dt: float) -> Field:
    problem = GrayScottProblem(
        0.035,
        0.06,
        (lambda x: 1 - 0.5 * spot(x), lambda x: 0.25 * spot(x)),
        upper=(LENGTH, LENGTH),
        times=(0.0, FINAL_TIME),
    )
    trajectory = evolve(problem, mesh=cells, dt=dt)
    return trajectory.states[-1].sample(problem.grid(96))


def difference(found: Field, reference: Field) -> float:
    return float(np.linalg.norm(found.values - reference.values) / np.linalg.norm(reference.values))


def orders() -> list[OrderStudy]:
    return [
        OrderStudy(
            "gray_scott2d",
            "spectral",
            "u and v, relative L2 (against 128 cells)",
            lambda cells: difference(answer(int(cells), 2.0), answer(128, 2.0)),
            (24, 32, 48, 64, 96),
            (24, 48, 96),
            math.inf,
            1e-6,
            "spectral",
        ),
        OrderStudy(
            "gray_scott2d",
            "spectral, etdrk4",
            "u and v, relative L2 (against dt = 1/16)",
            lambda dt: difference(answer(48, dt), answer(48, 1 / 16)),
            (4.0, 2.0, 1.0, 0.5, 0.25),
            (2.0, 1.0, 0.5),
            4.0,
            1e-5,
            "time",
        ),
    ]
