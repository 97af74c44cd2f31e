"""Two-dimensional incompressible flow on periodic boxes, in vorticity form."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import is_finite_number
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boxes import output_times
from pdesolve.problems.channels import varying_inputs
from pdesolve.problems.random_vorticity import TurbulentVorticity, benchmark_vorticity
from pdesolve.problems.vorticity_problem import VorticityProblem

__all__ = [
    "DecayingTurbulenceFamily",
    "NavierStokesFamily",
    "TaylorGreenFamily",
    "VorticityProblem",
    "decaying_turbulence2d",
    "navier_stokes2d",
    "taylor_green2d",
]

BENCHMARK_TIMES = {1e-3: 50.0, 1e-4: 30.0, 1e-5: 20.0}  # the final time by viscosity


@dataclass(frozen=True)
class DiagonalForcing:
    """amplitude · (sin 2π(x + y) + cos 2π(x + y)), the forcing of the benchmark."""

    amplitude: float = 0.1

    def __call__(self, points: FloatArray) -> FloatArray:
        """Values at points ``(2, ...)``."""
        phase = 2 * np.pi * (points[0] + points[1])
        values: FloatArray = self.amplitude * (np.sin(phase) + np.cos(phase))
        return values


_UNITS: Mapping[str, str] = {
    "initial_vorticity": "s^-1",
    "vorticity": "s^-1",
    "velocity_x": "m s^-1",
    "velocity_y": "m s^-1",
    "viscosity": "m^2 s^-1",
    "amplitude": "m s^-1",
    "shift_x": "m",
    "shift_y": "m",
    "time": "s",
    "length": "m",
}


@dataclass(frozen=True)
class FlowFamily(ProblemFamily):
    """What the families of two-dimensional flow have in common.

    Parameters
    ----------
    viscosity
        ν in m²/s.
    final_time, num_times
        Last output time in s, and number of output times, the initial one included.
    velocity
        Report the velocity too.
    name
        Name in the registry.
    """

    viscosity: float = 1e-3
    final_time: float = 1.0
    num_times: int = 11
    velocity: bool = False
    name: str = ""

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("spectral",)
    inputs: ClassVar[tuple[str, ...]] = ("initial_vorticity",)
    units: ClassVar[Mapping[str, str]] = _UNITS
    default_shape: ClassVar[tuple[int, ...]] = (64, 64)  # type: ignore[misc]
    side: ClassVar[float] = 1.0
    viscosity_order: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not (is_finite_number(self.viscosity) and self.viscosity >= 0):
            raise InputError(f"viscosity={self.viscosity!r} must be finite and not negative")
        for name in ("viscosity_order", "wavenumber"):
            value = getattr(self, name, 1)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r} must be a positive integer")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def times(self) -> tuple[float, ...]:
        """Output times."""
        return output_times(self.final_time, self.num_times)

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Channels of the answer."""
        return ("vorticity", "velocity_x", "velocity_y") if self.velocity else ("vorticity",)

    def problem(self, parameters: Mapping[str, Any]) -> VorticityProblem:
        """The problem with this initial vorticity."""
        values = self.parameters.check(parameters)
        return VorticityProblem(
            values["initial_vorticity"],
            self.viscosity,
            self.forcing,
            viscosity_order=self.viscosity_order,
            upper=(self.side, self.side),
            times=self.times,
            report_velocity=self.velocity,
            name=self.name,
        )

    @property
    def forcing(self) -> object:
        """f, none unless a family says otherwise."""
        return 0.0

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, viscosity and times."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0, 0.0], "upper": [self.side, self.side]},
            "boundary conditions": {"all": "periodic"},
            "viscosity": self.viscosity,
            "viscosity order": self.viscosity_order,
            "times": list(self.times),
        }

    def with_options(self, **options: Any) -> FlowFamily:
        """The family with other numbers."""
        return replace(self, **options)


@dataclass(frozen=True)
class NavierStokesFamily(FlowFamily):
    """The Navier–Stokes benchmark of the Fourier neural operator.

    ∂ω/∂t + u·∇ω = ν Δω + f on the unit torus with f = 0.1 (sin 2π(x + y) + cos 2π(x + y))
    and ω at t = 0 from N(0, 7^(3/2) (−Δ + 49)^(−2.5)), without mean.

    Parameters
    ----------
    viscosity
        ν; the benchmark has 1e-3, 1e-4 and 1e-5.
    final_time
        The benchmark's for the viscosity (50, 30 and 20), or 20, when left out (0).
    num_times
        One a unit of time and the initial one, when left out (0).
    velocity
        Report the velocity too.
    variance
        ``"paper"``, or ``"script"`` for the larger initial vorticity that the published
        generating script draws; see :func:`benchmark_vorticity`.
    num_modes
        Basis functions an axis of the initial vorticity.
    name
        Name in the registry.

    References
    ----------
    Li, Kovachki, Azizzadenesheli, Liu, Bhattacharya, Stuart, Anandkumar (2021), Fourier
    Neural Operator for Parametric Partial Differential Equations, ICLR,
    doi:10.48550/arXiv.2010.08895.

    Examples
    --------
    >>> NavierStokesFamily(viscosity=1e-4).times[-1]
    30.0
    """

    viscosity: float = 1e-3
    final_time: float = 0.0
    num_times: int = 0
    velocity: bool = False
    name: str = "navier_stokes2d"
    variance: Literal["paper", "script"] = "paper"
    num_modes: int = 255

    equation: ClassVar[str] = (
        "dw/dt + u . grad w = nu Laplacian(w) + 0.1 (sin 2 pi (x+y) + cos 2 pi (x+y)), "
        "u = (dpsi/dy, -dpsi/dx), -Laplacian(psi) = w, on the unit torus"
    )
    citation: ClassVar[str] = "Li et al. (2021), doi:10.48550/arXiv.2010.08895"

    def __post_init__(self) -> None:
        if self.final_time == 0:
            object.__setattr__(self, "final_time", BENCHMARK_TIMES.get(self.viscosity, 20.0))
        if self.num_times == 0 and is_finite_number(self.final_time):
            object.__setattr__(self, "num_times", max(1, round(self.final_time)) + 1)
        super().__post_init__()

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The initial vorticity."""
        distribution = benchmark_vorticity(self.variance, self.num_modes)
        return ParameterSpace(
            (FieldParameter("initial_vorticity", distribution, "s^-1", "vorticity at t = 0"),)
        )

    @property
    def forcing(self) -> object:
        """F."""
        return DiagonalForcing()


@dataclass(frozen=True)
class DecayingTurbulenceFamily(FlowFamily):
    """Decaying turbulence from a random flow in [0, 2π]².

    ∂ω/∂t + u·∇ω = −ν (−Δ)^p ω. The initial energy spectrum is k / (1 + (k / peak)⁴) by default,
    and the initial kinetic energy E = ½⟨|u|²⟩ = 0.5, see :class:`TurbulentVorticity`. As in the
    reference, hyperviscosity (p = 2) confines the dissipation to the shortest waves: once
    these have decayed, E is nearly constant while the enstrophy Z = ½⟨ω²⟩ goes on
    falling. With p = 1, dE/dt = −2 ν Z.

    Parameters
    ----------
    viscosity
        ν in m^(2p)/s.
    viscosity_order
        p.
    final_time, num_times, velocity, name
        As in :class:`FlowFamily`.
    peak, steepness
        Wavenumber k₀ and power m of the spectrum E(k) ∝ k / (1 + (k/k₀)⁴)^m of the initial flow.
    energy
        Its kinetic energy ½⟨|u|²⟩ in m²/s².
    largest_wavenumber
        Modes above are left out of it.

    References
    ----------
    McWilliams (1984), The Emergence of Isolated Coherent Vortices in Turbulent Flow,
    Journal of Fluid Mechanics, doi:10.1017/S0022112084001750.

    Examples
    --------
    >>> DecayingTurbulenceFamily().default_shape
    (128, 128)
    """

    viscosity: float = 5e-6
    final_time: float = 10.0
    num_times: int = 21
    velocity: bool = False
    name: str = "decaying_turbulence2d"
    peak: float = 6.0
    largest_wavenumber: int = 40
    viscosity_order: int = 2  # type: ignore[misc]
    steepness: int = 1
    energy: float = 0.5

    default_shape: ClassVar[tuple[int, ...]] = (128, 128)  # type: ignore[misc]
    side: ClassVar[float] = 2 * math.pi
    equation: ClassVar[str] = (
        "dw/dt + u . grad w = -nu (-Laplacian)^p w, u = (dpsi/dy, -dpsi/dx), "
        "-Laplacian(psi) = w, on the torus of side 2 pi"
    )
    citation: ClassVar[str] = "McWilliams (1984), doi:10.1017/S0022112084001750"

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The initial vorticity."""
        flow = TurbulentVorticity(
            self.peak, self.energy, self.largest_wavenumber, self.side, self.steepness
        )
        return ParameterSpace(
            (FieldParameter("initial_vorticity", flow, "s^-1", "vorticity at t = 0"),)
        )


@dataclass(frozen=True)
class TaylorGreenVorticity:
    """2 κ A cos κ(x − a) cos κ(y − b) exp(−2 ν κ² t) at one time."""

    amplitude: float
    shift: tuple[float, float] = (0.0, 0.0)
    wavenumber: int = 1
    viscosity: float = 0.0
    time: float = 0.0

    def __call__(self, points: FloatArray) -> FloatArray:
        """Values at points ``(2, ...)``."""
        k = self.wavenumber
        waves = np.cos(k * (points[0] - self.shift[0])) * np.cos(k * (points[1] - self.shift[1]))
        decay = math.exp(-2 * self.viscosity * k**2 * self.time)
        values: FloatArray = 2 * k * self.amplitude * decay * waves
        return values


@dataclass(frozen=True)
class TaylorGreenFamily(FlowFamily):
    """The Taylor–Green vortices, an exact solution in [0, 2π]².

    ω = 2 κ A cos κ(x − a) cos κ(y − b) exp(−2 ν κ² t), a velocity of amplitude A. A and ν
    are random, and so is the place (a, b).

    Parameters
    ----------
    final_time, num_times, velocity, name
        As in :class:`FlowFamily`.
    wavenumber
        κ, an integer.
    amplitude_range, viscosity_range
        Least and largest A (uniform) in m/s and ν (uniform in its logarithm) in m²/s.

    References
    ----------
    Taylor, Green (1937), Mechanism of the Production of Small Eddies from Large Ones,
    Proceedings of the Royal Society A, doi:10.1098/rspa.1937.0036.

    Examples
    --------
    >>> family = TaylorGreenFamily()
    >>> exact = family.exact({"amplitude": 1.0, "viscosity": 0.01, "shift_x": 0.0, "shift_y": 0.0})
    >>> round(float(exact(np.zeros((2, 1)))[0]), 4)  # 4 exp(-0.08) at t = 1
    3.6925
    """

    viscosity: float = 0.0  # drawn, not set
    final_time: float = 1.0
    num_times: int = 11
    velocity: bool = False
    name: str = "taylor_green2d"
    wavenumber: int = 2
    amplitude_range: tuple[float, float] = (0.5, 2.0)
    viscosity_range: tuple[float, float] = (1e-2, 1e-1)

    default_shape: ClassVar[tuple[int, ...]] = (32, 32)  # type: ignore[misc]
    side: ClassVar[float] = 2 * math.pi
    equation: ClassVar[str] = (
        "dw/dt + u . grad w = nu Laplacian(w), u = (dpsi/dy, -dpsi/dx), -Laplacian(psi) = w, "
        "on the torus of side 2 pi"
    )
    citation: ClassVar[str] = "Taylor, Green (1937), doi:10.1098/rspa.1937.0036"

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the viscosity where it is drawn."""
        return varying_inputs(("initial_vorticity", "viscosity"), self.parameters)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Amplitude, viscosity and place."""
        period = 2 * math.pi / self.wavenumber
        low, high = self.viscosity_range
        return ParameterSpace(
            (
                ScalarParameter("amplitude", *self.amplitude_range, "m s^-1", "of the velocity"),
                ScalarParameter("viscosity", low, high, "m^2 s^-1", "kinematic viscosity", "log"),
                ScalarParameter("shift_x", 0.0, period, "m", "a"),
                ScalarParameter("shift_y", 0.0, period, "m", "b"),
            )
        )

    def vorticity(self, parameters: Mapping[str, Any], time: float) -> TaylorGreenVorticity:
        """The exact vorticity at a time, a function of points."""
        values = self.parameters.check(parameters)
        shift = (values["shift_x"], values["shift_y"])
        viscosity = values["viscosity"]
        return TaylorGreenVorticity(values["amplitude"], shift, self.wavenumber, viscosity, time)

    def problem(self, parameters: Mapping[str, Any]) -> VorticityProblem:
        """The problem with these vortices at t = 0."""
        return VorticityProblem(
            self.vorticity(parameters, 0.0),
            self.parameters.check(parameters)["viscosity"],
            upper=(self.side, self.side),
            times=self.times,
            report_velocity=self.velocity,
            input_names=self.inputs,
            name=self.name,
        )

    def exact(self, parameters: Mapping[str, Any]) -> Callable[[FloatArray], FloatArray]:
        """The vorticity at the last output time."""
        return self.vorticity(parameters, self.times[-1])

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        described = {**super().describe(), "wavenumber": self.wavenumber}
        del described["viscosity"]  # a parameter
        return described


def navier_stokes2d(**options: Any) -> NavierStokesFamily:
    """The Navier–Stokes benchmark of the Fourier neural operator."""
    return NavierStokesFamily(**options)


def decaying_turbulence2d(**options: Any) -> DecayingTurbulenceFamily:
    """Decaying two-dimensional turbulence."""
    return DecayingTurbulenceFamily(**options)


def taylor_green2d(**options: Any) -> TaylorGreenFamily:
    """Taylor–Green vortices with random amplitude, viscosity and place."""
    return TaylorGreenFamily(**options)
