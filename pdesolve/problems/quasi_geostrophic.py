"""Two-layer quasi-geostrophic turbulence on a periodic box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, Location, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace
from operators.random_fields import GaussianRandomField, is_finite_number
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Periodic, conditions_by_side
from pdesolve.problems.boxes import complete_box, output_times, values_on
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.evolution import SpectralEvolution
from pdesolve.spectral.quasi_geostrophic import TwoLayerFlow, TwoLayerSymbols

_LAYERS = ("potential_vorticity_upper", "potential_vorticity_lower")


@dataclass(frozen=True, eq=False)
class QuasiGeostrophicProblem(EvolutionProblem):
    """Potential vorticity q of two layers of constant density on a rotating plane.

    ∂q₁/∂t + J(ψ₁, q₁) + U₁ ∂q₁/∂x + (β + F₁ (U₁ − U₂)) ∂ψ₁/∂x = −ν (−Δ)^p q₁
    ∂q₂/∂t + J(ψ₂, q₂) + U₂ ∂q₂/∂x + (β − F₂ (U₁ − U₂)) ∂ψ₂/∂x = −r Δψ₂ − ν (−Δ)^p q₂

    with q₁ = Δψ₁ + F₁ (ψ₂ − ψ₁), q₂ = Δψ₂ + F₂ (ψ₁ − ψ₂), F₁ = r_d^−2 / (1 + δ), F₂ = δ F₁,
    J(a, b) = ∂a/∂x ∂b/∂y − ∂a/∂y ∂b/∂x; layer 1 is the upper one, the velocity
    (−∂ψ/∂y, ∂ψ/∂x).

    Everything is without units: lengths are measured in deformation radii r_d and times in
    r_d / U with a velocity U, by default that of the shear. With r_d = 15 km and
    U = 0.025 m/s a unit of time is 6.94 days, and the defaults are those of a common
    model of the open ocean: a box of 1000 km, β = 1.5e-11 1/(m s), r = 5.787e-7 1/s, δ = 1/4.

    Parameters
    ----------
    initial
        q₁ and q₂ at the first time, each a number, function of points, Field or draw.
    mean_velocity
        U₁, U₂.
    beta
        β r_d² / U.
    deformation_radius
        r_d, the unit of length.
    thickness_ratio
        δ = H₁/H₂ > 0.
    drag
        r r_d / U.
    hyperviscosity, hyperviscosity_order
        ν / (U r_d^(2p − 1)) and p.
    lower, upper
        The box; a square of side 200/3 when left out.
    times
        Output times, the initial time first.
    name
        Used in messages and to match surrogates.

    References
    ----------
    Phillips (1951), doi:10.1175/1520-0469(1951)008<0381:ASTDMF>2.0.CO;2. Vallis (2017),
    Atmospheric and Oceanic Fluid Dynamics, doi:10.1017/9781107588417, chapters 5 and 9.

    Examples
    --------
    >>> problem = QuasiGeostrophicProblem((lambda x: np.cos(0.3 * np.pi * x[0]), 0.0))
    >>> problem.growth_rate(0.6, 0.0) > 0  # baroclinic instability
    True
    """

    initial: tuple[object, object]
    mean_velocity: tuple[float, float] = (1.0, 0.0)
    beta: float = 0.135
    deformation_radius: float = 1.0
    thickness_ratio: float = 0.25
    drag: float = 0.3472
    hyperviscosity: float = 0.03
    hyperviscosity_order: int = 4
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = (200 / 3, 200 / 3)
    times: tuple[float, ...] = (0.0, 1.0)
    name: str = "quasi_geostrophic"
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Periodic()}
    )

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    location: ClassVar[Location] = "vertex"
    unknown: ClassVar[str] = _LAYERS[0]
    unknowns: ClassVar[tuple[str, ...]] = _LAYERS

    def __post_init__(self) -> None:
        for name in ("deformation_radius", "thickness_ratio"):
            value = getattr(self, name)
            if not (is_finite_number(value) and value > 0):
                raise InputError(f"{name}={value!r} must be positive and finite")
        for name in ("drag", "hyperviscosity"):
            value = getattr(self, name)
            if not (is_finite_number(value) and value >= 0):
                raise InputError(f"{name}={value!r} must be finite and not negative")
        if not is_finite_number(self.beta):
            raise InputError(f"beta={self.beta!r} must be a finite number")
        for name, entries in (("initial", self.initial), ("mean_velocity", self.mean_velocity)):
            if not isinstance(entries, tuple | list) or len(entries) != 2:
                raise InputError(f"{name}={entries!r} must have two entries, one a layer")
        if not all(is_finite_number(value) for value in self.mean_velocity):
            raise InputError(f"mean_velocity={self.mean_velocity!r} must hold finite numbers")
        order = self.hyperviscosity_order
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            raise InputError(f"hyperviscosity_order={order!r} must be a positive integer")
        complete_box(self)
        conditions_by_side(self.boundary_conditions, ("x_lower", "y_lower"), (Periodic,))

    @cached_property
    def flow(self) -> TwoLayerFlow:
        """The constants."""
        upper, lower = self.mean_velocity
        return TwoLayerFlow(
            (float(upper), float(lower)),
            self.beta,
            self.deformation_radius,
            self.thickness_ratio,
            self.drag,
            self.hyperviscosity,
            self.hyperviscosity_order,
        )

    def growth_rate(self, k_x: float, k_y: float) -> float:
        """Largest growth rate of a small wave exp(i (k_x x + k_y y)) on the mean flow."""
        line = np.full(1, float(k_x)), np.full(1, float(k_y))
        matrix = TwoLayerSymbols.of(self.flow, *line).linear[..., 0]
        return float(np.linalg.eigvals(matrix).real.max())

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """q₁ and q₂ at the first time, shape ``(2, *grid.shape)``."""
        names = ("the initial potential vorticity above", "the initial potential vorticity below")
        return np.stack(
            [values_on(name, part, grid) for name, part in zip(names, self.initial, strict=True)]
        )

    def check_grid(self, grid: StructuredGrid) -> None:
        """Refuse a grid of another box."""
        same = grid.dimension == 2 and np.allclose(
            (*grid.lower, *grid.upper), (*self.lower, *self.upper), rtol=1e-12, atol=1e-14
        )
        if not same:
            raise InputError(
                f"the grid's box {grid.lower} to {grid.upper} is not the problem's, {self.lower} "
                f"to {self.upper}; make the grid with problem.grid(shape)"
            )

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The initial potential vorticity of both layers."""
        return Field(grid, self.initial_on(grid), tuple(f"initial_{name}" for name in _LAYERS))

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form with the 2/3 rule."""
        from pdesolve.spectral.quasi_geostrophic import quasi_geostrophic_evolution

        return quasi_geostrophic_evolution(self, grid)


@dataclass(frozen=True)
class QuasiGeostrophicFamily(ProblemFamily):
    """Two-layer turbulence from random eddies, see :class:`QuasiGeostrophicProblem`.

    q₁ and q₂ at t = 0 are independent Gaussian fields with covariance proportional to
    (−Δ + τ²)^−α, without mean.

    Parameters
    ----------
    mean_velocity, beta, thickness_ratio, drag, hyperviscosity, hyperviscosity_order
        As for the problem, without units.
    side
        Of the square box, in deformation radii.
    standard_deviation
        Of q₁ and q₂ at t = 0.
    alpha, tau
        Of the Gaussian fields, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time, and number of output times, the initial one included.
    name
        Name in the registry.

    Examples
    --------
    >>> family = QuasiGeostrophicFamily()
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(8)).values.shape
    (2, 8, 8)
    """

    mean_velocity: tuple[float, float] = (1.0, 0.0)
    beta: float = 0.135
    thickness_ratio: float = 0.25
    drag: float = 0.3472
    hyperviscosity: float = 0.03
    hyperviscosity_order: int = 4
    side: float = 200 / 3
    standard_deviation: float = 0.8
    alpha: float = 4.0
    tau: float = 1.0
    final_time: float = 20.0
    num_times: int = 21
    name: str = "quasi_geostrophic"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("spectral",)
    inputs: ClassVar[tuple[str, ...]] = tuple(f"initial_{name}" for name in _LAYERS)
    outputs: ClassVar[tuple[str, ...]] = _LAYERS
    units: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (*_LAYERS, *(f"initial_{name}" for name in _LAYERS), "time", "length"), "1"
    )
    default_shape: ClassVar[tuple[int, ...]] = (64, 64)  # type: ignore[misc]
    equation: ClassVar[str] = (
        "dq_i/dt + J(psi_i, q_i) + U_i dq_i/dx + Q_i dpsi_i/dx = -delta_i2 r Laplacian(psi_2) "
        "- nu (-Laplacian)^p q_i, i = 1, 2, on a periodic square"
    )
    citation: ClassVar[str] = "Phillips (1951), doi:10.1175/1520-0469(1951)008<0381:ASTDMF>2.0.CO;2"

    def __post_init__(self) -> None:
        if not (is_finite_number(self.side) and self.side > 0):
            raise InputError(f"side={self.side!r} must be positive and finite")
        _ = self.times, self.parameters  # checks the numbers
        self._problem((0.0, 0.0))

    @property
    def times(self) -> tuple[float, ...]:
        """Output times."""
        return output_times(self.final_time, self.num_times)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The initial potential vorticity of both layers."""
        eddies = GaussianRandomField(
            2,
            self.alpha,
            self.tau,
            "periodic",
            standard_deviation=self.standard_deviation,
            upper=(self.side, self.side),
        )
        return ParameterSpace(tuple(FieldParameter(name, eddies) for name in self.inputs))

    def problem(self, parameters: Mapping[str, Any]) -> QuasiGeostrophicProblem:
        """The problem with this initial state."""
        values = self.parameters.check(parameters)
        return self._problem((values[self.inputs[0]], values[self.inputs[1]]))

    def _problem(self, initial: tuple[object, object]) -> QuasiGeostrophicProblem:
        return QuasiGeostrophicProblem(
            initial,
            self.mean_velocity,
            self.beta,
            1.0,
            self.thickness_ratio,
            self.drag,
            self.hyperviscosity,
            self.hyperviscosity_order,
            upper=(self.side, self.side),
            times=self.times,
            name=self.name,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, constants and times."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0, 0.0], "upper": [self.side, self.side]},
            "boundary conditions": {"all": "periodic"},
            "mean velocity": list(self.mean_velocity),
            "beta": self.beta,
            "thickness ratio": self.thickness_ratio,
            "drag": self.drag,
            "hyperviscosity": self.hyperviscosity,
            "hyperviscosity order": self.hyperviscosity_order,
            "times": list(self.times),
        }

    def with_options(self, **options: Any) -> QuasiGeostrophicFamily:
        """The family with other numbers."""
        return replace(self, **options)


def quasi_geostrophic(**options: Any) -> QuasiGeostrophicFamily:
    """Two-layer quasi-geostrophic turbulence."""
    return QuasiGeostrophicFamily(**options)
