"""The Kuramoto–Sivashinsky equation with Fourier modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from meshes.structured import StructuredGrid
from pdesolve.spectral.diagnostics import energy, mass
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.kuramoto_sivashinsky import KuramotoSivashinskyProblem

_STEP_SIZE = 0.05


def kuramoto_sivashinsky_evolution(
    problem: KuramotoSivashinskyProblem, grid: StructuredGrid
) -> SpectralEvolution:
    """û' = (k² − k⁴) û − ½ i k (u²)^, dealiased."""
    check_periodic_box(problem, grid)
    return SpectralEvolution(
        grid,
        problem.unknowns,
        problem.initial_on(grid)[None],
        _symbol,
        _transport,
        diagnostics={"mass": mass, "energy": energy},
        step_size=_STEP_SIZE,
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    del parameters
    return -transforms.laplacian - transforms.laplacian**2


def _transport(
    transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]
) -> Array:
    del time, parameters
    return -0.5 * transforms.derivative(transforms.product(u_hat, u_hat), 0)
