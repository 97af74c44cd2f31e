"""What the weak forms of incompressible flows share: spaces, stresses, sides, balance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.spatial import ConstantFunction
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_forms import FormContext
from pdesolve.fem._firedrake_meshes import relative_cell_size
from pdesolve.fem.preconditioners import named_preconditioner
from pdesolve.problems._firedrake_darcy import subtract_mean
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.flow import FlowProblem, Inflow

NAMES = ("velocity", "pressure")

# Up to these numbers of unknowns a factorisation is fastest (docs: Stokes, Navier–Stokes).
LARGEST_DIRECT_STOKES = {2: 200_000, 3: 15_000}
LARGEST_DIRECT_NAVIER_STOKES = {2: 400_000, 3: 60_000}


def solver_for(
    space: Any, largest: Mapping[int, int], otherwise: str, *, singular: bool
) -> dict[str, Any]:
    """A factorisation of systems up to a size, block preconditioners for larger ones."""
    dimension = int(space.mesh().unique().geometric_dimension)
    if space.dim() > largest[dimension] or not PETSc.Sys.hasExternalPackage("mumps"):
        return named_preconditioner(otherwise)
    found = named_preconditioner("direct")
    return {**found, "mat_mumps_icntl_24": 1} if singular else found  # null pivots


@dataclass(frozen=True, eq=False)
class FlowData:
    """A flow's spaces and data, ready for a weak form.

    Parameters
    ----------
    space
        Taylor–Hood: continuous velocities of degree k ≥ 2, pressures of degree k − 1.
    viscosity
        As a UFL coefficient.
    symmetric
        Whether the stress is that with 2 ν ε(u).
    load
        ∫ f·v + ∫ t·v over the sides with a traction, a UFL form.
    conditions
        Firedrake's conditions for the velocity.
    null_space
        Constant pressures where no side fixes them, or None.
    divergence
        What ∇·u must be for given velocities all around that let a little through; zero.
    """

    space: Any
    viscosity: Any
    symmetric: bool
    load: Any
    conditions: tuple[Any, ...]
    null_space: Any
    divergence: Any

    def stress(self, velocity: Any, viscosity: Any = None) -> Any:
        """The viscous stress, ν ∇u or 2 ν ε(u)."""
        nu = self.viscosity if viscosity is None else viscosity
        gradient = ufl.grad(velocity)
        return 2 * nu * ufl.sym(gradient) if self.symmetric else nu * gradient

    def finish(self, state: Any) -> None:
        """Give the pressure the mean zero where it is defined up to a constant."""
        if self.null_space is not None:
            subtract_mean(state.subfunctions[1])


def flow_data(problem: FlowProblem, context: FormContext) -> FlowData:
    """Spaces and data of a flow (collective).

    Raises
    ------
    InputError
        If the element is not Taylor–Hood's, a coefficient or condition cannot be used, or
        velocities given all around do not balance.
    """
    if context.mixed:
        raise InputError(
            f"element='{context.element}' has no velocities with point values; flows are solved "
            "with Taylor–Hood elements, element='CG' (or 'Q') and degree=2 or more"
        )
    # the lowest stable pair, also for the degree 1 that callers get who say nothing
    context = replace(context, degree=max(context.degree, problem.lowest_degree))
    space = context.vector_space() * context.space("CG", context.degree - 1)
    size = context.dimension
    v, _ = firedrake.TestFunctions(space)
    load = ufl.inner(context.data(problem.source, name="source", shape=(size,)), v) * ufl.dx
    given = context.conditions(problem.boundary_conditions)
    given = {
        name: _measured(name, condition, context) if isinstance(condition, Inflow) else condition
        for name, condition in given.items()
    }
    for name, condition in given.items():
        if isinstance(condition, Neumann) and not _is_zero(condition.flux):
            traction = _traction(name, condition, context)
            load += ufl.inner(traction, v) * context.side(name)
    conditions = context.dirichlet(space.sub(0), given)
    closed = _is_closed(space, conditions)
    constants = firedrake.VectorSpaceBasis(constant=True, comm=context.mesh.comm)
    return FlowData(
        space,
        context.data(problem.viscosity, name="viscosity", check=require_positive("viscosity")),
        problem.has_symmetric_stress,
        load,
        conditions,
        firedrake.MixedVectorSpaceBasis(space, [space.sub(0), constants]) if closed else None,
        _divergence(space, conditions) if closed else firedrake.Constant(0.0),
    )


def _traction(name: str, condition: Neumann, context: FormContext) -> Any:
    if isinstance(condition.flux, int | float):
        raise InputError(
            f"Neumann({condition.flux}) of side '{name}': a traction has {context.dimension} "
            "components; give a tuple, or Neumann(0.0) for a free outflow"
        )
    return context.data(condition.flux, name=f"traction on '{name}'", shape=(context.dimension,))


def _is_zero(flux: object) -> bool:
    if isinstance(flux, ConstantFunction):
        flux = flux.value
    return isinstance(flux, int | float) and flux == 0


def _measured(name: str, condition: Inflow, context: FormContext) -> Dirichlet:
    """An inflow as a velocity in space, once the side's place is known (collective)."""
    mesh = context.mesh
    normals = ufl.FacetNormal(mesh)
    side = context.side(name)
    length = float(firedrake.assemble(firedrake.Constant(1.0) * side))
    normal = np.array([float(firedrake.assemble(normals[axis] * side)) for axis in range(2)])
    if np.linalg.norm(normal) < (1 - 1e-8) * length:
        raise InputError(
            f"side '{name}' is not straight, so its Inflow has no direction; give Dirichlet((u, v))"
        )
    normal /= np.linalg.norm(normal)
    tangent = np.array([-normal[1], normal[0]])
    tangent *= np.sign(tangent[np.abs(tangent).argmax()])  # s grows with x, or with y
    space = mesh.coordinates.function_space()
    zero = firedrake.Constant(np.zeros(2))
    nodes = firedrake.DirichletBC(space, zero, context.side_number(name)).nodes
    place = mesh.coordinates.dat.data_ro_with_halos[nodes] @ tangent
    ends = (place.min(), place.max()) if len(place) else (np.inf, -np.inf)
    parts = mesh.comm.allgather(ends)
    start, end = min(part[0] for part in parts), max(part[1] for part in parts)

    def component(axis: int) -> Any:
        def velocity(points: FloatArray) -> FloatArray:
            where = tangent[0] * points[0] + tangent[1] * points[1]
            share = np.clip((where - start) / (end - start), 0.0, 1.0)
            return np.asarray(-normal[axis] * condition.values(share))

        return 0.0 if abs(normal[axis]) < 1e-12 else velocity

    return Dirichlet((component(0), component(1)))


def _is_closed(space: Any, conditions: tuple[Any, ...]) -> bool:
    """Whether ∮ v·n = 0 for every velocity that the conditions allow: p has no level."""
    mesh = space.mesh().unique()
    v, _ = firedrake.TestFunctions(space)
    flux = firedrake.assemble(ufl.dot(v, ufl.FacetNormal(mesh)) * ufl.ds)
    with flux.dat.vec_ro as vector:
        size = vector.norm()
    for condition in conditions:
        condition.zero(flux)
    with flux.dat.vec_ro as vector:
        left = vector.norm()
    return bool(left <= 1e-12 * size)


def _divergence(space: Any, conditions: tuple[Any, ...]) -> Any:
    """What flows in through all sides per volume, a constant; refused where it is no error."""
    mesh = space.mesh().unique()
    lift = firedrake.Function(space)
    for condition in conditions:
        condition.apply(lift)
    through = ufl.dot(lift.subfunctions[0], ufl.FacetNormal(mesh))
    flux = float(firedrake.assemble(through * ufl.ds(domain=mesh)))
    size = float(firedrake.assemble(abs(through) * ufl.ds(domain=mesh)))
    along = lift.subfunctions[0]
    speed = float(firedrake.assemble(ufl.sqrt(ufl.dot(along, along)) * ufl.ds(domain=mesh)))
    if abs(flux) <= 1e-12 * speed:  # rounding
        return firedrake.Constant(0.0)
    # the error of reading data on the mesh, for data that vary over a third of it or more
    allowed = max(min(4.0 * relative_cell_size(mesh) ** 2, 0.5), 1e-8)
    if abs(flux) > allowed * size:
        raise InputError(
            f"velocities are given all around, and {abs(flux) / size:.1%} of what they move "
            f"{'leaves' if flux > 0 else 'enters'} for good; an incompressible flow needs "
            "∮ u·n = 0: change a velocity, or give one side Neumann(0.0)"
        )
    volume = float(firedrake.assemble(firedrake.Constant(1.0) * ufl.dx(domain=mesh)))
    return firedrake.Constant(flux / volume)
