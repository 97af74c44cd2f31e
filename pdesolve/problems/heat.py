"""Heat conduction in time: ∂u/∂t = ∇·(κ ∇u) + f."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Periodic
from pdesolve.problems.boxes import complete_box, output_times, values_on, wraps_everywhere
from pdesolve.problems.channels import input_channels, varying_inputs
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.evolution import SpectralEvolution


@dataclass(frozen=True, eq=False)
class HeatProblem(EvolutionProblem):
    """∂u/∂t = ∇·(κ ∇u) + f with κ = conductivity(x) · time_factor(t).

    Parameters
    ----------
    conductivity
        κ > 0 over the heat capacity, in m²/s: a number, a function of points of shape
        ``(dimension, ...)``, a scalar Field, or a draw of a random field.
    time_factor
        A positive function of time that multiplies it; 1 when left out.
    source
        f, a number or a function of points.
    initial
        u at the first time, given in the same ways.
    boundary_conditions
        By side name: ``x_lower``, ``x_upper``, ``y_lower``, ..., or ``"all"``: Dirichlet,
        Neumann (the flux κ ∂u/∂n), Robin (κ ∂u/∂n + α u = g) or Periodic.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    times
        Output times, the initial time first.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    Examples
    --------
    >>> import numpy as np
    >>> from pdesolve import evolve
    >>> problem = HeatProblem(0.1, initial=lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    >>> trajectory = evolve(problem, mesh=32, backend="grid")
    >>> trajectory.result.converged
    True
    """

    conductivity: object = 1.0
    time_factor: Callable[[float], float] | None = None
    source: object = 0.0
    initial: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Periodic()}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 1.0)
    name: str = "heat"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "temperature"
    unknowns: ClassVar[tuple[str, ...]] = ("temperature",)

    def __post_init__(self) -> None:
        complete_box(self)
        if self.time_factor is not None and not callable(self.time_factor):
            raise InputError(f"time_factor={self.time_factor!r} must be a function of time")

    @property
    def backends(self) -> tuple[str, ...]:
        """``spectral`` where κ is the same everywhere and every side is periodic."""
        uniform = isinstance(self.conductivity, numbers.Real) and wraps_everywhere(self)
        return ("spectral", "grid", "fem") if uniform else ("grid", "fem")

    def factor_at(self, time: float) -> float:
        """The factor of κ at a time, checked to be positive and finite."""
        value = 1.0 if self.time_factor is None else self.time_factor(time)
        if not is_finite_number(value) or not value > 0:
            raise InputError(
                f"time_factor gave {value!r} at t = {time:g}; it must be positive and finite"
            )
        return float(value)

    def conductivity_on(self, grid: StructuredGrid) -> FloatArray:
        """The conductivity without its factor at the grid's points, checked to be positive."""
        values = values_on("the conductivity", self.conductivity, grid)
        if values.min() <= 0:
            where = tuple(int(i) for i in np.argwhere(values <= 0)[0])
            raise InputError(
                f"the conductivity must be positive; it is {values[where]} at index {where}"
            )
        return values

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial temperature at the grid's points, shape ``grid.shape``."""
        return values_on("the initial temperature", self.initial, grid)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Initial temperature and conductivity."""
        known = {
            "initial_temperature": lambda: self.initial_on(grid),
            "conductivity": lambda: self.conductivity_on(grid),
        }
        return input_channels(grid, known, self.input_names)

    def grid_evolution(self, block: GridBlock) -> GridEvolution:
        """Conservative finite volumes with harmonic face averages, all implicit."""
        from pdesolve.grid.heat import heat_on_block

        return heat_on_block(self, block)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form."""
        from pdesolve.spectral.heat import heat_evolution

        return heat_evolution(self, grid)

    def evolution_form(self, context: Any) -> Any:
        """Weak form with continuous Lagrange elements."""
        from pdesolve.problems._firedrake_heat import heat_form

        return heat_form(self, context)


BOUNDARIES: dict[str, Condition] = {
    "periodic": Periodic(),
    "dirichlet": Dirichlet(0.0),
    "neumann": Neumann(0.0),
}


@dataclass(frozen=True)
class Modulation:
    """1 + amplitude · sin(2π t / period), a factor that a process can send to another."""

    amplitude: float
    period: float

    def __call__(self, time: float) -> float:
        """The factor at a time."""
        return 1.0 + self.amplitude * math.sin(2 * math.pi * time / self.period)


@dataclass(frozen=True)
class HeatFamily(ProblemFamily):
    """Heat conduction on the unit box from a random initial state.

    ∂u/∂t = κ(t) Δu with κ(t) = κ₀ (1 + modulation · sin(2π t / final_time)). u at t = 0
    is a Gaussian field with covariance proportional to (−Δ + τ²)^−α and standard deviation
    1, whose Laplacian has the condition of the sides; κ₀ is drawn uniformly in its
    logarithm.

    Parameters
    ----------
    dimension
        1, 2 or 3.
    boundary
        ``"periodic"``, ``"dirichlet"`` (u = 0) or ``"neumann"`` (no flux).
    conductivity_range
        Least and largest κ₀ in m²/s.
    modulation
        Amplitude of κ(t), at least 0 and below 1.
    alpha, tau
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time in s, and number of output times, the initial one included.
    name
        Name in the registry; made from the dimension when left out.

    Examples
    --------
    >>> family = HeatFamily(1)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(8)).names
    ('initial_temperature', 'conductivity')
    """

    dimension: int = 2
    boundary: Literal["periodic", "dirichlet", "neumann"] = "periodic"
    conductivity_range: tuple[float, float] = (2e-3, 2e-2)
    modulation: float = 0.5
    alpha: float = 3.0
    tau: float = 5.0
    final_time: float = 1.0
    num_times: int = 11
    name: str = ""

    outputs: ClassVar[tuple[str, ...]] = ("temperature",)
    units: ClassVar[Mapping[str, str]] = {
        "initial": "K",
        "initial_temperature": "K",
        "temperature": "K",
        "conductivity": "m^2 s^-1",
        "time": "s",
        "length": "m",
    }
    equation: ClassVar[str] = (
        "du/dt = kappa(t) Laplacian(u), kappa(t) = kappa0 (1 + m sin(2 pi t / T)), on the unit box"
    )
    citation: ClassVar[str] = "Evans (2010), Partial Differential Equations, doi:10.1090/gsm/019"

    def __post_init__(self) -> None:
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary='{self.boundary}'. {suggest(self.boundary, BOUNDARIES)}")
        if not (is_finite_number(self.modulation) and 0 <= self.modulation < 1):
            raise InputError(
                f"modulation={self.modulation!r} must be at least 0 and below 1, so that the "
                "conductivity stays positive"
            )
        if len(self.conductivity_range) != 2:
            raise InputError(
                f"conductivity_range={self.conductivity_range!r} must hold two numbers"
            )
        if not self.name:
            object.__setattr__(self, "name", f"heat{self.dimension}d")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def backends(self) -> tuple[str, ...]:  # type: ignore[override]
        """Backends that solve it, the default first."""
        if self.boundary == "periodic":
            return ("spectral", "grid", "fem")
        return ("grid", "fem")

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the conductivity where it is drawn."""
        return varying_inputs(("initial_temperature", "conductivity"), self.parameters)

    @property
    def symmetries(self) -> tuple[str, ...]:  # type: ignore[override]
        """The distribution and the sides do not change under flips or exchanged axes."""
        return ("square",)

    @property
    def times(self) -> tuple[float, ...]:
        """Output times."""
        return output_times(self.final_time, self.num_times)

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given."""
        return {1: (256,), 2: (64, 64), 3: (24, 24, 24)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Initial state and conductivity."""
        gaussian = GaussianRandomField(
            self.dimension, self.alpha, self.tau, self.boundary, standard_deviation=1.0
        )
        low, high = self.conductivity_range
        return ParameterSpace(
            (
                FieldParameter("initial", gaussian, "K", "temperature at t = 0"),
                ScalarParameter(
                    "conductivity", low, high, "m^2 s^-1", "conductivity at t = 0", "log"
                ),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> HeatProblem:
        """The problem with this initial state and conductivity."""
        values = self.parameters.check(parameters)
        return HeatProblem(
            values["conductivity"],
            Modulation(self.modulation, self.final_time) if self.modulation else None,
            initial=values["initial"],
            boundary_conditions={"all": BOUNDARIES[self.boundary]},
            dimension=self.dimension,
            times=self.times,
            name=self.name,
            input_names=self.inputs,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides and times."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0] * self.dimension, "upper": [1.0] * self.dimension},
            "boundary conditions": {"all": self.boundary},
            "modulation": self.modulation,
            "times": list(self.times),
        }


def heat1d(**options: Any) -> HeatFamily:
    """Heat conduction on the unit interval."""
    return HeatFamily(1, **options)


def heat2d(**options: Any) -> HeatFamily:
    """Heat conduction on the unit square."""
    return HeatFamily(2, **options)


def heat3d(**options: Any) -> HeatFamily:
    """Heat conduction on the unit cube."""
    return HeatFamily(3, **options)
