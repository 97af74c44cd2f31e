"""The Gray–Scott model with Fourier modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.structured import StructuredGrid
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.gray_scott import GrayScottProblem

_STEP_SIZE = 1.0  # the reaction's rates are below 0.3


def gray_scott_evolution(problem: GrayScottProblem, grid: StructuredGrid) -> SpectralEvolution:
    """L = (−D_u |k|² − F, −D_v |k|² − F − k); N = (F − u v², u v²), the product dealiased."""
    check_periodic_box(problem, grid)
    return SpectralEvolution(
        grid,
        problem.unknowns,
        problem.initial_on(grid),
        _symbol,
        _reaction,
        {
            "feed_rate": np.asarray(float(problem.feed_rate)),
            "kill_rate": np.asarray(float(problem.kill_rate)),
            "diffusivities": np.asarray(problem.diffusivities, dtype=np.float64),
        },
        diagnostics={"mass_u": _mass_of(0), "mass_v": _mass_of(1)},
        step_size=_STEP_SIZE,
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    xp = transforms.xp
    feed, kill = parameters["feed_rate"], parameters["kill_rate"]
    decay = xp.stack([feed, feed + kill], axis=-1)
    space = (..., *(None,) * transforms.grid.dimension)
    return parameters["diffusivities"][space] * transforms.laplacian - decay[space]


def _reaction(transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    del time
    xp = transforms.xp
    space = (slice(None),) * transforms.grid.dimension
    values = transforms.inverse(transforms.dealias(u_hat))
    u, v = values[(..., slice(0, 1), *space)], values[(..., slice(1, 2), *space)]
    eaten = u * v * v
    rate = xp.concat(
        [transforms.per_problem(parameters["feed_rate"]) - eaten, eaten],
        axis=-1 - transforms.grid.dimension,
    )
    return transforms.dealias(transforms.forward(rate))


def _mass_of(channel: int) -> Any:
    """∫ of one species."""

    def mass(transforms: Any, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
        del parameters
        constant = u_hat[(..., channel, *(0,) * transforms.grid.dimension)]
        return transforms.xp.real(constant) * transforms.grid.cell_volume

    return mass
