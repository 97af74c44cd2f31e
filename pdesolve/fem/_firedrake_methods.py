"""Methods in time for weak forms: Irksome's Runge–Kutta methods and two of our own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from meshes.errors import InputError, suggest
from pdesolve.fem._firedrake import firedrake, load_irksome
from pdesolve.fem._firedrake_evolution_form import EvolutionForm


@dataclass(frozen=True)
class MethodInfo:
    """A method in time.

    Parameters
    ----------
    order
        Order of accuracy for smooth solutions.
    stiffly_accurate
        Whether the last stage is the new state, so that parts of the state without a time
        derivative (pressures) come out with full accuracy.
    """

    order: int
    stiffly_accurate: bool


METHODS: dict[str, MethodInfo] = {
    "backward-euler": MethodInfo(1, True),
    "crank-nicolson": MethodInfo(2, False),
    "bdf2": MethodInfo(2, True),
    "bdf2-linear": MethodInfo(2, True),
    **{f"gauss-legendre-{s}": MethodInfo(2 * s, False) for s in (1, 2, 3, 4)},
    **{f"radau-iia-{s}": MethodInfo(2 * s - 1, True) for s in (1, 2, 3, 4)},
    **{f"lobatto-iiic-{s}": MethodInfo(2 * s - 2, True) for s in (2, 3, 4)},
    "alexander": MethodInfo(3, True),
    "pareschi-russo": MethodInfo(2, False),
    "qin-zhang": MethodInfo(2, False),
}
"""Methods by name."""


def check_method(name: object) -> str:
    """The name, or an error that lists the known ones."""
    if name not in METHODS:
        raise InputError(
            f"there is no method '{name}' for the backend 'fem'. {suggest(str(name), METHODS)}"
        )
    return str(name)


class Past:
    """The states before the last two steps, and the sizes of these steps.

    Parameters
    ----------
    form
        Whose state it is.
    """

    def __init__(self, form: EvolutionForm) -> None:
        self._state = form.state
        self.functions = [firedrake.Function(form.space) for _ in range(2)]
        self.steps = [0.0, 0.0]

    def push(self, before: Any, step: float) -> None:
        """Note the state before a step of this size."""
        self.functions[1].assign(self.functions[0])
        self.functions[0].assign(before)
        self.steps = [step, self.steps[0]]

    def set_rate(self, rate: Any) -> None:
        """The time derivative by a backward difference; of second order after two steps."""
        new, old = self.steps
        if old == 0.0:
            rate.assign((self._state - self.functions[0]) / new)
            return
        ratio = new / old
        a, b, c = (1 + 2 * ratio) / (1 + ratio), -(1 + ratio), ratio**2 / (1 + ratio)
        rate.assign((a * self._state + b * self.functions[0] + c * self.functions[1]) / new)


class Method(Protocol):
    """A method in time at work on a form.

    Attributes
    ----------
    solver
        Firedrake's solver.
    nodes
        Where in a step the method evaluates, in units of the step.
    memory
        Firedrake functions with the first guess for the next step.
    """

    solver: Any
    nodes: tuple[float, ...]
    memory: tuple[Any, ...]

    @property
    def iterations(self) -> tuple[int, int]:
        """Nonlinear and linear iterations since the beginning."""

    def step(self, time: float, size: float) -> None:
        """Lead the form's state from a time over a step (collective)."""


@dataclass
class SolverSettings:
    """What a method makes its solver with.

    Parameters
    ----------
    parameters
        Of Firedrake's own kind; PETSc's options are in its database already.
    options_prefix
        Their prefix.
    constant
        Whether the operator is the same at all times.
    """

    parameters: Mapping[str, Any]
    options_prefix: str
    constant: bool


class RungeKutta:
    """One of Irksome's methods.

    Fully implicit ones solve for all stages at once, diagonally implicit ones for one after
    another.

    References
    ----------
    Farrell, Kirby, Marchena-Menéndez (2021), Irksome: automating Runge–Kutta time-stepping
    for finite element methods, ACM Trans. Math. Softw. 47, doi:10.1145/3466168.
    """

    def __init__(self, form: EvolutionForm, name: str, settings: SolverSettings) -> None:
        module = load_irksome()
        tableau = _tableau(module, name)
        if getattr(tableau, "is_diagonally_implicit", False) and tableau.num_stages > 1:
            stage_type = "dirk"
        else:
            stage_type = "deriv"
        self.nodes = tuple(float(node) for node in tableau.c)
        self.num_stages = int(tableau.num_stages) if stage_type == "deriv" else 1
        self._form = form
        self._size = firedrake.Constant(1.0)
        self._known = math.nan
        null_space = form.null_space
        if null_space is not None and stage_type == "deriv" and len(form.space) == 1:
            null_space = [(0, null_space)]
        self._stepper = module.TimeStepper(
            form.residual,
            tableau,
            form.time,
            self._size,
            form.state,
            bcs=list(form.boundary_conditions),
            stage_type=stage_type,
            solver_parameters=dict(settings.parameters),
            options_prefix=settings.options_prefix,
            nullspace=null_space,
            appctx=dict(form.context),
        )
        self.solver = self._stepper.solver
        diagonal = np.diag(tableau.A)
        constant = settings.constant and (
            stage_type == "deriv" or np.allclose(diagonal, diagonal[0])
        )
        self._stepper.problem._constant_jacobian = constant
        last = self._stepper.stages if stage_type == "deriv" else self._stepper.kgac[0]
        self.memory: tuple[Any, ...] = (last,)

    @property
    def iterations(self) -> tuple[int, int]:
        """Nonlinear and linear iterations since the beginning."""
        _, nonlinear, linear = self._stepper.solver_stats()
        return int(nonlinear), int(linear)

    def step(self, time: float, size: float) -> None:
        """Solve for the stages and add them up."""
        if size != self._known:
            self._size.assign(size)
            self._stepper.invalidate_jacobian()
            self._known = size
        self._form.time.assign(time)
        self._stepper.advance()


class TwoLevel:
    """Crank–Nicolson and the two-step backward difference, each solving for the new state.

    The backward difference (BDF2) has coefficients for steps of changing size, and begins
    with a step of backward Euler. ``"bdf2-linear"`` takes one factor of each nonlinear term
    from the linear extrapolation of the two states before, so that each step is one linear
    solve.
    """

    def __init__(
        self, form: EvolutionForm, name: str, settings: SolverSettings, past: Past
    ) -> None:
        self.nodes: tuple[float, ...] = (0.0, 1.0)
        self.iterations = (0, 0)
        self._form, self._past, self._name = form, past, name
        self._new = firedrake.Function(form.space, name="new state")
        self._extrapolated = firedrake.Function(form.space, name="extrapolated state")
        self._size = firedrake.Constant(1.0)
        self._weights = tuple(firedrake.Constant(weight) for weight in (1.0, -1.0, 0.0))
        self._known: tuple[float, ...] = ()
        problem = firedrake.NonlinearVariationalProblem(
            self._residual(), self._new, bcs=list(form.boundary_conditions)
        )
        problem._constant_jacobian = settings.constant
        self.solver = firedrake.NonlinearVariationalSolver(
            problem,
            solver_parameters=dict(settings.parameters),
            options_prefix=settings.options_prefix,
            nullspace=form.null_space,
            appctx=dict(form.context),
        )
        self.memory: tuple[Any, ...] = (self._new,)

    def _residual(self) -> Any:
        form, new, old = self._form, self._new, self._form.state
        if self._name == "crank-nicolson":
            rate = (new - old) / self._size
            after = form.at(form.residual, new, rate, form.time)
            before = form.at(form.residual, old, rate, form.time - self._size)
            half = firedrake.Constant(0.5)
            return half * after + half * before
        a, b, c = self._weights
        rate = (a * new + b * old + c * self._past.functions[0]) / self._size
        residual = form.residual
        if self._name == "bdf2-linear":
            residual = form.linearised(self._extrapolated)
        return form.at(residual, new, rate, form.time)

    def step(self, time: float, size: float) -> None:
        """Solve for the new state."""
        form, past = self._form, self._past
        last = past.steps[0]
        weights, ratio = (1.0, -1.0, 0.0), 0.0
        if self._name != "crank-nicolson" and last > 0:
            ratio = size / last
            weights = (
                (1 + 2 * ratio) / (1 + ratio),
                -(1 + ratio),
                ratio**2 / (1 + ratio),
            )
        if (size, *weights) != self._known:
            self._size.assign(size)
            for constant, weight in zip(self._weights, weights, strict=True):
                constant.assign(weight)
            self.solver._ctx._jacobian_assembled = False
            self._known = (size, *weights)
        form.time.assign(time + size)
        # the extrapolated state is also the first guess
        self._extrapolated.assign((1 + ratio) * form.state - ratio * past.functions[0])
        self._new.assign(self._extrapolated)
        self.solver.solve()
        nonlinear, linear = self.iterations
        snes = self.solver.snes
        self.iterations = (
            nonlinear + int(snes.getIterationNumber()),
            linear + int(snes.getLinearSolveIterations()),
        )
        form.state.assign(self._new)


def _tableau(module: Any, name: str) -> Any:
    family, _, stages = name.rpartition("-")
    with_stages: dict[str, Callable[[int], Any]] = {
        "gauss-legendre": module.GaussLegendre,
        "radau-iia": module.RadauIIA,
        "lobatto-iiic": module.LobattoIIIC,
    }
    if family in with_stages:
        return with_stages[family](int(stages))
    if name == "backward-euler":
        return module.BackwardEuler()
    if name == "alexander":
        return module.Alexander()
    if name == "pareschi-russo":
        return module.PareschiRusso(1.0 - 1.0 / math.sqrt(2.0))
    return module.QinZhang()


OWN = ("crank-nicolson", "bdf2", "bdf2-linear")
"""The methods that are not Irksome's."""


def num_coupled_stages(name: str) -> int:
    """How many copies of the state one solve is for."""
    family, _, stages = name.rpartition("-")
    return int(stages) if family in ("gauss-legendre", "radau-iia", "lobatto-iiic") else 1


def make_method(form: EvolutionForm, name: str, settings: SolverSettings, past: Past) -> Method:
    """A method by its name, with its solver."""
    if name in OWN:
        return TwoLevel(form, name, settings, past)
    return RungeKutta(form, name, settings)
