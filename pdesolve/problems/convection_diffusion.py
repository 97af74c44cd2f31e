"""Families of steady convection and diffusion."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from operators.spatial import ConstantFunction
from pdesolve.grid.convection import Convection
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.channels import varying_inputs
from pdesolve.problems.convection_diffusion_problem import (
    ConvectionDiffusionProblem,
    boundary_layer,
)

__all__ = [
    "ConvectionDiffusionFamily",
    "ConvectionDiffusionProblem",
    "boundary_layer",
    "convection_diffusion1d",
    "convection_diffusion2d",
    "convection_diffusion3d",
]

LEAST_DIFFUSIVITY = {1: 4e-5, 2: 1.6e-4, 3: 4.27e-4}


@dataclass(frozen=True)
class ConvectionDiffusionFamily(ProblemFamily):
    """−ε Δu + b·∇u = f on the unit box, u = 0 on the sides, with random ε, b and f.

    ε is uniform in its logarithm. In one dimension b is uniform in [−speed, speed], in
    two and three dimensions it has the length `speed` and a uniformly distributed
    direction: the angle ``direction`` to the x axis in the xy plane is uniform in [0, 2π],
    and in three dimensions ``velocity_z`` is uniform in [−speed, speed], as is any
    component of a point that is uniformly distributed on a sphere (Archimedes). f is a
    Gaussian random field. With the default numbers the cell Péclet number |b| h/ε goes up
    to 98 on the default grid.

    Parameters
    ----------
    dimension
        1, 2 or 3.
    least_diffusivity, largest_diffusivity
        Range of ε; the least is 4e-5, 1.6e-4 and 4.27e-4 in one, two and three
        dimensions when left out.
    speed
        Size of b.
    alpha, tau, num_modes, standard_deviation
        Of f, see :class:`operators.GaussianRandomField`.
    scheme
        Of the backend ``grid``, see :class:`ConvectionDiffusionProblem`.
    name
        Name in the registry.

    References
    ----------
    Roos, Stynes, Tobiska (2008), Robust Numerical Methods for Singularly Perturbed
    Differential Equations, doi:10.1007/978-3-540-34467-4.

    Examples
    --------
    >>> import numpy as np
    >>> family = ConvectionDiffusionFamily(2)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(problem.grid(4)).names
    ('source', 'diffusivity', 'velocity_x', 'velocity_y')
    """

    dimension: int = 2
    least_diffusivity: float | None = None
    largest_diffusivity: float = 0.1
    speed: float = 1.0
    alpha: float = 2.0
    tau: float = 3.0
    num_modes: int | None = None
    standard_deviation: float = 1.0
    scheme: Literal["central", "upwind", "exponential"] = "exponential"
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    outputs: ClassVar[tuple[str, ...]] = ("concentration",)
    units: ClassVar[Mapping[str, str]] = {
        "source": "mol m^-3 s^-1",
        "diffusivity": "m^2 s^-1",
        "velocity": "m s^-1",
        "velocity_x": "m s^-1",
        "velocity_y": "m s^-1",
        "velocity_z": "m s^-1",
        "direction": "rad",
        "concentration": "mol m^-3",
        "length": "m",
    }
    equation: ClassVar[str] = "-eps lap u + b . grad u = f in the unit box, u = 0 on its sides"
    citation: ClassVar[str] = "Roos, Stynes, Tobiska (2008), doi:10.1007/978-3-540-34467-4"

    def __post_init__(self) -> None:
        if self.dimension not in (1, 2, 3):
            raise InputError(f"dimension={self.dimension!r} must be 1, 2 or 3")
        if not (is_finite_number(self.speed) and self.speed > 0):
            raise InputError(f"speed={self.speed!r} must be positive and finite")
        if not self.name:
            object.__setattr__(self, "name", f"convection_diffusion{self.dimension}d")
        _ = self.parameters, Convection(None, self.scheme)  # check the numbers

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Channels of a surrogate's input."""
        components = tuple(f"velocity_{axis}" for axis in AXIS_NAMES[: self.dimension])
        return varying_inputs(("source", "diffusivity", *components), self.parameters)

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given."""
        return {1: (256,), 2: (64, 64), 3: (24, 24, 24)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """ε, what gives b, and f."""
        least = self.least_diffusivity
        if least is None:
            least = LEAST_DIFFUSIVITY[self.dimension]
        diffusivity = ScalarParameter(
            "diffusivity", least, self.largest_diffusivity, "m^2 s^-1", "eps", "log"
        )
        angle = ScalarParameter("direction", 0.0, 2 * math.pi, "rad", "angle of b to the x axis")
        upward = ScalarParameter("velocity_z", -self.speed, self.speed, "m s^-1", "b along z")
        convection = {
            1: (ScalarParameter("velocity", -self.speed, self.speed, "m s^-1", "b"),),
            2: (angle,),
            3: (angle, upward),
        }[self.dimension]
        source = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            "neumann",
            self.num_modes,
            self.standard_deviation,
            zero_mean=False,
        )
        unit = self.units["source"]
        return ParameterSpace(
            (diffusivity, *convection, FieldParameter("source", source, unit, "f"))
        )

    def problem(self, parameters: Mapping[str, Any]) -> ConvectionDiffusionProblem:
        """The problem with these parameters."""
        values = self.parameters.check(parameters)
        return ConvectionDiffusionProblem(
            values["diffusivity"],
            self._velocity(values),
            values["source"],
            dimension=self.dimension,
            scheme=self.scheme,
            name=self.name,
            input_names=self.inputs,
        )

    def _velocity(self, values: Mapping[str, Any]) -> tuple[float, ...]:
        """The components of b."""
        if self.dimension == 1:
            return (values["velocity"],)
        angle = values["direction"]
        upward = (values["velocity_z"],) if self.dimension == 3 else ()
        # |velocity_z| <= speed was checked
        level = self.speed * math.sqrt(1.0 - (sum(upward) / self.speed) ** 2)
        return (level * math.cos(angle), level * math.sin(angle), *upward)

    def exact(self, parameters: Mapping[str, Any]) -> Callable[[FloatArray], FloatArray] | None:
        """The boundary layer, in one dimension with a constant source."""
        values = self.parameters.check(parameters)
        source = values["source"]
        constant = isinstance(source, ConstantFunction)
        if self.dimension != 1 or not constant or values["velocity"] == 0:
            return None
        return boundary_layer(values["diffusivity"], values["velocity"], source.value)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain, the sides and the speed."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0] * self.dimension, "upper": [1.0] * self.dimension},
            "boundary conditions": {"all": "concentration = 0"},
            "speed": self.speed,
            "scheme on grids": self.scheme,
        }


def convection_diffusion1d(**options: Any) -> ConvectionDiffusionFamily:
    """Convection and diffusion on the unit interval."""
    return ConvectionDiffusionFamily(1, **options)


def convection_diffusion2d(**options: Any) -> ConvectionDiffusionFamily:
    """Convection and diffusion on the unit square."""
    return ConvectionDiffusionFamily(2, **options)


def convection_diffusion3d(**options: Any) -> ConvectionDiffusionFamily:
    """Convection and diffusion on the unit cube."""
    return ConvectionDiffusionFamily(3, **options)
