"""The norms of estimates on grids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.stencil import Stencil
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.grid.laplacian_inverse import homogeneous_conditions
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.helmholtz import HelmholtzProblem


def laplacian_energy(problem: Problem, grid: StructuredGrid) -> Stencil:
    """L, the finite volumes of −Δ under the same kinds of conditions.

    Examples
    --------
    >>> from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem
    >>> problem = OneSidedReactionProblem(10.0, dimension=1)
    >>> laplacian_energy(problem, problem.grid(4)).diagonal()
    array([48., 32., 32., 48.])
    """
    return _shifted_laplacian(grid, problem.boundary_conditions, 0.0)


def wave_energy(problem: HelmholtzProblem, grid: StructuredGrid) -> Stencil:
    """L + k̄², the operator of the norm in which errors of waves are measured.

    Examples
    --------
    >>> problem = HelmholtzProblem(2.0, dimension=1)
    >>> wave_energy(problem, problem.grid(4)).diagonal()
    array([20., 36., 36., 20.])
    """
    return _shifted_laplacian(grid, closed_sides(problem, grid), mean_square(problem, grid))


def _shifted_laplacian(
    grid: StructuredGrid, conditions: Mapping[str, Condition], shift: float
) -> Stencil:
    sides = homogeneous_conditions(grid, conditions)
    if sides is None:
        raise InputError("the Laplacian under these conditions is no sum over the axes")
    stencil = diffusion_system(grid, np.ones(grid.shape), np.zeros(grid.shape), sides).stencil
    coefficients = stencil.coefficients.copy()
    coefficients[0] += shift  # the centre
    return Stencil(grid, stencil.offsets, coefficients)


def mean_square(problem: HelmholtzProblem, grid: StructuredGrid) -> float:
    """k̄², the mean of k² over the cells."""
    return float(np.mean(problem.wavenumber_on(grid) ** 2))


def closed_sides(problem: HelmholtzProblem, grid: StructuredGrid) -> dict[str, Condition]:
    """Homogeneous conditions; ∂u/∂n = 0 where a side absorbs."""
    given = problem.boundary_conditions
    found: dict[str, Condition] = {}
    for side in grid.side_names:
        condition = given[side if side in given else "all"]
        found[side] = Dirichlet(0.0) if isinstance(condition, Dirichlet) else Neumann(0.0)
    return found
