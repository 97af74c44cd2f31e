"""Weak forms of Darcy flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.spatial import ConstantFunction
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import Check, require_positive
from pdesolve.fem._firedrake_flux import normal_flux
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.problems.boundary import USUAL, Condition, Dirichlet, Neumann, Robin

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
    ∫ a ∇u·∇v + ∫_Robin r u v = ∫ f v + ∫_Neumann flux v + ∫_Robin s v. With ``"RT"`` or
    ``"RTCF"``: find the flux σ = −a ∇u and u with ∫ a⁻¹σ·τ − ∫ u ∇·τ = −∫_Dirichlet g τ·n,
    ∫ v ∇·σ = ∫ f v, and σ·n = −flux on the Neumann sides; a Robin side, u = (σ·n + s)/r, adds
    ∫ (σ·n)(τ·n)/r on the left and −∫ s/r τ·n on the right.
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
    conditions = context.conditions(problem.boundary_conditions, USUAL)
    transfer, inflow = side_terms(context, conditions, u, v)
    fixed = fixes_constant(conditions)
    return LinearForm(
        ufl.inner(ufl.dot(a, ufl.grad(u)) if a.ufl_shape else a * ufl.grad(u), ufl.grad(v)) * ufl.dx
        + transfer,
        f * v * ufl.dx + inflow,
        context.dirichlet(space, problem.boundary_conditions),
        (problem.unknown,),
        null_space=None
        if fixed
        else firedrake.VectorSpaceBasis(constant=True, comm=context.mesh.comm),
        finish=None if fixed else subtract_mean,
        inputs=_inputs(a),
    )


def side_terms(
    context: FormContext, conditions: Mapping[str, Condition], u: Any, v: Any
) -> tuple[Any, Any]:
    """What Neumann and Robin sides add to a(u, v) and to L(v).

    Raises
    ------
    InputError
        If a Robin coefficient is negative or a value is not finite.
    """
    bilinear: Any = 0
    linear: Any = 0
    for name, condition in conditions.items():
        if isinstance(condition, Robin):
            transfer = context.data(
                condition.coefficient,
                name=f"Robin coefficient on '{name}'",
                check=_not_negative(name),
            )
            bilinear += transfer * u * v * context.side(name)
        if isinstance(condition, Neumann | Robin) and not _is_zero(condition):
            given = condition.flux if isinstance(condition, Neumann) else condition.value
            word = "flux" if isinstance(condition, Neumann) else "value"
            linear += context.data(given, name=f"{word} on '{name}'") * v * context.side(name)
    return bilinear, linear


def fixes_constant(conditions: Mapping[str, Condition]) -> bool:
    """Whether some side says more of u than its slope."""
    return any(
        isinstance(condition, Dirichlet)
        or (
            isinstance(condition, Robin)
            and not (
                isinstance(condition.coefficient_function, ConstantFunction)
                and condition.coefficient_function.value == 0
            )
        )
        for condition in conditions.values()
    )


def _not_negative(side: str) -> Check:
    def check(values: FloatArray, points: FloatArray) -> None:
        if values.size and values.min() < 0:
            where = tuple(points[int(np.argmin(values))].tolist())
            raise InputError(
                f"the Robin coefficient on '{side}' must not be negative; it is "
                f"{values.min():.6g} at {where}"
            )

    return check


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
    conditions = context.conditions(problem.boundary_conditions, USUAL)
    inverse = ufl.dot(ufl.inv(a), sigma) if a.ufl_shape else sigma / a
    linear = -f * v * ufl.dx
    fixed, strong = fixes_constant(conditions), []
    through: Any = 0
    for name, condition in conditions.items():
        if isinstance(condition, Robin):
            # u = (σ·n + value) / coefficient there
            resistance = 1 / context.data(
                condition.coefficient,
                name=f"Robin coefficient on '{name}'",
                check=require_positive(f"Robin coefficient on '{name}' of a mixed form"),
            )
            outward = resistance * ufl.dot(tau, normal)
            through += ufl.dot(sigma, normal) * outward * context.side(name)
            if not _is_zero(condition):
                value = context.data(condition.value, name=f"value on '{name}'")
                linear -= value * outward * context.side(name)
        elif isinstance(condition, Dirichlet):
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
        (ufl.inner(inverse, tau) - u * ufl.div(tau) - v * ufl.div(sigma)) * ufl.dx + through,
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


def _is_zero(condition: Neumann | Robin) -> bool:
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
