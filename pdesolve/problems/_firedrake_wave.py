"""Weak form of the wave equation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.errors import InputError
from pdesolve.fem._firedrake import Dt, firedrake, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_evolution_form import EvolutionForm, initial_state
from pdesolve.fem._firedrake_forms import FormContext
from pdesolve.problems._firedrake_heat import vanishes
from pdesolve.problems.boundary import Dirichlet, Neumann

if TYPE_CHECKING:
    from pdesolve.problems.wave import WaveProblem


def wave_form(problem: WaveProblem, context: FormContext) -> EvolutionForm:
    """∂u/∂t = v, ∂v/∂t = c² Δu with continuous Lagrange elements for both.

    Find u with u = g on the Dirichlet sides and v with v = 0 there such that
    ∫ (∂u/∂t − v) φ + ∂v/∂t ψ + c² ∇u·∇ψ = ∮ c² (∂u/∂n) ψ for all φ and ψ. Gauss–Legendre
    methods keep the energy ½ ∫ v² + c² |∇u|².
    """
    if context.mixed:
        raise InputError(f"the wave equation in time has no form for {context.element!r}; use 'CG'")
    if not problem.has_uniform_speed:
        raise InputError(
            "on the backend 'fem' the speed of waves must be a number; use backend='grid'"
        )
    single = context.space("CG")
    space = single * single
    state, time = firedrake.Function(space), firedrake.Constant(problem.times[0])
    displacement, velocity = state.subfunctions
    initial_state(displacement, problem.initial, "the initial displacement")
    initial_state(velocity, problem.initial_velocity, "the initial velocity")
    u, v = ufl.split(state)
    phi, psi = firedrake.TestFunctions(space)
    squared = context.data(problem.speed, name="speed", check=require_positive("speed")) ** 2
    residual = (
        (Dt(u) - v) * phi + Dt(v) * psi + squared * ufl.inner(ufl.grad(u), ufl.grad(psi))
    ) * ufl.dx
    at_rest = {}
    for side, condition in context.conditions(problem.boundary_conditions).items():
        if isinstance(condition, Neumann) and not vanishes(condition.flux):
            slope = context.data(condition.flux, name=f"slope on '{side}'")
            residual -= squared * slope * psi * context.side(side)
        at_rest[side] = Dirichlet(0.0) if isinstance(condition, Dirichlet) else condition
    energy = 0.5 * (velocity**2 + squared * ufl.dot(ufl.grad(displacement), ufl.grad(displacement)))
    return EvolutionForm(
        residual,
        state,
        time,
        (
            *context.dirichlet(space.sub(0), problem.boundary_conditions),
            *context.dirichlet(space.sub(1), at_rest),
        ),
        problem.unknowns,
        method="gauss-legendre-2",
        quantities={"energy": energy * ufl.dx},
    )
