"""Diffusion with a reaction that grows with the unknown."""

from __future__ import annotations

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.estimates import NO_LAPLACIAN, estimate_nonlinear
from neural.certificates.norms import laplacian_energy
from pdesolve.grid.laplacian_inverse import dual_energy, is_invertible
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem


def certify_one_sided_reaction(
    problem: OneSidedReactionProblem, grid: StructuredGrid, values: FloatArray
) -> Certificate:
    """An upper bound for −Δu + r(u) = f with r that does not decrease.

    With F(u) = L u + r(u) − f and F(u) = 0, the error e = u − v of v satisfies eᵀL e ≤
    eᵀ(F(u) − F(v)) = −eᵀF(v), hence eᵀL e ≤ F(v)ᵀL⁻¹F(v).

    Parameters
    ----------
    problem
        With Dirichlet sides, and Neumann ones beside them; with others it is
        :func:`neural.certificates.estimates.estimate_nonlinear`.
    grid
        Cell-centred grid.
    values
        v, shape ``grid.shape``.

    Examples
    --------
    >>> problem = OneSidedReactionProblem(10.0)
    >>> grid = problem.grid(8)
    >>> certify_one_sided_reaction(problem, grid, 0.01 * np.ones((8, 8))).kind
    'guaranteed'
    """
    conditions = problem.boundary_conditions
    kinds = tuple(type(item) for item in conditions.values())
    if Dirichlet not in kinds or not set(kinds) <= {Dirichlet, Neumann}:
        return estimate_nonlinear(problem, grid, values)
    if not is_invertible(grid, conditions):
        return Certificate.nothing("grid", NO_LAPLACIAN)
    system = problem.nonlinear_system(GridBlock.whole(grid))
    residual = -system.residual(np.pad(values, 1)[None])[0]
    load = -system.residual(np.pad(0 * values, 1)[None])[0]
    size = float(np.linalg.norm(load))
    relative = float(np.linalg.norm(residual)) / (size if size > 0 else 1.0)
    energy = float(np.vdot(values, laplacian_energy(problem, grid).apply(values)))
    if not energy > 0:
        return Certificate.nothing(
            "grid", "the prediction is zero: a relative error is not defined", residual=relative
        )
    try:
        dual = dual_energy(grid, conditions, residual)
    except InputError as wrong:
        return Certificate.nothing("grid", str(wrong), residual=relative)
    return Certificate(
        "guaranteed",
        "grid",
        "Dirichlet energy",
        float(np.sqrt(dual / energy)),
        residual=relative,
        statement="guaranteed for the exact solution of the discrete equations on this grid; "
        "their discretisation error comes on top",
    )
