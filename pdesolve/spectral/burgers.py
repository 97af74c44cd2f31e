"""Viscous Burgers equation with Fourier modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.structured import StructuredGrid
from pdesolve.spectral.diagnostics import energy, mass
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.burgers import BurgersProblem

_COURANT = 0.4


def burgers_evolution(problem: BurgersProblem, grid: StructuredGrid) -> SpectralEvolution:
    """û' = −ν |k|² û − (u·∇u)^, dealiased; in 1D the second term is ½ i k (u²)^."""
    check_periodic_box(problem, grid)
    initial = problem.initial_on(grid)
    fastest = np.abs(initial).reshape(grid.dimension, -1).max(axis=1) / grid.spacing
    span = problem.times[-1] - problem.times[0]
    return SpectralEvolution(
        grid,
        problem.unknowns,
        initial,
        _symbol,
        _flux_1d if grid.dimension == 1 else _advective,
        {"viscosity": np.asarray(float(problem.viscosity))},
        diagnostics={"mass": mass, "energy": energy} if grid.dimension == 1 else {"energy": energy},
        step_size=min(_COURANT / max(float(fastest.sum()), 1e-300), span / 20),
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    return transforms.per_problem(parameters["viscosity"]) * transforms.laplacian


def _flux_1d(transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    del time, parameters
    return -0.5 * transforms.derivative(transforms.product(u_hat, u_hat), 0)


def _advective(
    transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]
) -> Array:
    del time, parameters
    space = (slice(None),) * transforms.grid.dimension
    kept = transforms.dealias(u_hat)
    u = transforms.inverse(kept)
    rate = sum(
        u[(..., slice(axis, axis + 1), *space)] * transforms.inverse(symbol * kept)
        for axis, symbol in enumerate(transforms.symbols)
    )
    return -transforms.dealias(transforms.forward(rate))
