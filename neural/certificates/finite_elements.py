"""Certificates on meshes of finite elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates.certificate import Certificate
from pdesolve.problems.base import Problem
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.poisson import PoissonProblem


def certify_on_mesh(
    problem: Problem,
    prediction: Field,
    mesh: Any,
    *,
    element: str = "CG",
    degree: int = 1,
    solver_parameters: Mapping[str, Any] | None = None,
) -> Certificate:
    """Bound the error of a prediction that is read as finite elements; collective.

    The prediction is interpolated to elements of the given degree with the boundary values
    of the problem. The dual norm of its residual comes from one Poisson problem with
    elements of one degree more on the same mesh, solved by Firedrake and PETSc.

    Parameters
    ----------
    problem
        Diffusion, −∇·(a ∇u) = f with scalar a, or Poisson's equation.
    prediction
        Field on a grid or a mesh, with a channel named as the unknown.
    mesh
        What ``solve(..., backend="fem", mesh=mesh)`` takes.
    element, degree
        ``"CG"`` or ``"Q"``, and the degree of the prediction.
    solver_parameters
        PETSc options of the Poisson solve.

    Returns
    -------
    Certificate
        Two-sided, in the energy norm over that of the prediction; of kind ``"none"``, with
        the reason, for other problems.

    Raises
    ------
    MissingDependencyError
        Without Firedrake.
    InputError
        If mesh, element and problem do not fit, or the field is not finite.

    References
    ----------
    Ainsworth, Oden (2000), A Posteriori Error Estimation in Finite Element Analysis, Wiley,
    doi:10.1002/9781118032824.

    Examples
    --------
    >>> certificate = certify_on_mesh(problem, prediction, (32, 32))  # doctest: +SKIP
    >>> certificate.kind  # doctest: +SKIP
    'guaranteed'
    """
    problem, prediction = _as_diffusion(problem, prediction)
    if not isinstance(problem, DarcyProblem) or problem.has_tensor_coefficient:
        return Certificate.nothing(
            "fem",
            f"on meshes a bound is known for diffusion with a scalar coefficient only, and "
            f"'{problem.name}' is another equation",
        )
    from neural.certificates._firedrake_riesz import riesz_certificate

    begin = perf_counter()
    found = riesz_certificate(problem, prediction, mesh, element, degree, solver_parameters)
    return replace(found, seconds=perf_counter() - begin)


def energy_error_on_mesh(
    problem: Problem,
    prediction: Field,
    reference: Field,
    mesh: Any,
    *,
    element: str = "CG",
    degree: int = 1,
) -> float:
    """Distance of a prediction to a reference in the norm of :func:`certify_on_mesh`; collective.

    Parameters
    ----------
    problem, prediction, mesh, element, degree
        As there.
    reference
        A solution, read as elements as the prediction is.

    Returns
    -------
    float
        Energy norm of the difference over that of the prediction.

    Raises
    ------
    MissingDependencyError
        Without Firedrake.
    InputError
        If the problem is no diffusion with a scalar coefficient, or things do not fit.

    Examples
    --------
    >>> energy_error_on_mesh(problem, prediction, solution, mesh)  # doctest: +SKIP
    0.034
    """
    diffusion, field = _as_diffusion(problem, prediction)
    _, other = _as_diffusion(problem, reference)
    if not isinstance(diffusion, DarcyProblem):
        raise InputError(f"'{problem.name}' is no diffusion, so that it has no energy here")
    from neural.certificates._firedrake_riesz import energy_error

    return energy_error(diffusion, field, other, mesh, element, degree)


def _as_diffusion(problem: Problem, field: Field) -> tuple[Problem, Field]:
    """Poisson's equation as diffusion with a = 1, the field named as its unknown."""
    if not isinstance(problem, PoissonProblem) or problem.unknown not in field.names:
        return problem, field
    diffusion = problem.diffusion
    values = field[problem.unknown]
    return diffusion, Field(field.mesh, values, (diffusion.unknown,), field.location)
