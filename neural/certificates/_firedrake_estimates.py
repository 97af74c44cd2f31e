"""Estimates on meshes where no bound is known: dual norms of finite element residuals."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates.certificate import Certificate
from pdesolve.fem._firedrake import communicator, firedrake, raise_together, ufl
from pdesolve.fem._firedrake_data import node_coordinates
from pdesolve.fem._firedrake_forms import FormContext, LinearForm, NonlinearForm
from pdesolve.fem._firedrake_linear import LinearFormSolver
from pdesolve.fem._firedrake_meshes import NamedMesh, named_mesh
from pdesolve.fem._firedrake_state import channel_names
from pdesolve.problems.base import Problem
from pdesolve.problems.flow import FlowProblem
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem

STEP = (
    "estimated by one step from the prediction along the residual's Poisson solution, with "
    "elements of degree {degree} on this mesh; no bound is known for this equation"
)
DUAL = (
    "estimated by the dual norm of the residual, with elements of degree {degree} on this mesh; "
    "{constant}"
)
MONOTONE = "guaranteed for the solution with elements of degree {degree} on this mesh"
WAVES = "errors that are waves themselves can be larger by a factor of the order of k times the box"
FLOWS = "the error can be larger by a constant that grows with the Reynolds number"
# blocks of a norm do not see each other
PARTS: dict[str, Any] = {
    "ksp_type": "cg",
    "ksp_norm_type": "unpreconditioned",
    "pc_type": "fieldsplit",
    "pc_fieldsplit_type": "additive",
    "fieldsplit_ksp_type": "preonly",
    "fieldsplit_pc_type": "gamg",
}


@dataclass(frozen=True, eq=False)
class Posed:
    """A weak problem with elements of one degree more than a prediction's, and a norm.

    Parameters
    ----------
    form
        The problem.
    space
        Of its unknown.
    norm
        Takes two members and gives the form whose diagonal is the squared norm.
    name
        Of the norm.
    constant
        What is said of the constant between residual and error; where empty, the size of the
        residual's Riesz representative is corrected by one step along it.
    given
        Degree of the prediction.
    monotone
        Whether the equations without −Δ are monotone: the dual norm is then an upper bound.
    """

    form: LinearForm | NonlinearForm
    space: Any
    norm: Callable[[Any, Any], Any]
    name: str
    constant: str
    given: int
    monotone: bool = False

    @property
    def mixed(self) -> bool:
        """Whether the unknown has several parts."""
        return len(self.space) > 1

    def size(self, member: Any) -> float:
        """Squared norm (collective)."""
        return float(firedrake.assemble(self.norm(member, member)))


def posed(problem: Problem, mesh: Any, element: str, degree: int) -> Posed | None:
    """The problem for an estimate; None where no norm is known for its unknowns (collective)."""
    own = mesh.mesh if isinstance(mesh, NamedMesh) else mesh
    ranks = own.comm if hasattr(own, "ufl_cell") else communicator(None)
    named = named_mesh(problem, mesh, ranks, tensor_cells=element == "Q")
    context = FormContext(named, element, degree + 1)
    form = problem.weak_form(context)
    if isinstance(form, NonlinearForm):
        space = form.state.function_space()
    elif isinstance(form, LinearForm):
        space = form.bilinear.arguments()[-1].function_space()
    else:
        return None
    if isinstance(problem, HelmholtzProblem):
        k = context.data(problem.wavenumber, name="wavenumber")
        volume = firedrake.assemble(1.0 * ufl.dx(domain=context.mesh))
        square = float(firedrake.assemble(k**2 * ufl.dx(domain=context.mesh))) / float(volume)
        return Posed(form, space, _sobolev(square), "wave energy", WAVES, degree)
    if isinstance(problem, FlowProblem):
        viscosity = context.data(problem.viscosity, name="viscosity")
        return Posed(form, space, _of_flows(viscosity), "flow energy", FLOWS, degree)
    if len(space) > 1:
        return None
    square = 0.0 if form.boundary_conditions else 1.0 / _length(context.mesh) ** 2
    name = "Dirichlet energy" if form.boundary_conditions else "H1"
    monotone = isinstance(problem, OneSidedReactionProblem) and square == 0
    return Posed(form, space, _sobolev(square), name, "", degree, monotone)


def estimate_on_mesh(
    problem: Problem,
    prediction: Field,
    mesh: Any,
    element: str,
    degree: int,
    solver_parameters: Mapping[str, Any] | None,
) -> Certificate:
    """See :func:`neural.certificates.certify_on_mesh` (collective)."""
    found = posed(problem, mesh, element, degree)
    if found is None:
        return Certificate.nothing("fem", f"no norm is known for the unknowns of '{problem.name}'")
    values = as_elements(found, prediction)
    energy = found.size(values)
    if not energy > 0:
        return Certificate.nothing("fem", "the prediction's norm is zero or not finite")
    residual, derivative, relative = _residual(found, values)
    riesz = _riesz(found, residual, solver_parameters)
    work = float(firedrake.assemble(firedrake.action(residual, riesz)))
    length = 1.0
    if not found.constant and not found.monotone and work > 0:
        image = firedrake.action(derivative, riesz)
        curvature = float(firedrake.assemble(firedrake.action(image, riesz)))
        length = work / curvature if curvature > 0 else math.nan
    if not (math.isfinite(work) and math.isfinite(length)):
        reason = "the linearised equation is not positive there: the prediction is far off"
        return Certificate.nothing("fem", reason, residual=relative)
    text = MONOTONE if found.monotone else DUAL if found.constant else STEP
    return Certificate(
        "guaranteed" if found.monotone else "estimate",
        "fem",
        found.name,
        length * math.sqrt(max(work, 0.0) / energy),
        residual=relative,
        statement=text.format(degree=degree + 1, constant=found.constant),
    )


def estimated_error(
    problem: Problem, prediction: Field, reference: Field, mesh: Any, element: str, degree: int
) -> float:
    """Distance of two fields in the norm of the estimate, relative to the first (collective)."""
    found = posed(problem, mesh, element, degree)
    if found is None:
        raise InputError(f"no norm is known for the unknowns of '{problem.name}'")
    values = [as_elements(found, field) for field in (prediction, reference)]
    difference = firedrake.Function(found.space).assign(values[1] - values[0])
    energy = found.size(values[0])
    if not energy > 0:
        raise InputError("the prediction's norm is zero: a relative error is not defined")
    return math.sqrt(max(found.size(difference), 0.0) / energy)


def as_elements(found: Posed, prediction: Field) -> Any:
    """The prediction in the space of the form, with the problem's boundary values (collective).

    It is read at the nodes of elements of its own degree first.
    """
    form, answer = found.form, firedrake.Function(found.space)
    parts = answer.subfunctions if found.mixed else (answer,)
    for name, part in zip(form.names, parts, strict=True):
        _read(part, name, prediction, found.given)
    for condition in form.boundary_conditions:
        condition.apply(answer)
    return answer


def _read(part: Any, name: str, prediction: Field, degree: int) -> None:
    own = part.function_space()
    lowest = min(degree, own.ufl_element().embedded_superdegree)
    make = firedrake.VectorFunctionSpace if own.value_size > 1 else firedrake.FunctionSpace
    given = firedrake.Function(make(own.mesh(), "CG", lowest))
    channels, error = channel_names(name, part), None
    points = node_coordinates(given.function_space())
    values = np.zeros((len(channels), len(points)))
    try:
        missing = [channel for channel in channels if channel not in prediction.names]
        if missing:
            raise InputError(
                f"the prediction has the channels {prediction.names}, and lacks '{missing[0]}'"
            )
        values = prediction.select(list(channels)).evaluate(points)
        if not np.isfinite(values).all():
            raise InputError("the prediction is not finite: no certificate can be made of it")
    except InputError as wrong:
        error = wrong
    raise_together(own.mesh().comm, error)
    given.dat.data_with_halos[...] = values[0] if len(channels) == 1 else values.T
    part.interpolate(given)


def _residual(found: Posed, values: Any) -> tuple[Any, Any, float]:
    """−F(v), F'(v), and the size of F(v) beside that of F(0)."""
    form = found.form
    if isinstance(form, LinearForm):
        load, residual = form.linear, form.linear - firedrake.action(form.bilinear, values)
        sizes = [_vector_norm(form, functional) for functional in (residual, load)]
        return residual, form.bilinear, sizes[0] / sizes[1] if sizes[1] > 0 else math.nan
    form.state.assign(0.0)
    load_size = _vector_norm(form, form.residual)
    form.state.assign(values)
    derivative = form.jacobian or firedrake.derivative(form.residual, form.state)
    size = _vector_norm(form, form.residual)
    return -form.residual, derivative, size / load_size if load_size > 0 else math.nan


def _vector_norm(form: Any, functional: Any) -> float:
    zero = [condition.reconstruct(g=0) for condition in form.boundary_conditions]
    with firedrake.assemble(functional, bcs=zero).dat.vec_ro as vector:
        return float(vector.norm())


def _riesz(found: Posed, residual: Any, solver_parameters: Mapping[str, Any] | None) -> Any:
    """The z whose product in the norm with every w is r(w)."""
    trial, test = firedrake.TrialFunction(found.space), firedrake.TestFunction(found.space)
    form = LinearForm(
        found.norm(trial, test),
        residual,
        tuple(condition.reconstruct(g=0) for condition in found.form.boundary_conditions),
        found.form.names,
        solver_parameters=PARTS if found.mixed else {},
    )
    riesz, result = LinearFormSolver(form, solver_parameters, "certificate_").solve()
    if not result.converged:
        raise InputError(
            f"the Poisson problem of the certificate did not converge ({result.reason}); give "
            "other solver_parameters, such as {'pc_type': 'lu', 'ksp_type': 'preonly'}"
        )
    return riesz


def _sobolev(square: float) -> Callable[[Any, Any], Any]:
    """∫ ∇u·∇v + s u v."""
    shift = firedrake.Constant(square)

    def norm(one: Any, other: Any) -> Any:
        gradients = ufl.inner(ufl.grad(one), ufl.grad(other)) * ufl.dx
        return gradients + shift * ufl.inner(one, other) * ufl.dx if square else gradients

    return norm


def _of_flows(viscosity: Any) -> Callable[[Any, Any], Any]:
    """∫ ν ∇u:∇v + p q / ν of pairs (u, p) and (v, q)."""

    def norm(one: Any, other: Any) -> Any:
        (u, p), (v, q) = ufl.split(one), ufl.split(other)
        gradients = viscosity * ufl.inner(ufl.grad(u), ufl.grad(v))
        return (gradients + p * q / viscosity) * ufl.dx

    return norm


def _length(mesh: Any) -> float:
    """Longest side of the mesh's box (collective)."""
    own = mesh.coordinates.dat.data_ro
    ends = mesh.comm.allgather((own.min(axis=0), own.max(axis=0)) if len(own) else None)
    known = [end for end in ends if end is not None]
    low = np.min([end[0] for end in known], axis=0)
    high = np.max([end[1] for end in known], axis=0)
    return float(np.max(high - low))
