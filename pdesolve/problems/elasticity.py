"""Families of elastic solids: linear elasticity and the compressible neo-Hookean material."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray
from operators.parameters import FieldParameter, LogNormalField, ParameterSpace
from operators.random_fields import GaussianRandomField, is_finite_number
from operators.spatial import SpatialFunction
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.elasticity_problem import (
    ElasticityProblem,
    Material,
    Plane,
    cauchy_stress,
    check_material,
    check_poisson_ratio,
    strain_energy,
)

__all__ = [
    "ElasticityFamily",
    "ElasticityProblem",
    "along_side",
    "cauchy_stress",
    "elasticity2d",
    "elasticity3d",
    "neo_hookean2d",
    "neo_hookean3d",
    "strain_energy",
]


@dataclass(frozen=True)
class ElasticityFamily(ProblemFamily):
    """A unit box clamped at x = 0 and pulled at x = 1, with random stiffness and loads.

    −∇·P(∇u) = f; u = 0 at x = 0, P·n = t at x = 1 and 0 on the other sides. E is
    log-normal; the components of f are Gaussian fields, those of t Gaussian functions
    along their side.

    Parameters
    ----------
    dimension
        2 or 3.
    material, plane
        See :class:`ElasticityProblem`.
    poisson_ratio
        ν, the same in all samples.
    mean_modulus, modulus_deviation
        exp of the mean, and standard deviation, of ln E, whose mean over the box is fixed.
    force_deviation, traction_deviation
        Standard deviation of each component of f and t; by default 0.002 and 0.005 of
        `mean_modulus` for the linear material, 0.01 and 0.03 for the neo-Hookean one (with
        more, some samples buckle, and have no solution near the unloaded state).
    alpha, tau, num_modes
        Of the Gaussian fields, see :class:`operators.GaussianRandomField`.
    name
        Name in the registry; made from dimension and material when left out.

    Examples
    --------
    >>> from meshes.structured import StructuredGrid
    >>> family = ElasticityFamily(2)
    >>> problem = family.problem(family.sample(np.random.default_rng(0)))
    >>> problem.input_fields(StructuredGrid((4, 4))).names[:2]
    ('young_modulus', 'body_force_x')
    """

    dimension: int = 2
    material: Material = "linear"
    plane: Plane = "strain"
    poisson_ratio: float = 0.3
    mean_modulus: float = 1.0
    modulus_deviation: float = 0.4
    force_deviation: float | None = None
    traction_deviation: float | None = None
    alpha: float = 2.5
    tau: float = 3.0
    num_modes: int | None = None
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("fem",)
    units: ClassVar[Mapping[str, str]] = {
        "young_modulus": "MPa",
        **{f"body_force_{axis}": "MN m^-3" for axis in "xyz"},
        **{f"traction_{axis}": "MPa" for axis in "xyz"},
        **{f"displacement_{axis}": "m" for axis in "xyz"},
        "displacement": "m",
        "length": "m",
    }
    citation: ClassVar[str] = "Bonet, Wood (2008), doi:10.1017/CBO9780511755446"

    def __post_init__(self) -> None:
        if self.dimension not in (2, 3):
            raise InputError(f"dimension={self.dimension!r} must be 2 or 3")
        check_material(self.material, self.plane, self.dimension)
        check_poisson_ratio(self.poisson_ratio)
        if not is_finite_number(self.mean_modulus) or self.mean_modulus <= 0:
            raise InputError(f"mean_modulus={self.mean_modulus!r} must be positive and finite")
        for name in ("modulus_deviation", "force_deviation", "traction_deviation"):
            value = getattr(self, name)
            if value is not None and not (is_finite_number(value) and value >= 0):
                raise InputError(f"{name}={value!r} must be finite and not negative")
        if not self.name:
            object.__setattr__(self, "name", self._standard_name)
        _ = self.parameters  # checks the numbers of the random fields

    @property
    def _standard_name(self) -> str:
        kind = {"linear": "elasticity", "neo_hookean": "neo_hookean"}[self.material]
        return f"{kind}{self.dimension}d"

    @property
    def _axes(self) -> tuple[str, ...]:
        return tuple(AXIS_NAMES[: self.dimension])

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Young's modulus, body force and traction."""
        loads = tuple(
            f"{name}_{axis}" for name in ("body_force", "traction") for axis in self._axes
        )
        return ("young_modulus", *loads)

    @property
    def outputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The components of the displacement."""
        return tuple(f"displacement_{axis}" for axis in self._axes)

    @property
    def equation(self) -> str:  # type: ignore[override]
        """The PDE, in plain text."""
        stress = {
            "linear": "P = lambda div(u) I + mu (grad u + grad u^T)",
            "neo_hookean": "P = mu (F - F^-T) + lambda ln(det F) F^-T, F = I + grad u",
        }[self.material]
        plane = f", plane {self.plane}" if self.dimension == 2 else ""
        return f"-div P = f, {stress}{plane}; u = 0 at x = 0, P n = t at x = 1, else P n = 0"

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given."""
        return {2: (48, 48), 3: (12, 12, 12)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Stiffness and loads."""
        size = self.dimension
        share = (0.002, 0.005) if self.material == "linear" else (0.01, 0.03)
        deviations = {"force": self.force_deviation, "traction": self.traction_deviation}
        if deviations["force"] is None:
            deviations["force"] = share[0] * self.mean_modulus
        if deviations["traction"] is None:
            deviations["traction"] = share[1] * self.mean_modulus
        modes = self.num_modes or {2: 32, 3: 10}[size]
        stiffness = LogNormalField(
            self._gaussian(size, modes, self.modulus_deviation, zero_mean=True),
            math.log(self.mean_modulus),
        )
        found = [FieldParameter("young_modulus", stiffness, "MPa", "Young's modulus")]
        for axis in self._axes:
            gaussian = self._gaussian(size, modes, deviations["force"])
            found.append(FieldParameter(f"body_force_{axis}", gaussian, "MN m^-3", "body force"))
        for axis in self._axes:
            gaussian = self._gaussian(size - 1, modes, deviations["traction"])
            found.append(FieldParameter(f"traction_{axis}", gaussian, "MPa", "traction at x = 1"))
        return ParameterSpace(tuple(found))

    def _gaussian(
        self, size: int, modes: int, deviation: float | None, *, zero_mean: bool = False
    ) -> GaussianRandomField:
        return GaussianRandomField(
            size, self.alpha, self.tau, "neumann", modes, deviation, zero_mean=zero_mean
        )

    def problem(self, parameters: Mapping[str, Any]) -> ElasticityProblem:
        """The problem with this stiffness and these loads."""
        values = self.parameters.check(parameters)
        sides = [f"{axis}_{end}" for axis in self._axes for end in ("lower", "upper")]
        conditions: dict[str, Condition] = {side: Neumann(0.0) for side in sides}
        conditions["x_lower"] = Dirichlet(0.0)
        conditions["x_upper"] = Neumann(
            tuple(along_side(values[f"traction_{axis}"]) for axis in self._axes)
        )
        return ElasticityProblem(
            values["young_modulus"],
            self.poisson_ratio,
            tuple(values[f"body_force_{axis}"] for axis in self._axes),
            conditions,
            dimension=self.dimension,
            material=self.material,
            plane=self.plane,
            name=self.name,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain, the sides and ν."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0] * self.dimension, "upper": [1.0] * self.dimension},
            "boundary conditions": {
                "x_lower": "displacement = 0",
                "x_upper": "traction given",
                "others": "traction = 0",
            },
            "material": self.material,
            "poisson ratio": self.poisson_ratio,
        }

    def with_options(self, **options: Any) -> ElasticityFamily:
        """The family with other numbers; a name that was made follows them."""
        if self.name == self._standard_name:
            options.setdefault("name", "")
        return replace(self, **options)


def along_side(function: SpatialFunction) -> Callable[[FloatArray], FloatArray]:
    """A function of the coordinates after the first, as one of all coordinates.

    Examples
    --------
    >>> from operators.spatial import as_spatial_function
    >>> along_side(as_spatial_function(lambda y: y[0] ** 2))(np.array([[1.0], [3.0]]))
    array([9.])
    """

    def extended(points: FloatArray) -> FloatArray:
        rest = np.asarray(points, dtype=np.float64)[1:]
        return function.evaluate(rest.reshape(len(rest), -1).T).reshape(rest.shape[1:])

    return extended


def elasticity2d(**options: Any) -> ElasticityFamily:
    """Linear elasticity in 2D, plane strain unless ``plane="stress"``."""
    return ElasticityFamily(2, **options)


def elasticity3d(**options: Any) -> ElasticityFamily:
    """Linear elasticity in 3D."""
    return ElasticityFamily(3, **options)


def neo_hookean2d(**options: Any) -> ElasticityFamily:
    """Compressible neo-Hookean material in 2D, plane strain."""
    return ElasticityFamily(2, "neo_hookean", **options)


def neo_hookean3d(**options: Any) -> ElasticityFamily:
    """Compressible neo-Hookean material in 3D."""
    return ElasticityFamily(3, "neo_hookean", **options)
