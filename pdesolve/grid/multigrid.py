"""When geometric multigrid on the grids of a box is the solver to take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from meshes.structured import StructuredGrid

LARGEST_COARSE = 4096
"""Cells of the coarsest grid, which is factorised on every process."""

MOST_PROCESSES = 16
"""Processes up to which the coarsest grid has a cell for each along every axis."""

# W cycles make up for piecewise constant interpolation; one symmetric Gauss-Seidel sweep
# before and after keeps the cycle symmetric, as conjugate gradients want it.
CYCLE: Mapping[str, Any] = {
    "pc_type": "mg",
    "pc_mg_galerkin": "both",
    "pc_mg_cycle_type": "w",
    "mg_levels_ksp_type": "richardson",
    "mg_levels_ksp_max_it": 1,
    "mg_levels_pc_type": "sor",
}


def geometric_multigrid(grid: StructuredGrid, num_ranks: int = 1) -> dict[str, Any]:
    """PETSc options for multigrid on halved grids, or none where it does not fit.

    The preconditioner is a W cycle on grids of 2^d times fewer cells, with interpolation
    that is constant in each coarse cell, coarse matrices PᵀAP and symmetric Gauss–Seidel
    smoothing. It fits constant and slowly varying coefficients on nearly cubic cells where
    halving every axis leads to a small grid.

    Parameters
    ----------
    grid
        The finest grid.
    num_ranks
        Number of processes.

    Returns
    -------
    dict
        Empty for one dimension, cells longer than twice their width, or sizes that
        cannot be halved to a small grid.

    References
    ----------
    Trottenberg, Oosterlee, Schüller (2001), Multigrid, ISBN 978-0-12-701070-0.

    Braess (1995), Towards algebraic multigrid for elliptic problems of second order,
    Computing 55, doi:10.1007/BF02238488.

    Examples
    --------
    >>> geometric_multigrid(StructuredGrid((128, 128, 128)))["pc_mg_levels"]
    6
    >>> geometric_multigrid(StructuredGrid((65, 65)))
    {}
    """
    sizes, levels = grid.shape, 1
    least = max(4, num_ranks)
    while all(size % 2 == 0 and size // 2 >= least for size in sizes):
        sizes, levels = tuple(size // 2 for size in sizes), levels + 1
    if (
        grid.dimension == 1
        or levels == 1
        or num_ranks > MOST_PROCESSES
        or math.prod(sizes) > LARGEST_COARSE
        or max(grid.spacing) > 2 * min(grid.spacing)
    ):
        return {}
    return {**CYCLE, "pc_mg_levels": levels}
