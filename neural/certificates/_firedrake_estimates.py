"""Estimates on meshes where no bound is known: dual norms of finite element residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates._firedrake_dual import residual_size, riesz_representative
from neural.certificates._firedrake_norms import Posed, posed
from neural.certificates.certificate import Certificate
from pdesolve.fem._firedrake import firedrake, raise_together
from pdesolve.fem._firedrake_data import node_coordinates
from pdesolve.fem._firedrake_forms import LinearForm, NonlinearForm
from pdesolve.fem._firedrake_state import channel_names
from pdesolve.problems.base import Problem
from pdesolve.problems.helmholtz import HelmholtzProblem

STEP = (
    "estimated by one step from the prediction along the residual's Poisson solution, with "
    "elements of degree {degree} on this mesh; no bound is known for this equation"
)
DUAL = (
    "estimated by the dual norm of the residual, with elements of degree {degree} on this mesh; "
    "{constant}"
)
MONOTONE = "guaranteed for the solution with elements of degree {degree} on this mesh"
FAR = (
    "; here the residual is nearly as large as that of zero, or larger: the prediction is far from "
    "a solution, and its error can be many times the estimate"
)
LARGE_RESIDUAL = 0.5
"""Dual norm of the residual beside that of zero, from which on an estimate is called far."""
# blocks of a norm do not see each other
PARTS: dict[str, Any] = {
    "ksp_type": "cg",
    "ksp_norm_type": "unpreconditioned",
    "pc_type": "fieldsplit",
    "pc_fieldsplit_type": "additive",
    "fieldsplit_ksp_type": "preonly",
    "fieldsplit_pc_type": "gamg",
}


def estimate_on_mesh(
    problem: Problem,
    prediction: Field,
    mesh: Any,
    element: str,
    degree: int,
    solver_parameters: Mapping[str, Any] | None,
) -> Certificate:
    """See :func:`neural.certificates.certify_on_mesh` (collective)."""
    try:
        found = posed(problem, mesh, element, degree)
    except InputError as wrong:
        if not isinstance(problem, HelmholtzProblem):
            raise
        return Certificate.nothing("fem", str(wrong))  # too few points for the waves
    if found is None:
        return Certificate.nothing("fem", f"no norm is known for the unknowns of '{problem.name}'")
    missing = [name for name in channels_of(found) if name not in prediction.names]
    if missing:
        reason = f"the prediction has no channel '{missing[0]}', which the equations want"
        return Certificate.nothing("fem", reason)
    values = as_elements(found, prediction)
    energy = found.size(values)
    if not energy > 0:
        return Certificate.nothing("fem", "the prediction's norm is zero or not finite")
    residual, derivative, sizes = _residual(found, values)
    relative = sizes[0] / sizes[1] if sizes[1] > 0 else math.nan
    if not math.isfinite(sizes[0]):
        reason = "the residual of the prediction is not finite: it is far from any solution"
        return Certificate.nothing("fem", reason)
    riesz = _riesz(found, residual, solver_parameters)
    work = float(firedrake.assemble(firedrake.action(residual, riesz)))
    length, text = 1.0, MONOTONE if found.monotone else DUAL if found.constant else STEP
    if not found.constant and not found.monotone and work > 0:
        image = firedrake.action(derivative, riesz)
        curvature = float(firedrake.assemble(firedrake.action(image, riesz)))
        length = work / curvature if curvature > 0 else math.nan
        if isinstance(found.form, NonlinearForm):
            text += FAR if _is_far(found, found.form, work, solver_parameters) else ""
    if not (math.isfinite(work) and math.isfinite(length)):
        reason = "the linearised equation is not positive there: the prediction is far off"
        return Certificate.nothing("fem", reason, residual=relative)
    return Certificate(
        "guaranteed" if found.monotone else "estimate",
        "fem",
        found.name,
        length * math.sqrt(max(work, 0.0) / energy),
        residual=relative,
        statement=text.format(degree=degree + 1, constant=found.constant),
    )


def _is_far(
    found: Posed, form: NonlinearForm, work: float, solver_parameters: Mapping[str, Any] | None
) -> bool:
    """Whether the residual is nearly as large as that of zero, in the dual norm."""
    form.state.assign(0.0)  # the residual is one in the state
    for condition in form.boundary_conditions:
        condition.apply(form.state)
    residual = -form.residual
    riesz = _riesz(found, residual, solver_parameters)
    largest = float(firedrake.assemble(firedrake.action(residual, riesz)))
    return 0 < LARGE_RESIDUAL**2 * largest < work


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
    if form.finish is not None:  # constants that the equations do not see
        form.finish(answer)
    return answer


def channels_of(found: Posed) -> tuple[str, ...]:
    """Names of the channels that a prediction must have."""
    function = firedrake.Function(found.space)
    parts = function.subfunctions if found.mixed else (function,)
    pairs = zip(found.form.names, parts, strict=True)
    return tuple(channel for name, part in pairs for channel in channel_names(name, part))


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


def _residual(found: Posed, values: Any) -> tuple[Any, Any, tuple[float, float]]:
    """−F(v), F'(v), and the sizes of F(v) and F(0)."""
    form = found.form
    if isinstance(form, LinearForm):
        load, residual = form.linear, form.linear - firedrake.action(form.bilinear, values)
        return residual, form.bilinear, (residual_size(form, residual), residual_size(form, load))
    form.state.assign(0.0)
    load_size = residual_size(form, form.residual)
    form.state.assign(values)
    derivative = form.jacobian or firedrake.derivative(form.residual, form.state)
    return -form.residual, derivative, (residual_size(form, form.residual), load_size)


def _riesz(found: Posed, residual: Any, solver_parameters: Mapping[str, Any] | None) -> Any:
    """The z whose product in the norm with every w is r(w)."""
    trial, test = firedrake.TrialFunction(found.space), firedrake.TestFunction(found.space)
    return riesz_representative(
        found.norm(trial, test),
        residual,
        found.form.boundary_conditions,
        solver_parameters,
        names=found.form.names,
        solver_parameters=PARTS if found.mixed else {},
    )
