"""Advection with Fourier modes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.structured import AXIS_NAMES, StructuredGrid
from pdesolve.problems.boxes import values_on
from pdesolve.spectral.diagnostics import energy, mass
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.advection import AdvectionProblem

_COURANT = 0.4


def advection_evolution(problem: AdvectionProblem, grid: StructuredGrid) -> SpectralEvolution:
    """û' = −i (v·k) û for a uniform velocity, exact in time; −∇·(v u) dealiased otherwise."""
    check_periodic_box(problem, grid)
    velocity = np.stack(
        [
            values_on(f"velocity_{axis}", part, grid)
            for axis, part in zip(AXIS_NAMES, problem.velocity_functions, strict=False)
        ]
    )
    uniform = problem.has_uniform_velocity
    crossing = (np.abs(velocity).max(axis=tuple(range(1, velocity.ndim))) / grid.spacing).sum()
    return SpectralEvolution(
        grid,
        problem.unknowns,
        problem.initial_on(grid)[None],
        _symbol if uniform else np.zeros((1,) * (grid.dimension + 1)),
        None if uniform else _transport,
        {"velocity": velocity.reshape(grid.dimension, -1)[:, 0] if uniform else velocity},
        diagnostics={"mass": mass, "energy": energy},
        step_size=math.inf if uniform or crossing == 0 else _COURANT / float(crossing),
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    velocity = parameters["velocity"]
    return -sum(
        transforms.per_problem(velocity[..., axis]) * symbol
        for axis, symbol in enumerate(transforms.symbols)
    )


def _transport(
    transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]
) -> Array:
    del time
    u = transforms.inverse(transforms.dealias(u_hat))
    # the velocity takes the place of the channels, which are one
    fluxes = transforms.forward(u * parameters["velocity"])
    rate = sum(
        symbol * fluxes[(..., slice(axis, axis + 1), *(slice(None),) * transforms.grid.dimension)]
        for axis, symbol in enumerate(transforms.symbols)
    )
    return -transforms.dealias(rate)
