"""Weak forms of the nonlinear elliptic equations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import FormContext, NonlinearForm
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin

if TYPE_CHECKING:
    from pdesolve.problems.nonlinear_elliptic import (
        BratuProblem,
        OneSidedReactionProblem,
        PLaplacianProblem,
    )


def bratu_form(problem: BratuProblem, context: FormContext) -> NonlinearForm:
    """∫ ∇u·∇v − λ e^u v − f v = ∮ (flux) v."""
    strength = firedrake.Constant(problem.strength)  # a number would be compiled into kernels
    return _semilinear(problem, context, lambda u: -strength * ufl.exp(u))


def one_sided_form(problem: OneSidedReactionProblem, context: FormContext) -> NonlinearForm:
    """∫ ∇u·∇v + κ max(0, u) v − f v = ∮ (flux) v.

    The reaction and its one-sided derivative are integrated with the points of a rule of
    twice the element's degree; where the kink cuts an element that rule is not exact.
    """
    rate = firedrake.Constant(problem.rate)
    return _semilinear(problem, context, lambda u: rate * ufl.conditional(ufl.gt(u, 0.0), u, 0.0))


def _semilinear(problem: Any, context: FormContext, reaction: Any) -> NonlinearForm:
    space = context.space("CG")
    u, v = firedrake.Function(space), firedrake.TestFunction(space)
    f = context.data(problem.source, name="source")
    # rules that are exact for polynomials do not exist for e^u and max(0, u)
    dx = ufl.dx(degree=2 * context.degree + 2)
    residual = ufl.inner(ufl.grad(u), ufl.grad(v)) * ufl.dx + (reaction(u) - f) * v * dx
    kinds = (Dirichlet, Neumann, Robin)
    for name, condition in context.conditions(problem.boundary_conditions, kinds).items():
        if isinstance(condition, Neumann):
            flux = context.data(condition.flux, name=f"flux on '{name}'")
            residual -= flux * v * context.side(name)
        elif isinstance(condition, Robin):
            coefficient = context.data(condition.coefficient, name=f"coefficient on '{name}'")
            value = context.data(condition.value, name=f"value on '{name}'")
            residual += (coefficient * u - value) * v * context.side(name)
    return NonlinearForm(
        residual,
        u,
        context.dirichlet(space, problem.boundary_conditions),
        names=(problem.unknown,),
        symmetric=True,
        inputs=_inputs(f),
    )


def p_laplacian_form(problem: PLaplacianProblem, context: FormContext) -> NonlinearForm:
    """∫ (|∇u|² + ε²)^((p−2)/2) ∇u·∇v − f v = 0.

    Where Newton's method fails from zero it is led from exponent 2 to p.
    """
    space = context.space("CG")
    u, v = firedrake.Function(space), firedrake.TestFunction(space)
    f = context.data(problem.source, name="source")
    context.conditions(problem.boundary_conditions, (Dirichlet,))
    exponent = firedrake.Constant(problem.exponent)
    shift = firedrake.Constant(problem.regularisation**2)
    squares = ufl.inner(ufl.grad(u), ufl.grad(u)) + shift
    dx = ufl.dx(degree=2 * context.degree + 2)
    flux = squares ** ((exponent - 2.0) / 2.0) * ufl.grad(u)

    def lead(share: float) -> None:
        exponent.assign(2.0 + share * (problem.exponent - 2.0))

    conditions = context.dirichlet(space, problem.boundary_conditions)
    if problem.has_boundary_values:
        _solve_poisson(u, f, conditions)
    return NonlinearForm(
        ufl.inner(flux, ufl.grad(v)) * dx - f * v * dx,
        u,
        conditions,
        names=(problem.unknown,),
        symmetric=True,
        inputs=_inputs(f),
        continuation=lead,
    )


def _solve_poisson(u: Any, f: Any, conditions: tuple[Any, ...]) -> None:
    """The answer for p = 2 as the first guess (collective)."""
    space = u.function_space()
    trial, test = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    form = ufl.inner(ufl.grad(trial), ufl.grad(test)) * ufl.dx
    options = {"ksp_type": "cg", "ksp_rtol": 1e-4, "pc_type": "gamg"}
    firedrake.solve(form == f * test * ufl.dx, u, bcs=conditions, solver_parameters=options)


def _inputs(f: Any) -> tuple[Any, ...]:
    return (f,) if isinstance(f, firedrake.Function) else ()
