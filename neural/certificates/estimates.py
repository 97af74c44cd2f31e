"""Estimates where no bound is known: dual norms of residuals on grids."""

from __future__ import annotations

import math

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.norms import (
    closed_sides,
    laplacian_energy,
    mean_square,
    wave_energy,
)
from operators.stencil import Stencil
from pdesolve.grid.laplacian_inverse import dual_energy, inverse_laplacian, is_invertible
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Absorbing
from pdesolve.problems.boxes import check_grid
from pdesolve.problems.helmholtz import HelmholtzProblem

NONLINEAR = (
    "estimated by one step from the prediction along the residual's Poisson solution, for the "
    "discrete equations on this grid; no bound is known for this nonlinear equation"
)
WAVES = "estimated by the dual norm of the residual, for the discrete equations on this grid; "
ABSORBED = (
    "errors that are waves themselves can be larger by a factor of the order of k times the box"
)
RESONANT = (
    "no side absorbs, so near a resonance errors that are waves themselves can be larger by any "
    "factor"
)
FAR = (
    "; here the residual is nearly as large as that of zero, or larger: the prediction is far from "
    "a solution, and its error can be many times the estimate"
)
LARGE_RESIDUAL = 0.5
"""Dual norm of the residual beside that of zero, from which on an estimate is called far."""
NO_LAPLACIAN = (
    "the Laplacian cannot be inverted: that takes two or more cells along each axis (at most 2048 "
    "where it has a Robin side) and sides that hold the mean well or not at all"
)
NOT_FINITE = "the residual of the prediction is not finite: it is far from any solution"


def estimate_nonlinear(problem: Problem, grid: StructuredGrid, values: FloatArray) -> Certificate:
    """Estimate the error of v for F(u) = 0 with one unknown and F'(v) like −Δ.

    With r = −F(v) and L z = r, L the finite volumes of −Δ, the correction of v along z that
    is best in the energy of a symmetric F'(v) is α z, α = rᵀz / zᵀF'(v) z, and its size
    ‖α z‖_L stands for the error's. It is the error to first order where F'(v) is a multiple
    of L on it, and can be many times off far from a solution; the statement says so where the
    dual norm of the residual is more than half that of zero's.

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
    if not is_invertible(grid, conditions):
        return Certificate.nothing("grid", NO_LAPLACIAN)
    width = problem.stencil_width
    system = problem.nonlinear_system(GridBlock.whole(grid, width))
    if len(system.names) != 1:
        return Certificate.nothing("grid", "no estimate is known for several nonlinear unknowns")
    ghosted = _with_ghosts(grid, values, width)
    with np.errstate(over="ignore", invalid="ignore"):
        residual = -system.residual(ghosted)[0]
        derivative = system.jacobian(ghosted).reshape(len(system.offsets), *grid.shape)
    if not (np.isfinite(residual).all() and np.isfinite(derivative).all()):
        return Certificate.nothing("grid", NOT_FINITE)
    of_zero = -system.residual(_with_ghosts(grid, 0.0 * values, width))[0]
    load = float(np.linalg.norm(of_zero))
    relative = float(np.linalg.norm(residual)) / (load if load > 0 else 1.0)
    energy = float(np.vdot(values, laplacian_energy(problem, grid).apply(values)))
    if not energy > 0:
        reason = "the prediction is constant or zero: a relative error is not defined"
        return Certificate.nothing("grid", reason, residual=relative)
    try:
        step = inverse_laplacian(grid, conditions, residual)
        largest = dual_energy(grid, conditions, of_zero)
    except InputError as wrong:
        return Certificate.nothing("grid", str(wrong), residual=relative)
    image = Stencil(grid, system.offsets, derivative).apply(step)
    work, curvature = float(np.vdot(residual, step)), float(np.vdot(step, image))
    if not (math.isfinite(curvature) and (curvature > 0 or work == 0)):
        reason = "the linearised equation is not positive there: the prediction is far off"
        return Certificate.nothing("grid", reason, residual=relative)
    length = work / curvature if work > 0 else 0.0
    far = FAR if 0 < LARGE_RESIDUAL**2 * largest < work else ""
    return Certificate(
        "estimate",
        "grid",
        "Dirichlet energy",
        length * math.sqrt(max(work, 0.0) / energy),
        residual=relative,
        statement=NONLINEAR + far,
    )


def estimate_waves(
    problem: HelmholtzProblem, grid: StructuredGrid, parts: FloatArray
) -> Certificate:
    """Estimate the error of v for −Δu − k² u = f.

    In the norm ‖v‖² = vᵀ(L + k̄²) v, k̄² the mean of k² and L with ∂u/∂n = 0 where a side
    absorbs, the dual norm of the residual is at most the error's norm times a constant, near
    one where k times the box is large and k varies little. In the other direction the constant
    grows with k and the box, and without bound near a resonance where no side absorbs.

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
    conditions = closed_sides(problem, grid)
    if not is_invertible(grid, conditions):
        return Certificate.nothing("grid", NO_LAPLACIAN)
    check_grid(problem, grid)
    try:
        system = problem.block_system(GridBlock.whole(grid))
    except InputError as wrong:  # a resonance, or too few points for the waves
        return Certificate.nothing("grid", str(wrong))
    absorbs = any(isinstance(one, Absorbing) for one in problem.boundary_conditions.values())
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
    shift = mean_square(problem, grid)
    try:
        dual = sum(dual_energy(grid, conditions, part, shift=shift) for part in residual)
    except InputError as wrong:
        return Certificate.nothing("grid", str(wrong), residual=relative)
    return Certificate(
        "estimate",
        "grid",
        "wave energy",
        math.sqrt(dual / energy),
        residual=relative,
        statement=WAVES + (ABSORBED if absorbs else RESONANT),
    )


def _with_ghosts(grid: StructuredGrid, values: FloatArray, width: int) -> FloatArray:
    """One component with layers of ghosts: neighbours on periodic axes, else zeros."""
    wrap = [(width, width) if wraps else (0, 0) for wraps in grid.periodic]
    rest = [(0, 0) if wraps else (width, width) for wraps in grid.periodic]
    return np.asarray(np.pad(np.pad(values, wrap, mode="wrap"), rest)[None])
