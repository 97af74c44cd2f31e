"""Transport on grids."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import advection
from meshes.errors import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.grid.limiters import LIMITERS
from pdesolve.problems.advection import AdvectionFamily, AdvectionProblem
from pdesolve.problems.boundary import Dirichlet, Neumann

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize(
    "study", advection.orders(), ids=lambda study: f"{study.family}-{study.backend}"
)
def test_orders(study):
    study.check()


def box(x):
    return np.where((x[0] > 0.2) & (x[0] < 0.5), 1.0, 0.0)


@pytest.mark.parametrize("limiter", [name for name in LIMITERS if name != "none"])
@pytest.mark.parametrize("velocity", [1.0, -0.7])
def test_total_variation_does_not_grow(limiter, velocity):
    problem = AdvectionProblem(
        velocity, box, dimension=1, times=tuple(np.linspace(0, 1, 21)), limiter=limiter
    )
    values = evolve(problem, mesh=100, backend="grid").on(problem.grid(100))[:, 0]
    variation = np.abs(np.diff(values, axis=1, append=values[:, :1])).sum(axis=1)
    assert (np.diff(variation) <= 1e-12).all()
    assert values.min() >= -1e-12
    assert values.max() <= 1 + 1e-12


def test_central_slopes_make_new_extrema():
    problem = AdvectionProblem(1.0, box, dimension=1, limiter="none")
    values = evolve(problem, mesh=100, backend="grid").gather().values
    assert values.max() > 1.02


@pytest.mark.parametrize("name", ["advection1d", "advection2d"])
def test_mass_is_conserved(name):
    family = get_family(name)
    problem = family.problem(family.sample(sample_generator(0, "test", 2)))
    trajectory = evolve(problem, mesh=(40,) * family.dimension, backend="grid")
    assert np.abs(np.diff(trajectory.history["mass"])).max() < 1e-14


def test_mass_is_conserved_in_a_swirl():
    problem = AdvectionProblem(
        (lambda x: np.sin(2 * np.pi * x[1]), lambda x: np.cos(2 * np.pi * x[0])),
        lambda x: 1.0 + np.sin(2 * np.pi * x[0]),
    )
    trajectory = evolve(problem, mesh=(32, 24), backend="grid")
    np.testing.assert_allclose(trajectory.history["mass"], 1.0, rtol=1e-13)
    values = trajectory.gather().values
    assert values.min() > -1e-10
    assert values.max() < 2 + 1e-10


def test_what_flows_in_is_the_given_value():
    problem = AdvectionProblem(
        (1.0, 0.0),
        0.0,
        {
            "x_lower": Dirichlet(lambda x: x[1]),
            "x_upper": Neumann(0.0),
            "y_lower": Neumann(0.0),
            "y_upper": Neumann(0.0),
        },
        times=(0.0, 3.0),
    )
    field = evolve(problem, mesh=(20, 10), backend="grid").gather()
    np.testing.assert_allclose(field.values[0], field.mesh.points()[1], atol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"velocity": (1.0,)}, "has 1 components; the problem is 2D"),
        ({"velocity": (1.0, float("nan"))}, "not a finite number"),
        ({"limiter": "mc"}, "limiter='mc'"),
        ({"boundary_conditions": {"all": Neumann(0.0)}}, "points into the box on side 'x_lower'"),
        ({"boundary_conditions": {"all": Neumann(1.0)}}, "where the flow leaves"),
        ({"velocity": (lambda x: 1 / (x[0] - 0.5), 0.0)}, "not finite everywhere"),
    ],
)
def test_bad_problems_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        evolve(AdvectionProblem(**options), mesh=8, backend="grid")


def test_bad_families_are_refused():
    for options in ({"dimension": 3}, {"velocity_range": (1.0,)}, {"limiter": "mc"}):
        with pytest.raises(InputError):
            AdvectionFamily(**options)


def test_a_step_above_the_stable_limit_is_refused():
    problem = AdvectionProblem(2.0, box, dimension=1)
    with pytest.raises(InputError, match=r"dt=0.02 is above the stable limit 0.01 of"):
        evolve(problem, mesh=50, backend="grid", dt=0.02)
    assert evolve(problem, mesh=50, backend="grid", dt=0.01).result.num_steps == 100
