"""Weak problems in time: methods, solvers, what is refused, and how failures are told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from meshes import InputError
from operators.failures import TimeStepFailure
from pdesolve import evolve
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.evolution import EvolutionProblem

pytestmark = pytest.mark.firedrake
firedrake = pytest.importorskip("pdesolve.fem._firedrake", reason="needs Firedrake").firedrake

from pdesolve.fem import Dt, EvolutionForm, TimeFunction  # noqa: E402
from pdesolve.fem._firedrake_evolution import FemStepper  # noqa: E402
from pdesolve.fem._firedrake_methods import METHODS, check_method  # noqa: E402
from pdesolve.stepping import SteppingSettings  # noqa: E402

grad, inner, dx = firedrake.grad, firedrake.inner, firedrake.dx


@dataclass(frozen=True, eq=False)
class Reaction(EvolutionProblem):
    """∂u/∂t = ∂²u/∂x² + f(u, t) on the unit interval, as a person would write it."""

    kind: str = "linear"
    method: str = "radau-iia-2"
    start: float = 1.0
    times: tuple[float, ...] = (0.0, 0.5, 1.0)
    name: str = "reaction"
    dimension: int = 1
    lower: tuple[float, ...] = (0.0,)
    upper: tuple[float, ...] = (1.0,)
    boundary_conditions: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "boundary_conditions", {"all": Neumann(0.0)})

    def input_fields(self, grid):
        raise NotImplementedError

    def evolution_form(self, context):
        V, time = context.space(), firedrake.Constant(self.times[0])
        u, v = firedrake.Function(V), firedrake.TestFunction(V)
        u.assign(self.start)
        residual = (Dt(u) * v + inner(grad(u), grad(v))) * dx
        functions = ()
        if self.kind == "linear":
            residual += u * v * dx
        elif self.kind == "square":  # u' = u², which ends at t = 1/start
            residual -= u**2 * v * dx
        elif self.kind == "root":
            residual += firedrake.sqrt(u - 0.5) * v * dx
        elif self.kind == "logistic":
            residual -= u * (1 - u) * v * dx
        elif self.kind == "factor":
            functions = (TimeFunction(lambda t: 1 + math.sin(3 * t), time),)
            residual += functions[0].expression * u * v * dx
        elif self.kind == "nothing":
            return residual
        return EvolutionForm(
            residual,
            u,
            time,
            method=self.method,
            quantities={"mass": u * dx, "largest": lambda: u.dat.data_ro.max()},
            time_functions=functions,
        )


class Moving(Reaction):
    """u = (1 + t²)(x + x²) with given values that move, and a residual with the time."""

    def evolution_form(self, context):
        V, time = context.space(), firedrake.Constant(0.0)
        (x,) = firedrake.SpatialCoordinate(context.mesh)
        exact = (1 + time**2) * (x + x**2)
        u, v = firedrake.Function(V).interpolate(x + x**2), firedrake.TestFunction(V)
        source = 2 * time * (x + x**2) - 2 * (1 + time**2)
        residual = (Dt(u) * v + inner(grad(u), grad(v)) - source * v) * dx
        conditions = (firedrake.DirichletBC(V, exact, "on_boundary"),)
        return EvolutionForm(residual, u, time, conditions)


def amplification(method: str, z: float) -> float:
    """R(z), by which a step multiplies the solution of u' = λu, z = λ dt."""
    if method == "backward-euler":
        return 1 / (1 - z)
    if method in ("crank-nicolson", "gauss-legendre-1"):
        return (1 + z / 2) / (1 - z / 2)
    if method == "gauss-legendre-2":
        return (1 + z / 2 + z**2 / 12) / (1 - z / 2 + z**2 / 12)
    if method == "radau-iia-2":
        return (1 + z / 3) / (1 - 2 * z / 3 + z**2 / 6)
    if method == "lobatto-iiic-2":
        return 1 / (1 - z + z**2 / 2)
    assert method == "qin-zhang"
    return ((1 + z / 4) / (1 - z / 4)) ** 2


@pytest.mark.parametrize(
    "method",
    [
        "backward-euler",
        "crank-nicolson",
        "gauss-legendre-1",
        "gauss-legendre-2",
        "radau-iia-2",
        "lobatto-iiic-2",
        "qin-zhang",
    ],
)
def test_discrete_decay_law(method):
    """A constant state decays by the method's own rational function, exactly."""
    trajectory = evolve(Reaction(method=method), mesh=4, backend="fem", dt=0.125)
    expected = [amplification(method, -0.125) ** n for n in (0, 4, 8)]
    np.testing.assert_allclose(trajectory.history["largest"], expected, rtol=1e-12)
    assert trajectory.result.method.startswith(method)
    assert trajectory.result.num_steps == 8
    assert trajectory.result.converged


def test_data_that_move_in_time_are_met_exactly():
    """Radau IIA with two stages is exact for polynomials of degree 2, as CG2 is."""
    trajectory = evolve(Moving(), mesh=3, backend="fem", degree=2, dt=0.25)
    x = np.linspace(0, 1, 4)
    for time, field in zip(trajectory.times, map(trajectory.gather, range(3)), strict=True):
        values = field.values[0][np.argsort(field.mesh.points[:, 0])]
        np.testing.assert_allclose(values, (1 + time**2) * (x + x**2), atol=1e-9)


@pytest.mark.parametrize("method", ["bdf2", "crank-nicolson", "radau-iia-2", "pareschi-russo"])
def test_python_function_of_time(method):
    """The order survives κ(t) from a Python function."""
    exact = math.exp(-(1 + (1 - math.cos(3)) / 3))
    errors = [
        abs(
            evolve(Reaction("factor", method), mesh=3, backend="fem", dt=dt).history["largest"][-1]
            / exact
            - 1
        )
        for dt in (1 / 64, 1 / 128)
    ]
    assert abs(math.log2(errors[0] / errors[1]) - METHODS[method].order) < 0.2
    assert errors[1] < 1e-3


def test_constant_operators_are_factorised_once():
    """And those that change are not kept."""

    def states(problem, dt=0.125):
        stepper = FemStepper(problem, 4, SteppingSettings((0.0, 1.0), dt=dt))
        seen = []

        def look(_):
            matrix, _ = stepper._method.solver.snes.ksp.getOperators()
            seen.append(matrix.stateGet())

        stepper.advance(1.0, look)
        return stepper, seen

    for method in ("radau-iia-2", "qin-zhang", "crank-nicolson"):
        stepper, seen = states(Reaction(method=method))
        assert stepper.linear
        assert len(set(seen)) == 1, method
        assert stepper.result().linear_iterations == len(seen) * (2 if method == "qin-zhang" else 1)
    for problem in (Reaction("factor"), Reaction("square", start=0.25)):
        _, seen = states(problem)
        assert len(set(seen)) == len(seen)


def test_a_change_of_the_step_is_noticed():
    """The matrix of another step size is assembled anew."""
    stepper = FemStepper(Reaction(method="backward-euler"), 4, SteppingSettings((0.0, 0.3, 1.0)))
    stepper.advance(0.3, lambda _: None)
    stepper.advance(1.0, lambda _: None)
    quantity = stepper.quantities()["largest"]
    # the default is a hundredth of the whole time: 30 steps and 70
    assert quantity == pytest.approx(1.01**-100, rel=1e-12)
    assert stepper.num_steps == 100


def test_nonlinear_steps():
    """u' = u² from 1/2 is 1/(2 − t)."""
    trajectory = evolve(Reaction("square", start=0.5), mesh=4, backend="fem", dt=0.0625)
    np.testing.assert_allclose(trajectory.history["mass"], [0.5, 1 / 1.5, 1.0], rtol=2e-5)
    assert trajectory.result.nonlinear_iterations >= trajectory.result.num_steps


def test_a_steady_state_needs_no_tolerance_of_its_own():
    trajectory = evolve(Reaction("logistic"), mesh=4, backend="fem", dt=0.125)
    assert trajectory.history["largest"][-1] == pytest.approx(1.0, rel=1e-12)


def test_quantities_and_states():
    trajectory = evolve(Reaction(), mesh=4, backend="fem", dt=0.25)
    assert set(trajectory.history) == {"mass", "largest"}
    assert trajectory.backend == "fem"
    assert trajectory.times == (0.0, 0.5, 1.0)
    first, last = trajectory.gather(0), trajectory.gather()
    assert first.values.max() == 1.0  # states are copies
    assert last.values.max() == pytest.approx(trajectory.history["largest"][-1])


def test_time_series(tmp_path):
    trajectory = evolve(Reaction(), mesh=4, backend="fem", dt=0.25)
    path = trajectory.save(tmp_path / "u.pvd")
    assert path.read_text().count("<DataSet timestep=") == 3
    assert len(list((tmp_path / "u").glob("*.vtu"))) == 3


def test_blow_up_names_step_time_unknown_and_place():
    with pytest.raises(TimeStepFailure) as caught:
        evolve(Reaction("root", start=0.625), mesh=4, backend="fem", dt=0.5)
    text = str(caught.value)
    assert "step 2 from t = 0.5 with dt = 0.5 failed: DIVERGED_FUNCTION_NANORINF" in text
    assert not caught.value.result.converged
    assert caught.value.solution.times == (0.0, 0.5)  # the last good state is kept


def test_values_that_are_not_finite_are_told_where():
    stepper = FemStepper(Reaction(), 4, SteppingSettings((0.0, 1.0), dt=0.25))
    stepper.form.state.dat.data[2] = np.nan
    with pytest.raises(TimeStepFailure) as caught:
        stepper._check_finite("step 7")
    assert "step 7" in str(caught.value)
    assert "'u' is not finite at (" in str(caught.value)
    assert caught.value.result.reason == "DIVERGED_NOT_FINITE"


def test_a_solver_that_does_not_converge():
    options = {"pc_type": "none", "ksp_max_it": 1}
    with pytest.raises(TimeStepFailure, match=r"DIVERGED_LINEAR_SOLVE .*DIVERGED.*use pc_type lu"):
        evolve(Moving(), mesh=16, backend="fem", dt=0.25, solver_parameters=options)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"method": "radau"}, "there is no method 'radau' for the backend 'fem'. Did you mean"),
        ({"method": "bdf2-linear"}, "no linearised form for the method 'bdf2-linear'; use 'bdf2'"),
        ({"rtol": 1e-3}, "no control of the error of a step; leave rtol out and give dt"),
        ({"dt": 0.3}, "dt=0.3 does not divide the time between the outputs at 0 and 0.5"),
        ({"element": "P"}, "there is no element 'P'"),
        ({"solver_parameters": "dirct"}, "there is no preconditioner 'dirct'. Did you mean"),
    ],
)
def test_rejections(arguments, text):
    with pytest.raises(InputError) as caught:
        evolve(Reaction(), mesh=4, backend="fem", **arguments)
    assert text in str(caught.value)


def test_forms_of_another_kind_are_refused():
    with pytest.raises(InputError, match="gave a Form; it must give an EvolutionForm"):
        evolve(Reaction("nothing"), mesh=4, backend="fem")
    mesh = firedrake.UnitIntervalMesh(2)
    V = firedrake.FunctionSpace(mesh, "CG", 1)
    u, v = firedrake.Function(V), firedrake.TestFunction(V)
    with pytest.raises(InputError, match="it has 2 arguments"):
        EvolutionForm(firedrake.TrialFunction(V) * v * dx, u, firedrake.Constant(0.0))
    with pytest.raises(InputError, match="must name the 1 parts"):
        EvolutionForm(Dt(u) * v * dx, u, firedrake.Constant(0.0), names=("u", "p"))


def test_unused_options_are_reported():
    given = {"ksp_rtoll": 1e-3}
    with pytest.warns(UserWarning, match="PETSc did not use: -ksp_rtoll"):
        evolve(Reaction(), mesh=4, backend="fem", dt=0.25, solver_parameters=given)
    with pytest.raises(InputError, match="-ksp_rtoll"):
        evolve(
            Reaction(),
            mesh=4,
            backend="fem",
            dt=0.25,
            solver_parameters=given,
            unused_options="error",
        )


def test_preconditioners_by_name_and_large_systems():
    direct = evolve(Reaction(), mesh=8, backend="fem", dt=0.25)
    for options in (
        "direct",
        {"preconditioner": "multigrid"},
        {"ksp_type": "gmres", "pc_type": "ilu"},
    ):
        other = evolve(
            Reaction(),
            mesh=8,
            backend="fem",
            dt=0.25,
            solver_parameters=options,
            unused_options="error",
        )
        np.testing.assert_allclose(
            other.gather().values, direct.gather().values, rtol=1e-8, err_msg=str(options)
        )


def test_method_names():
    assert check_method("gauss-legendre-3") == "gauss-legendre-3"
    assert METHODS["radau-iia-3"].order == 5


def test_functions_of_time_are_checked():
    time = firedrake.Constant(0.0)
    with pytest.raises(InputError, match="must be a function of the time"):
        TimeFunction(2.0, time)
    factor = TimeFunction(lambda t: 1 / (1 - t), time)
    with (
        pytest.raises(InputError, match=r"not finite between 0.5 and 1"),
        np.errstate(all="ignore"),
    ):
        TimeFunction(lambda t: np.float64(1) / (1 - t), time).prepare(0.5, 0.5, (0.0, 1.0))
    with pytest.raises(InputError, match="evaluates at 6 times in a step"):
        factor.prepare(0.0, 0.5, (0.0, 0.1, 0.2, 0.3, 0.4, 0.5))


def test_dirichlet_that_is_given_by_side():
    from pdesolve.problems.heat import HeatProblem

    problem = HeatProblem(
        1.0, boundary_conditions={"x_lower": Dirichlet(1.0), "x_upper": Dirichlet(2.0)},
        initial=lambda x: 1 + x[0], dimension=1,
    )  # fmt: skip
    trajectory = evolve(problem, mesh=4, backend="fem", dt=0.5)
    np.testing.assert_allclose(
        np.sort(trajectory.gather().values[0]), np.linspace(1, 2, 5), rtol=1e-12
    )
