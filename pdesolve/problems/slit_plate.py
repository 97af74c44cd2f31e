"""Heat conduction in a plate with a slit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, Parameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from operators.spatial import SpatialFunction
from pdesolve.problems.base import Problem, ProblemFamily
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Robin
from pdesolve.problems.slit_plate_geometry import SIDES, SlitPlate, slit_plate_mesh

if TYPE_CHECKING:
    from pdesolve.solution import Solution


def _heated_and_cooled() -> dict[str, Condition]:
    insulated = dict.fromkeys(SIDES, Neumann(0.0))
    return {**insulated, "left": Dirichlet(100.0), "right": Neumann(-10.0)}


@dataclass(frozen=True, eq=False)
class SlitPlateProblem(Problem):
    """−∇·(k ∇T) = f in the plate [0, 1] × [0, 1.6] m with the slit (0.45, 0.55) × (0.4, 1.2).

    Parameters
    ----------
    conductivity
        k > 0 in W m⁻¹ K⁻¹: a number, a function of points of shape ``(2, ...)``, a Field,
        or a draw of a random field.
    source
        f in W m⁻³, given in the same ways.
    boundary_conditions
        By side: ``left``, ``right``, ``bottom``, ``top`` and ``slit``. ``Dirichlet(T)``,
        ``Neumann(q)`` with the heat flux q = k ∂T/∂n that flows in, in W m⁻², or
        ``Robin(h, h · T_outside)``. When left out: T = 100 K on the left, q = −10 W m⁻² on
        the right, no flux elsewhere.
    mesh_size, graded
        Of the mesh to use where none is given, see
        :func:`pdesolve.problems.slit_plate_geometry.slit_plate_mesh`.
    name
        Used in messages and to match surrogates.

    Examples
    --------
    >>> problem = SlitPlateProblem(mesh_size=0.1)
    >>> problem.backends, problem.upper
    (('fem',), (1.0, 1.6))
    """

    conductivity: object = 1.0
    source: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(default_factory=_heated_and_cooled)
    mesh_size: float = 0.04
    graded: bool = True
    name: str = "slit_plate"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    lower: ClassVar[tuple[float, ...]] = (0.0, 0.0)  # type: ignore[misc]
    upper: ClassVar[tuple[float, ...]] = (1.0, 1.6)  # type: ignore[misc]
    unknown: ClassVar[str] = "temperature"

    def __post_init__(self) -> None:
        if not isinstance(self.boundary_conditions, Mapping):
            raise InputError(
                f"boundary_conditions={self.boundary_conditions!r} must map side names to "
                f"conditions; the sides are {', '.join(SIDES)}"
            )
        object.__setattr__(self, "boundary_conditions", dict(self.boundary_conditions))

    def default_mesh(self) -> Any:
        """Triangles with the five named sides; the same for all problems of one size."""
        return slit_plate_mesh(self.mesh_size, graded=self.graded)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Left temperature, right heat flux, and where the plate is.

        The first two hold at each point the value at the same height, 0 where the side
        has another kind of condition; ``plate`` is 1 in the plate and 0 in the slit.
        """
        points = np.asarray(grid.points(), dtype=np.float64)
        left, right = (self.boundary_conditions.get(side) for side in ("left", "right"))
        temperature = left.function if isinstance(left, Dirichlet) else Neumann(0.0).function
        flux = right.function if isinstance(right, Neumann) else Neumann(0.0).function
        heights = points[1, 0]
        values = []
        for function, x in ((temperature, 0.0), (flux, 1.0)):
            on_side = np.stack([np.full_like(heights, x), heights], axis=1)
            values.append(np.broadcast_to(function.evaluate(on_side), grid.shape))
        values.append(SlitPlate().contains(points).astype(np.float64))
        return Field(grid, np.stack(values), ("left_temperature", "right_flux", "plate"))

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements."""
        from pdesolve.problems._firedrake_slit_plate import slit_plate_form

        return slit_plate_form(self, context)


def heat_flow(solution: Solution) -> dict[str, float]:
    """The heat that enters through each side, in W per metre of thickness (collective).

    On sides with given temperature it is the sum of the discrete equations' residuals,
    so that the flows of all sides and the sources add up to zero, up to the tolerance of
    the linear solver.

    Parameters
    ----------
    solution
        Of a :class:`SlitPlateProblem`.
    """
    from pdesolve.problems._firedrake_slit_plate import heat_flow_of

    return heat_flow_of(solution)


@dataclass(frozen=True)
class SlitPlateFamily(ProblemFamily):
    """The plate with a random temperature on the left and a random heat flux on the right.

    −∇·(k ∇T) = 0, T given at x = 0, k ∂T/∂n given at x = 1, no flux through the other
    sides and the slit. Data are constants drawn uniformly, plus, with
    ``data="functions"``, Gaussian functions of the height.

    Parameters
    ----------
    data
        ``"functions"`` or ``"constants"``.
    conductivity
        k, in W m⁻¹ K⁻¹.
    lowest_temperature, highest_temperature
        Range of the constant on the left, in K.
    lowest_flux, highest_flux
        Range of the constant on the right, in W m⁻²; positive flows in.
    temperature_deviation, flux_deviation
        Standard deviation of the functions.
    alpha, tau, num_modes
        Of the Gaussian functions, see :class:`operators.GaussianRandomField`.
    mesh_size, graded
        See :class:`SlitPlateProblem`.
    name
        Name in the registry.

    Examples
    --------
    >>> family = SlitPlateFamily(data="constants")
    >>> sorted(family.sample(np.random.default_rng(0)))
    ['flux', 'temperature']
    """

    data: Literal["functions", "constants"] = "functions"
    conductivity: float = 1.0
    lowest_temperature: float = 50.0
    highest_temperature: float = 150.0
    lowest_flux: float = -20.0
    highest_flux: float = 0.0
    temperature_deviation: float = 20.0
    flux_deviation: float = 10.0
    alpha: float = 3.0
    tau: float = 3.0
    num_modes: int = 32
    mesh_size: float = 0.04
    graded: bool = True
    name: str = "slit_plate"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("fem",)
    inputs: ClassVar[tuple[str, ...]] = ("left_temperature", "right_flux", "plate")
    outputs: ClassVar[tuple[str, ...]] = ("temperature",)
    units: ClassVar[Mapping[str, str]] = {
        "left_temperature": "K",
        "right_flux": "W m^-2",
        "plate": "1",
        "temperature": "K",
        "flux": "W m^-2",
        "temperature_variation": "K",
        "flux_variation": "W m^-2",
        "conductivity": "W m^-1 K^-1",
        "length": "m",
    }
    # the lines of this grid run along the slit's edges
    default_shape: ClassVar[tuple[int, ...]] = (60, 96)  # type: ignore[misc]
    has_own_mesh: ClassVar[bool] = True
    equation: ClassVar[str] = (
        "-div(k grad T) = 0 in a 1 x 1.6 plate without a 0.1 x 0.8 slit; T given on the left, "
        "k dT/dn on the right, 0 elsewhere"
    )
    citation: ClassVar[str] = (
        "Grisvard (1985), Elliptic Problems in Nonsmooth Domains, doi:10.1137/1.9781611972030 "
        "(the corners)"
    )

    def __post_init__(self) -> None:
        kinds = ("functions", "constants")
        if self.data not in kinds:
            raise InputError(f"data='{self.data}'. {suggest(str(self.data), kinds)}")
        if not is_finite_number(self.conductivity) or self.conductivity <= 0:
            raise InputError(f"conductivity={self.conductivity!r} must be positive and finite")
        for name in ("temperature_deviation", "flux_deviation"):
            value = getattr(self, name)
            if not is_finite_number(value) or value < 0:
                raise InputError(f"{name}={value!r} must be finite and not negative")
        _ = self.parameters  # checks the numbers of the random functions

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Constants and, unless only those are wanted, functions of the height."""
        found: list[Parameter] = [
            ScalarParameter(
                "temperature",
                self.lowest_temperature,
                self.highest_temperature,
                "K",
                "constant part of the temperature on the left",
            ),
            ScalarParameter(
                "flux",
                self.lowest_flux,
                self.highest_flux,
                "W m^-2",
                "constant part of the heat flux into the right side",
            ),
        ]
        if self.data == "functions":
            for name, deviation in (
                ("temperature", self.temperature_deviation),
                ("flux", self.flux_deviation),
            ):
                gaussian = GaussianRandomField(
                    1,
                    self.alpha,
                    self.tau,
                    "neumann",
                    self.num_modes,
                    deviation,
                    lower=(0.0,),
                    upper=(SlitPlate().height,),
                )
                parameter = f"{name}_variation"
                found.append(
                    FieldParameter(
                        parameter, gaussian, self.units[parameter], "function of the height"
                    )
                )
        return ParameterSpace(tuple(found))

    def problem(self, parameters: Mapping[str, Any]) -> SlitPlateProblem:
        """The problem with this temperature and flux."""
        values = self.parameters.check(parameters)
        left, right = (
            _of_height(values[name], values.get(f"{name}_variation"))
            for name in ("temperature", "flux")
        )
        conditions: dict[str, Condition] = dict.fromkeys(SIDES, Neumann(0.0))
        conditions.update(left=Dirichlet(left), right=Neumann(right))
        return SlitPlateProblem(
            self.conductivity, 0.0, conditions, self.mesh_size, self.graded, self.name
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain, the sides and the mesh."""
        slit = SlitPlate().slit
        return {
            **super().describe(),
            "domain": {
                "lower": [0.0, 0.0],
                "upper": [1.0, 1.6],
                "slit": {"lower": list(slit[0]), "upper": list(slit[1])},
            },
            "boundary conditions": {
                "left": "temperature given",
                "right": "heat flux given",
                "others": "no heat flux",
            },
            "conductivity": self.conductivity,
            "mesh": {"size": self.mesh_size, "graded": self.graded},
        }

    def with_options(self, **options: Any) -> SlitPlateFamily:
        """The family with other numbers."""
        return replace(self, **options)


def _of_height(
    constant: float, variation: SpatialFunction | None
) -> float | Callable[[FloatArray], FloatArray]:
    """The sum of a number and a function of y, as a function of points ``(2, ...)``."""
    if variation is None:
        return constant

    def total(points: FloatArray) -> FloatArray:
        height = np.asarray(points[1], dtype=np.float64)
        values = variation.evaluate(height.reshape(-1, 1)).reshape(height.shape)
        return np.asarray(constant + values)

    return total


def slit_plate(**options: Any) -> SlitPlateFamily:
    """Heat conduction in the plate with a slit."""
    return SlitPlateFamily(**options)


ALLOWED = (Dirichlet, Neumann, Robin)
"""Kinds of conditions that :class:`SlitPlateProblem` takes."""
