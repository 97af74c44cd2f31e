"""Weak form of Stokes flow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.problems._firedrake_flow import LARGEST_DIRECT_STOKES, NAMES, flow_data, solver_for

if TYPE_CHECKING:
    from pdesolve.problems.stokes import StokesProblem


def stokes_form(problem: StokesProblem, context: FormContext) -> LinearForm:
    """Weak form of −∇·(σ(u) − p I) = f, ∇·u = 0, with Taylor–Hood elements.

    Find u with the given velocities and p such that ∫ σ(u):∇v − p ∇·v = ∫ f·v + ∮ t·v and
    −∫ q ∇·u = 0 for all v and q, with σ(u) = ν ∇u or 2 ν ε(u): a symmetric indefinite
    system.
    """
    data = flow_data(problem, context)
    u, p = firedrake.TrialFunctions(data.space)
    v, q = firedrake.TestFunctions(data.space)
    return LinearForm(
        (ufl.inner(data.stress(u), ufl.grad(v)) - p * ufl.div(v) - q * ufl.div(u)) * ufl.dx,
        data.load - data.divergence * q * ufl.dx,
        data.conditions,
        NAMES,
        null_space=data.null_space,
        solver_parameters=solver_for(
            data.space, LARGEST_DIRECT_STOKES, "stokes_schur", singular=data.null_space is not None
        ),
        finish=data.finish,
        context={"mu": data.viscosity, "velocity_space": 0},
        outputs=NAMES,
        hole_value=0.0,
    )
