"""Burgers' equation on grids."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import burgers
from meshes.errors import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.boundary import Neumann
from pdesolve.problems.burgers import BurgersFamily, BurgersProblem

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize(
    "study", burgers.orders(), ids=lambda study: f"{study.family}-{study.backend}"
)
def test_orders(study):
    study.check()


def test_shock_speed():
    problem = burgers.riemann_problem(1.0, 0.0)
    field = evolve(problem, mesh=400, backend="grid").gather()
    x = field.mesh.axes()[0]
    place = float(x[field.values[0] > 0.5].max()) + 0.5 / 400
    assert abs(place - (0.3 + 0.5 * 0.5)) <= 1 / 400


def test_shocks_that_stand_still_stay():
    problem = burgers.riemann_problem(1.0, -1.0)
    field = evolve(problem, mesh=100, backend="grid").gather()
    expected = burgers.riemann_solution(1.0, -1.0, field.mesh.points(), 0.5)
    assert np.abs(field.values[0] - expected).sum() / 100 < 0.02


def test_inviscid_conservation_and_entropy():
    family = get_family("burgers1d_inviscid", final_time=2.0, num_times=41)
    problem = family.problem(family.sample(sample_generator(0, "test", 3)))
    trajectory = evolve(problem, mesh=128)
    history = trajectory.history
    np.testing.assert_allclose(history["mass"], history["mass"][0], rtol=0, atol=1e-13)
    assert (np.diff(history["energy"]) <= 1e-12).all()
    values = trajectory.on(problem.grid(128))[:, 0]
    assert (np.diff(values.max(axis=1)) <= 1e-12).all()
    assert (np.diff(values.min(axis=1)) >= -1e-12).all()
    variation = np.abs(np.diff(values, axis=1, append=values[:, :1])).sum(axis=1)
    assert (np.diff(variation) <= 1e-10).all()


def test_viscous_conservation_and_decay():
    family = get_family("burgers1d")
    problem = family.problem(family.sample(sample_generator(0, "test", 3)))
    history = evolve(problem, mesh=128, backend="grid").history
    np.testing.assert_allclose(history["mass"], history["mass"][0], rtol=0, atol=1e-9)
    assert (np.diff(history["energy"]) <= 0).all()


def test_explicit_and_imex_agree():
    problem = BurgersProblem(
        burgers.VISCOSITY, burgers.cole_hopf(2, 0.0), dimension=2, times=(0.0, 0.2)
    )
    imex = evolve(problem, mesh=16, backend="grid", rtol=1e-7).gather().values
    explicit = evolve(problem, mesh=16, backend="grid", method="rk 3bs", rtol=1e-7).gather().values
    np.testing.assert_allclose(explicit, imex, atol=1e-6)


def test_components_exchange_with_axes():
    """u_x(x, y) and u_y(y, x) are treated alike."""

    def one(x):
        return np.sin(2 * np.pi * x[0]) * np.cos(2 * np.pi * x[1])

    def other(x):
        return one(x[::-1])

    problem = BurgersProblem(0.01, (one, other), dimension=2, times=(0.0, 0.1))
    values = evolve(problem, mesh=16, backend="grid", rtol=1e-8).gather().values
    np.testing.assert_allclose(values[0], values[1].T, atol=1e-10)


def test_flow_through_open_sides():
    problem = BurgersProblem(0.0, lambda x: 1.0 + 0 * x[0], {"all": Neumann(0.0)}, times=(0.0, 0.5))
    np.testing.assert_allclose(evolve(problem, mesh=20).gather().values, 1.0, rtol=1e-14)


def test_families():
    assert BurgersFamily(1).backends == ("spectral", "grid")
    assert get_family("burgers1d_inviscid").backends == ("grid",)
    assert get_family("burgers1d_inviscid").inputs == ("initial_velocity",)
    draws = [
        get_family("burgers1d").sample(sample_generator(0, "test", index))["initial_velocity"]
        for index in range(100)
    ]
    grid = BurgersProblem().grid(128)
    values = np.array([draw.on(grid) for draw in draws])
    wave = 2 * np.pi * np.arange(-500, 501)
    expected = np.sum(625.0 / (wave**2 + 25.0) ** 2)
    assert np.mean(values**2) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"viscosity": -1.0}, "must be finite and not negative"),
        ({"initial": (0.0, 1.0)}, "initial has 2 components; the problem has 1"),
        ({"dimension": 3}, "dimension=3 must be 1 or 2"),
        ({"limiter": "weno"}, "limiter='weno'"),
        ({"boundary_conditions": {"all": Neumann(1.0)}}, "where the flow leaves"),
    ],
)
def test_bad_problems_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        evolve(BurgersProblem(**options), mesh=8, backend="grid")


def test_no_spectral_form_without_viscosity():
    problem = BurgersProblem(0.0, 1.0)
    with pytest.raises(InputError, match="makes shocks"):
        problem.spectral_evolution(problem.grid(8))
    with pytest.raises(InputError, match="no form for the backend 'spectral'"):
        evolve(problem, mesh=8, backend="spectral")


def test_viscous_steps_are_linear():
    """IMEX steps solve one linear system a stage; Newton's method finds the same."""
    problem = BurgersProblem(0.02, lambda x: np.sin(2 * np.pi * x[0]), times=(0.0, 0.2))
    plain = evolve(problem, mesh=64, backend="grid")
    newton = {"snes_type": "newtonls", "snes_rtol": 1e-12}
    iterated = evolve(problem, mesh=64, backend="grid", solver_parameters=newton)
    assert plain.result.method == "arkimex 3"
    attempts = plain.result.num_steps + plain.result.num_rejected
    assert plain.result.nonlinear_iterations == 3 * attempts
    np.testing.assert_allclose(plain.gather().values, iterated.gather().values, rtol=1e-9)
