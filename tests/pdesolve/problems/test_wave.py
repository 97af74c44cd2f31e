"""Waves on grids."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import wave
from meshes.errors import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.wave import WaveFamily, WaveProblem

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize(
    "study", wave.orders(), ids=lambda study: f"{study.family}-{study.backend}"
)
def test_orders(study):
    study.check()


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet", "neumann"])
def test_energy(boundary):
    """RK 4 at nine tenths of its limit loses little; the trapezoidal rule loses nothing."""
    family = get_family("wave2d", boundary=boundary)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    energy = evolve(problem, mesh=32, backend="grid").history["energy"]
    assert (np.diff(energy) <= 0).all()
    assert abs(energy[-1] / energy[0] - 1) < 2e-2
    small = evolve(problem, mesh=32, backend="grid", dt=0.005).history["energy"]
    assert abs(small[-1] / small[0] - 1) < 1e-5
    exact = evolve(problem, mesh=32, backend="grid", method="cn", dt=0.01).history["energy"]
    np.testing.assert_allclose(exact, exact[0], rtol=1e-9)


def test_energy_with_variable_speed_and_data_on_the_sides():
    problem = WaveProblem(
        lambda x: 1.0 + 0.5 * x[0],
        lambda x: x[0] + np.sin(np.pi * x[0]) ** 2,
        boundary_conditions={"x_lower": Dirichlet(0.0), "x_upper": Dirichlet(1.0)},
        dimension=1,
        times=(0.0, 1.0, 2.0, 3.0),
    )
    energy = evolve(problem, mesh=50, backend="grid", method="cn", dt=0.01).history["energy"]
    np.testing.assert_allclose(energy, energy[0], rtol=1e-9)


def test_a_pulse_travels_at_the_speed_of_sound():
    def pulse(x):
        return np.exp(-200 * (x[0] - 0.3) ** 2)

    def moving(x):
        return 2.0 * 400 * (x[0] - 0.3) * pulse(x)

    problem = WaveProblem(
        2.0,
        pulse,
        moving,
        boundary_conditions={"all": Neumann(0.0)},
        dimension=1,
        times=(0.0, 0.2),
    )
    field = evolve(problem, mesh=400, backend="grid").gather()
    x = field.mesh.axes()[0]
    np.testing.assert_allclose(field["displacement"], np.exp(-200 * (x - 0.7) ** 2), atol=0.02)


def test_the_stable_limit_is_that_of_the_imaginary_axis():
    problem = WaveProblem(1.0, dimension=1)
    limit = 2 * np.sqrt(2) / (2 * 50)
    with pytest.raises(InputError, match=f"stable limit {limit:.5g}"):
        evolve(problem, mesh=50, backend="grid", dt=0.05)


def test_bad_problems_are_refused():
    for options, message in (
        ({"speed": 0.0}, "the speed must be positive"),
        ({"speed": lambda x: x[0] - 1.0}, "the speed must be positive"),
        ({"boundary_conditions": {"all": Robin()}}, "Robin"),
        ({"initial": float("inf")}, "not a finite number"),
    ):
        with pytest.raises(InputError, match=message):
            evolve(WaveProblem(**options), mesh=8, backend="grid")
    for options in ({"dimension": 3}, {"boundary": "open"}, {"speed_range": (0.0, 1.0)}):
        with pytest.raises(InputError):
            WaveFamily(**options)
