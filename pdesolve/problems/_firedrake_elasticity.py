"""Weak forms of elasticity."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.errors import InputError
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import node_coordinates, require_positive
from pdesolve.fem._firedrake_forms import FormContext, LinearForm, NonlinearForm
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.elasticity_problem import ElasticityProblem, is_zero

if TYPE_CHECKING:
    from pdesolve.solution import Solution

LOCKING_RATIO = 0.49
# Newton's steps bend a thin solid too far, and shortening them until the residual falls (bt)
# takes many of them; this line search looks for the place where the energy is stationary.
NEWTON = {"snes_linesearch_type": "cp"}


def elasticity_form(problem: ElasticityProblem, context: FormContext) -> LinearForm | NonlinearForm:
    """Weak form of −∇·P(∇u) = f.

    Find u with the given displacements and ∫ P(∇u):∇v = ∫ f·v + ∫_Neumann t·v for all v
    that vanish where displacements are given.
    """
    if context.mixed:
        raise InputError(
            f"element='{context.element}' has no form for elasticity; use 'CG' (or 'Q' on "
            "quadrilaterals and hexahedra)"
        )
    _warn_of_locking(problem, context.degree)
    space = context.vector_space("CG")
    conditions = context.conditions(problem.boundary_conditions, (Dirichlet, Neumann))
    modulus = context.data(
        problem.young_modulus, name="young_modulus", check=require_positive("Young's modulus")
    )
    build = _linear if problem.material == "linear" else _neo_hookean
    return build(problem, context, space, conditions, modulus)


def _warn_of_locking(problem: ElasticityProblem, degree: int) -> None:
    plane_stress = problem.dimension == 2 and problem.plane == "stress"
    if problem.poisson_ratio > LOCKING_RATIO and degree == 1 and not plane_stress:
        warnings.warn(
            f"elements of degree 1 lock for a Poisson ratio of {problem.poisson_ratio} (above "
            f"{LOCKING_RATIO}): displacements come out too small; use degree=2 or more",
            UserWarning,
            stacklevel=6,
        )


def _loads(
    problem: ElasticityProblem,
    context: FormContext,
    conditions: dict[str, Condition],
    test: Any,
    measure: Any,
) -> Any:
    """∫ f·v + ∫_Neumann t·v."""
    shape = (context.dimension,)
    zero = firedrake.Constant(np.zeros(shape))
    total = ufl.inner(zero, test) * measure
    if not is_zero(problem.body_force):
        force = context.data(problem.body_force, name="body_force", shape=shape)
        total += ufl.inner(force, test) * measure
    for name, condition in conditions.items():
        if isinstance(condition, Neumann) and not is_zero(condition.flux):
            if isinstance(condition.flux, int | float):
                raise InputError(
                    f"the traction on '{name}' is the number {condition.flux}; give one for each "
                    f"of the {context.dimension} components, Neumann((t_x, ...))"
                )
            traction = context.data(condition.flux, name=f"traction on '{name}'", shape=shape)
            total += ufl.inner(traction, test) * context.side(name)
    return total


def _linear(
    problem: ElasticityProblem,
    context: FormContext,
    space: Any,
    conditions: dict[str, Condition],
    modulus: Any,
) -> LinearForm:
    u, v = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    fixed = context.dirichlet(space, problem.boundary_conditions)
    free = free_rigid_motions(space, fixed)
    bilinear = ufl.inner(linear_stress(problem, modulus, u), _strain(v)) * ufl.dx
    return LinearForm(
        bilinear,
        _loads(problem, context, conditions, v, ufl.dx),
        fixed,
        (problem.unknown,),
        null_space=_basis(free, context) if free else None,
        near_null_space=_basis(rigid_motions(space), context),
        solver_parameters="elasticity_multigrid",
        finish=(lambda answer: remove_motions(answer, free)) if free else None,
        inputs=(modulus,) if isinstance(modulus, firedrake.Function) else (),
    )


def _neo_hookean(
    problem: ElasticityProblem,
    context: FormContext,
    space: Any,
    conditions: dict[str, Condition],
    modulus: Any,
) -> NonlinearForm:
    load = firedrake.Constant(1.0)
    u = firedrake.Function(space)
    v = firedrake.TestFunction(space)
    fixed = context.dirichlet(space, problem.boundary_conditions, load)
    if free_rigid_motions(space, fixed):
        raise InputError(
            "the boundary conditions leave rigid motions free, and a solid that may rotate has no "
            "unique state; give more displacements (Dirichlet)"
        )
    # the stress is no polynomial; the degree keeps its error below the elements'
    inside = ufl.dx(degree=2 * context.degree + 1)
    stress = ufl.inner(neo_hookean_stress(problem, modulus, u), ufl.grad(v)) * inside
    return NonlinearForm(
        stress - load * _loads(problem, context, conditions, v, inside),
        u,
        fixed,
        names=(problem.unknown,),
        symmetric=True,
        near_null_space=_basis(rigid_motions(space), context),
        inputs=(modulus,) if isinstance(modulus, firedrake.Function) else (),
        solver_parameters=NEWTON,
        continuation=load.assign,
    )


def _strain(u: Any) -> Any:
    return ufl.sym(ufl.grad(u))


def _lame_factors(problem: ElasticityProblem) -> tuple[Any, Any]:
    """As constants of a form, so that all Poisson ratios share one kernel."""
    first, shear = problem.lame_factors
    return firedrake.Constant(first), firedrake.Constant(shear)


def linear_stress(problem: ElasticityProblem, modulus: Any, u: Any) -> Any:
    """σ(u) as a UFL expression."""
    first, shear = _lame_factors(problem)
    strain = _strain(u)
    return modulus * (
        first * ufl.tr(strain) * ufl.Identity(problem.dimension) + 2.0 * shear * strain
    )


def neo_hookean_stress(problem: ElasticityProblem, modulus: Any, u: Any) -> Any:
    """P(∇u) as a UFL expression."""
    first, shear = _lame_factors(problem)
    gradient = ufl.Identity(problem.dimension) + ufl.grad(u)
    inverse = ufl.inv(gradient).T
    return modulus * (shear * (gradient - inverse) + first * ufl.ln(ufl.det(gradient)) * inverse)


def rigid_motions(space: Any) -> list[Any]:
    """Shifts and linearised rotations as functions of a vector space, orthonormal."""
    mesh = space.mesh()
    points = node_coordinates(space)
    size = points.shape[1]
    corners = mesh.comm.allgather((points.min(axis=0), points.max(axis=0)))
    centre = (np.min([c[0] for c in corners], axis=0) + np.max([c[1] for c in corners], axis=0)) / 2
    arms = points - centre
    motions = [np.broadcast_to(np.eye(size)[axis], points.shape) for axis in range(size)]
    for one in range(size):
        for other in range(one + 1, size):
            turned = np.zeros(points.shape)
            turned[:, one], turned[:, other] = -arms[:, other], arms[:, one]
            motions.append(turned)
    modes = []
    for motion in motions:
        mode = firedrake.Function(space)
        mode.dat.data_with_halos[...] = motion
        modes.append(mode)
    return _orthonormal(modes)


def _orthonormal(modes: list[Any]) -> list[Any]:
    for index, mode in enumerate(modes):
        for earlier in modes[:index]:
            mode -= float(_product(mode, earlier)) * earlier
        mode /= float(np.sqrt(_product(mode, mode)))
    return modes


def _product(one: Any, other: Any) -> float:
    with one.dat.vec_ro as a, other.dat.vec_ro as b:
        return float(a.dot(b))


def _basis(modes: list[Any], context: FormContext) -> Any:
    basis = firedrake.VectorSpaceBasis(modes, comm=context.mesh.comm)
    basis.orthonormalize()
    return basis


def free_rigid_motions(space: Any, conditions: tuple[Any, ...]) -> list[Any]:
    """The rigid motions that vanish wherever displacements are given (collective)."""
    modes = rigid_motions(space)
    fixed = []
    for mode in modes:
        rest = firedrake.Function(space).assign(mode)
        for condition in conditions:
            condition.zero(rest)
        fixed.append(firedrake.Function(space).assign(mode - rest))
    gram = np.array([[_product(one, other) for other in fixed] for one in fixed])
    sizes, vectors = np.linalg.eigh(gram)
    free = []
    for vector in vectors.T[sizes < 1e-10 * max(float(sizes[-1]), 1e-300)]:
        motion = firedrake.Function(space)
        for weight, mode in zip(vector, modes, strict=True):
            motion += float(weight) * mode
        free.append(motion)
    return modes if not conditions else free


def remove_motions(answer: Any, motions: list[Any]) -> None:
    """Take the L² part along some motions out of a displacement (collective)."""
    mass = [
        [firedrake.assemble(ufl.inner(one, other) * ufl.dx) for other in motions] for one in motions
    ]
    along = [firedrake.assemble(ufl.inner(answer, motion) * ufl.dx) for motion in motions]
    for weight, motion in zip(np.linalg.solve(mass, along), motions, strict=True):
        answer -= float(weight) * motion


def _parts(solution: Solution) -> tuple[ElasticityProblem, Any, Any]:
    problem, state = solution.problem, solution.state
    if not isinstance(problem, ElasticityProblem):
        raise InputError(f"'{problem.name}' is no elasticity problem")
    inputs = getattr(state, "inputs", ())
    modulus: Any = inputs[0] if inputs else problem.young_modulus
    if isinstance(modulus, int | float):
        modulus = firedrake.Constant(float(modulus))
    return problem, modulus, solution.native


def energy_of(solution: Solution) -> float:
    """See :func:`pdesolve.problems.elasticity_problem.strain_energy`."""
    problem, modulus, u = _parts(solution)
    if problem.material == "linear":
        density = ufl.inner(linear_stress(problem, modulus, u), _strain(u)) / 2.0
        return float(firedrake.assemble(density * ufl.dx))
    first, shear = _lame_factors(problem)
    gradient = ufl.Identity(problem.dimension) + ufl.grad(u)
    log = ufl.ln(ufl.det(gradient))
    density = modulus * (
        shear / 2.0 * (ufl.inner(gradient, gradient) - problem.dimension - 2.0 * log)
        + first / 2.0 * log**2
    )
    degree = u.function_space().ufl_element().embedded_superdegree
    return float(firedrake.assemble(density * ufl.dx(degree=2 * degree + 1)))


def stress_of(solution: Solution) -> Any:
    """See :func:`pdesolve.problems.elasticity_problem.cauchy_stress`."""
    problem, modulus, u = _parts(solution)
    if problem.material == "linear":
        stress = linear_stress(problem, modulus, u)
    else:
        gradient = ufl.Identity(problem.dimension) + ufl.grad(u)
        piola = neo_hookean_stress(problem, modulus, u)
        stress = ufl.dot(piola, gradient.T) / ufl.det(gradient)
    mesh = u.function_space().mesh()
    degree = u.function_space().ufl_element().embedded_superdegree - 1
    family = "DG" if mesh.ufl_cell().is_simplex else "DQ"
    return firedrake.Function(
        firedrake.TensorFunctionSpace(mesh, family, degree), name="cauchy_stress"
    ).interpolate(stress)
