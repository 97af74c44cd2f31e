"""Korteweg–de Vries: solitons."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve
from pdesolve.problems.korteweg_de_vries import KortewegDeVriesProblem, soliton, two_solitons

TITLE = "Korteweg–de Vries"
FIGURES = {"korteweg_de_vries": ["korteweg_de_vries"]}
FINAL_TIME = 8.0
PAIR = two_solitons((0.8, 0.5), (16.0, 26.0))  # the faster one overtakes at t ≈ 6


def error_of_soliton(cells: float) -> float:
    wave = soliton(0.8, 20.0)
    problem = KortewegDeVriesProblem(wave, times=(0.0, 4.0))
    field = evolve(problem, mesh=int(cells), dt=1 / 400).gather()
    exact = wave(field.mesh.points(), 4.0)
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def error_of_two_solitons(cells: float) -> float:
    problem = KortewegDeVriesProblem(PAIR, times=(0.0, FINAL_TIME))
    field = evolve(problem, mesh=int(cells), dt=1 / 250).gather()
    exact = PAIR(field.mesh.points(), FINAL_TIME)
    return float(np.linalg.norm(field.values[0] - exact) / np.linalg.norm(exact))


def long_waves(points: np.ndarray) -> np.ndarray:
    angle = 2 * np.pi * points[0] / 64
    return 0.3 * np.cos(angle) + 0.2 * np.sin(2 * angle)


@lru_cache(maxsize=16)
def state_of_long_waves(dt: float) -> np.ndarray:
    problem = KortewegDeVriesProblem(long_waves, times=(0.0, 4.0))
    return evolve(problem, mesh=64, dt=dt).gather().values


def error_of_long_waves(dt: float) -> float:
    reference = state_of_long_waves(1 / 256)
    difference = np.linalg.norm(state_of_long_waves(dt) - reference)
    return float(difference / np.linalg.norm(reference))


def orders() -> list[OrderStudy]:
    return [
        OrderStudy(
            "korteweg_de_vries",
            "spectral",
            "u, relative L2 (one soliton)",
            error_of_soliton,
            (96, 128, 192, 256, 384),
            (96, 192, 256),
            math.inf,
            1e-5,
            "spectral",
        ),
        OrderStudy(
            "korteweg_de_vries",
            "spectral",
            "u, relative L2 (two solitons that collide)",
            error_of_two_solitons,
            (96, 128, 192, 256, 384),
            (128, 256),
            math.inf,
            1e-5,
            "spectral",
        ),
        OrderStudy(
            "korteweg_de_vries",
            "spectral, etdrk4",
            "u, relative L2 (against dt = 1/256)",
            error_of_long_waves,
            (1 / 8, 1 / 16, 1 / 32, 1 / 64),
            (1 / 8, 1 / 16, 1 / 32),
            4.0,
            1e-4,
            "time",
        ),
    ]
