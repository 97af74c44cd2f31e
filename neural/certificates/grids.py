"""Certificates of surrogates' predictions on grids."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Literal

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.estimates import estimate_nonlinear, estimate_waves
from neural.certificates.norms import laplacian_energy, wave_energy
from neural.certificates.periodic import certify_periodic
from neural.certificates.reactions import certify_one_sided_reaction
from neural.surrogate import Surrogate
from pdesolve.grid.error_bounds import error_bounds
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem

IN_TIME = (
    "one state of an equation in time leaves no residual; frames of a whole trajectory do, see "
    "neural.certificates.certify_trajectory"
)
SYMMETRIC = (
    "guaranteed for the exact solution of the discrete equations on this grid; their "
    "discretisation error comes on top"
)
CONVECTIVE = (
    "guaranteed for the exact solution of the discrete equations on this grid, in the energy of "
    "their symmetric part (diffusion); their discretisation error comes on top"
)


def certify(
    surrogate: Surrogate, problem: Problem, mesh: StructuredGrid, *, strict: bool = False
) -> Certificate:
    """Predict, and bound the error of the prediction without solving the problem.

    Parameters
    ----------
    surrogate, problem, mesh, strict
        As for :meth:`neural.Surrogate.predict`.

    Returns
    -------
    Certificate
        Of kind ``"none"``, with the reason, where no bound is known.

    Raises
    ------
    CheckpointError, InputError
        As :meth:`neural.Surrogate.predict` does.

    Examples
    --------
    >>> certificate = certify(surrogate, problem, problem.grid(85))  # doctest: +SKIP
    >>> certificate.kind, certificate.upper  # doctest: +SKIP
    ('guaranteed', 0.081)
    """
    return certify_field(problem, surrogate.predict(problem, mesh, strict=strict))


def certify_field(
    problem: Problem, prediction: Field, *, backend: Literal["grid", "spectral"] = "grid"
) -> Certificate:
    """Bound or estimate the error of any field on a grid that is meant to solve a problem.

    One Poisson problem under the same boundary conditions, solved by fast transforms of
    the axes, gives the dual norm of the residual:

    - linear diffusion: m ≤ A/L ≤ M for the weights of the faces gives two-sided bounds in the
      energy norm, :func:`pdesolve.grid.error_bounds.error_bounds`;
    - convection and diffusion: an upper bound in the energy of the symmetric part;
    - diffusion with a monotone reaction: an upper bound in the Dirichlet energy;
    - diffusion on a periodic box in Fourier modes: two-sided, by Parseval;
    - other nonlinear elliptic problems with one unknown and waves of one frequency: an
      estimate, since nothing is known of the smallest singular value of the derivative;
    - states of problems in time, linear problems with several unknowns: none.

    Parameters
    ----------
    problem
        What the field is said to solve.
    prediction
        On a grid of the problem's box, with a channel named as the problem's unknown.
    backend
        Whose discrete equations the prediction is measured by: finite volumes, or Fourier
        modes for problems on periodic boxes.

    Returns
    -------
    Certificate
        Relative to the norm of the prediction.

    Raises
    ------
    InputError
        If the field is not finite, or the problem has no form for the backend.

    References
    ----------
    Axelsson, Karátson (2009), Equivalent operator preconditioning for elliptic problems,
    Numerical Algorithms 50, doi:10.1007/s11075-008-9233-4.

    Examples
    --------
    >>> from pdesolve import get_family, sample_generator, solve
    >>> family = get_family("poisson2d")
    >>> problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    >>> grid = problem.grid(16)
    >>> exact = solve(problem, mesh=grid).on(grid)
    >>> found = certify_field(problem, Field(grid, 1.25 * exact.values, exact.names))
    >>> round(found.lower, 4), round(found.upper, 4)
    (0.2, 0.2)
    """
    begin = time.perf_counter()
    found = _certificate(problem, prediction, backend)
    return replace(found, seconds=time.perf_counter() - begin)


def energy_of(problem: Problem, field: Field) -> float:
    """Squared norm ‖v‖² in which :func:`certify_field` bounds or estimates an error.

    Parameters
    ----------
    problem
        With a certificate on grids.
    field
        v, with the channels of the problem's unknowns, on a cell-centred grid.

    Raises
    ------
    InputError
        If the field is not on a grid, or the problem has no equations there.

    Examples
    --------
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> problem = DarcyProblem(2.0, dimension=1)
    >>> energy_of(problem, Field(problem.grid(4), np.ones((1, 4)), (problem.unknown,)))
    128.0
    """
    grid = field.mesh
    if not isinstance(grid, StructuredGrid):
        raise InputError("the norms of grids are for fields on grids")
    if isinstance(problem, HelmholtzProblem):
        norm = wave_energy(problem, grid)
    elif problem.is_nonlinear_on_grids:
        norm = laplacian_energy(problem, grid)
    else:
        norm = problem.discretize(grid).stencil
    parts = (field[name] for name in unknowns_of(problem))
    return sum(float(np.vdot(part, norm.apply(part))) for part in parts)


def unknowns_of(problem: Problem) -> tuple[str, ...]:
    """Names of the channels that a prediction must have.

    Examples
    --------
    >>> unknowns_of(HelmholtzProblem(10.0))
    ('u_real', 'u_imaginary')
    """
    return problem.unknowns if isinstance(problem, HelmholtzProblem) else (problem.unknown,)


def _certificate(problem: Problem, prediction: Field, backend: str) -> Certificate:
    grid = prediction.mesh
    for name in unknowns_of(problem):
        if name not in prediction.names:
            return Certificate.nothing(
                "grid", f"the prediction has no channel '{name}', which the equations want"
            )
    parts = np.stack([prediction[name] for name in unknowns_of(problem)])
    values = parts[0]
    if not np.isfinite(parts).all():
        raise InputError("the prediction is not finite: no certificate can be made of it")
    if not isinstance(grid, StructuredGrid):
        return Certificate.nothing(
            "fem", "the prediction is not on a grid; see neural.certificates.certify_on_mesh"
        )
    if isinstance(problem, EvolutionProblem):
        return Certificate.nothing(problem.backends[0], IN_TIME)
    if backend == "spectral":
        return certify_periodic(problem, grid, values)
    if grid.location == "cell" and problem.has_stencil:
        return _of_stencil(problem, grid, values)
    if grid.location != "cell":
        return Certificate.nothing("grid", "the equations on grids are for values at cells")
    if isinstance(problem, OneSidedReactionProblem):
        return certify_one_sided_reaction(problem, grid, values)
    if isinstance(problem, HelmholtzProblem):
        return estimate_waves(problem, grid, parts)
    if problem.is_nonlinear_on_grids:
        return estimate_nonlinear(problem, grid, values)
    return Certificate.nothing("grid", _why_not(problem))


def _why_not(problem: Problem) -> str:
    if problem.has_block_system:
        return (
            "the equation has several unknowns and is not known to be coercive, so the residual "
            "does not bound the error without its smallest singular value"
        )
    return f"'{problem.name}' has no equations on grids; see neural.certificates.certify_on_mesh"


def _of_stencil(problem: Problem, grid: StructuredGrid, values: FloatArray) -> Certificate:
    system = problem.discretize(grid)
    bounds = error_bounds(system, problem.boundary_conditions, values)
    if not math.isfinite(bounds.upper):
        reason = "the discrete operator cannot be compared with the Laplacian on this grid"
        if not math.isfinite(bounds.energy) and not values.any():
            reason = "the prediction is zero: a relative error is not defined"
        return Certificate.nothing("grid", reason, residual=bounds.relative_residual)
    return Certificate(
        "guaranteed",
        "grid",
        "energy",
        bounds.upper,
        bounds.lower,
        bounds.relative_residual,
        SYMMETRIC if system.symmetric else CONVECTIVE,
    )
