"""Certificates on meshes of finite elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, TypeGuard

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates.certificate import Certificate
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Robin
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.evolution import EvolutionProblem
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
    """Bound or estimate the error of a prediction read as finite elements; collective.

    The prediction is interpolated to elements of the given degree with the boundary values
    of the problem. The dual norm of its residual r comes from one Poisson problem with
    elements of one degree more on the same mesh, solved by Firedrake and PETSc.

    - Diffusion with scalar a, −∇·(a ∇u) = f, and Poisson's equation, without Robin sides: the
      smallest and the largest a turn it into bounds.
    - Diffusion with a reaction that grows with u: an upper bound in ∫ |∇u|².
    - Other elliptic equations, linear or not, and elasticity: with z the solution of the Poisson
      problem and F' the derivative of the equations at the prediction, the size of α z,
      α = r(z) / F'(z, z), stands for that of the error (exactly so where F' is a multiple of −Δ on
      it).
    - Waves of one frequency and steady flows: the dual norm of the residual itself, for
      ∫ |∇u|² + k̄² |u|² and ∫ ν |∇u|² + p² / ν.

    Parameters
    ----------
    problem
        Steady, with a form for the backend ``fem``.
    prediction
        Field on a grid or a mesh, with the channels of the unknown, such as
        ``displacement_x``, ``displacement_y``.
    mesh
        What ``solve(..., backend="fem", mesh=mesh)`` takes.
    element, degree
        ``"CG"`` or ``"Q"``, and the degree of the prediction.
    solver_parameters
        PETSc options of the Poisson solve.

    Returns
    -------
    Certificate
        Guaranteed in the first two cases, an estimate in the others, relative to the
        norm of the prediction; of kind ``"none"``, with the reason, where there is none.

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
    if isinstance(problem, EvolutionProblem):
        return Certificate.nothing("fem", "one state of an equation in time leaves no residual")
    _check_element(element)
    begin = perf_counter()
    if _is_bounded(problem):
        from neural.certificates._firedrake_riesz import riesz_certificate

        found = riesz_certificate(problem, prediction, mesh, element, degree, solver_parameters)
    else:
        from neural.certificates._firedrake_estimates import estimate_on_mesh

        found = estimate_on_mesh(problem, prediction, mesh, element, degree, solver_parameters)
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
        If the problem has no certificate on meshes, or things do not fit.

    Examples
    --------
    >>> energy_error_on_mesh(problem, prediction, solution, mesh)  # doctest: +SKIP
    0.034
    """
    _, other = _as_diffusion(problem, reference)
    problem, field = _as_diffusion(problem, prediction)
    if isinstance(problem, EvolutionProblem):
        raise InputError(f"'{problem.name}' is an equation in time, without a norm here")
    _check_element(element)
    if _is_bounded(problem):
        from neural.certificates._firedrake_riesz import energy_error

        return energy_error(problem, field, other, mesh, element, degree)
    from neural.certificates._firedrake_estimates import estimated_error

    return estimated_error(problem, field, other, mesh, element, degree)


def _is_bounded(problem: Problem) -> TypeGuard[DarcyProblem]:
    """Whether two-sided bounds are known: diffusion with scalar a, without Robin sides."""
    return (
        isinstance(problem, DarcyProblem)
        and not problem.has_tensor_coefficient
        and not any(isinstance(one, Robin) for one in problem.boundary_conditions.values())
    )


def _check_element(element: str) -> None:
    if element not in ("CG", "Q"):
        raise InputError(f"element='{element}' has no values at points; use 'CG' or 'Q'")


def _as_diffusion(problem: Problem, field: Field) -> tuple[Problem, Field]:
    """Poisson's equation as diffusion with a = 1, the field named as its unknown."""
    if not isinstance(problem, PoissonProblem) or problem.unknown not in field.names:
        return problem, field
    diffusion = problem.diffusion
    values = field[problem.unknown]
    return diffusion, Field(field.mesh, values, (diffusion.unknown,), field.location)
