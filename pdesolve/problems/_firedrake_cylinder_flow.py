"""Weak form of unsteady flow past a cylinder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pdesolve.fem._firedrake import Dt, firedrake, ufl
from pdesolve.fem._firedrake_evolution_form import EvolutionForm, initial_state
from pdesolve.fem._firedrake_forces import BodyForce, force_coefficients, value_at
from pdesolve.fem._firedrake_forms import FormContext
from pdesolve.problems._firedrake_flow import NAMES, flow_data

if TYPE_CHECKING:
    from pdesolve.problems.cylinder_flow import CylinderFlowProblem


def cylinder_flow_form(problem: CylinderFlowProblem, context: FormContext) -> EvolutionForm:
    """∂u/∂t + u·∇u − ν Δu + ∇p = 0, ∇·u = 0, with Taylor–Hood elements.

    Find u with the given velocities and p such that ∫ ∂u/∂t·v + (u·∇u)·v + ν ∇u:∇v −
    p ∇·v = 0 and ∫ q ∇·u = 0 for all v and q. The method ``"bdf2-linear"`` replaces u·∇u by
    w·∇u with the velocity w extrapolated from the two states before.
    """
    data = flow_data(problem.flow, context)
    state, time = firedrake.Function(data.space), firedrake.Constant(problem.times[0])
    rate = firedrake.Function(data.space)
    u, p = ufl.split(state)
    v, q = firedrake.TestFunctions(data.space)
    linear = (
        ufl.inner(Dt(u), v)
        + ufl.inner(data.stress(u), ufl.grad(v))
        - p * ufl.div(v)
        - q * ufl.div(u)
    ) * ufl.dx - data.load

    def extrapolated(earlier: Any) -> Any:
        w, _ = ufl.split(earlier)
        return linear + (ufl.inner(ufl.dot(ufl.grad(u), w), v)) * ufl.dx

    initial_state(state.subfunctions[0], problem.initial_velocity, "the initial velocity")
    for condition in data.conditions:
        condition.apply(state)
    return EvolutionForm(
        linear + ufl.inner(ufl.dot(ufl.grad(u), u), v) * ufl.dx,
        state,
        time,
        data.conditions,
        names=NAMES,
        method="bdf2-linear",
        step_size=problem.step_size,
        quantities=_quantities(problem, context, state, rate),
        rate=rate,
        extrapolated=extrapolated,
        hole_value=0.0,
    )


def _quantities(
    problem: CylinderFlowProblem, context: FormContext, state: Any, rate: Any
) -> dict[str, Any]:
    """Drag, lift, pressure difference and kinetic energy."""
    velocity, pressure = state.subfunctions
    force = BodyForce(
        velocity,
        pressure,
        problem.viscosity,
        context.side_number("obstacle"),
        acceleration=rate.subfunctions[0],
    )
    points = np.asarray(problem.channel.front_and_back)

    def coefficient(axis: int) -> float:
        found = force_coefficients(force.evaluate(), problem.mean_speed, problem.channel.diameter)
        return float(found[axis])

    def pressure_difference() -> float:
        front, back = value_at(pressure, points)
        return float(front - back)

    return {
        "drag_coefficient": lambda: coefficient(0),
        "lift_coefficient": lambda: coefficient(1),
        "pressure_difference": pressure_difference,
        "kinetic_energy": 0.5 * ufl.inner(velocity, velocity) * ufl.dx,
    }
