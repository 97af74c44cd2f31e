"""Weak form of steady Navier–Stokes flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import FormContext, NonlinearForm
from pdesolve.problems._firedrake_flow import (
    LARGEST_DIRECT_NAVIER_STOKES,
    NAMES,
    FlowData,
    flow_data,
    solver_for,
)

if TYPE_CHECKING:
    from pdesolve.problems.navier_stokes import NavierStokesProblem


def navier_stokes_form(problem: NavierStokesProblem, context: FormContext) -> NonlinearForm:
    """Weak form of u·∇u − ∇·(σ(u) − p I) = f, ∇·u = 0, with Taylor–Hood elements.

    Find u with the given velocities and p such that ∫ σ(u):∇v + (u·∇u)·v − p ∇·v =
    ∫ f·v + ∮ t·v and ∫ q ∇·u = 0 for all v and q, with σ(u) = ν ∇u or 2 ν ε(u). Where
    Newton's method fails from rest, the flow is approached from more viscous ones.
    """
    data = flow_data(problem, context)
    state = firedrake.Function(data.space)
    share = firedrake.Constant(1.0)  # of the Reynolds number
    return NonlinearForm(
        _residual(data, state, data.viscosity / share),
        state,
        data.conditions,
        names=NAMES,
        null_space=data.null_space,
        solver_parameters=solver_for(
            data.space,
            LARGEST_DIRECT_NAVIER_STOKES,
            "navier_stokes_pcd",
            singular=data.null_space is not None,
        ),
        finish=data.finish,
        context={"mu": data.viscosity / share, "Re": share / data.viscosity, "velocity_space": 0},
        outputs=NAMES,
        hole_value=0.0,
        continuation=share.assign,
    )


def _residual(data: FlowData, state: Any, viscosity: Any) -> Any:
    u, p = ufl.split(state)
    v, q = firedrake.TestFunctions(data.space)
    momentum = (
        ufl.inner(data.stress(u, viscosity), ufl.grad(v))
        + ufl.inner(ufl.dot(ufl.grad(u), u), v)
        - p * ufl.div(v)
    )
    return (momentum + q * (ufl.div(u) - data.divergence)) * ufl.dx - data.load
