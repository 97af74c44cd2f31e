"""Phase separation: the Allen–Cahn equation ∂u/∂t = ε² Δu + u − u³."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField
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


@dataclass(frozen=True, eq=False)
class AllenCahnProblem(EvolutionProblem):
    """∂u/∂t = ε² Δu + u − u³ on a periodic box.

    The free energy E = ∫ (ε²/2 |∇u|² + (1 − u²)²/4) dx never grows. u runs into the
    phases −1 and 1, between which lie fronts such as tanh(x / (√2 ε)).

    Parameters
    ----------
    interface_width
        ε > 0, in the unit of length.
    initial
        u at the first time: a number, a function of points, a scalar Field or a draw of a
        random field.
    boundary_conditions
        Periodic sides only.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    times
        Output times, the initial time first. The unit of time is that of the reaction.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    References
    ----------
    Allen, Cahn (1979), A Microscopic Theory for Antiphase Boundary Motion and its
    Application to Antiphase Domain Coarsening, doi:10.1016/0001-6160(79)90196-2.

    Examples
    --------
    >>> from pdesolve import evolve
    >>> problem = AllenCahnProblem(0.1, lambda x: np.sin(2 * np.pi * x[0]), dimension=1)
    >>> energy = evolve(problem, mesh=64).history["free_energy"]
    >>> bool(energy[-1] < energy[0])
    True
    """

    interface_width: float = 0.02
    initial: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(default_factory=all_periodic)
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 1.0)
    name: str = "allen_cahn"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "phase"
    unknowns: ClassVar[tuple[str, ...]] = ("phase",)

    def __post_init__(self) -> None:
        complete_periodic_box(self, (1, 2, 3))
        check_positive(interface_width=self.interface_width)

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial phase at the grid's points, shape ``grid.shape``."""
        return values_on("the initial phase", self.initial, grid)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The initial phase, and ε as a channel."""
        known = {
            "initial_phase": lambda: self.initial_on(grid),
            "interface_width": lambda: np.full(grid.shape, float(self.interface_width)),
        }
        return input_channels(grid, known, self.input_names)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form, the linear terms ε² Δu + u exact."""
        from pdesolve.spectral.allen_cahn import allen_cahn_evolution

        return allen_cahn_evolution(self, grid)


@dataclass(frozen=True)
class AllenCahnFamily(ProblemFamily):
    """Phase separation on the periodic unit box from a random initial state.

    u at t = 0 is a Gaussian field with covariance proportional to (−Δ + τ²)^−α; ε is
    drawn uniformly in its logarithm.

    Parameters
    ----------
    dimension
        1 or 2.
    interface_width_range
        Least and largest ε; grids should have two points or more in the least.
    alpha, tau, standard_deviation
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time, and number of output times, the initial one included.
    name
        Name in the registry; made from the dimension when left out.

    Examples
    --------
    >>> family = AllenCahnFamily(1)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(8)).names
    ('initial_phase', 'interface_width')
    """

    dimension: int = 2
    interface_width_range: tuple[float, float] = (0.02, 0.05)
    alpha: float = 3.0
    tau: float = 15.0
    standard_deviation: float = 0.5
    final_time: float = 10.0
    num_times: int = 11
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("spectral",)
    outputs: ClassVar[tuple[str, ...]] = ("phase",)
    units: ClassVar[Mapping[str, str]] = {
        "initial_phase": "1",
        "phase": "1",
        "interface_width": "box length",
        "time": "reaction time",
        "length": "box length",
    }
    equation: ClassVar[str] = "du/dt = eps^2 Laplacian(u) + u - u^3 on the periodic unit box"
    citation: ClassVar[str] = "Allen, Cahn (1979), doi:10.1016/0001-6160(79)90196-2"

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2):
            raise InputError(f"dimension={self.dimension!r} must be 1 or 2")
        if len(self.interface_width_range) != 2:
            raise InputError(
                f"interface_width_range={self.interface_width_range!r} must hold two numbers"
            )
        if not self.name:
            object.__setattr__(self, "name", f"allen_cahn{self.dimension}d")
        _ = self.times, self.parameters  # checks the numbers

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: ε where it is drawn."""
        return varying_inputs(("initial_phase", "interface_width"), self.parameters)

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
        return {1: (256,), 2: (128, 128)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Initial phase and ε."""
        gaussian = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            "periodic",
            num_modes=32,
            standard_deviation=self.standard_deviation,
        )
        low, high = self.interface_width_range
        return ParameterSpace(
            (
                FieldParameter("initial_phase", gaussian, "1", "phase at t = 0"),
                ScalarParameter(
                    "interface_width", low, high, "box length", "width of fronts over sqrt 2", "log"
                ),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> AllenCahnProblem:
        """The problem with this initial phase and ε."""
        values = self.parameters.check(parameters)
        return AllenCahnProblem(
            values["interface_width"],
            values["initial_phase"],
            dimension=self.dimension,
            times=self.times,
            name=self.name,
            input_names=self.inputs,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides and times."""
        return {
            **super().describe(),
            **periodic_box(self.dimension, 1.0),
            "times": list(self.times),
        }


def allen_cahn1d(**options: Any) -> AllenCahnFamily:
    """Allen–Cahn on the periodic unit interval."""
    return AllenCahnFamily(1, **options)


def allen_cahn2d(**options: Any) -> AllenCahnFamily:
    """Allen–Cahn on the periodic unit square."""
    return AllenCahnFamily(2, **options)
