"""What a problem family depends on: named parameters with units, ranges and distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray, StructuredGrid
from operators.random_fields import GaussianRandomField, RandomFieldSample, is_finite_number
from operators.spatial import SpatialFunction, as_spatial_function


class FieldDistribution(Protocol):
    """A distribution over functions of space."""

    def sample(self, rng: np.random.Generator) -> SpatialFunction:
        """Draw one function."""

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""


@dataclass(frozen=True)
class ScalarParameter:
    """A number drawn uniformly, or uniformly in its logarithm.

    Parameters
    ----------
    name, unit, description
        What it is.
    lower, upper
        Allowed and sampled range; equal bounds fix the value.
    scale
        ``"linear"`` or ``"log"``.

    Examples
    --------
    >>> ScalarParameter("viscosity", 1e-3, 1e-3, unit="m^2/s").sample(np.random.default_rng(0))
    0.001
    """

    name: str
    lower: float
    upper: float
    unit: str = "1"
    description: str = ""
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        if not (
            is_finite_number(self.lower)
            and is_finite_number(self.upper)
            and self.lower <= self.upper
        ):
            raise InputError(
                f"parameter '{self.name}': range [{self.lower}, {self.upper}] must be finite with "
                "lower <= upper"
            )
        if self.scale == "log" and self.lower <= 0:
            raise InputError(
                f"parameter '{self.name}': a log scale needs lower > 0, not {self.lower}"
            )

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        share = rng.random()
        if self.lower == self.upper:
            return self.lower
        if self.scale == "log":
            low, high = np.log(self.lower), np.log(self.upper)
            return float(np.clip(np.exp(low + share * (high - low)), self.lower, self.upper))
        return float(self.lower + share * (self.upper - self.lower))

    def check(self, value: object) -> float:
        """The value as a float, or an error that states the range."""
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise InputError(f"parameter '{self.name}' must be a number, not {value!r}")
        number = float(value)
        if not self.lower <= number <= self.upper:
            raise InputError(
                f"parameter '{self.name}'={number} is outside [{self.lower}, {self.upper}] "
                f"{self.unit}"
            )
        return number

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {
            "kind": "scalar",
            "range": [self.lower, self.upper],
            "scale": self.scale,
            "unit": self.unit,
            "description": self.description,
        }


@dataclass(frozen=True)
class FieldParameter:
    """A function of space with a distribution."""

    name: str
    distribution: FieldDistribution
    unit: str = "1"
    description: str = ""

    def sample(self, rng: np.random.Generator) -> SpatialFunction:
        """Draw a function."""
        return self.distribution.sample(rng)

    def check(self, value: object) -> SpatialFunction:
        """The value as a function of space."""
        return as_spatial_function(value)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {
            "kind": "field",
            "distribution": self.distribution.describe(),
            "unit": self.unit,
            "description": self.description,
        }


Parameter = ScalarParameter | FieldParameter


@dataclass(frozen=True)
class ParameterSpace:
    """The parameters of a family, in the order in which they are drawn.

    Examples
    --------
    >>> space = ParameterSpace((ScalarParameter("kappa", 1.0, 2.0),))
    >>> sorted(space.sample(np.random.default_rng(0)))
    ['kappa']
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise InputError(f"parameter names repeat: {self.names}")

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw every parameter."""
        return {parameter.name: parameter.sample(rng) for parameter in self.parameters}

    def check(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter, checked.

        Raises
        ------
        InputError
            If one is missing, unknown or out of its range.
        """
        for name in values:
            if name not in self.names:
                raise InputError(f"there is no parameter '{name}'. {suggest(name, self.names)}")
        missing = [name for name in self.names if name not in values]
        if missing:
            raise InputError(f"parameter missing: {', '.join(missing)}")
        return {parameter.name: parameter.check(values[parameter.name]) for parameter in self}

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {parameter.name: parameter.describe() for parameter in self.parameters}


@dataclass(frozen=True)
class ThresholdedField:
    """A distribution with two values: `above` where g ≥ 0, `below` elsewhere."""

    gaussian: GaussianRandomField
    above: float = 12.0
    below: float = 3.0

    def __post_init__(self) -> None:
        for name, value in (("above", self.above), ("below", self.below)):
            if not (is_finite_number(value) and value > 0):
                raise InputError(f"{name}={value!r} must be positive and finite")

    def sample(self, rng: np.random.Generator) -> SpatialFunction:
        """Draw a two-valued function."""
        return TransformedSample(self.gaussian.sample(rng), self)

    def transform(self, values: FloatArray) -> FloatArray:
        """Apply the threshold."""
        return np.where(values >= 0, self.above, self.below)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {
            "kind": "thresholded Gaussian random field",
            "value where g >= 0": self.above,
            "value where g < 0": self.below,
            "g": self.gaussian.describe(),
        }


@dataclass(frozen=True)
class LogNormalField:
    """a = exp(mean_log + g)."""

    gaussian: GaussianRandomField
    mean_log: float = 0.0

    def __post_init__(self) -> None:
        if not is_finite_number(self.mean_log):
            raise InputError(f"mean_log={self.mean_log!r} must be finite")

    def sample(self, rng: np.random.Generator) -> SpatialFunction:
        """Draw a positive function."""
        return TransformedSample(self.gaussian.sample(rng), self)

    def transform(self, values: FloatArray) -> FloatArray:
        """Apply the exponential."""
        return np.exp(self.mean_log + values)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {
            "kind": "log-normal random field",
            "mean of the logarithm": self.mean_log,
            "g": self.gaussian.describe(),
        }


@dataclass(frozen=True, eq=False)
class TransformedSample:
    """A pointwise function of a Gaussian draw."""

    gaussian: RandomFieldSample
    distribution: ThresholdedField | LogNormalField

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Values at the grid's points."""
        return self.distribution.transform(self.gaussian.on(grid))

    def on_axes(self, axes: tuple[FloatArray, ...]) -> FloatArray:
        """Values over a product of axes inside the field's box."""
        return self.distribution.transform(self.gaussian.on_axes(axes))

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Values at points ``(n, dimension)``."""
        return self.distribution.transform(self.gaussian.evaluate(points))
