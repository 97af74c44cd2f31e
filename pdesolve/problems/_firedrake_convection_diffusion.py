"""Weak form of convection and diffusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshes.errors import InputError
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.problems._firedrake_darcy import fixes_constant, side_terms
from pdesolve.problems.boundary import USUAL

if TYPE_CHECKING:
    from pdesolve.problems.convection_diffusion_problem import ConvectionDiffusionProblem

# measured: benchmarks/families/convection_diffusion.py
SOLVER_PARAMETERS: dict[str, Any] = {
    "ksp_type": "bcgs",
    "ksp_pc_side": "right",
    "ksp_max_it": 5000,
    "pc_type": "bjacobi",
    "sub_pc_type": "ilu",
}


def convection_diffusion_form(
    problem: ConvectionDiffusionProblem, context: FormContext
) -> LinearForm:
    """Galerkin's form with streamline-upwind Petrov–Galerkin (SUPG) terms.

    Find u with u = g on the Dirichlet sides and

    ∫ ε ∇u·∇v + b·∇u v + Σ_cells ∫ τ (b·∇u − ∇·(ε ∇u) − f) b·∇v = ∫ f v + sides,

    τ = h/(2 |b| p) (coth P − 1/P) with P = |b| h/(2 ε p), degree p, and h the length of a
    cell along b. In one dimension with constant coefficients and p = 1 it is exact in
    the vertices.

    References
    ----------
    Brooks, Hughes (1982), Streamline upwind/Petrov-Galerkin formulations for convection
    dominated flows, Computer Methods in Applied Mechanics and Engineering 32,
    doi:10.1016/0045-7825(82)90071-8.

    John, Knobloch (2007), On spurious oscillations at layers diminishing (SOLD) methods
    for convection-diffusion equations: Part I, Computer Methods in Applied Mechanics and
    Engineering 196, doi:10.1016/j.cma.2006.11.013.
    """
    if context.mixed:
        raise InputError(
            f"element='{context.element}' has no form for convection and diffusion; use 'CG' or 'Q'"
        )
    space = context.space("CG")
    u, v = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    diffusivity = context.data(
        problem.diffusivity, name="diffusivity", check=require_positive("diffusivity")
    )
    given: tuple[object, ...] = problem.velocity  # type: ignore[assignment]
    parts = [context.data(part, name=f"velocity along axis {k}") for k, part in enumerate(given)]
    b = ufl.as_vector(parts)
    f = context.data(problem.source, name="source")
    conditions = context.conditions(problem.boundary_conditions, USUAL)
    if not fixes_constant(conditions):
        from pdesolve.problems.convection_diffusion_problem import NO_SIDE_FIXES

        raise InputError(NO_SIDE_FIXES)
    transfer, inflow = side_terms(context, conditions, u, v)
    tau = _stabilisation(context, b, diffusivity)
    residual = ufl.dot(b, ufl.grad(u)) - ufl.div(diffusivity * ufl.grad(u))
    along = tau * ufl.dot(b, ufl.grad(v))
    return LinearForm(
        (diffusivity * ufl.inner(ufl.grad(u), ufl.grad(v)) + ufl.dot(b, ufl.grad(u)) * v) * ufl.dx
        + residual * along * ufl.dx
        + transfer,
        f * (v + along) * ufl.dx + inflow,
        context.dirichlet(space, problem.boundary_conditions),
        (problem.unknown,),
        symmetric=False,
        solver_parameters=SOLVER_PARAMETERS,
        inputs=tuple(part for part in (*parts, f) if isinstance(part, firedrake.Function)),
    )


def _stabilisation(context: FormContext, b: Any, diffusivity: Any) -> Any:
    """τ, finite where b = 0."""
    size = ufl.sqrt(ufl.dot(b, b))
    inside = ufl.dot(ufl.JacobianInverse(context.mesh), b)  # b in the reference cell
    rates = [abs(inside[k]) for k in range(context.dimension)]
    if context.mesh.ufl_cell().is_simplex:
        # 2 |b| / Σ_a |b·∇N_a| over the linear basis functions of the cell
        rate = (sum(rates) + abs(sum(inside[k] for k in range(context.dimension)))) / 2
    else:
        rate = rates[0]
        for other in rates[1:]:
            rate = ufl.max_value(rate, other)
    length = size / (rate + 1e-30)
    degree = context.degree
    half = length / (2 * degree)
    number = ufl.max_value(size * half / diffusivity, 1e-4)
    return half**2 / diffusivity * (1 / ufl.tanh(number) - 1 / number) / number
