"""Estimates where no bound is known: dual norms of residuals on grids."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from operators.stencil import Stencil
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.grid.laplacian_inverse import (
    LARGEST_AXIS,
    dual_energy,
    homogeneous_conditions,
    inverse_laplacian,
)
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Robin
from pdesolve.problems.helmholtz import HelmholtzProblem

NONLINEAR = (
    "estimated by one step from the prediction along the residual's Poisson solution, for the "
    "discrete equations on this grid; no bound is known for this nonlinear equation"
)
WAVES = (
    "estimated by the dual norm of the residual, for the discrete equations on this grid; errors "
    "that are waves themselves can be larger by a factor of the order of k times the box"
)
NO_LAPLACIAN = "the Laplacian cannot be inverted under these conditions or on so fine a grid"


def estimate_nonlinear(problem: Problem, grid: StructuredGrid, values: FloatArray) -> Certificate:
    """Estimate the error of v for F(u) = 0 with one unknown and F'(v) like −Δ.

    With r = −F(v) and L z = r, L the finite volumes of −Δ, the correction of v along z that
    is best in the energy of a symmetric F'(v) is α z, α = rᵀz / zᵀF'(v) z, and its size
    ‖α z‖_L stands for the error's. It is the error to first order where F'(v) is a multiple
    of L on it.

    Parameters
    ----------
    problem
        Nonlinear on grids, with one unknown.
    grid
        Cell-centred grid.
    values
        v, shape ``grid.shape``.

    Returns
    -------
    Certificate
        Of kind ``"estimate"`` in the Dirichlet energy vᵀL v; of kind ``"none"`` where z is no
        direction in which F' is positive, as beyond a turning point.

    Examples
    --------
    >>> from pdesolve.problems.nonlinear_elliptic import BratuProblem
    >>> problem = BratuProblem(2.0)
    >>> estimate_nonlinear(problem, problem.grid(8), 0.1 * np.ones((8, 8))).kind
    'estimate'
    """
    conditions = problem.boundary_conditions
    if not _invertible(grid, conditions):
        return Certificate.nothing("grid", NO_LAPLACIAN)
    system = problem.nonlinear_system(GridBlock.whole(grid))
    if len(system.names) != 1:
        return Certificate.nothing("grid", "no estimate is known for several nonlinear unknowns")
    ghosted = _with_ghosts(grid, values)
    residual = -system.residual(ghosted)[0]
    load = float(np.linalg.norm(system.residual(_with_ghosts(grid, 0.0 * values))))
    relative = float(np.linalg.norm(residual)) / (load if load > 0 else 1.0)
    laplacian = laplacian_energy(problem, grid)
    energy = float(np.vdot(values, laplacian.apply(values)))
    if not energy > 0:
        reason = "the prediction is constant or zero: a relative error is not defined"
        return Certificate.nothing("grid", reason, residual=relative)
    step = inverse_laplacian(grid, conditions, residual, singular=_constants_free(grid, conditions))
    derivative = system.jacobian(ghosted).reshape(len(system.offsets), *grid.shape)
    image = Stencil(grid, system.offsets, derivative).apply(step)
    work, curvature = float(np.vdot(residual, step)), float(np.vdot(step, image))
    if not (math.isfinite(curvature) and (curvature > 0 or work == 0)):
        reason = "the linearised equation is not positive there: the prediction is far off"
        return Certificate.nothing("grid", reason, residual=relative)
    length = work / curvature if work > 0 else 0.0
    return Certificate(
        "estimate",
        "grid",
        "Dirichlet energy",
        length * math.sqrt(max(work, 0.0) / energy),
        residual=relative,
        statement=NONLINEAR,
    )


def estimate_waves(
    problem: HelmholtzProblem, grid: StructuredGrid, parts: FloatArray
) -> Certificate:
    """Estimate the error of v for −Δu − k² u = f.

    In the norm ‖v‖² = vᵀ(L + k̄²) v, k̄² the mean of k² and L with ∂u/∂n = 0 where a side
    absorbs, the dual norm of the residual is at most the error's norm times a constant near
    one. In the other direction the constant grows with k and the box.

    Parameters
    ----------
    problem
        Waves of one frequency.
    grid
        Cell-centred grid.
    parts
        v, one array for each of ``problem.unknowns``.

    Returns
    -------
    Certificate
        Of kind ``"estimate"``.

    References
    ----------
    Ihlenburg, Babuška (1995), Finite element solution of the Helmholtz equation with high
    wave number, Computers & Mathematics with Applications 30(9),
    doi:10.1016/0898-1221(95)00144-N.

    Examples
    --------
    >>> problem = HelmholtzProblem(10.0)
    >>> grid = problem.grid(32)
    >>> estimate_waves(problem, grid, np.ones((2, 32, 32))).norm
    'wave energy'
    """
    conditions = _closed(problem, grid)
    if not _invertible(grid, conditions):
        return Certificate.nothing("grid", NO_LAPLACIAN)
    try:
        system = problem.block_system(GridBlock.whole(grid))
    except InputError as wrong:  # a resonance, or too few points for the waves
        return Certificate.nothing("grid", str(wrong))
    image = np.zeros(parts.shape)
    for row in range(len(parts)):
        for column in range(len(parts)):
            coefficients = np.ascontiguousarray(system.coefficients[:, row, column])
            image[row] += Stencil(grid, system.offsets, coefficients).apply(parts[column])
    residual = system.right_hand_side - image
    load = float(np.linalg.norm(system.right_hand_side))
    relative = float(np.linalg.norm(residual)) / (load if load > 0 else 1.0)
    norm = wave_energy(problem, grid)
    energy = sum(float(np.vdot(part, norm.apply(part))) for part in parts)
    if not energy > 0:
        reason = "the prediction is zero: a relative error is not defined"
        return Certificate.nothing("grid", reason, residual=relative)
    shift = _mean_square(problem, grid)
    dual = sum(dual_energy(grid, conditions, part, shift=shift) for part in residual)
    return Certificate(
        "estimate",
        "grid",
        "wave energy",
        math.sqrt(dual / energy),
        residual=relative,
        statement=WAVES,
    )


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
    return _shifted_laplacian(grid, _closed(problem, grid), _mean_square(problem, grid))


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


def _mean_square(problem: HelmholtzProblem, grid: StructuredGrid) -> float:
    return float(np.mean(problem.wavenumber_on(grid) ** 2))


def _closed(problem: HelmholtzProblem, grid: StructuredGrid) -> dict[str, Condition]:
    """Homogeneous conditions; ∂u/∂n = 0 where a side absorbs."""
    given = problem.boundary_conditions
    found: dict[str, Condition] = {}
    for side in grid.side_names:
        condition = given[side if side in given else "all"]
        found[side] = Dirichlet(0.0) if isinstance(condition, Dirichlet) else Neumann(0.0)
    return found


def _invertible(grid: StructuredGrid, conditions: Mapping[str, Condition]) -> bool:
    return max(grid.shape) <= LARGEST_AXIS and homogeneous_conditions(grid, conditions) is not None


def _constants_free(grid: StructuredGrid, conditions: Mapping[str, Condition]) -> bool:
    """Whether no side holds the mean of u."""
    sides = homogeneous_conditions(grid, conditions) or {}
    return not any(
        isinstance(one, Dirichlet) or (isinstance(one, Robin) and one.coefficient != 0.0)
        for one in sides.values()
    )


def _with_ghosts(grid: StructuredGrid, values: FloatArray) -> FloatArray:
    """One component with a layer of ghosts: neighbours on periodic axes, else zeros."""
    wrap = [(1, 1) if wraps else (0, 0) for wraps in grid.periodic]
    rest = [(0, 0) if wraps else (1, 1) for wraps in grid.periodic]
    return np.asarray(np.pad(np.pad(values, wrap, mode="wrap"), rest)[None])
