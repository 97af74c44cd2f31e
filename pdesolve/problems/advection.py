"""Transport by a given velocity: ∂u/∂t + ∇·(v u) = 0."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField
from operators.spatial import SpatialFunction, as_spatial_function
from pdesolve.grid.limiters import LIMITERS
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Periodic
from pdesolve.problems.boxes import complete_box, output_times, values_on, wraps_everywhere
from pdesolve.problems.channels import input_channels, varying_inputs
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.evolution import SpectralEvolution


@dataclass(frozen=True, eq=False)
class AdvectionProblem(EvolutionProblem):
    """∂u/∂t + ∇·(velocity u) = 0.

    Parameters
    ----------
    velocity
        In m/s, one entry an axis: numbers or functions of points ``(dimension, ...)``; in
        1D also one alone.
    initial
        u at the first time: a number, a function of points, a scalar Field or a draw of a
        random field.
    boundary_conditions
        By side name, or ``"all"``: Periodic; Dirichlet, which holds where the velocity
        points into the box and is not looked at elsewhere; Neumann(0) on sides where it
        points out everywhere.
    dimension
        1 or 2.
    lower, upper
        The box; the unit box when left out.
    times
        Output times, the initial time first.
    limiter
        Of the finite volumes (backend ``grid``): ``"monotonized_central"``,
        ``"van_leer"``, ``"minmod"``, ``"superbee"``, or ``"none"`` for central slopes.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    Examples
    --------
    >>> import numpy as np
    >>> from pdesolve import evolve
    >>> problem = AdvectionProblem((1.0,), lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    >>> trajectory = evolve(problem, mesh=64, backend="grid")
    >>> abs(float(np.diff(trajectory.history["mass"])[0])) < 1e-14
    True
    """

    velocity: object = (1.0, 0.5)
    initial: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Periodic()}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 1.0)
    limiter: str = "monotonized_central"
    name: str = "advection"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "concentration"
    unknowns: ClassVar[tuple[str, ...]] = ("concentration",)
    stencil_width: ClassVar[int] = 2

    def __post_init__(self) -> None:
        complete_box(self, (1, 2, 3))
        given = self.velocity
        parts = tuple(given) if isinstance(given, tuple | list) else (given,)
        if len(parts) != self.dimension:
            raise InputError(
                f"velocity={given!r} has {len(parts)} components; the problem is {self.dimension}D"
            )
        for part in parts:
            as_spatial_function(part)  # checks it
        object.__setattr__(self, "velocity", parts)
        if self.limiter not in LIMITERS:
            raise InputError(f"limiter='{self.limiter}'. {suggest(self.limiter, LIMITERS)}")

    @property
    def velocity_functions(self) -> tuple[SpatialFunction, ...]:
        """The velocity's components as functions of space."""
        return tuple(as_spatial_function(part) for part in self.velocity)  # type: ignore[attr-defined]

    @property
    def has_uniform_velocity(self) -> bool:
        """Whether the velocity is given by numbers."""
        return all(isinstance(part, numbers.Real) for part in self.velocity)  # type: ignore[attr-defined]

    @property
    def backends(self) -> tuple[str, ...]:
        """``spectral`` where every side is periodic."""
        return ("spectral", "grid") if wraps_everywhere(self) else ("grid",)

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial state at the grid's points, shape ``grid.shape``."""
        return values_on("the initial concentration", self.initial, grid)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Initial state and velocity."""
        known: dict[str, Callable[[], FloatArray]] = {
            "initial_concentration": lambda: self.initial_on(grid)
        }
        for axis, part in zip(AXIS_NAMES, self.velocity_functions, strict=False):
            name = f"velocity_{axis}"
            known[name] = partial(values_on, name, part, grid)
        return input_channels(grid, known, self.input_names)

    def grid_evolution(self, block: GridBlock) -> GridEvolution:
        """Conservative finite volumes with limited linear reconstruction."""
        from pdesolve.grid.advection import advection_on_block

        return advection_on_block(self, block)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form."""
        from pdesolve.spectral.advection import advection_evolution

        return advection_evolution(self, grid)


@dataclass(frozen=True)
class AdvectionFamily(ProblemFamily):
    """Transport of a random initial state by a random uniform velocity on a periodic box.

    ∂u/∂t + ∇·(v u) = 0 on the unit box. u at t = 0 is a periodic Gaussian field with
    covariance proportional to (−Δ + τ²)^−α and standard deviation 1; each component of v
    is drawn uniformly.

    Parameters
    ----------
    dimension
        1 or 2.
    velocity_range
        Least and largest component of v in m/s.
    alpha, tau
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    limiter
        Of the backend ``grid``, see :class:`AdvectionProblem`.
    final_time, num_times
        Last output time in s, and number of output times, the initial one included.
    name
        Name in the registry; made from the dimension when left out.

    Examples
    --------
    >>> import numpy as np
    >>> family = AdvectionFamily(1)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(8)).names
    ('initial_concentration', 'velocity_x')
    """

    dimension: int = 2
    velocity_range: tuple[float, float] = (-1.0, 1.0)
    alpha: float = 3.0
    tau: float = 5.0
    limiter: str = "monotonized_central"
    final_time: float = 1.0
    num_times: int = 11
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("spectral", "grid")
    outputs: ClassVar[tuple[str, ...]] = ("concentration",)
    units: ClassVar[Mapping[str, str]] = {
        "initial": "1",
        "initial_concentration": "1",
        "concentration": "1",
        "velocity_x": "m s^-1",
        "velocity_y": "m s^-1",
        "time": "s",
        "length": "m",
    }
    equation: ClassVar[str] = "du/dt + div(v u) = 0 on the periodic unit box"
    citation: ClassVar[str] = (
        "LeVeque (2002), Finite Volume Methods for Hyperbolic Problems, "
        "doi:10.1017/CBO9780511791253"
    )

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2):
            raise InputError(f"dimension={self.dimension!r} must be 1 or 2")
        if self.limiter not in LIMITERS:
            raise InputError(f"limiter='{self.limiter}'. {suggest(self.limiter, LIMITERS)}")
        if len(self.velocity_range) != 2:
            raise InputError(f"velocity_range={self.velocity_range!r} must hold two numbers")
        if not self.name:
            object.__setattr__(self, "name", f"advection{self.dimension}d")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the velocity where it is drawn."""
        names = ("initial_concentration", "velocity_x", "velocity_y")[: self.dimension + 1]
        return varying_inputs(names, self.parameters)

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
        """Initial state and velocity."""
        gaussian = GaussianRandomField(
            self.dimension, self.alpha, self.tau, "periodic", standard_deviation=1.0
        )
        low, high = self.velocity_range
        return ParameterSpace(
            (
                FieldParameter("initial", gaussian, "1", "concentration at t = 0"),
                *(
                    ScalarParameter(f"velocity_{AXIS_NAMES[axis]}", low, high, "m s^-1", "velocity")
                    for axis in range(self.dimension)
                ),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> AdvectionProblem:
        """The problem with this initial state and velocity."""
        values = self.parameters.check(parameters)
        return AdvectionProblem(
            tuple(values[f"velocity_{AXIS_NAMES[axis]}"] for axis in range(self.dimension)),
            values["initial"],
            dimension=self.dimension,
            times=self.times,
            limiter=self.limiter,
            name=self.name,
            input_names=self.inputs,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides and times."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0] * self.dimension, "upper": [1.0] * self.dimension},
            "boundary conditions": {"all": "periodic"},
            "times": list(self.times),
        }


def advection1d(**options: Any) -> AdvectionFamily:
    """Transport on the periodic unit interval."""
    return AdvectionFamily(1, **options)


def advection2d(**options: Any) -> AdvectionFamily:
    """Transport on the periodic unit square."""
    return AdvectionFamily(2, **options)
