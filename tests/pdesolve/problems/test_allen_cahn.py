"""Allen–Cahn: order, phases, and the energy that only falls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.families import allen_cahn
from meshes import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.allen_cahn import AllenCahnProblem
from pdesolve.problems.boundary import Dirichlet


@pytest.mark.parametrize("study", allen_cahn.orders(), ids=lambda s: f"{s.family}-{s.kind}")
def test_orders(study) -> None:
    study.check()


@pytest.mark.parametrize("name", ["allen_cahn1d", "allen_cahn2d"])
def test_energy_falls_and_phases_separate(name: str) -> None:
    family = get_family(name)
    for index in range(2):
        problem = family.problem(family.sample(sample_generator(0, "test", index)))
        trajectory = evolve(problem, mesh=128)
        energy = trajectory.history["free_energy"]
        assert np.all(np.diff(energy) < 1e-12 * energy[0])
        last = trajectory.states[-1].values
        assert np.abs(last).max() < 1.001
        assert np.mean(np.abs(last) > 0.9) > 0.6
        assert trajectory.result.notes == ()


def test_energy_of_a_front() -> None:
    """Each front tanh(x/(√2 ε)) carries 2 √2 ε / 3."""
    problem = AllenCahnProblem(0.02, allen_cahn.two_fronts, dimension=1, times=(0.0, 1.0))
    energy = evolve(problem, mesh=256).history["free_energy"]
    np.testing.assert_allclose(energy, 2 * 2 * math.sqrt(2) * 0.02 / 3, rtol=1e-9)


def test_a_circle_shrinks_by_its_curvature() -> None:
    """R² falls by 2 ε² t for thin fronts: the area of the phase 1 by 2π ε² t."""
    width, radius, final = 0.01, 0.25, 100.0

    def circle(x):
        distance = np.hypot(x[0] - 0.5, x[1] - 0.5) - radius
        return -np.tanh(distance / (math.sqrt(2) * width))

    problem = AllenCahnProblem(width, circle, times=(0.0, final))
    trajectory = evolve(problem, mesh=128, dt=0.25)
    areas = [float((state.values + 1).mean() / 2) for state in trajectory.states]
    assert areas[0] - areas[1] == pytest.approx(2 * math.pi * width**2 * final, rel=0.02)


def test_family() -> None:
    family = get_family("allen_cahn2d", final_time=2.0, num_times=5)
    assert family.times == (0.0, 0.5, 1.0, 1.5, 2.0)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    assert problem.input_fields(problem.grid(8)).names == family.inputs
    assert 0.02 <= problem.interface_width <= 0.05
    described = family.describe()
    assert described["boundary conditions"] == {"all": "periodic"}
    assert described != get_family("allen_cahn2d").describe()


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: AllenCahnProblem(0.0), "interface_width=0.0 must be positive"),
        (lambda: AllenCahnProblem(dimension=4), "dimension=4 must be 1, 2 or 3"),
        (lambda: AllenCahnProblem(boundary_conditions={"all": Dirichlet(0.0)}), "use Periodic()"),
        (lambda: AllenCahnProblem(times=(1.0, 0.5)), "times must grow"),
        (lambda: get_family("allen_cahn1d", final_time=-1.0), "final_time=-1.0 must be positive"),
        (lambda: get_family("allen_cahn1d", interface_width_range=(0.1,)), "two numbers"),
        (lambda: get_family("allen_cahn1d", tau="x"), "tau='x' must be"),
    ],
)
def test_rejections(build, text: str) -> None:
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_an_initial_state_that_is_not_finite() -> None:
    problem = AllenCahnProblem(0.02, lambda x: np.where(x[0] > 0.5, np.nan, 0.0), dimension=1)
    with pytest.raises(InputError, match="initial phase is not finite: nan at index"):
        evolve(problem, mesh=16)
