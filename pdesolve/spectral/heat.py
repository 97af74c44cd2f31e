"""Heat conduction with Fourier modes."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.problems.boxes import values_on
from pdesolve.spectral.diagnostics import energy, mass
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.heat import HeatProblem

_STEPS_WITH_SOURCE = 50


def heat_evolution(problem: HeatProblem, grid: StructuredGrid) -> SpectralEvolution:
    """û' = g(t) κ (−|k|²) û + f̂ with a number κ: exact in time where f = 0 or g = 1.

    Raises
    ------
    InputError
        If the conductivity is not one positive number.
    """
    check_periodic_box(problem, grid)
    if not isinstance(problem.conductivity, numbers.Real):
        raise InputError(
            "the backend 'spectral' takes one number as conductivity; where it varies in space "
            "use the backend 'grid' or 'fem'"
        )
    if not float(problem.conductivity) > 0:
        raise InputError(f"conductivity={problem.conductivity} must be positive")
    source = values_on("the source", problem.source, grid)
    changes = problem.time_factor is not None
    has_source = bool(np.any(source))
    span = problem.times[-1] - problem.times[0]
    return SpectralEvolution(
        grid,
        problem.unknowns,
        problem.initial_on(grid)[None],
        _symbol,
        _source if has_source else None,
        {
            "conductivity": np.asarray(float(problem.conductivity)),
            **({"source": source[None]} if has_source else {}),
        },
        diagnostics={"mass": mass, "energy": energy},
        step_size=span / _STEPS_WITH_SOURCE if changes and has_source else math.inf,
        time_factor=problem.time_factor,
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    return transforms.per_problem(parameters["conductivity"]) * transforms.laplacian


def _source(transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    del time, u_hat
    return transforms.forward(parameters["source"])
