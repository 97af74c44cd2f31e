"""The Korteweg–de Vries equation with Fourier modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from meshes.structured import StructuredGrid
from pdesolve.spectral.diagnostics import energy, gradient_energy, mass
from pdesolve.spectral.evolution import Array, SpectralEvolution, check_periodic_box

if TYPE_CHECKING:
    from pdesolve.problems.korteweg_de_vries import KortewegDeVriesProblem

_COURANT = 0.3


def korteweg_de_vries_evolution(
    problem: KortewegDeVriesProblem, grid: StructuredGrid
) -> SpectralEvolution:
    """û' = −b (i k)³ û − ½ a i k (u²)^, dealiased."""
    check_periodic_box(problem, grid)
    initial = problem.initial_on(grid)
    # crests grow to at most about twice the initial height as solitons come out
    fastest = 2 * abs(problem.nonlinearity) * max(float(np.abs(initial).max()), 1e-3)
    return SpectralEvolution(
        grid,
        problem.unknowns,
        initial[None],
        _symbol,
        _transport,
        {
            "nonlinearity": np.asarray(float(problem.nonlinearity)),
            "dispersion": np.asarray(float(problem.dispersion)),
        },
        diagnostics={"mass": mass, "momentum": energy, "hamiltonian": _hamiltonian},
        step_size=_COURANT * grid.spacing[0] / fastest,
    )


def _symbol(transforms: Any, parameters: Mapping[str, Array]) -> Array:
    return -transforms.per_problem(parameters["dispersion"]) * transforms.symbols[0] ** 3


def _transport(
    transforms: Any, time: float, u_hat: Array, parameters: Mapping[str, Array]
) -> Array:
    del time
    half = 0.5 * transforms.per_problem(parameters["nonlinearity"])
    return -half * transforms.derivative(transforms.product(u_hat, u_hat), 0)


def _hamiltonian(transforms: Any, u_hat: Array, parameters: Mapping[str, Array]) -> Array:
    cubes = transforms.integral(transforms.inverse(transforms.dealias(u_hat)) ** 3)
    cubic = transforms.xp.sum(cubes, axis=-1)
    stored = parameters["dispersion"] * gradient_energy(transforms, u_hat)
    return stored - parameters["nonlinearity"] / 6 * cubic
