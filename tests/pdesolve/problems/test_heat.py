"""Heat conduction in time on grids."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from benchmarks.families import heat
from meshes.errors import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Robin
from pdesolve.problems.heat import HeatFamily, HeatProblem

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize(
    "study", heat.orders(), ids=lambda study: f"{study.family}-{study.backend}"
)
def test_orders(study):
    study.check()


def test_solver_candidates_run():
    for study in heat.solvers():
        for options in study.candidates.values():
            assert study.solve(8, options).converged


@pytest.mark.parametrize("boundary", ["periodic", "neumann"])
def test_heat_is_conserved(boundary):
    family = get_family("heat2d", boundary=boundary)
    problem = family.problem(family.sample(sample_generator(0, "test", 1)))
    trajectory = evolve(problem, mesh=32, backend="grid", solver_parameters={"ksp_rtol": 1e-12})
    # the initial state has mean zero, so the size of the sum's parts is the measure
    size = np.abs(trajectory.states[0].gather().values).mean()
    assert np.abs(np.diff(trajectory.history["mass"])).max() < 1e-10 * size


def test_heat_flows_in_at_the_given_rate():
    problem = HeatProblem(
        0.3,
        source=0.5,
        initial=1.0,
        boundary_conditions={"x_lower": Neumann(0.25), "x_upper": Neumann(0.0)},
        dimension=1,
    )
    history = evolve(problem, mesh=20, backend="grid").history["mass"]
    np.testing.assert_allclose(history, [1.0, 1.75], rtol=1e-8)


def test_the_maximum_principle_holds():
    family = get_family("heat1d", boundary="dirichlet")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    values = evolve(problem, mesh=64, backend="grid").on(problem.grid(64))
    largest = np.abs(values).max(axis=(1, 2))
    assert (np.diff(largest) < 1e-6).all()


def test_a_cooling_body_reaches_the_temperature_outside():
    problem = HeatProblem(
        1.0,
        initial=lambda x: 1.0 + 0 * x[0],
        boundary_conditions={"all": Robin(5.0, 10.0)},
        times=(0.0, 10.0),
    )
    field = evolve(problem, mesh=(8, 10), backend="grid").gather()
    np.testing.assert_allclose(field.values, 2.0, rtol=1e-4)


def test_families():
    assert HeatFamily(2).backends == ("spectral", "grid", "fem")
    assert HeatFamily(2, boundary="dirichlet").backends == ("grid", "fem")
    assert HeatProblem(lambda x: 1.0 + x[0], dimension=1).backends == ("grid", "fem")
    family = get_family("heat2d", num_times=4, final_time=2.0)
    assert family.times == pytest.approx((0.0, 2 / 3, 4 / 3, 2.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundary": "robin"}, "boundary='robin'"),
        ({"modulation": 1.0}, "below 1"),
        ({"final_time": 0.0}, "final_time=0.0 must be positive"),
        ({"final_time": float("nan")}, "must be positive and finite"),
        ({"num_times": 1}, "num_times=1 must be an integer of at least 2"),
        ({"conductivity_range": (1.0,)}, "must hold two numbers"),
        ({"conductivity_range": (0.0, 1.0)}, "lower > 0"),
    ],
)
def test_bad_families_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        HeatFamily(2, **options)


def test_bad_problems_are_refused():
    def refused(message, **options):
        with pytest.raises(InputError, match=message):
            evolve(HeatProblem(**{"dimension": 1, **options}), mesh=8, backend="grid")

    refused("the conductivity must be positive", conductivity=-1.0)
    refused("conductivity must be positive", conductivity=lambda x: x[0] - 0.5)
    refused("time_factor=2 must be a function", time_factor=2)
    refused("time_factor gave -1", time_factor=lambda time: -1.0 + 0 * time)
    refused("not finite", initial=lambda x: 1.0 / (x[0] - 0.0625))
    refused("dimension=4", dimension=4)
    refused("times must grow", times=(1.0, 1.0))
    refused("Absorbing", boundary_conditions={"all": Absorbing()})
    refused("no boundary condition for: x_upper", boundary_conditions={"x_lower": Dirichlet()})


def test_a_jump_between_initial_state_and_side_is_a_warning():
    sides = {"x_lower": Dirichlet(1.0), "x_upper": Dirichlet(0.0)}
    problem = HeatProblem(0.1, initial=lambda x: 1.0 - x[0], boundary_conditions=sides, dimension=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evolve(problem, mesh=8, backend="grid")
    jumping = HeatProblem(0.1, initial=0.0, boundary_conditions=sides, dimension=1)
    with pytest.warns(UserWarning, match="differs by 1 from the value given on side 'x_lower'"):
        evolve(jumping, mesh=8, backend="grid")
