"""Order of accuracy of two-dimensional flow in vorticity form."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from benchmarks.families.study import OrderStudy
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.vorticity import TaylorGreenFamily, VorticityProblem

TITLE = "two-dimensional flow in vorticity form"
FIGURES = {
    "navier_stokes2d": ["navier_stokes2d", "--set", "viscosity=1e-4", "--shape", "128", "128"],
    "decaying_turbulence2d": ["decaying_turbulence2d", "--shape", "128", "128"],
    "taylor_green2d": ["taylor_green2d"],
}
FINEST = 192


@lru_cache(maxsize=4)
def _problem(name: str, **options: float) -> VorticityProblem:
    family = get_family(name, **options)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    assert isinstance(problem, VorticityProblem)
    return problem


@lru_cache(maxsize=4)
def _developed(viscosity: float) -> VorticityProblem:
    """One unit of time of the benchmark from t = 10, when the flow has developed, on 64²."""
    problem = _problem("navier_stokes2d", viscosity=viscosity)
    initial = evolve(problem, mesh=64, times=(0.0, 10.0), dt=1 / 32).gather()
    return VorticityProblem(
        initial, viscosity, problem.forcing, times=(0.0, 1.0), name=problem.name
    )


@lru_cache(maxsize=16)
def _benchmark(viscosity: float, dt: float) -> np.ndarray:
    return evolve(_developed(viscosity), mesh=64, dt=dt).gather().values


def benchmark_time_error(viscosity: float, dt: float) -> float:
    """Against steps of 1/256 (ν = 1e-3) or 1/512."""
    reference = _benchmark(viscosity, 1 / 256 if viscosity > 1e-4 else 1 / 512)
    found = _benchmark(viscosity, dt)
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


@lru_cache(maxsize=16)
def _turbulence(size: int) -> np.ndarray:
    problem = _problem("decaying_turbulence2d", largest_wavenumber=8, viscosity=2e-3)
    return evolve(problem, mesh=size, times=(0.0, 0.5), dt=1 / 200).gather().values[0]


def turbulence_space_error(size: float) -> float:
    """Against a finer grid, at its common points, from an initial flow of eight waves."""
    stride = FINEST // int(size)
    reference = _turbulence(FINEST)[::stride, ::stride]
    found = _turbulence(int(size))
    return float(np.linalg.norm(found - reference) / np.linalg.norm(reference))


def taylor_green_error(size: float) -> float:
    """Against the exact solution at t = 1, largest absolute error."""
    family = TaylorGreenFamily()
    draw = family.sample(sample_generator(0, "test", 0))
    found = evolve(family.problem(draw), mesh=int(size)).gather()
    exact = family.exact(draw)(found.mesh.points())  # type: ignore[union-attr]
    return float(np.abs(found.values[0] - exact).max())


def orders() -> list[OrderStudy]:
    """The benchmark's flow in time, turbulence in space, Taylor and Green's against the exact."""
    return [
        OrderStudy(
            "navier_stokes2d, ν = 1e-3",
            "spectral, ETDRK4",
            "ω at t = 11 from t = 10, relative L2, 64²",
            lambda dt: benchmark_time_error(1e-3, dt),
            (1 / 4, 1 / 8, 1 / 16, 1 / 32),
            (1 / 4, 1 / 8, 1 / 16),
            4.0,
            1e-8,
            "time",
        ),
        OrderStudy(
            "navier_stokes2d, ν = 1e-5",
            "spectral, ETDRK4",
            "ω at t = 11 from t = 10, relative L2, 64²",
            lambda dt: benchmark_time_error(1e-5, dt),
            (1 / 16, 1 / 32, 1 / 64, 1 / 128),
            (1 / 32, 1 / 64, 1 / 128),
            4.0,
            1e-6,
            "time",
        ),
        OrderStudy(
            "decaying_turbulence2d",
            "spectral, ETDRK4",
            "ω at t = 0.5, relative L2",
            turbulence_space_error,
            (32, 48, 64, 96),
            (32, 64, 96),
            float("nan"),
            1e-6,
            "spectral",
        ),
        OrderStudy(
            "taylor_green2d",
            "spectral, ETDRK4",
            "ω at t = 1, largest",
            taylor_green_error,
            (8, 16, 32),
            (8, 16),
            float("nan"),
            1e-12,
            "spectral",
        ),
    ]
