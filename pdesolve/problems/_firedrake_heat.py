"""Weak form of heat conduction in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.errors import InputError
from operators.spatial import ConstantFunction, as_spatial_function
from pdesolve.fem._firedrake import Dt, firedrake, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_evolution_form import EvolutionForm, TimeFunction, initial_state
from pdesolve.fem._firedrake_forms import FormContext
from pdesolve.problems.boundary import USUAL, Neumann, Robin

if TYPE_CHECKING:
    from pdesolve.problems.heat import HeatProblem


def heat_form(problem: HeatProblem, context: FormContext) -> EvolutionForm:
    """∂u/∂t = ∇·(κ ∇u) + f with continuous Lagrange elements.

    Find u with u = g on the Dirichlet sides and ∫ ∂u/∂t v + κ ∇u·∇v = ∫ f v + ∮ flux v +
    ∮ (g − α u) v for all v, the last two over the Neumann and the Robin sides.
    """
    if context.mixed:
        raise InputError(
            f"heat conduction in time has no mixed form; use 'CG', not {context.element!r}"
        )
    space = context.space("CG")
    u = firedrake.Function(space)
    initial_state(u, problem.initial, "the initial temperature")
    v = firedrake.TestFunction(space)
    time = firedrake.Constant(problem.times[0])
    kappa = context.data(
        problem.conductivity, name="conductivity", check=require_positive("conductivity")
    )
    inputs = (kappa,) if isinstance(kappa, firedrake.Function) else ()
    functions: tuple[TimeFunction, ...] = ()
    if problem.time_factor is not None:
        functions = (TimeFunction(problem.factor_at, time),)
        kappa = functions[0].expression * kappa
    residual = (Dt(u) * v + kappa * ufl.inner(ufl.grad(u), ufl.grad(v))) * ufl.dx
    if not vanishes(problem.source):
        residual -= context.data(problem.source, name="source") * v * ufl.dx
    for side, condition in context.conditions(problem.boundary_conditions, USUAL).items():
        if isinstance(condition, Neumann) and not vanishes(condition.flux):
            flux = context.data(condition.flux, name=f"flux on '{side}'")
            residual -= flux * v * context.side(side)
        if isinstance(condition, Robin):
            alpha = context.data(condition.coefficient, name=f"coefficient on '{side}'")
            value = context.data(condition.value, name=f"value on '{side}'")
            residual += (alpha * u - value) * v * context.side(side)
    return EvolutionForm(
        residual,
        u,
        time,
        context.dirichlet(space, problem.boundary_conditions),
        (problem.unknown,),
        method="radau-iia-2",
        quantities={"mass": u * ufl.dx, "energy": 0.5 * u**2 * ufl.dx},
        inputs=inputs,
        time_functions=functions,
    )


def vanishes(value: object) -> bool:
    """Whether a given value is the number zero."""
    function = as_spatial_function(value) if not isinstance(value, ufl.core.expr.Expr) else None
    return isinstance(function, ConstantFunction) and function.value == 0
