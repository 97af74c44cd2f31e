"""Shallow-water waves and solitons: the Korteweg–de Vries equation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace
from operators.random_fields import GaussianRandomField, is_finite_number
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition
from pdesolve.problems.boxes import output_times, values_on
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.periodic import (
    all_periodic,
    check_positive,
    complete_periodic_box,
    periodic_box,
)
from pdesolve.spectral.evolution import SpectralEvolution


@dataclass(frozen=True, eq=False)
class KortewegDeVriesProblem(EvolutionProblem):
    """∂u/∂t + a u ∂u/∂x + b ∂³u/∂x³ = 0 on a periodic interval.

    Kept for all times: the mass ∫ u dx, the momentum ½ ∫ u² dx and the Hamiltonian
    ∫ (b/2 (∂u/∂x)² − a/6 u³) dx.

    Parameters
    ----------
    initial
        u at the first time: a number, a function of points, a scalar Field or a draw of a
        random field.
    nonlinearity, dispersion
        a and b, neither zero.
    boundary_conditions
        Periodic sides only.
    lower, upper
        The interval, as tuples of one number; [0, 64] when left out.
    times
        Output times, the initial time first.
    name
        Used in messages and to match surrogates.

    Notes
    -----
    Everything is dimensionless.

    References
    ----------
    Korteweg, de Vries (1895), doi:10.1080/14786449508620739; Zabusky, Kruskal (1965),
    doi:10.1103/PhysRevLett.15.240.

    Examples
    --------
    >>> from pdesolve import evolve
    >>> problem = KortewegDeVriesProblem(soliton(0.5, 20.0), times=(0.0, 1.0))
    >>> trajectory = evolve(problem, mesh=256)
    >>> exact = soliton(0.5, 20.0)(trajectory.field().mesh.points(), 1.0)
    >>> bool(np.abs(trajectory.field().values[0] - exact).max() < 1e-7)
    True
    """

    initial: object = 0.0
    nonlinearity: float = 6.0
    dispersion: float = 1.0
    boundary_conditions: Mapping[str, Condition] = field(default_factory=all_periodic)
    lower: tuple[float, ...] = (0.0,)
    upper: tuple[float, ...] = (64.0,)
    times: tuple[float, ...] = (0.0, 10.0)
    name: str = "korteweg_de_vries"

    dimension: ClassVar[int] = 1  # type: ignore[misc]
    unknown: ClassVar[str] = "u"
    unknowns: ClassVar[tuple[str, ...]] = ("u",)

    def __post_init__(self) -> None:
        complete_periodic_box(self, (1,))
        for name in ("nonlinearity", "dispersion"):
            value = getattr(self, name)
            if not is_finite_number(value) or value == 0:
                raise InputError(f"{name}={value!r} must be finite and not zero")

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial state at the grid's points, shape ``grid.shape``."""
        return values_on("the initial state", self.initial, grid)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The initial state."""
        return Field(grid, self.initial_on(grid), ("initial_u",))

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form, the third derivative exact."""
        from pdesolve.spectral.korteweg_de_vries import korteweg_de_vries_evolution

        return korteweg_de_vries_evolution(self, grid)


def soliton(wavenumber: float, position: float) -> Callable[..., FloatArray]:
    """One soliton of u_t + 6 u u_x + u_xxx = 0 on the line.

    u = 2 k² sech²(k (x − x₀ − 4 k² t)): height 2 k², speed 4 k².

    Parameters
    ----------
    wavenumber
        k > 0.
    position
        x₀, the place of the crest at t = 0.

    Returns
    -------
    callable
        Takes points ``(1, ...)`` and a time, 0 when left out.

    Examples
    --------
    >>> float(soliton(1.0, 0.0)(np.array([[4.0]]), 1.0)[0])
    2.0
    """
    check_positive(wavenumber=wavenumber)
    k = float(wavenumber)

    def value(points: FloatArray, time: float = 0.0) -> FloatArray:
        result: FloatArray = 2 * k**2 / np.cosh(k * (points[0] - position - 4 * k**2 * time)) ** 2
        return result

    return value


def two_solitons(
    wavenumbers: tuple[float, float], positions: tuple[float, float]
) -> Callable[..., FloatArray]:
    """Two solitons of u_t + 6 u u_x + u_xxx = 0 on the line, before, in and after collision.

    u = 2 ∂²/∂x² log F with F = 1 + e^θ₁ + e^θ₂ + ((k₁ − k₂)/(k₁ + k₂))² e^(θ₁ + θ₂) and
    θ_i = 2 k_i (x − x_i − 4 k_i² t).

    Parameters
    ----------
    wavenumbers
        k₁ ≠ k₂, both positive.
    positions
        x₁ and x₂.

    References
    ----------
    Hirota (1971), Exact Solution of the Korteweg–de Vries Equation for Multiple
    Collisions of Solitons, doi:10.1103/PhysRevLett.27.1192.

    Examples
    --------
    >>> apart = two_solitons((1.0, 0.5), (-30.0, 0.0))
    >>> crest = apart(np.linspace(-32, -28, 4001)[None])  # the faster one, still far away
    >>> bool(abs(crest.max() - 2.0) < 1e-6)
    True
    """
    first, second = (float(k) for k in wavenumbers)
    check_positive(first_wavenumber=first, second_wavenumber=second)
    if first == second:
        raise InputError(f"wavenumbers={wavenumbers!r} must differ")
    coupling = 2 * np.log(abs(first - second) / (first + second))

    def value(points: FloatArray, time: float = 0.0) -> FloatArray:
        x = points[0]
        one = 2 * first * (x - positions[0] - 4 * first**2 * time)
        two = 2 * second * (x - positions[1] - 4 * second**2 * time)
        # the weights of the four terms of F, without overflow; their slopes are known
        exponents = np.stack([np.zeros_like(x), one, two, one + two + coupling])
        weights = np.exp(exponents - exponents.max(axis=0))
        weights /= weights.sum(axis=0)
        slopes = np.array([0.0, 2 * first, 2 * second, 2 * (first + second)])
        mean = np.tensordot(slopes, weights, axes=1)
        result: FloatArray = 2 * (np.tensordot(slopes**2, weights, axes=1) - mean**2)
        return result

    return value


@dataclass(frozen=True)
class KortewegDeVriesFamily(ProblemFamily):
    """u_t + a u u_x + b u_xxx = 0 from a random initial state, which falls apart into waves.

    u at t = 0 is a Gaussian field with covariance proportional to (−Δ + τ²)^−α.

    Parameters
    ----------
    length
        Of the periodic interval [0, length].
    nonlinearity, dispersion
        a and b.
    alpha, tau, standard_deviation
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time, and number of output times, the initial one included.
    name
        Name in the registry.

    Examples
    --------
    >>> family = KortewegDeVriesFamily(length=32.0)
    >>> family.problem(family.sample(np.random.default_rng(0))).upper
    (32.0,)
    """

    length: float = 64.0
    nonlinearity: float = 6.0
    dispersion: float = 1.0
    alpha: float = 4.0
    tau: float = 0.5
    standard_deviation: float = 0.3
    final_time: float = 10.0
    num_times: int = 21
    name: str = "korteweg_de_vries"

    dimension: ClassVar[int] = 1  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("spectral",)
    inputs: ClassVar[tuple[str, ...]] = ("initial_u",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    units: ClassVar[Mapping[str, str]] = {"initial_u": "1", "u": "1", "time": "1", "length": "1"}
    default_shape: ClassVar[tuple[int, ...]] = (256,)  # type: ignore[misc]
    equation: ClassVar[str] = "u_t + a u u_x + b u_xxx = 0 on a periodic interval"
    citation: ClassVar[str] = "Korteweg, de Vries (1895), doi:10.1080/14786449508620739"

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        _ = self.times, self.parameters  # checks the numbers
        KortewegDeVriesProblem(0.0, self.nonlinearity, self.dispersion)

    @property
    def times(self) -> tuple[float, ...]:
        """Output times."""
        return output_times(self.final_time, self.num_times)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The initial state."""
        gaussian = GaussianRandomField(
            1,
            self.alpha,
            self.tau,
            "periodic",
            num_modes=64,
            standard_deviation=self.standard_deviation,
            upper=(self.length,),
        )
        return ParameterSpace((FieldParameter("initial_u", gaussian, "1", "u at t = 0"),))

    def problem(self, parameters: Mapping[str, Any]) -> KortewegDeVriesProblem:
        """The problem with this initial state."""
        values = self.parameters.check(parameters)
        return KortewegDeVriesProblem(
            values["initial_u"],
            self.nonlinearity,
            self.dispersion,
            upper=(self.length,),
            times=self.times,
            name=self.name,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides, coefficients and times."""
        return {
            **super().describe(),
            **periodic_box(1, self.length),
            "nonlinearity": self.nonlinearity,
            "dispersion": self.dispersion,
            "times": list(self.times),
        }


def korteweg_de_vries(**options: Any) -> KortewegDeVriesFamily:
    """Korteweg–de Vries on a periodic interval."""
    return KortewegDeVriesFamily(**options)
