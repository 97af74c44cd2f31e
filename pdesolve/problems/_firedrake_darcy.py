"""Weak forms of Darcy flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from petsc4py import PETSc

from meshes.errors import InputError
from operators.spatial import ConstantFunction
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_flux import normal_flux
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.problems.boundary import Dirichlet, Neumann

if TYPE_CHECKING:
    from pdesolve.problems.darcy import DarcyProblem

# Up to these sizes a factorisation takes no longer than hybridisation, whose kernels take
# up to a minute to compile when they are first used (docs: Finite elements).
LARGEST_DIRECT = {2: 100_000, 3: 30_000}
DIRECT: dict[str, Any] = {
    "ksp_type": "gmres",
    "ksp_pc_side": "right",
    "pc_type": "lu",
    "pc_factor_mat_solver_type": "mumps",
    "mat_mumps_icntl_14": 200,  # room for delayed pivots
}
# The condensed system is symmetric positive definite. The outer method needs one or two
# iterations; it makes sure of the tolerance on the residual of the whole system.
HYBRIDIZATION: dict[str, Any] = {
    "mat_type": "matfree",
    "ksp_type": "fgmres",
    "pc_type": "python",
    "pc_python_type": "pdesolve.fem._firedrake_hybridization.FluxHybridization",
    "hybridization_ksp_type": "cg",
    "hybridization_ksp_rtol": 1e-9,
    "hybridization_ksp_max_it": 1000,
    "hybridization_pc_type": "gamg",
}


def darcy_form(problem: DarcyProblem, context: FormContext) -> LinearForm:
    """Weak form of −∇·(a ∇u) = f.

    With an element ``"CG"`` or ``"Q"``: find u with u = g on the Dirichlet sides and
    ∫ a ∇u·∇v = ∫ f v + ∫_Neumann flux v. With ``"RT"`` or ``"RTCF"``: find the flux
    σ = −a ∇u and u with ∫ a⁻¹σ·τ − ∫ u ∇·τ = −∫_Dirichlet g τ·n, ∫ v ∇·σ = ∫ f v, and
    σ·n = −flux on the Neumann sides.
    """
    size = context.dimension
    a = context.data(
        problem.coefficient,
        name="coefficient",
        shape=(size, size) if problem.has_tensor_coefficient else (),
        check=require_positive("coefficient"),
    )
    f = context.data(problem.source, name="source")
    build = _mixed if context.mixed else _primal
    return build(problem, context, a, f)


def _inputs(a: Any) -> tuple[Any, ...]:
    return (a,) if isinstance(a, firedrake.Function) else ()


def _primal(problem: DarcyProblem, context: FormContext, a: Any, f: Any) -> LinearForm:
    space = context.space("CG")
    u, v = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    conditions = context.conditions(problem.boundary_conditions)
    linear = f * v * ufl.dx
    for name, condition in conditions.items():
        if isinstance(condition, Neumann) and not _is_zero(condition):
            linear += (
                context.data(condition.flux, name=f"flux on '{name}'") * v * context.side(name)
            )
    fixed = any(isinstance(condition, Dirichlet) for condition in conditions.values())
    return LinearForm(
        ufl.inner(ufl.dot(a, ufl.grad(u)) if a.ufl_shape else a * ufl.grad(u), ufl.grad(v))
        * ufl.dx,
        linear,
        context.dirichlet(space, problem.boundary_conditions),
        (problem.unknown,),
        null_space=None
        if fixed
        else firedrake.VectorSpaceBasis(constant=True, comm=context.mesh.comm),
        finish=None if fixed else subtract_mean,
        inputs=_inputs(a),
    )


def _mixed(problem: DarcyProblem, context: FormContext, a: Any, f: Any) -> LinearForm:
    if context.dimension == 1:
        raise InputError("element='RT' needs two or three dimensions; use 'CG' in one")
    simplex = context.mesh.ufl_cell().is_simplex
    family = "RT" if simplex else ("RTCF" if context.dimension == 2 else "NCF")
    fluxes = context.space(family)
    pressures = context.space("DG" if simplex else "DQ", context.degree - 1)
    space = fluxes * pressures
    sigma, u = firedrake.TrialFunctions(space)
    tau, v = firedrake.TestFunctions(space)
    normal = ufl.FacetNormal(context.mesh)
    conditions = context.conditions(problem.boundary_conditions)
    inverse = ufl.dot(ufl.inv(a), sigma) if a.ufl_shape else sigma / a
    linear = -f * v * ufl.dx
    fixed, strong = False, []
    for name, condition in conditions.items():
        if isinstance(condition, Dirichlet):
            fixed = True
            if not (isinstance(condition.value, int | float) and condition.value == 0):
                value = context.data(condition.value, name=f"value on '{name}'")
                linear -= value * ufl.dot(tau, normal) * context.side(name)
        elif isinstance(condition, Neumann):
            number = context.side_number(name)
            given = firedrake.Function(fluxes)
            if not _is_zero(condition):
                value = context.data(condition.flux, name=f"flux on '{name}'")
                given = normal_flux(fluxes, -value, number)
            strong.append(firedrake.DirichletBC(space.sub(0), given, number))
    constants = firedrake.VectorSpaceBasis(constant=True, comm=context.mesh.comm)
    null_space = (
        None if fixed else firedrake.MixedVectorSpaceBasis(space, [space.sub(0), constants])
    )
    return LinearForm(
        (ufl.inner(inverse, tau) - u * ufl.div(tau) - v * ufl.div(sigma)) * ufl.dx,
        linear,
        tuple(strong),
        ("flux", problem.unknown),
        main=1,
        null_space=null_space,
        solver_parameters=_mixed_solver(space, context.dimension, singular=not fixed),
        finish=None if fixed else _subtract_pressure_mean,
        inputs=_inputs(a),
        context={} if fixed else {"trace_nullspace": lambda _: constants},
    )


def _mixed_solver(space: Any, dimension: int, *, singular: bool) -> dict[str, Any]:
    """A factorisation for small systems, hybridisation for large ones."""
    if space.dim() > LARGEST_DIRECT[dimension] or not PETSc.Sys.hasExternalPackage("mumps"):
        return HYBRIDIZATION
    return {**DIRECT, "mat_mumps_icntl_24": 1} if singular else DIRECT


def _is_zero(condition: Neumann) -> bool:
    function = condition.function
    return isinstance(function, ConstantFunction) and function.value == 0


def subtract_mean(function: Any) -> None:
    """Shift a function so that its integral is zero (collective)."""
    mesh = function.function_space().mesh()
    one = firedrake.Constant(1.0)
    volume = firedrake.assemble(one * ufl.dx(domain=mesh))
    mean = firedrake.assemble(function * ufl.dx) / volume
    function.dat.data_with_halos[...] -= mean


def _subtract_pressure_mean(function: Any) -> None:
    subtract_mean(function.subfunctions[1])
