"""Patterns of two reacting species: the Gray–Scott model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from operators.spatial import SpatialFunction, as_spatial_function
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition
from pdesolve.problems.boxes import output_times, values_on
from pdesolve.problems.channels import input_channels, varying_inputs
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.periodic import (
    all_periodic,
    check_positive,
    complete_periodic_box,
    periodic_box,
)
from pdesolve.spectral.evolution import SpectralEvolution

_INPUTS = ("initial_concentration_u", "initial_concentration_v", "feed_rate", "kill_rate")


@dataclass(frozen=True, eq=False)
class GrayScottProblem(EvolutionProblem):
    """∂u/∂t = D_u Δu − u v² + F (1 − u), ∂v/∂t = D_v Δv + u v² − (F + k) v, periodic.

    u is fed and eaten, v eats it and dies. The state u = 1, v = 0 is always stable;
    large enough spots of v grow into patterns where F and k allow it.

    Parameters
    ----------
    feed_rate, kill_rate
        F and k.
    initial
        u and v at the first time, a pair of numbers, functions of points, scalar Fields or
        draws of random fields.
    diffusivities
        D_u and D_v.
    boundary_conditions
        Periodic sides only.
    dimension
        1, 2 or 3.
    lower, upper
        The box; [0, 2.5] along each axis when left out.
    times
        Output times, the initial time first.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    Notes
    -----
    Everything is dimensionless, in the units of Pearson (1993).

    References
    ----------
    Gray, Scott (1984), doi:10.1016/0009-2509(84)87017-7; Pearson (1993), Complex Patterns
    in a Simple System, doi:10.1126/science.261.5118.189.

    Examples
    --------
    >>> from pdesolve import evolve
    >>> problem = GrayScottProblem(0.03, 0.06, (1.0, 0.0), times=(0.0, 1.0))
    >>> evolve(problem, mesh=16).gather().names
    ('concentration_u', 'concentration_v')
    """

    feed_rate: float = 0.03
    kill_rate: float = 0.06
    initial: tuple[object, object] = (1.0, 0.0)
    diffusivities: tuple[float, float] = (2e-5, 1e-5)
    boundary_conditions: Mapping[str, Condition] = field(default_factory=all_periodic)
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 2000.0)
    name: str = "gray_scott"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "concentration_u"
    unknowns: ClassVar[tuple[str, ...]] = ("concentration_u", "concentration_v")

    def __post_init__(self) -> None:
        if self.upper == () and self.dimension in (1, 2, 3):
            object.__setattr__(self, "upper", (2.5,) * self.dimension)
        complete_periodic_box(self, (1, 2, 3))
        for name in ("feed_rate", "kill_rate"):
            value = getattr(self, name)
            if not is_finite_number(value) or value < 0:
                raise InputError(f"{name}={value!r} must be finite and not negative")
        for name in ("initial", "diffusivities"):
            given = getattr(self, name)
            if not isinstance(given, tuple | list) or len(given) != 2:
                raise InputError(f"{name}={given!r} must be a pair, of u and of v")
            object.__setattr__(self, name, tuple(given))
        check_positive(
            first_diffusivity=self.diffusivities[0], second_diffusivity=self.diffusivities[1]
        )

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """Both species at the grid's points, shape ``(2, *grid.shape)``."""
        pairs = zip(self.unknowns, self.initial, strict=True)
        return np.stack([values_on(f"the initial {name}", part, grid) for name, part in pairs])

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Both species at the first time, and both rates as channels."""
        parts = zip(self.unknowns, self.initial_on(grid), strict=True)
        known: dict[str, Callable[[], FloatArray]]
        known = {f"initial_{name}": partial(np.copy, values) for name, values in parts}
        for name in ("feed_rate", "kill_rate"):
            known[name] = partial(np.full, grid.shape, float(getattr(self, name)))
        return input_channels(grid, known, self.input_names)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form, diffusion and decay exact."""
        from pdesolve.spectral.gray_scott import gray_scott_evolution

        return gray_scott_evolution(self, grid)


@dataclass(frozen=True)
class GrayScottFamily(ProblemFamily):
    """Gray–Scott patterns in the square [0, length]² from random spots.

    With g a Gaussian field of standard deviation 1 and correlation length about 1/τ,
    v = ¼ (1 + tanh(4 (g − 1))) / 2 and u = 1 − 2 v at t = 0: spots with v = 1/4, u = 1/2,
    as in Pearson (1993), on about a sixth of the square. F and k are drawn uniformly.

    Parameters
    ----------
    feed_rate_range, kill_rate_range
        Ranges of F and k; with the defaults spots, stripes and mazes arise.
    length
        Of the sides.
    diffusivities
        D_u and D_v.
    alpha, tau
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time, and number of output times, the initial one included.
    name
        Name in the registry.

    References
    ----------
    Pearson (1993), doi:10.1126/science.261.5118.189.

    Examples
    --------
    >>> family = GrayScottFamily()
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(8)).names[2:]
    ('feed_rate', 'kill_rate')
    """

    feed_rate_range: tuple[float, float] = (0.026, 0.042)
    kill_rate_range: tuple[float, float] = (0.057, 0.061)
    length: float = 1.0
    diffusivities: tuple[float, float] = (2e-5, 1e-5)
    alpha: float = 4.0
    tau: float = 20.0
    final_time: float = 2000.0
    num_times: int = 21
    name: str = "gray_scott2d"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("spectral",)
    outputs: ClassVar[tuple[str, ...]] = ("concentration_u", "concentration_v")
    units: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (*_INPUTS, *outputs, "spots", "time", "length"), "1"
    )
    default_shape: ClassVar[tuple[int, ...]] = (128, 128)  # type: ignore[misc]
    equation: ClassVar[str] = (
        "u_t = Du Laplacian(u) - u v^2 + F (1 - u), v_t = Dv Laplacian(v) + u v^2 - (F + k) v "
        "on a periodic square"
    )
    citation: ClassVar[str] = "Pearson (1993), doi:10.1126/science.261.5118.189"
    symmetries: ClassVar[tuple[str, ...]] = ("square",)  # type: ignore[misc]

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        for name in ("feed_rate_range", "kill_rate_range"):
            if len(getattr(self, name)) != 2:
                raise InputError(f"{name}={getattr(self, name)!r} must hold two numbers")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the rates where they are drawn."""
        return varying_inputs(_INPUTS, self.parameters)

    @property
    def times(self) -> tuple[float, ...]:
        """Output times."""
        return output_times(self.final_time, self.num_times)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Spots and rates."""
        gaussian = GaussianRandomField(
            2,
            self.alpha,
            self.tau,
            "periodic",
            num_modes=32,
            standard_deviation=1.0,
            upper=(self.length,) * 2,
        )
        return ParameterSpace(
            (
                FieldParameter("spots", gaussian, "1", "where it exceeds 1, v is put"),
                ScalarParameter("feed_rate", *self.feed_rate_range, "1", "F"),
                ScalarParameter("kill_rate", *self.kill_rate_range, "1", "k"),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> GrayScottProblem:
        """The problem with these spots and rates."""
        values = self.parameters.check(parameters)
        spots = as_spatial_function(values["spots"])
        return GrayScottProblem(
            values["feed_rate"],
            values["kill_rate"],
            (Spots(spots, 1.0, -0.5), Spots(spots, 0.0, 0.25)),
            self.diffusivities,
            upper=(self.length,) * 2,
            times=self.times,
            name=self.name,
            input_names=self.inputs,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides, diffusivities and times."""
        return {
            **super().describe(),
            **periodic_box(2, self.length),
            "diffusivities": list(self.diffusivities),
            "times": list(self.times),
        }


@dataclass(frozen=True, eq=False)
class Spots:
    """background + height · (1 + tanh(4 (g − 1))) / 2 for a function of space g."""

    function: SpatialFunction
    background: float
    height: float

    def _of(self, values: FloatArray) -> FloatArray:
        result: FloatArray = self.background + self.height * (1 + np.tanh(4 * (values - 1))) / 2
        return result

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Values at the grid's points."""
        return self._of(self.function.on(grid))

    def evaluate(self, points: Any) -> FloatArray:
        """Values at points ``(n, dimension)``."""
        return self._of(self.function.evaluate(points))


def gray_scott2d(**options: Any) -> GrayScottFamily:
    """Gray–Scott on a periodic square."""
    return GrayScottFamily(**options)
