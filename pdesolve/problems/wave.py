"""The wave equation, ∂²u/∂t² = c² Δu."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Periodic
from pdesolve.problems.boxes import complete_box, output_times, values_on, wraps_everywhere
from pdesolve.problems.channels import input_channels, varying_inputs
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.heat import BOUNDARIES
from pdesolve.spectral.evolution import SpectralEvolution


@dataclass(frozen=True, eq=False)
class WaveProblem(EvolutionProblem):
    """∂²u/∂t² = c² Δu, as a system of first order: ∂u/∂t = v, ∂v/∂t = c² Δu.

    Parameters
    ----------
    speed
        c > 0 in m/s: a number; on the backend ``grid`` also a function of points, a
        scalar Field or a draw of a random field.
    initial
        u at the first time, given in the same ways.
    initial_velocity
        v at the first time, given in the same ways.
    boundary_conditions
        By side name, or ``"all"``: Dirichlet (u given), Neumann (∂u/∂n given) or Periodic.
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
    >>> problem = WaveProblem(1.0, lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    >>> energy = evolve(problem, mesh=64, backend="grid", dt=0.005).history["energy"]
    >>> abs(float(energy[1] / energy[0]) - 1) < 1e-6
    True
    """

    speed: object = 1.0
    initial: object = 0.0
    initial_velocity: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Periodic()}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 1.0)
    name: str = "wave"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "displacement"
    unknowns: ClassVar[tuple[str, ...]] = ("displacement", "velocity")

    def __post_init__(self) -> None:
        complete_box(self)

    @property
    def has_uniform_speed(self) -> bool:
        """Whether c is given by a number."""
        return isinstance(self.speed, numbers.Real)

    @property
    def backends(self) -> tuple[str, ...]:
        """``spectral`` where c is the same everywhere and every side is periodic."""
        if self.has_uniform_speed and wraps_everywhere(self):
            return ("spectral", "grid", "fem")
        return ("grid", "fem")

    def speed_on(self, grid: StructuredGrid) -> FloatArray:
        """The speed at the grid's points, checked to be positive."""
        values = values_on("the speed", self.speed, grid)
        if values.min() <= 0:
            where = tuple(int(i) for i in np.argwhere(values <= 0)[0])
            raise InputError(f"the speed must be positive; it is {values[where]} at index {where}")
        return values

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """Displacement and velocity at the first time, shape ``(2, *grid.shape)``."""
        return np.stack(
            [
                values_on("the initial displacement", self.initial, grid),
                values_on("the initial velocity", self.initial_velocity, grid),
            ]
        )

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Initial state and speed."""
        known = {
            "initial_displacement": lambda: self.initial_on(grid)[0],
            "initial_velocity": lambda: self.initial_on(grid)[1],
            "speed": lambda: self.speed_on(grid),
        }
        return input_channels(grid, known, self.input_names)

    def grid_evolution(self, block: GridBlock) -> GridEvolution:
        """Central differences of second order."""
        from pdesolve.grid.wave import wave_on_block

        return wave_on_block(self, block)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form."""
        from pdesolve.spectral.wave import wave_evolution

        return wave_evolution(self, grid)

    def evolution_form(self, context: Any) -> Any:
        """Weak form with continuous Lagrange elements."""
        from pdesolve.problems._firedrake_wave import wave_form

        return wave_form(self, context)


@dataclass(frozen=True)
class WaveFamily(ProblemFamily):
    """Waves on the unit box from a random displacement at rest.

    ∂²u/∂t² = c² Δu. u at t = 0 is a Gaussian field with covariance proportional to
    (−Δ + τ²)^−α and standard deviation 1, whose Laplacian has the condition of the sides;
    ∂u/∂t = 0 at t = 0; c is drawn uniformly.

    Parameters
    ----------
    dimension
        1 or 2.
    boundary
        ``"periodic"``, ``"dirichlet"`` (u = 0) or ``"neumann"`` (∂u/∂n = 0).
    speed_range
        Least and largest c in m/s.
    alpha, tau
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time in s, and number of output times, the initial one included.
    name
        Name in the registry; made from the dimension when left out.

    Examples
    --------
    >>> family = WaveFamily(1)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(8)).names
    ('initial_displacement', 'speed')
    """

    dimension: int = 2
    boundary: Literal["periodic", "dirichlet", "neumann"] = "periodic"
    speed_range: tuple[float, float] = (0.5, 1.0)
    alpha: float = 4.0
    tau: float = 5.0
    final_time: float = 1.0
    num_times: int = 11
    name: str = ""

    outputs: ClassVar[tuple[str, ...]] = ("displacement", "velocity")
    units: ClassVar[Mapping[str, str]] = {
        "initial": "m",
        "initial_displacement": "m",
        "displacement": "m",
        "velocity": "m s^-1",
        "speed": "m s^-1",
        "time": "s",
        "length": "m",
    }
    equation: ClassVar[str] = "d^2 u/dt^2 = c^2 Laplacian(u) on the unit box, at rest at t = 0"
    citation: ClassVar[str] = "Evans (2010), Partial Differential Equations, doi:10.1090/gsm/019"

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2):
            raise InputError(f"dimension={self.dimension!r} must be 1 or 2")
        if self.boundary not in BOUNDARIES:
            raise InputError(f"boundary='{self.boundary}'. {suggest(self.boundary, BOUNDARIES)}")
        if len(self.speed_range) != 2 or not min(self.speed_range) > 0:
            raise InputError(f"speed_range={self.speed_range!r} must hold two positive numbers")
        if not self.name:
            object.__setattr__(self, "name", f"wave{self.dimension}d")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def backends(self) -> tuple[str, ...]:  # type: ignore[override]
        """Backends that solve it, the default first."""
        if self.boundary == "periodic":
            return ("spectral", "grid", "fem")
        return ("grid", "fem")

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the speed where it is drawn."""
        return varying_inputs(("initial_displacement", "speed"), self.parameters)

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
        return {1: (256,), 2: (64, 64)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Initial displacement and speed."""
        gaussian = GaussianRandomField(
            self.dimension, self.alpha, self.tau, self.boundary, standard_deviation=1.0
        )
        low, high = self.speed_range
        return ParameterSpace(
            (
                FieldParameter("initial", gaussian, "m", "displacement at t = 0"),
                ScalarParameter("speed", low, high, "m s^-1", "speed of the waves"),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> WaveProblem:
        """The problem with this displacement and speed."""
        values = self.parameters.check(parameters)
        return WaveProblem(
            values["speed"],
            values["initial"],
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
            "times": list(self.times),
        }


def wave1d(**options: Any) -> WaveFamily:
    """Waves on the unit interval."""
    return WaveFamily(1, **options)


def wave2d(**options: Any) -> WaveFamily:
    """Waves on the unit square."""
    return WaveFamily(2, **options)
