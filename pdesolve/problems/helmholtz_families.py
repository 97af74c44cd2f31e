"""Families of Helmholtz problems on the unit box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from operators.parameters import FieldParameter, LogNormalField, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Absorbing, Condition, Dirichlet
from pdesolve.problems.channels import varying_inputs

if TYPE_CHECKING:
    from pdesolve.problems.helmholtz import HelmholtzProblem

Sides = Literal["absorbing", "dirichlet"]
_CONDITIONS: dict[str, Condition] = {"absorbing": Absorbing(), "dirichlet": Dirichlet(0.0)}
_UNITS = {
    "wavenumber": "m^-1",
    "source": "m^-2",
    "u": "1",
    "u_real": "1",
    "u_imaginary": "1",
    "length": "m",
}


def _check_sides(sides: str) -> None:
    if sides not in _CONDITIONS:
        raise InputError(f"sides={sides!r}. {suggest(str(sides), tuple(_CONDITIONS))}")


def _outputs(sides: str) -> tuple[str, ...]:
    return ("u_real", "u_imaginary") if sides == "absorbing" else ("u",)


def _card(dimension: int, sides: str) -> dict[str, Any]:
    text = {"absorbing": "du/dn = i k u", "dirichlet": "u = 0"}[sides]
    return {
        "domain": {"lower": [0.0] * dimension, "upper": [1.0] * dimension},
        "boundary conditions": {"all": text},
        "time factor": "exp(-i omega t)",
    }


@dataclass(frozen=True)
class HelmholtzFamily(ProblemFamily):
    """−Δu − k² u = f on the unit box with a random number k and a random source.

    Parameters
    ----------
    dimension
        1 or 2.
    smallest, largest
        Range of k, drawn uniformly.
    alpha, tau, num_modes, standard_deviation
        Of the source, a Gaussian field with covariance σ² (−Δ + τ²)^−α (zero-Neumann
        Laplacian, no constant mode).
    sides
        ``"absorbing"`` (complex u) or ``"dirichlet"`` (u = 0, real u; near resonances the
        answers are large, which some draws will meet).
    name
        Name in the registry; made from the dimension when left out.

    Examples
    --------
    >>> family = HelmholtzFamily(1)
    >>> 10.0 <= family.sample(np.random.default_rng(0))["wavenumber"] <= 40.0
    True
    """

    dimension: int = 2
    smallest: float = 10.0
    largest: float = 40.0
    alpha: float = 2.0
    tau: float = 20.0
    num_modes: int | None = None
    standard_deviation: float = 100.0
    sides: Sides = "absorbing"
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    units: ClassVar[Mapping[str, str]] = _UNITS
    equation: ClassVar[str] = "-lap u - wavenumber^2 u = source in the unit box"
    citation: ClassVar[str] = "Ihlenburg, Babuska (1995), doi:10.1016/0898-1221(95)00144-N"

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2):
            raise InputError(f"dimension={self.dimension!r} must be 1 or 2")
        _check_sides(self.sides)
        if not self.name:
            object.__setattr__(self, "name", f"helmholtz{self.dimension}d")
        _ = self.parameters  # checks the numbers
        if self.smallest <= 0:
            raise InputError(f"smallest={self.smallest!r} must be positive")

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Real and imaginary part, or u where it is real."""
        return _outputs(self.sides)

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: k where it is drawn."""
        return varying_inputs(("wavenumber", "source"), self.parameters)

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given: 20 points per wavelength or more."""
        return {1: (256,), 2: (128, 128)}[self.dimension]

    @property
    def symmetries(self) -> tuple[str, ...]:  # type: ignore[override]
        """The distribution and the sides do not change under flips or exchanged axes."""
        return ("square",)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The number k and the random source."""
        number = ScalarParameter(
            "wavenumber", self.smallest, self.largest, _UNITS["wavenumber"], "wavenumber"
        )
        gaussian = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            num_modes=self.num_modes,
            standard_deviation=self.standard_deviation,
        )
        return ParameterSpace(
            (number, FieldParameter("source", gaussian, _UNITS["source"], "source"))
        )

    def problem(self, parameters: Mapping[str, Any]) -> HelmholtzProblem:
        """The problem with this k and source."""
        from pdesolve.problems.helmholtz import HelmholtzProblem

        values = self.parameters.check(parameters)
        return HelmholtzProblem(
            values["wavenumber"],
            values["source"],
            {"all": _CONDITIONS[self.sides]},
            self.dimension,
            name=self.name,
            input_names=self.inputs,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain and the sides."""
        return {**super().describe(), **_card(self.dimension, self.sides)}

    def with_options(self, **options: Any) -> HelmholtzFamily:
        """The family with other numbers; a name that was made follows them."""
        if self.name == f"helmholtz{self.dimension}d":
            options.setdefault("name", "")
        return replace(self, **options)


MEDIAN = {2: 25.0, 3: 7.5}
SPREAD = {2: 0.15, 3: 0.1}
SOURCE_WIDTH = {2: 0.03, 3: 0.08}


@dataclass(frozen=True)
class RandomHelmholtzFamily(ProblemFamily):
    """−Δu − k(x)² u = f on the unit box with a log-normal k and a fixed source.

    f is a Gaussian bump of height `source_height` in the middle of the box. The answers
    on the default grids have ten points per wavelength or more; `median` and
    `standard_deviation` are the range of k, and a median in proportion to the cells an
    axis keeps the points per wavelength.

    Parameters
    ----------
    dimension
        2 or 3.
    median
        Of k; 25 in two and 7.5 in three dimensions when left out.
    alpha, tau, num_modes, standard_deviation
        Of ln k − ln median, a Gaussian field with covariance σ² (−Δ + τ²)^−α
        (zero-Neumann Laplacian, no constant mode). The variance averaged over the box is
        the square of `standard_deviation`, 0.15 in two and 0.1 in three dimensions when
        left out.
    source_height, source_width
        f = source_height · exp(−|x − c|² / (2 source_width²)), c the middle of the box;
        the width is 0.03 in two and 0.08 in three dimensions when left out.
    sides
        ``"absorbing"`` (complex u) or ``"dirichlet"`` (u = 0, real u).
    name
        Name in the registry.

    Examples
    --------
    >>> family = RandomHelmholtzFamily()
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> float(problem.wavenumber_on(problem.grid(16)).min()) > 0
    True
    """

    dimension: int = 2
    median: float | None = None
    alpha: float = 2.0
    tau: float = 3.0
    num_modes: int | None = None
    standard_deviation: float | None = None
    source_height: float = 1000.0
    source_width: float | None = None
    sides: Sides = "absorbing"
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    inputs: ClassVar[tuple[str, ...]] = ("wavenumber",)
    units: ClassVar[Mapping[str, str]] = _UNITS
    equation: ClassVar[str] = "-lap u - wavenumber(x)^2 u = source in the unit box"
    citation: ClassVar[str] = (
        "Erlangga, Oosterlee, Vuik (2006), doi:10.1137/040615195 (heterogeneous Helmholtz problems)"
    )
    symmetries: ClassVar[tuple[str, ...]] = ("square",)  # type: ignore[misc]

    def __post_init__(self) -> None:
        if self.dimension not in (2, 3):
            raise InputError(f"dimension={self.dimension!r} must be 2 or 3")
        _check_sides(self.sides)
        for name in ("median", "source_width"):
            value = getattr(self, name)
            if value is not None and not (is_finite_number(value) and value > 0):
                raise InputError(f"{name}={value!r} must be positive and finite")
        if not is_finite_number(self.source_height):
            raise InputError(f"source_height={self.source_height!r} must be a finite number")
        if not self.name:
            object.__setattr__(self, "name", f"helmholtz{self.dimension}d_random")
        _ = self.parameters  # checks the numbers of the random field

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given."""
        return {2: (128, 128), 3: (24, 24, 24)}[self.dimension]

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Real and imaginary part, or u where it is real."""
        return _outputs(self.sides)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The random k."""
        spread, median = self.standard_deviation, self.median
        gaussian = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            num_modes=self.num_modes,
            standard_deviation=SPREAD[self.dimension] if spread is None else spread,
        )
        median = MEDIAN[self.dimension] if median is None else median
        distribution = LogNormalField(gaussian, float(np.log(median)))
        return ParameterSpace(
            (FieldParameter("wavenumber", distribution, _UNITS["wavenumber"], "wavenumber"),)
        )

    def source(self, points: FloatArray) -> FloatArray:
        """The source at points ``(dimension, ...)``."""
        squares = sum((points[axis] - 0.5) ** 2 for axis in range(self.dimension))
        values: FloatArray = self.source_height * np.exp(-squares / (2 * self._width() ** 2))
        return values

    def _width(self) -> float:
        width = self.source_width
        return SOURCE_WIDTH[self.dimension] if width is None else width

    def problem(self, parameters: Mapping[str, Any]) -> HelmholtzProblem:
        """The problem with this k."""
        from pdesolve.problems.helmholtz import HelmholtzProblem

        number = self.parameters.check(parameters)["wavenumber"]
        return HelmholtzProblem(
            number,
            self.source,
            {"all": _CONDITIONS[self.sides]},
            self.dimension,
            name=self.name,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain, the sides and f."""
        source = {"height": self.source_height, "width": self._width()}
        return {**super().describe(), **_card(self.dimension, self.sides), "source": source}

    def with_options(self, **options: Any) -> RandomHelmholtzFamily:
        """The family with other numbers; a name that was made follows them."""
        if self.name == f"helmholtz{self.dimension}d_random":
            options.setdefault("name", "")
        return replace(self, **options)


def helmholtz1d(**options: Any) -> HelmholtzFamily:
    """Random wavenumber and source on the unit interval."""
    return HelmholtzFamily(1, **options)


def helmholtz2d(**options: Any) -> HelmholtzFamily:
    """Random wavenumber and source on the unit square."""
    return HelmholtzFamily(2, **options)


def helmholtz2d_random(**options: Any) -> RandomHelmholtzFamily:
    """A wavenumber that is a random field on the unit square."""
    return RandomHelmholtzFamily(2, **options)


def helmholtz3d_random(**options: Any) -> RandomHelmholtzFamily:
    """A wavenumber that is a random field on the unit cube."""
    return RandomHelmholtzFamily(3, **options)
