"""Steps in time on grids: Jacobians, methods, stable steps, failures."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.field import Field
from operators.failures import TimeStepFailure
from pdesolve import evolve, get_family, sample_generator
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.boxes import complete_box
from pdesolve.problems.burgers import BurgersProblem
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.heat import HeatProblem, Modulation
from pdesolve.problems.wave import WaveProblem
from pdesolve.stepping import SteppingSettings

pytestmark = pytest.mark.petsc


class OwnProblem(EvolutionProblem):
    """u' = rate(t, u) in every cell of a periodic interval."""

    name = "own"
    dimension = 1
    lower = upper = ()
    times = (0.0, 1.0)
    unknowns = ("first", "second")

    def __init__(self, rate, derivative=None, times=(0.0, 1.0)):
        self.rate, self.derivative = rate, derivative
        self.boundary_conditions = {"all": Periodic()}
        self.times = times
        complete_box(self)

    def input_fields(self, grid):
        return Field(grid, np.ones(grid.shape), ("initial_first",))

    def grid_evolution(self, block):
        def rate(time, u):
            return self.rate(time, u[(slice(None), *block.inner)])

        def jacobian(time, u):
            return self.derivative(time, u[(slice(None), *block.inner)])[None]

        return GridEvolution(
            names=self.unknowns,
            initial=np.ones((2, *block.shape)),
            rate=rate,
            jacobian=None if self.derivative is None else jacobian,
            offsets=np.array([[0]]),
        )


def decay(time, u):
    return -u


PROBLEMS = {
    "heat": HeatProblem(
        lambda x: 1.0 + x[0],
        Modulation(0.5, 1.0),
        source=1.0,
        initial=lambda x: x[0] * x[1],
        boundary_conditions={
            "x_lower": Dirichlet(0.0),
            "x_upper": Robin(2.0, 1.0),
            "y_lower": Neumann(0.5),
            "y_upper": Neumann(0.0),
        },
    ),
    "heat, periodic": HeatProblem(initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=3),
    "burgers": BurgersProblem(
        0.1, (lambda x: np.sin(2 * np.pi * x[1]), 1.0), dimension=2, times=(0.0, 0.2)
    ),
    "wave": WaveProblem(
        lambda x: 1.0 + x[0],
        initial=lambda x: x[0] * (1 - x[0]),
        boundary_conditions={
            "x_lower": Dirichlet(0.0),
            "x_upper": Dirichlet(0.0),
            "y_lower": Periodic(),
            "y_upper": Periodic(),
        },
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_jacobians_are_the_derivatives(name):
    from operators._petsc_block import DistributedGrid
    from pdesolve.grid._petsc_rates import BlockRates

    problem = PROBLEMS[name]
    grid = problem.grid((5, 4, 4)[: problem.dimension])
    distributed = DistributedGrid(grid, len(problem.unknowns), problem.stencil_width)
    evolution = problem.grid_evolution(distributed.block)
    kind = "imex" if evolution.rate is not None and evolution.stiff_rate is not None else "implicit"
    rates = BlockRates(distributed, evolution, kind)
    rng = np.random.default_rng(0)
    shape = (len(problem.unknowns), *grid.shape)
    u, direction = rng.standard_normal(shape), rng.standard_normal(shape)
    implicit = evolution.stiff_rate if kind == "imex" else rates._total

    def rate(values):
        return implicit(0.3, distributed.ghosted(distributed.vector(values)))

    step = 1e-6
    expected = (rate(u + step * direction) - rate(u - step * direction)) / (2 * step)
    shift = 7.0
    rates._jacobian(None, 0.3, distributed.vector(u), None, shift, None, None)
    product = distributed.vector()
    rates._matrix.mat.mult(distributed.vector(direction), product)
    found = shift * direction - distributed.values(product)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * np.abs(expected).max())
    rates.destroy()
    distributed.destroy()


@pytest.mark.parametrize(
    "method",
    [
        *("beuler", "cn", "theta", "arkimex", "arkimex 4", "rosw", "rk 3bs", "rk 5dp"),
        *("rk 4", "ssp rks3", "euler"),
    ],
)
def test_every_method_solves_the_heat_equation(method):
    problem = HeatProblem(
        0.1, initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=1, times=(0.0, 0.3, 0.5)
    )
    trajectory = evolve(problem, mesh=16, backend="grid", method=method)
    eigenvalue = 0.1 * 4 * 16**2 * np.sin(np.pi / 16) ** 2
    expected = np.exp(-0.5 * eigenvalue) * np.sin(2 * np.pi * problem.grid(16).axes()[0])
    found = trajectory.gather().values[0]
    tolerance = 0.02 if method in ("beuler", "euler") else 1e-3
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    assert trajectory.times == (0.0, 0.3, 0.5)
    assert trajectory.result.converged
    assert trajectory.result.reason == "CONVERGED_TIME"
    assert trajectory.result.method.startswith(method)


def test_a_linear_problem_takes_one_linear_solve_a_step_and_one_factorisation():
    from petsc4py import PETSc

    PETSc.Log.begin()
    event = PETSc.Log.Event("MatCholFctrNum")
    before = event.getPerfInfo()["count"]
    problem = HeatProblem(0.1, initial=lambda x: x[0] * x[1])
    direct = {"ksp_type": "preonly", "pc_type": "cholesky"}
    result = evolve(
        problem, mesh=8, backend="grid", method="cn", dt=0.05, solver_parameters=direct
    ).result
    assert result.num_steps == 20
    assert result.linear_iterations == 20
    assert event.getPerfInfo()["count"] - before == 1


def test_a_nonlinear_problem_is_solved_by_newtons_method():
    def logistic(time, u):
        return u * (2.0 - u)

    def slope(time, u):
        derivative = np.zeros((2, 2, *u.shape[1:]))
        for component in range(2):
            derivative[component, component] = 2.0 - 2.0 * u[component]
        return derivative

    problem = OwnProblem(logistic, slope)
    trajectory = evolve(problem, mesh=4, method="arkimex 3", rtol=1e-8)
    expected = 2.0 / (1.0 + np.exp(-2.0))
    np.testing.assert_allclose(trajectory.gather().values, expected, rtol=1e-6)
    assert trajectory.result.nonlinear_iterations > trajectory.result.num_steps
    with pytest.raises(
        TimeStepFailure, match=r"DIVERGED_NONLINEAR_SOLVE in step 0.*DIVERGED_MAX_IT"
    ):
        evolve(
            problem,
            mesh=4,
            method="beuler",
            dt=0.5,
            solver_parameters={"snes_max_it": 1, "snes_rtol": 1e-12},
        )
    with pytest.raises(InputError, match="gives no Jacobian"):
        evolve(OwnProblem(logistic), mesh=4, method="cn")


def test_output_times_do_not_shorten_the_steps_after_them():
    problem = HeatProblem(0.05, initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=1)

    def steps(times):
        sizes = []
        evolve(
            problem,
            mesh=32,
            backend="grid",
            times=times,
            on_step=lambda info: sizes.append(info.step_size),
        )
        return sizes

    plain, cut = steps((0.0, 1.0)), steps((0.0, 0.5, 0.5001, 0.5002, 1.0))
    assert len(cut) <= len(plain) + 8
    after = cut[[round(s, 9) for s in np.cumsum(cut)].index(0.5002) + 1]
    assert after > 0.2 * max(plain)
    assert all(b <= 10.0 * a for a, b in itertools.pairwise(plain))


def test_steps_above_the_stable_limit_are_refused():
    heat = HeatProblem(1.0, initial=lambda x: x[0], dimension=1)
    limit = 2.785293563405282 / (4 * 16**2)
    with pytest.raises(InputError, match=f"dt=0.01 is above the stable limit {limit:.6g}"):
        evolve(heat, mesh=16, backend="grid", method="rk 4", dt=0.01)
    assert evolve(
        heat, mesh=16, backend="grid", method="rk 4", times=(0, 0.1), dt=0.0025
    ).result.converged
    with pytest.raises(InputError, match="is unstable for waves whatever the step; use rk 4"):
        evolve(PROBLEMS["wave"], mesh=8, backend="grid", method="euler")
    with pytest.raises(InputError, match="above the stable limit"):
        evolve(BurgersProblem(0.0, 1.0), mesh=100, backend="grid", dt=0.02)


def test_the_stable_limit_is_sharp():
    """The least smooth mode neither grows at 99 % of the limit nor is it stable at 102 %."""
    from pdesolve.grid._petsc_stability import stability_polynomial, step_coefficient

    for options in (
        {"ts_type": "rk", "ts_rk_type": "4"},
        {"ts_type": "rk", "ts_rk_type": "5dp"},
        {"ts_type": "ssp", "ts_ssp_type": "rks3", "ts_ssp_nstages": "4"},
        {"ts_type": "ssp", "ts_ssp_type": "rk104"},
    ):
        growth = np.polynomial.Polynomial(stability_polynomial(tuple(sorted(options.items()))))
        real = 2.0 * step_coefficient(options, "real")
        assert abs(growth(-0.99 * real)) <= 1.0 < abs(growth(-1.02 * real))
        waves = step_coefficient(options, "imaginary")
        assert abs(growth(0.99j * waves)) <= 1.0 + 1e-9
        disk = step_coefficient(options, "disk")
        circle = disk * (np.exp(1j * np.linspace(0, 2 * np.pi, 100)) - 1.0)
        assert np.abs(growth(circle)).max() <= 1.0 + 1e-9


def test_adaptive_explicit_steps_stay_below_the_limit():
    heat = HeatProblem(1.0, initial=lambda x: 1e-3 * x[0], dimension=1, times=(0.0, 0.1))
    sizes = []
    evolve(
        heat,
        mesh=32,
        backend="grid",
        method="rk 3bs",
        rtol=1e-2,
        on_step=lambda info: sizes.append(info.step_size),
    )
    assert max(sizes) <= 2.52 / (4 * 32**2)


def test_the_limit_is_watched_during_the_run():
    problem = HeatProblem(
        1.0, Modulation(0.9, 1.0), initial=lambda x: x[0], dimension=1, times=(0.0, 0.24)
    )
    with pytest.raises(TimeStepFailure, match=r"DIVERGED_STABILITY_LIMIT.*above the stable limit"):
        evolve(problem, mesh=16, backend="grid", method="rk 4", dt=0.0024)


def test_values_that_are_not_finite_end_the_run():
    def spoiled(time, u):
        rate = -u
        if time > 0.25:
            rate[1, 2] = np.nan
        return rate

    message = r"DIVERGED_NOT_FINITE in step 4 at t = 0.4: 'second' is not finite.*index \(2,\)"
    with pytest.raises(TimeStepFailure, match=message) as caught:
        evolve(OwnProblem(spoiled), mesh=4, method="euler", dt=0.1, times=(0.0, 0.2, 1.0))
    assert caught.value.solution.times == (0.0, 0.2)
    assert caught.value.result.reason == "DIVERGED_NOT_FINITE"
    assert not caught.value.result.converged


def test_blow_up_ends_the_run():
    def square(time, u):
        return u**2

    problem = OwnProblem(square, times=(0.0, 2.0))
    with pytest.raises(TimeStepFailure, match="DIVERGED_"):
        evolve(problem, mesh=4, method="rk 3bs")
    with pytest.raises(TimeStepFailure, match="DIVERGED_NOT_FINITE"):
        evolve(problem, mesh=4, method="euler", dt=0.02)


def test_errors_of_the_problem_keep_their_message():
    def broken(time, u):
        if time > 0:
            raise ValueError("no rate today")
        return -u

    with pytest.raises(ValueError, match="no rate today"):
        evolve(OwnProblem(broken), mesh=4, method="rk 4", dt=0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, "must be positive and finite"),
        ({"dt": float("nan")}, "must be positive and finite"),
        ({"dt": 0.3, "method": "cn"}, "does not divide"),
        ({"method": "runge"}, "not offered"),
        ({"method": "bdf"}, "not offered"),
        ({"method": "rk 99"}, "refused|Unknown|unknown|Could not find"),
        ({"method": "cn 2"}, "has no kinds"),
        ({"method": 3}, "must be the name"),
        ({"rtol": -1.0}, "between 0 and 1"),
        ({"times": (1.0, 0.0)}, "times must grow"),
        ({"times": (0.0, float("inf"))}, "finite"),
        ({"times": (0.0,)}, "one more"),
        ({"solver_parameters": {"ts_max_time": 2}}, "cannot be given"),
        ({"solver_parameters": {"ts_adapt_type": "basic"}, "method": "cn"}, "estimates no error"),
        ({"solver_parameters": {"ksp_typo": 1}, "unused_options": "error"}, "did not use"),
    ],
)
def test_bad_input_is_refused(options, message):
    problem = HeatProblem(0.1, initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    with pytest.raises(InputError, match=message):
        evolve(problem, mesh=8, backend="grid", **options)


def test_petsc_options_reach_the_integrator(capfd):
    problem = HeatProblem(0.1, initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    result = evolve(
        problem,
        mesh=8,
        backend="grid",
        solver_parameters={
            "ts": {"type": "arkimex", "arkimex_type": "4", "monitor": None},
            "ksp_type": "gmres",
        },
        unused_options="error",
    ).result
    assert result.method == "arkimex 4"
    out = capfd.readouterr().out
    assert f"{result.num_steps} TS dt" in out
    assert "time 1." in out


@pytest.mark.parametrize("name", ["ts_dt", "ts_time_step"])
def test_the_step_can_be_a_petsc_option(name):
    problem = HeatProblem(0.1, initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    result = evolve(
        problem,
        mesh=8,
        backend="grid",
        method="cn",
        solver_parameters={name: 0.05},
        unused_options="error",
    ).result
    assert result.num_steps == 20


@pytest.mark.parametrize("name", ["heat2d", "advection2d", "burgers2d", "burgers1d", "wave2d"])
def test_grid_and_spectral_agree(name):
    family = get_family(name, num_times=2, final_time=0.2)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    shape = (256,) if family.dimension == 1 else (64, 64)
    one = evolve(problem, mesh=shape, backend="grid")
    other = evolve(problem, mesh=shape, backend="spectral")
    here, there = one.gather().values, other.gather().values
    for channel, exact in zip(here, there, strict=True):
        error = np.linalg.norm(channel - exact) / np.linalg.norm(exact)
        assert error < 0.02, (name, error)


def test_states_are_copies():
    from pdesolve.grid._petsc_evolution import GridStepper

    problem = HeatProblem(0.1, initial=1.0, dimension=1)
    stepper = GridStepper(problem, problem.grid(8), SteppingSettings((0.0, 1.0)))
    before = stepper.state()
    seen = []
    stepper.advance(1.0, seen.append)
    assert seen[-1].time == stepper.time == 1.0
    stepper.close()
    np.testing.assert_array_equal(before.gather().values, 1.0)


@pytest.mark.parametrize("method", ["cn", "arkimex 3", "rosw"])
def test_a_linear_solve_that_fails_ends_the_run(method):
    problem = HeatProblem(
        lambda x: np.exp(np.sin(9 * x[0] * x[1])), initial=lambda x: x[0] * x[1], times=(0.0, 10.0)
    )
    with pytest.raises(
        TimeStepFailure, match=r"DIVERGED_NONLINEAR_SOLVE in step .*KSP DIVERGED_MAX_IT.*pc_type lu"
    ) as caught:
        evolve(problem, mesh=24, method=method, solver_parameters={"ksp_max_it": 1})
    assert caught.value.result.reason == "DIVERGED_NONLINEAR_SOLVE"
