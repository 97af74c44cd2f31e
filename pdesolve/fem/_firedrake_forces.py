"""Forces of a flow on a part of the boundary."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshes._firedrake import boundary_numbers
from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from pdesolve.fem._firedrake import firedrake, ufl
from pdesolve.fem._firedrake_forms import FormContext
from pdesolve.fem._firedrake_meshes import NamedMesh

_POINT_TOLERANCE = 1e-6


class BodyForce:
    """Drag and lift, computed from the weak form's residual.

    The force of the fluid on a body with boundary S, on which the velocity is given,

        F_i = ∮_S (σ n)_i ds,   σ = ν ∇u − p I,   n out of the body,

    equals minus the momentum equation's residual tested with functions that are e_i on S,
    which converges twice as fast as the integral of the stresses on S. On walls at rest
    ∇u may be replaced by 2 ε(u) without a change. The form is compiled once;
    :meth:`evaluate` reads the functions as they are at that time.

    Parameters
    ----------
    velocity, pressure
        Firedrake functions of a continuous vector space and of a scalar one (parts of a
        mixed function: ``w.subfunctions``). Divided by the density, as is the force.
    viscosity
        ν, a number or UFL expression.
    number
        Firedrake's number of the body's side.
    source
        f, a UFL expression.
    acceleration
        ∂u/∂t, a UFL expression, for flows in time.
    convection
        Whether u·∇u counts (False: Stokes).

    References
    ----------
    John, Matthies (2001), Higher-order finite element discretizations in a benchmark
    problem for incompressible flows, Int. J. Numer. Meth. Fluids 37,
    doi:10.1002/fld.195.

    Examples
    --------
    Shear flow u = (y, 0) with ν = 2 drags its bottom wall along:

    >>> mesh = firedrake.UnitSquareMesh(2, 2)
    >>> shear = ufl.as_vector([ufl.SpatialCoordinate(mesh)[1], 0])
    >>> u = firedrake.Function(firedrake.VectorFunctionSpace(mesh, "CG", 2)).interpolate(shear)
    >>> p = firedrake.Function(firedrake.FunctionSpace(mesh, "CG", 1))
    >>> [round(float(force), 12) + 0.0 for force in BodyForce(u, p, 2.0, 3).evaluate()]
    [2.0, 0.0]
    """

    def __init__(
        self,
        velocity: Any,
        pressure: Any,
        viscosity: Any,
        number: int,
        *,
        source: Any = None,
        acceleration: Any = None,
        convection: bool = True,
    ) -> None:
        space = velocity.function_space()
        mesh = space.mesh()
        self.dimension = int(mesh.geometric_dimension)
        v = firedrake.TestFunction(space)
        form = (
            viscosity * ufl.inner(ufl.grad(velocity), ufl.grad(v)) - pressure * ufl.div(v)
        ) * ufl.dx
        if convection:
            form += ufl.inner(ufl.dot(ufl.grad(velocity), velocity), v) * ufl.dx
        if source is not None:
            form -= ufl.inner(source, v) * ufl.dx
        if acceleration is not None:
            form += ufl.inner(acceleration, v) * ufl.dx
        self._form = form
        self._residual = firedrake.Cofunction(space.dual())
        zero = firedrake.Constant((0.0,) * self.dimension)
        nodes = firedrake.DirichletBC(space, zero, number).nodes
        self._nodes = nodes[nodes < space.node_set.size]  # those that this process owns
        self._comm = mesh.comm

    def evaluate(self) -> FloatArray:
        """The force, shape ``(dimension,)``, in 2D per length (collective)."""
        firedrake.assemble(self._form, tensor=self._residual)
        values = self._residual.dat.data_ro[self._nodes]
        own = np.asarray(values, dtype=np.float64).reshape(-1, self.dimension).sum(axis=0)
        return -np.asarray(self._comm.allreduce(own))


def flow_force(solution: Any, side: str) -> FloatArray:
    """The force of a steady flow on a part of the boundary, shape ``(dimension,)`` (collective).

    Divided by the density; in 2D per length.

    Parameters
    ----------
    solution
        Of a Stokes or Navier–Stokes problem, with the velocity given on the side.
    side
        Its name.

    Raises
    ------
    InputError
        If the problem is no flow, or the mesh has no such side.
    """
    from pdesolve.problems.flow import FlowProblem
    from pdesolve.problems.navier_stokes import NavierStokesProblem

    problem = solution.problem
    if not isinstance(problem, FlowProblem):
        raise InputError(f"'{problem.name}' is no flow, so there is no force of one")
    if not isinstance(problem.viscosity, int | float):
        raise InputError("flow_force needs a viscosity that is a number; use BodyForce for others")
    functions = solution.state.functions
    mesh = solution.state.mesh
    sides = boundary_numbers(mesh)
    if side not in sides:
        raise InputError(f"the mesh has no side '{side}'. {suggest(side, tuple(sides))}")
    context = FormContext(NamedMesh(mesh, sides), degree=2)
    force = BodyForce(
        functions["velocity"],
        functions["pressure"],
        float(problem.viscosity),
        sides[side],
        source=context.data(problem.source, name="source", shape=(problem.dimension,)),
        convection=isinstance(problem, NavierStokesProblem),
    )
    return force.evaluate()


def value_at(function: Any, points: FloatArray) -> FloatArray:
    """Values of a function at points ``(n, dimension)`` (collective).

    Examples
    --------
    >>> mesh = firedrake.UnitSquareMesh(2, 2)
    >>> space = firedrake.FunctionSpace(mesh, "CG", 1)
    >>> x = firedrake.Function(space).interpolate(ufl.SpatialCoordinate(mesh)[0])
    >>> value_at(x, np.array([[0.3, 0.3]])).round(12).tolist()
    [0.3]
    """
    mesh = function.function_space().mesh()
    evaluator = firedrake.PointEvaluator(
        mesh, np.asarray(points, dtype=np.float64), tolerance=_POINT_TOLERANCE
    )
    return np.asarray(evaluator.evaluate(function), dtype=np.float64)


def force_coefficients(
    force: FloatArray, speed: float, length: float, density: float = 1.0
) -> FloatArray:
    """2 F / (ρ U² L): drag and lift coefficients of a force per length.

    Examples
    --------
    >>> force_coefficients(np.array([0.02, 0.0]), speed=0.2, length=0.1).round(12).tolist()
    [10.0, 0.0]
    """
    return 2.0 * np.asarray(force) / (density * speed**2 * length)
