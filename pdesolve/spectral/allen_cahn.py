"""The Allen–Cahn equation with Fourier modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.structured import StructuredGrid
from pdesolve.spectral.diagnostics import gradient_energy
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.allen_cahn import AllenCahnProblem

_STEP_SIZE = 0.05  # the reaction's time is 1


def allen_cahn_evolution(problem: AllenCahnProblem, grid: StructuredGrid) -> SpectralEvolution:
    """û' = (1 − ε² |k|²) û − (u³)^, the cube formed from and cut to two thirds of the modes.

    With the same cut before and after the cube, the semi-discrete equation is a gradient
    flow: its free energy (by the trapezoidal rule) cannot grow.
    """
    check_periodic_box(problem, grid)
    return SpectralEvolution(
        grid,
        problem.unknowns,
        problem.initial_on(grid)[None],
        _symbol,
        _reaction,
        {"interface_width": np.asarray(float(problem.interface_width))},
        diagnostics={"free_energy": _free_energy},
        step_size=_STEP_SIZE,
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    width = transforms.per_problem(parameters["interface_width"])
    return 1.0 + width**2 * transforms.laplacian


def _reaction(transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    del time, parameters
    u = transforms.inverse(transforms.dealias(u_hat))
    return -transforms.dealias(transforms.forward(u * u * u))


def _free_energy(transforms: Any, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    u = transforms.inverse(u_hat)
    double_well = transforms.integral((1.0 - u**2) ** 2 / 4)
    stored = transforms.xp.sum(double_well, axis=-1)
    return stored + parameters["interface_width"] ** 2 * gradient_energy(transforms, u_hat)
