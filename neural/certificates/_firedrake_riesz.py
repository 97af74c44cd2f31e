"""The dual norm of a finite element residual, by one Poisson solve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates._firedrake_dual import residual_size, riesz_representative
from neural.certificates.certificate import Certificate
from pdesolve.fem._firedrake import communicator, firedrake, raise_together, ufl
from pdesolve.fem._firedrake_data import node_coordinates
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.fem._firedrake_meshes import NamedMesh, named_mesh
from pdesolve.problems.darcy import DarcyProblem


def riesz_certificate(
    problem: DarcyProblem,
    prediction: Field,
    mesh: Any,
    element: str,
    degree: int,
    solver_parameters: Mapping[str, Any] | None,
) -> Certificate:
    """See :func:`neural.certificates.certify_on_mesh` (collective)."""
    context, form = _posed(problem, mesh, element, degree)
    space = form.bilinear.arguments()[-1].function_space()
    values = _as_elements(problem, prediction, context.space("CG", degree), space)
    for condition in form.boundary_conditions:
        condition.apply(values)
    residual = form.linear - firedrake.action(form.bilinear, values)
    riesz = _riesz(form, space, residual, solver_parameters)
    dual = float(firedrake.assemble(firedrake.action(residual, riesz)))
    image = firedrake.action(form.bilinear, values)
    energy = float(firedrake.assemble(firedrake.action(image, values)))
    if not energy > 0:
        return Certificate.nothing("fem", "the prediction is constant: its energy is zero")
    smallest, largest = _range(form, problem, space.mesh().comm)
    return Certificate(
        "guaranteed",
        "fem",
        "energy",
        float(np.sqrt(max(dual, 0.0) / smallest / energy)),
        float(np.sqrt(max(dual, 0.0) / largest / energy)),
        _relative_residual(form, residual),
        f"guaranteed for the solution with elements of degree {degree + 1} on this mesh; the "
        "lower bound for the exact solution too, up to quadrature",
    )


def energy_error(
    problem: DarcyProblem, prediction: Field, reference: Field, mesh: Any, element: str, degree: int
) -> float:
    """See :func:`neural.certificates.finite_elements.energy_error_on_mesh` (collective)."""
    context, form = _posed(problem, mesh, element, degree)
    space = form.bilinear.arguments()[-1].function_space()
    given = context.space("CG", degree)
    values = [_as_elements(problem, field, given, space) for field in (prediction, reference)]
    for condition in form.boundary_conditions:
        for one in values:
            condition.apply(one)
    difference = firedrake.Function(space).assign(values[1] - values[0])
    energies = []
    for one in (difference, values[0]):
        image = firedrake.action(form.bilinear, one)
        energies.append(float(firedrake.assemble(firedrake.action(image, one))))
    if not energies[1] > 0:
        raise InputError("the prediction is constant: a relative energy error is not defined")
    return float(np.sqrt(max(energies[0], 0.0) / energies[1]))


def _posed(
    problem: DarcyProblem, mesh: Any, element: str, degree: int
) -> tuple[FormContext, LinearForm]:
    """Context and form with elements of one degree more."""
    own = mesh.mesh if isinstance(mesh, NamedMesh) else mesh
    ranks = own.comm if hasattr(own, "ufl_cell") else communicator(None)
    named = named_mesh(problem, mesh, ranks, tensor_cells=element == "Q")
    context = FormContext(named, element, degree + 1)
    return context, problem.weak_form(context)


def _as_elements(problem: DarcyProblem, prediction: Field, given: Any, space: Any) -> Any:
    """The prediction in the space of lower degree, seen as a member of the other."""
    coarse, error = firedrake.Function(given), None
    points = node_coordinates(given)
    values = np.zeros((1, len(points)))
    try:
        if problem.unknown not in prediction.names:
            raise InputError(
                f"the prediction has the channels {prediction.names}, the unknown is "
                f"'{problem.unknown}'"
            )
        values = prediction.select([problem.unknown]).evaluate(points)
        if not np.isfinite(values).all():
            raise InputError("the prediction is not finite: no certificate can be made of it")
    except InputError as wrong:
        error = wrong
    raise_together(given.mesh().comm, error)
    coarse.dat.data_with_halos[...] = values[0]
    return firedrake.Function(space).interpolate(coarse)


def _riesz(
    form: LinearForm, space: Any, residual: Any, solver_parameters: Mapping[str, Any] | None
) -> Any:
    """The z with ∫ ∇z·∇w = r(w) for all w that vanish on the Dirichlet sides."""
    trial, test = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    return riesz_representative(
        ufl.inner(ufl.grad(trial), ufl.grad(test)) * ufl.dx,
        residual,
        form.boundary_conditions,
        solver_parameters,
        null_space=form.null_space,
        finish=form.finish,
    )


def _range(form: LinearForm, problem: DarcyProblem, comm: Any) -> tuple[float, float]:
    """Smallest and largest value of a: those that the form was made with."""
    if not form.inputs:
        value = float(problem.scalar_coefficient.evaluate(np.zeros((1, problem.dimension)))[0])
        return value, value
    data = form.inputs[0].dat.data_ro
    lows = comm.allgather(float(data.min()) if data.size else np.inf)
    highs = comm.allgather(float(data.max()) if data.size else -np.inf)
    return min(lows), max(highs)


def _relative_residual(form: LinearForm, residual: Any) -> float:
    """‖r‖₂ / ‖b‖₂ of the assembled vectors."""
    sizes = [residual_size(form, functional) for functional in (residual, form.linear)]
    return sizes[0] / sizes[1] if sizes[1] > 0 else sizes[0]
