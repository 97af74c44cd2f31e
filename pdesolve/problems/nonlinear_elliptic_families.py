"""Families of nonlinear elliptic problems on the unit square."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from meshes.errors import InputError
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.channels import varying_inputs

if TYPE_CHECKING:
    from pdesolve.problems.nonlinear_elliptic import (
        BratuProblem,
        OneSidedReactionProblem,
        PLaplacianProblem,
    )

_DOMAIN = {"lower": [0.0, 0.0], "upper": [1.0, 1.0]}


@dataclass(frozen=True)
class BratuFamily(ProblemFamily):
    """−Δu = λ e^u on the unit square, u = 0 on its sides, λ drawn uniformly.

    Parameters
    ----------
    smallest, largest
        Range of λ; the turning point 6.808124423 bounds it.
    name
        Name in the registry.

    Examples
    --------
    >>> import numpy as np
    >>> family = BratuFamily()
    >>> 0.1 <= family.sample(np.random.default_rng(0))["strength"] <= 6.8
    True
    """

    smallest: float = 0.1
    largest: float = 6.8
    name: str = "bratu2d"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    inputs: ClassVar[tuple[str, ...]] = ("strength",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    units: ClassVar[Mapping[str, str]] = {"strength": "m^-2", "u": "1", "length": "m"}
    default_shape: ClassVar[tuple[int, ...]] = (64, 64)  # type: ignore[misc]
    equation: ClassVar[str] = "-lap u = strength exp(u) in the unit square, u = 0 on its sides"
    citation: ClassVar[str] = "Bratu (1914), doi:10.24033/bsmf.943"
    symmetries: ClassVar[tuple[str, ...]] = ("square",)  # type: ignore[misc]

    def __post_init__(self) -> None:
        from pdesolve.problems.nonlinear_elliptic import TURNING_POINTS

        _ = self.parameters
        if self.smallest < 0 or self.largest > TURNING_POINTS[2]:
            raise InputError(
                f"the range [{self.smallest:g}, {self.largest:g}] of the strength must lie "
                f"between 0 and {TURNING_POINTS[2]}, the turning point: there is no solution above"
            )

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """λ."""
        return ParameterSpace(
            (
                ScalarParameter(
                    "strength",
                    self.smallest,
                    self.largest,
                    self.units["strength"],
                    "heat of reaction",
                ),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> BratuProblem:
        """The problem with this λ."""
        from pdesolve.problems.nonlinear_elliptic import BratuProblem

        return BratuProblem(self.parameters.check(parameters)["strength"], name=self.name)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain and the sides."""
        return {
            **super().describe(),
            "domain": _DOMAIN,
            "boundary conditions": {"all": "u = 0"},
        }

    def with_options(self, **options: Any) -> BratuFamily:
        """The family with other numbers."""
        return replace(self, **options)


@dataclass(frozen=True)
class PLaplacianFamily(ProblemFamily):
    """The regularised p-Laplacian on the unit square with a random source, u = 0 on the sides.

    Parameters
    ----------
    exponent, regularisation
        p and ε.
    alpha, tau, num_modes, standard_deviation
        Of the source, a Gaussian field with covariance σ² (−Δ + τ²)^−α (zero-Neumann
        Laplacian, no constant mode).
    name
        Name in the registry.

    Examples
    --------
    >>> import numpy as np
    >>> from meshes import StructuredGrid
    >>> family = PLaplacianFamily(exponent=4.0)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(StructuredGrid((4, 4))).names
    ('source',)
    """

    exponent: float = 3.0
    regularisation: float = 1e-2
    alpha: float = 2.0
    tau: float = 3.0
    num_modes: int | None = None
    standard_deviation: float = 1.0
    name: str = "p_laplacian2d"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    inputs: ClassVar[tuple[str, ...]] = ("source",)
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    units: ClassVar[Mapping[str, str]] = {"source": "1", "u": "1", "length": "1"}
    default_shape: ClassVar[tuple[int, ...]] = (64, 64)  # type: ignore[misc]
    equation: ClassVar[str] = (
        "-div((|grad u|^2 + eps^2)^((p-2)/2) grad u) = f in the unit square, u = 0 on its sides"
    )
    citation: ClassVar[str] = "Barrett, Liu (1993), doi:10.1090/S0025-5718-1993-1192966-4"
    symmetries: ClassVar[tuple[str, ...]] = ("square",)  # type: ignore[misc]

    def __post_init__(self) -> None:
        self.problem({"source": 1.0})  # checks the numbers

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The random source."""
        return _random_source(self.alpha, self.tau, self.num_modes, self.standard_deviation, "1")

    def problem(self, parameters: Mapping[str, Any]) -> PLaplacianProblem:
        """The problem with this source."""
        from pdesolve.problems.nonlinear_elliptic import PLaplacianProblem

        source = self.parameters.check(parameters)["source"]
        return PLaplacianProblem(self.exponent, source, self.regularisation, name=self.name)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain, the sides, p and ε."""
        return {
            **super().describe(),
            "domain": _DOMAIN,
            "boundary conditions": {"all": "u = 0"},
            "exponent": self.exponent,
            "regularisation": self.regularisation,
        }

    def with_options(self, **options: Any) -> PLaplacianFamily:
        """The family with other numbers."""
        return replace(self, **options)


@dataclass(frozen=True)
class OneSidedReactionFamily(ProblemFamily):
    """−Δu + κ max(0, u) = f on the unit square with a random source, u = 0 on the sides.

    Parameters
    ----------
    smallest, largest
        Range of κ, drawn uniformly in its logarithm.
    alpha, tau, num_modes, standard_deviation
        Of the source, a Gaussian field with covariance σ² (−Δ + τ²)^−α (zero-Neumann
        Laplacian, no constant mode), so that u takes both signs.
    name
        Name in the registry.

    Examples
    --------
    >>> import numpy as np
    >>> sorted(OneSidedReactionFamily().sample(np.random.default_rng(0)))
    ['rate', 'source']
    """

    smallest: float = 10.0
    largest: float = 1000.0
    alpha: float = 2.0
    tau: float = 3.0
    num_modes: int | None = None
    standard_deviation: float = 1.0
    name: str = "one_sided_reaction2d"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    outputs: ClassVar[tuple[str, ...]] = ("u",)
    units: ClassVar[Mapping[str, str]] = {
        "source": "m^-2",
        "rate": "m^-2",
        "u": "1",
        "length": "m",
    }
    default_shape: ClassVar[tuple[int, ...]] = (64, 64)  # type: ignore[misc]
    equation: ClassVar[str] = "-lap u + rate max(0, u) = f in the unit square, u = 0 on its sides"
    citation: ClassVar[str] = "Hintermüller, Ito, Kunisch (2002), doi:10.1137/S1052623401383558"
    symmetries: ClassVar[tuple[str, ...]] = ("square",)  # type: ignore[misc]

    def __post_init__(self) -> None:
        _ = self.parameters  # checks the numbers
        if self.smallest <= 0:
            raise InputError(f"smallest={self.smallest!r} must be positive")

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: κ where it is drawn."""
        return varying_inputs(("source", "rate"), self.parameters)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The random source and κ."""
        source = _random_source(
            self.alpha, self.tau, self.num_modes, self.standard_deviation, self.units["source"]
        )
        rate = ScalarParameter(
            "rate", self.smallest, self.largest, self.units["rate"], "rate of decay", scale="log"
        )
        return ParameterSpace((*source, rate))

    def problem(self, parameters: Mapping[str, Any]) -> OneSidedReactionProblem:
        """The problem with this source and κ."""
        from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem

        values = self.parameters.check(parameters)
        return OneSidedReactionProblem(
            values["rate"], values["source"], name=self.name, input_names=self.inputs
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain and the sides."""
        return {
            **super().describe(),
            "domain": _DOMAIN,
            "boundary conditions": {"all": "u = 0"},
        }

    def with_options(self, **options: Any) -> OneSidedReactionFamily:
        """The family with other numbers."""
        return replace(self, **options)


def _random_source(
    alpha: float, tau: float, num_modes: int | None, deviation: float, unit: str
) -> ParameterSpace:
    gaussian = GaussianRandomField(2, alpha, tau, num_modes=num_modes, standard_deviation=deviation)
    return ParameterSpace((FieldParameter("source", gaussian, unit, "source"),))


def bratu2d(**options: Any) -> BratuFamily:
    """The Bratu problem with a random λ below the turning point."""
    return BratuFamily(**options)


def p_laplacian2d(**options: Any) -> PLaplacianFamily:
    """The regularised p-Laplacian with a random source."""
    return PLaplacianFamily(**options)


def one_sided_reaction2d(**options: Any) -> OneSidedReactionFamily:
    """A reaction of positive u only, with a random source and rate."""
    return OneSidedReactionFamily(**options)
