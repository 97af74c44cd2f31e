"""Spatio-temporal chaos: the Kuramoto–Sivashinsky equation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace
from operators.random_fields import GaussianRandomField
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
class KuramotoSivashinskyProblem(EvolutionProblem):
    """∂u/∂t + u ∂u/∂x + ∂²u/∂x² + ∂⁴u/∂x⁴ = 0 on a periodic interval.

    Long waves (|k| < 1) grow, short ones decay, and the quadratic term moves energy
    between them. The mean of u is kept; u stays bounded (|u| ≲ 4 where it is zero) and is
    chaotic on intervals longer than about 20.

    Parameters
    ----------
    initial
        u at the first time: a number, a function of points, a scalar Field or a draw of a
        random field.
    boundary_conditions
        Periodic sides only.
    lower, upper
        The interval, as tuples of one number; [0, 32π] when left out.
    times
        Output times, the initial time first.
    name
        Used in messages and to match surrogates.

    Notes
    -----
    Everything is dimensionless.

    References
    ----------
    Kuramoto, Tsuzuki (1976), doi:10.1143/PTP.55.356; Sivashinsky (1977),
    doi:10.1016/0094-5765(77)90096-0.

    Examples
    --------
    >>> import numpy as np
    >>> from pdesolve import evolve
    >>> problem = KuramotoSivashinskyProblem(lambda x: np.cos(x[0] / 16), times=(0.0, 1.0))
    >>> float(np.abs(np.diff(evolve(problem, mesh=64).history["mass"])[0])) < 1e-12
    True
    """

    initial: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(default_factory=all_periodic)
    lower: tuple[float, ...] = (0.0,)
    upper: tuple[float, ...] = (32 * math.pi,)
    times: tuple[float, ...] = (0.0, 50.0)
    name: str = "kuramoto_sivashinsky"

    dimension: ClassVar[int] = 1  # type: ignore[misc]
    unknown: ClassVar[str] = "u"
    unknowns: ClassVar[tuple[str, ...]] = ("u",)

    def __post_init__(self) -> None:
        complete_periodic_box(self, (1,))

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial state at the grid's points, shape ``grid.shape``."""
        return values_on("the initial state", self.initial, grid)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The initial state."""
        return Field(grid, self.initial_on(grid), ("initial_u",))

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form, both linear terms exact."""
        from pdesolve.spectral.kuramoto_sivashinsky import kuramoto_sivashinsky_evolution

        return kuramoto_sivashinsky_evolution(self, grid)


@dataclass(frozen=True)
class KuramotoSivashinskyFamily(ProblemFamily):
    """Kuramoto–Sivashinsky chaos from a random initial state of mean zero.

    u at t = 0 is a Gaussian field with covariance proportional to (−Δ + τ²)^−α.

    Parameters
    ----------
    length
        Of the periodic interval [0, length].
    alpha, tau, standard_deviation
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    final_time, num_times
        Last output time, and number of output times, the initial one included.
    name
        Name in the registry.

    Examples
    --------
    >>> import numpy as np
    >>> family = KuramotoSivashinskyFamily(length=22.0)
    >>> family.problem(family.sample(np.random.default_rng(0))).upper
    (22.0,)
    """

    length: float = 32 * math.pi
    alpha: float = 4.0
    tau: float = 0.5
    standard_deviation: float = 1.0
    final_time: float = 50.0
    num_times: int = 51
    name: str = "kuramoto_sivashinsky"

    dimension: ClassVar[int] = 1  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("spectral",)
    inputs: ClassVar[tuple[str, ...]] = ("initial_u",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    units: ClassVar[Mapping[str, str]] = {"initial_u": "1", "u": "1", "time": "1", "length": "1"}
    default_shape: ClassVar[tuple[int, ...]] = (256,)  # type: ignore[misc]
    equation: ClassVar[str] = "u_t + u u_x + u_xx + u_xxxx = 0 on a periodic interval"
    citation: ClassVar[str] = (
        "Kuramoto, Tsuzuki (1976), doi:10.1143/PTP.55.356; Sivashinsky (1977), "
        "doi:10.1016/0094-5765(77)90096-0"
    )

    def __post_init__(self) -> None:
        check_positive(length=self.length)
        _ = self.times, self.parameters  # checks the numbers

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

    def problem(self, parameters: Mapping[str, Any]) -> KuramotoSivashinskyProblem:
        """The problem with this initial state."""
        values = self.parameters.check(parameters)
        return KuramotoSivashinskyProblem(
            values["initial_u"], upper=(self.length,), times=self.times, name=self.name
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides and times."""
        return {**super().describe(), **periodic_box(1, self.length), "times": list(self.times)}


def kuramoto_sivashinsky(**options: Any) -> KuramotoSivashinskyFamily:
    """Kuramoto–Sivashinsky on a periodic interval."""
    return KuramotoSivashinskyFamily(**options)
