"""Order of accuracy of two-layer quasi-geostrophic flow."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.quasi_geostrophic import QuasiGeostrophicProblem

TITLE = "two-layer quasi-geostrophic flow"
FIGURES = {"quasi_geostrophic": ["quasi_geostrophic", "--shape", "128", "128"]}
FINEST = 144


@lru_cache(maxsize=2)
def _problem(alpha: float, final_time: float) -> QuasiGeostrophicProblem:
    family = get_family("quasi_geostrophic", alpha=alpha, final_time=final_time, num_times=2)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    assert isinstance(problem, QuasiGeostrophicProblem)
    return problem


@lru_cache(maxsize=16)
def _final(alpha: float, final_time: float, size: int, dt: float) -> np.ndarray:
    return evolve(_problem(alpha, final_time), mesh=size, dt=dt).gather().values


def time_error(dt: float) -> float:
    """Against a step 1/8 of the finest, on 32² points."""
    reference = _final(4.0, 1.0, 32, 1 / 320)
    return float(np.linalg.norm(_final(4.0, 1.0, 32, dt) - reference) / np.linalg.norm(reference))


def space_error(size: float) -> float:
    """Against a finer grid, at its common points, from a smooth initial state."""
    stride = FINEST // int(size)
    reference = _final(16.0, 0.5, FINEST, 0.025)[:, ::stride, ::stride]
    found = _final(16.0, 0.5, int(size), 0.025)
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


def orders() -> list[OrderStudy]:
    """Time steps and grids."""
    return [
        OrderStudy(
            "quasi_geostrophic",
            "spectral, ETDRK4",
            "q, relative L2, 32²",
            time_error,
            (1 / 5, 1 / 10, 1 / 20, 1 / 40),
            (1 / 10, 1 / 20, 1 / 40),
            4.0,
            1e-6,
            "time",
        ),
        OrderStudy(
            "quasi_geostrophic",
            "spectral, ETDRK4",
            "q, relative L2",
            space_error,
            (24, 36, 48, 72),
            (24, 48, 72),
            float("nan"),
            1e-6,
            "spectral",
        ),
    ]
