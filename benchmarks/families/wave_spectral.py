"""Accuracy of waves on periodic boxes, exact in time."""

from __future__ import annotations

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve
from pdesolve.problems.wave import WaveProblem

TITLE = "waves on periodic boxes, spectral"


def travelling_error(size: float) -> float:
    """A travelling wave exp(sin 2π(x − t)) at t = 0.7, relative L2."""

    def wave(x: np.ndarray) -> np.ndarray:
        return np.exp(np.sin(2 * np.pi * x[0]))

    def velocity(x: np.ndarray) -> np.ndarray:
        return -2 * np.pi * np.cos(2 * np.pi * x[0]) * wave(x)

    problem = WaveProblem(1.0, wave, velocity, dimension=1, times=(0.0, 0.7))
    found = evolve(problem, mesh=int(size), backend="spectral").gather()
    exact = wave(found.mesh.points() - 0.7)  # type: ignore[union-attr]
    return float(np.linalg.norm(found.values[0] - exact) / np.linalg.norm(exact))


def standing_error(dt: float) -> float:
    """A standing wave in two dimensions at t = 1 by steps of one size, relative L2, 16²."""
    omega = 2 * np.pi * np.sqrt(5.0)

    def wave(x: np.ndarray) -> np.ndarray:
        return np.cos(2 * np.pi * x[0]) * np.cos(4 * np.pi * x[1])

    problem = WaveProblem(1.0, wave, dimension=2)
    found = evolve(problem, mesh=16, dt=dt, backend="spectral").gather()
    exact = wave(found.mesh.points()) * np.cos(omega)  # type: ignore[union-attr]
    return float(np.linalg.norm(found.values[0] - exact) / np.linalg.norm(exact))


def orders() -> list[OrderStudy]:
    """Grids; steps of any size are exact."""
    return [
        OrderStudy(
            "wave1d",
            "spectral",
            "u at t = 0.7, one step, relative L2",
            travelling_error,
            (8, 12, 16, 24, 32),
            (8, 16, 32),
            float("nan"),
            1e-12,
            "spectral",
        ),
        OrderStudy(
            "wave2d",
            "spectral",
            "u at t = 1 by steps in time (exact), relative L2",
            standing_error,
            (1.0, 0.5, 0.1),
            (1.0, 0.1),
            float("nan"),
            1e-12,
            "spectral",
        ),
    ]
