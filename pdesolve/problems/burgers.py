"""Burgers' equation, viscous and inviscid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from pdesolve.grid.limiters import LIMITERS
from pdesolve.grid.systems import GridEvolution
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Periodic
from pdesolve.problems.boxes import complete_box, output_times, values_on, wraps_everywhere
from pdesolve.problems.channels import input_channels, varying_inputs
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.evolution import SpectralEvolution


@dataclass(frozen=True, eq=False)
class BurgersProblem(EvolutionProblem):
    """∂u/∂t + u·∇u = viscosity Δu, of one component in 1D and of d components in d-D.

    In 1D it is solved in conservation form, u_t + (u²/2)_x = ν u_xx, so that shocks of
    the inviscid equation move at the speed of the entropy solution.

    Parameters
    ----------
    viscosity
        ν ≥ 0 in m²/s; 0 on the backend ``grid`` only.
    initial
        u at the first time: in 1D a number, a function of points, a scalar Field or a
        draw of a random field; in 2D a tuple with one of these for each component.
    boundary_conditions
        By side name, or ``"all"``: Periodic; on the backend ``grid`` also Dirichlet (the
        same value for every component) and, where the flow leaves, Neumann(0).
    dimension
        1 or 2.
    lower, upper
        The box; the unit box when left out.
    times
        Output times, the initial time first.
    limiter
        Of the finite volumes, as in :class:`pdesolve.problems.advection.AdvectionProblem`.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`; when empty, all but a viscosity of 0.

    Examples
    --------
    >>> import numpy as np
    >>> from pdesolve import evolve
    >>> problem = BurgersProblem(0.01, lambda x: np.sin(2 * np.pi * x[0]), times=(0.0, 0.1))
    >>> history = evolve(problem, mesh=64, backend="grid").history
    >>> bool(history["energy"][1] < history["energy"][0])
    True
    """

    viscosity: float = 0.01
    initial: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Periodic()}
    )
    dimension: int = 1
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 1.0)
    limiter: str = "monotonized_central"
    name: str = "burgers"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "velocity"
    stencil_width: ClassVar[int] = 2

    def __post_init__(self) -> None:
        complete_box(self, (1, 2))
        if not is_finite_number(self.viscosity) or self.viscosity < 0:
            raise InputError(f"viscosity={self.viscosity!r} must be finite and not negative")
        given = self.initial
        parts = tuple(given) if isinstance(given, tuple | list) else (given,)
        if len(parts) == 1 and self.dimension > 1 and is_finite_number(given):
            parts *= self.dimension
        if len(parts) != self.dimension:
            raise InputError(
                f"initial has {len(parts)} components; the problem has {self.dimension}"
            )
        object.__setattr__(self, "initial", parts)
        if self.limiter not in LIMITERS:
            raise InputError(f"limiter='{self.limiter}'. {suggest(self.limiter, LIMITERS)}")

    @property
    def unknowns(self) -> tuple[str, ...]:  # type: ignore[override]
        """``velocity`` in 1D, ``velocity_x`` and ``velocity_y`` in 2D."""
        if self.dimension == 1:
            return ("velocity",)
        return tuple(f"velocity_{AXIS_NAMES[axis]}" for axis in range(self.dimension))

    @property
    def backends(self) -> tuple[str, ...]:
        """``spectral`` where the viscosity is positive and every side is periodic."""
        smooth = self.viscosity > 0 and wraps_everywhere(self)
        return ("spectral", "grid") if smooth else ("grid",)

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial state at the grid's points, shape ``(dimension, *grid.shape)``."""
        return np.stack(
            [
                values_on(f"the initial {name}", part, grid)
                for name, part in zip(self.unknowns, self.initial, strict=True)  # type: ignore[call-overload]
            ]
        )

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The initial state, and the viscosity as a channel where it is not zero."""
        parts = zip(self.unknowns, self.initial_on(grid), strict=True)
        known: dict[str, Callable[[], FloatArray]]
        known = {f"initial_{name}": partial(np.copy, values) for name, values in parts}
        if self.viscosity > 0 or "viscosity" in self.input_names:
            known["viscosity"] = partial(np.full, grid.shape, float(self.viscosity))
        return input_channels(grid, known, self.input_names)

    def grid_evolution(self, block: GridBlock) -> GridEvolution:
        """Limited Godunov fluxes, viscous terms apart for IMEX methods."""
        from pdesolve.grid.burgers import burgers_on_block

        return burgers_on_block(self, block)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form; the viscosity must be positive."""
        if self.viscosity == 0:
            raise InputError(
                "without viscosity Burgers' equation makes shocks, which Fourier modes cannot "
                "follow; use the backend 'grid'"
            )
        from pdesolve.spectral.burgers import burgers_evolution

        return burgers_evolution(self, grid)


@dataclass(frozen=True)
class BurgersFamily(ProblemFamily):
    """Burgers' equation on the periodic unit box from a random initial state.

    With the defaults in 1D it is the benchmark of Li et al. (2021): ν = 0.1, u at t = 0
    drawn from N(0, 625 (−Δ + 25)^−2), periodic, and u at t = 1.

    Parameters
    ----------
    dimension
        1 or 2.
    viscosity_range
        Least and largest ν in m²/s, drawn uniformly in its logarithm; both 0 for the
        inviscid equation.
    alpha, tau, scale
        The initial state's components are draws from N(0, scale² (−Δ + τ²)^−α).
    limiter
        Of the backend ``grid``, see :class:`BurgersProblem`.
    final_time, num_times
        Last output time in s, and number of output times, the initial one included.
    name
        Name in the registry; made from dimension and viscosity when left out.

    References
    ----------
    Li, Kovachki, Azizzadenesheli, Liu, Bhattacharya, Stuart, Anandkumar (2021), Fourier
    Neural Operator for Parametric Partial Differential Equations, ICLR,
    doi:10.48550/arXiv.2010.08895.

    Examples
    --------
    >>> family = BurgersFamily(1)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.viscosity, problem.input_fields(problem.grid(8)).names
    (0.1, ('initial_velocity',))
    """

    dimension: int = 1
    viscosity_range: tuple[float, float] = (0.1, 0.1)
    alpha: float = 2.0
    tau: float = 5.0
    scale: float = 25.0
    limiter: str = "monotonized_central"
    final_time: float = 1.0
    num_times: int = 11
    name: str = ""

    equation: ClassVar[str] = (
        "du/dt + u.grad u = nu Laplacian(u) on the periodic unit box; in 1D "
        "u_t + (u^2/2)_x = nu u_xx"
    )
    citation: ClassVar[str] = "1D: Li et al. (2021), doi:10.48550/arXiv.2010.08895"
    units: ClassVar[Mapping[str, str]] = {
        "initial_velocity": "m s^-1",
        "initial_velocity_x": "m s^-1",
        "initial_velocity_y": "m s^-1",
        "velocity": "m s^-1",
        "velocity_x": "m s^-1",
        "velocity_y": "m s^-1",
        "viscosity": "m^2 s^-1",
        "time": "s",
        "length": "m",
    }

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2):
            raise InputError(f"dimension={self.dimension!r} must be 1 or 2")
        if self.limiter not in LIMITERS:
            raise InputError(f"limiter='{self.limiter}'. {suggest(self.limiter, LIMITERS)}")
        if not (is_finite_number(self.scale) and self.scale > 0):
            raise InputError(f"scale={self.scale!r} must be positive and finite")
        if len(self.viscosity_range) != 2:
            raise InputError(f"viscosity_range={self.viscosity_range!r} must hold two numbers")
        if not self.name:
            suffix = "_inviscid" if self.is_inviscid else ""
            object.__setattr__(self, "name", f"burgers{self.dimension}d{suffix}")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def is_inviscid(self) -> bool:
        """Whether ν is 0."""
        return tuple(self.viscosity_range) == (0.0, 0.0)

    @property
    def backends(self) -> tuple[str, ...]:  # type: ignore[override]
        """Backends that solve it, the default first."""
        return ("grid",) if self.is_inviscid else ("spectral", "grid")

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's output channels."""
        return ("velocity",) if self.dimension == 1 else ("velocity_x", "velocity_y")

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the viscosity where it is drawn."""
        initial = tuple(f"initial_{name}" for name in self.outputs)
        names = initial if self.is_inviscid else (*initial, "viscosity")
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
        """Initial state and viscosity."""
        plain = GaussianRandomField(
            self.dimension, self.alpha, self.tau, "periodic", zero_mean=False
        )
        deviation = self.scale * float(np.sqrt(np.sum(plain.amplitudes() ** 2)))
        gaussian = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            "periodic",
            standard_deviation=deviation,
            zero_mean=False,
        )
        low, high = self.viscosity_range
        initial = (
            FieldParameter(f"initial_{name}", gaussian, "m s^-1", "velocity at t = 0")
            for name in self.outputs
        )
        if self.is_inviscid:
            return ParameterSpace(tuple(initial))
        viscosity = ScalarParameter("viscosity", low, high, "m^2 s^-1", "viscosity", "log")
        return ParameterSpace((*initial, viscosity))

    def problem(self, parameters: Mapping[str, Any]) -> BurgersProblem:
        """The problem with this initial state and viscosity."""
        values = self.parameters.check(parameters)
        return BurgersProblem(
            values.get("viscosity", 0.0),
            tuple(values[f"initial_{name}"] for name in self.outputs),
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
            "viscosity": list(self.viscosity_range),
            "times": list(self.times),
        }


def burgers1d(**options: Any) -> BurgersFamily:
    """Viscous Burgers on the periodic unit interval: the benchmark."""
    return BurgersFamily(1, **options)


def burgers1d_inviscid(**options: Any) -> BurgersFamily:
    """Inviscid Burgers on the periodic unit interval, with shocks."""
    return BurgersFamily(1, viscosity_range=(0.0, 0.0), **options)


def burgers2d(**options: Any) -> BurgersFamily:
    """Viscous Burgers of two components on the periodic unit square."""
    defaults = {"viscosity_range": (5e-3, 5e-2), "alpha": 3.0, "scale": 125.0}
    return BurgersFamily(2, **{**defaults, **options})
