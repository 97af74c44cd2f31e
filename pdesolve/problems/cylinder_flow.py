"""Unsteady incompressible flow past a cylinder in a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace, ScalarParameter
from operators.random_fields import GaussianRandomField, is_finite_number
from operators.spatial import SpatialFunction, as_spatial_function
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.boxes import output_times
from pdesolve.problems.channels import input_channels, varying_inputs
from pdesolve.problems.cylinder_geometry import CylinderChannel, cylinder_channel_mesh
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.flow import FlowProblem, Inflow, require_positive_numbers
from pdesolve.step_sizes import checked_times

# Width of the layer around the cylinder in which the initial velocity falls to zero, and the
# step of the differences that make a velocity of a stream function, in diameters and heights.
_LAYER = 0.35
_STEP = 5e-4


@dataclass(frozen=True, eq=False)
class CylinderFlowProblem(EvolutionProblem):
    """∂u/∂t + u·∇u − ν Δu + ∇p = 0, ∇·u = 0 in a channel around a cylinder (2D, ``fem``).

    The velocity is the parabola 4 U y (H − y) / H² at the inflow, zero on walls and
    cylinder; the outflow is free, ν ∂u/∂n = p n. The Reynolds number is that of the mean
    speed 2 U / 3 and the cylinder's diameter. The pressure is divided by the density.

    Parameters
    ----------
    reynolds_number
        2 U D / (3 ν); it sets the viscosity ν.
    largest_speed
        U, in m/s.
    perturbation
        A function of points ``(2, ...)``, a draw or a number: the stream function of eddies
        that are added to the initial flow, in units of the channel's flow rate 2 U H / 3.
    channel
        Measures in m; those of the benchmark when left out.
    mesh_size, body_size
        Lengths of the edges of :meth:`default_mesh`, away from the cylinder and on it, in m.
    step_size
        Default step in s, for the default method ``"bdf2-linear"``.
    times
        Output times in s, the initial time first.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    References
    ----------
    Schäfer, Turek (1996), Benchmark computations of laminar flow around a cylinder,
    doi:10.1007/978-3-322-89849-4_39.

    Examples
    --------
    >>> problem = CylinderFlowProblem(100.0)
    >>> problem.viscosity, problem.mean_speed
    (0.001, 1.0)
    >>> points = np.array([[0.15, 1.0], [0.2, 0.205]])  # on the cylinder, and in the middle
    >>> np.abs(problem.initial_velocity(points)).round(3).tolist()
    [[0.0, 1.5], [0.0, 0.0]]
    """

    reynolds_number: float = 100.0
    largest_speed: float = 1.5
    perturbation: object = 0.0
    channel: CylinderChannel = field(default_factory=CylinderChannel)
    mesh_size: float = 0.05
    body_size: float | None = None
    step_size: float = 0.005
    times: tuple[float, ...] = (0.0, 1.0)
    name: str = "cylinder_flow"
    input_names: tuple[str, ...] = ()

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    unknown: ClassVar[str] = "velocity"
    unknowns: ClassVar[tuple[str, ...]] = ("velocity_x", "velocity_y", "pressure")

    def __post_init__(self) -> None:
        require_positive_numbers(
            reynolds_number=self.reynolds_number,
            largest_speed=self.largest_speed,
            mesh_size=self.mesh_size,
            step_size=self.step_size,
        )
        object.__setattr__(self, "times", checked_times(self.times))

    @property
    def lower(self) -> tuple[float, ...]:  # type: ignore[override]
        """The channel's lower corner."""
        return (0.0, 0.0)

    @property
    def upper(self) -> tuple[float, ...]:  # type: ignore[override]
        """The channel's upper corner."""
        return (self.channel.length, self.channel.height)

    @property
    def mean_speed(self) -> float:
        """2 U / 3, in m/s."""
        return 2.0 * self.largest_speed / 3.0

    @property
    def viscosity(self) -> float:
        """ν, in m²/s."""
        return self.mean_speed * self.channel.diameter / self.reynolds_number

    @property
    def boundary_conditions(self) -> Mapping[str, Condition]:  # type: ignore[override]
        """By the sides that :func:`cylinder_channel_mesh` names."""
        return {
            "inflow": Inflow(speed=self.largest_speed),
            "outflow": Neumann(0.0),
            "walls": Dirichlet(0.0),
            "obstacle": Dirichlet(0.0),
        }

    @property
    def flow(self) -> FlowProblem:
        """Viscosity and sides, as steady flows have them."""
        return FlowProblem(
            self.viscosity,
            boundary_conditions=self.boundary_conditions,
            lower=self.lower,
            upper=self.upper,
            stress="laplacian",
            name=self.name,
        )

    @cached_property
    def perturbation_function(self) -> SpatialFunction:
        """The eddies' stream function."""
        return as_spatial_function(self.perturbation)

    def stream_function(self, points: FloatArray) -> FloatArray:
        """ψ at t = 0 at points ``(2, n)``, with u = (∂ψ/∂y, −∂ψ/∂x).

        The parabola's stream function with eddies that end at walls, inflow and outflow, led
        to a constant in a layer around the cylinder, so that u vanishes on it.
        """
        x, y = points
        height = self.channel.height
        share = np.clip(y / height, 0.0, 1.0)
        rate = self.mean_speed * height
        (_, center) = self.channel.center

        def parabola(part: Any) -> Any:
            return rate * part**2 * (3.0 - 2.0 * part)

        inside = np.stack([np.clip(x, 0.0, self.channel.length), np.clip(y, 0.0, height)])
        eddies = rate * self.perturbation_function.evaluate(inside.T)
        eddies *= (4.0 * share * (1.0 - share)) ** 2
        for distance in (x, self.channel.length - x):
            eddies *= 1.0 - np.exp(-((distance / (0.25 * height)) ** 4))
        level = parabola(center / height)
        gap = np.linalg.norm(points.T - self.channel.center, axis=1) - self.channel.radius
        layer = np.maximum(gap, 0.0) / (_LAYER * self.channel.diameter)
        weight = 1.0 - np.exp(-(layer**2)) * (1.0 + layer**2)
        return np.asarray(level + weight * (parabola(share) + eddies - level))

    def initial_velocity(self, points: FloatArray) -> FloatArray:
        """Velocity at t = 0 at points ``(2, ...)``, zero in the cylinder; of the same shape."""
        given = np.asarray(points, dtype=np.float64)
        flat = given.reshape(2, -1)
        step = _STEP * self.channel.height

        def derivative(axis: int) -> FloatArray:
            total = np.zeros(flat.shape[1])
            for count, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
                moved = flat.copy()
                moved[axis] += count * step
                total += weight * self.stream_function(moved)
            return total / (12.0 * step)

        velocity = np.stack([derivative(1), -derivative(0)])
        velocity[:, self.channel.contains(flat)] = 0.0
        return velocity.reshape(given.shape)

    def default_mesh(self) -> Any:
        """Triangles with the sides inflow, outflow, walls and obstacle, curved at the last."""
        from pdesolve.fem.curved import CurvedMesh

        mesh = cylinder_channel_mesh(self.mesh_size, self.channel, body_size=self.body_size)
        return CurvedMesh(mesh, "obstacle", self.channel.project)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Initial velocity and Reynolds number."""
        velocity = self.initial_velocity(np.asarray(grid.points()))
        known = {
            "initial_velocity_x": lambda: velocity[0],
            "initial_velocity_y": lambda: velocity[1],
            "reynolds_number": lambda: np.full(grid.shape, float(self.reynolds_number)),
        }
        return input_channels(grid, known, self.input_names)

    def evolution_form(self, context: Any) -> Any:
        """Taylor–Hood form with drag and lift."""
        from pdesolve.problems._firedrake_cylinder_flow import cylinder_flow_form

        return cylinder_flow_form(self, context)


@dataclass(frozen=True)
class CylinderFlowFamily(ProblemFamily):
    """Unsteady flow past a cylinder at a random Reynolds number, from random eddies.

    With the default measures this is the channel of the benchmark "flow around a cylinder",
    where at a Reynolds number of 100 vortices leave the cylinder about three times a second.
    The eddies' stream function at t = 0 is a Gaussian field with covariance proportional to
    (−Δ + τ²)^−α on the channel, and ends the flow's symmetry.

    Parameters
    ----------
    reynolds_range
        Least and largest Reynolds number, drawn uniformly; vortices are shed above about 50.
    eddies
        Standard deviation of the eddies' stream function, in units of the flow rate.
    alpha, tau
        Of the Gaussian field, see :class:`operators.GaussianRandomField`; τ in 1/m.
    largest_speed
        Of the inflow, in m/s.
    mesh_size, body_size
        Lengths of the edges of the family's own mesh, in m.
    final_time, num_times
        Last output time in s, and number of output times, the initial one included.
    name
        Name in the registry.

    Examples
    --------
    >>> family = CylinderFlowFamily()
    >>> draw = family.sample(np.random.default_rng(0))
    >>> 60 <= draw["reynolds_number"] <= 140
    True
    """

    reynolds_range: tuple[float, float] = (60.0, 140.0)
    eddies: float = 0.05
    alpha: float = 4.0
    tau: float = 20.0
    largest_speed: float = 1.5
    mesh_size: float = 0.05
    body_size: float | None = None
    final_time: float = 2.0
    num_times: int = 21
    name: str = "cylinder_flow"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    backends: ClassVar[tuple[str, ...]] = ("fem",)
    has_own_mesh: ClassVar[bool] = True
    outputs: ClassVar[tuple[str, ...]] = ("velocity_x", "velocity_y", "pressure")
    units: ClassVar[Mapping[str, str]] = {
        "initial_velocity_x": "m s^-1",
        "initial_velocity_y": "m s^-1",
        "velocity_x": "m s^-1",
        "velocity_y": "m s^-1",
        "pressure": "m^2 s^-2",
        "perturbation": "1",
        "reynolds_number": "1",
        "time": "s",
        "length": "m",
    }
    default_shape: tuple[int, ...] = field(default=(176, 32), init=False)
    equation: ClassVar[str] = "du/dt + u.grad u - nu Laplacian(u) + grad p = 0, div u = 0"
    citation: ClassVar[str] = "Schäfer, Turek (1996), doi:10.1007/978-3-322-89849-4_39"

    def __post_init__(self) -> None:
        if len(self.reynolds_range) != 2:
            raise InputError(f"reynolds_range={self.reynolds_range!r} must hold two numbers")
        require_positive_numbers(
            reynolds_range=self.reynolds_range[0],
            largest_speed=self.largest_speed,
            mesh_size=self.mesh_size,
        )
        if not (is_finite_number(self.eddies) and 0 < self.eddies <= 0.2):
            raise InputError(
                f"eddies={self.eddies!r} must be positive and at most 0.2: larger ones are faster "
                "than the flow"
            )
        _ = self.times, self.parameters  # checks the numbers

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of a surrogate's input channels: the Reynolds number where it is drawn."""
        names = ("initial_velocity_x", "initial_velocity_y", "reynolds_number")
        return varying_inputs(names, self.parameters)

    @property
    def times(self) -> tuple[float, ...]:
        """Output times."""
        return output_times(self.final_time, self.num_times)

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Reynolds number and eddies."""
        channel = CylinderChannel()
        gaussian = GaussianRandomField(
            2,
            self.alpha,
            self.tau,
            "dirichlet",
            num_modes=48,
            standard_deviation=self.eddies,
            lower=(0.0, 0.0),
            upper=(channel.length, channel.height),
        )
        low, high = self.reynolds_range
        return ParameterSpace(
            (
                ScalarParameter("reynolds_number", low, high, "1", "of mean speed and diameter"),
                FieldParameter("perturbation", gaussian, "1", "eddies over the flow rate"),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> CylinderFlowProblem:
        """The problem with this Reynolds number and these eddies."""
        values = self.parameters.check(parameters)
        return CylinderFlowProblem(
            values["reynolds_number"],
            self.largest_speed,
            values["perturbation"],
            mesh_size=self.mesh_size,
            body_size=self.body_size,
            times=self.times,
            name=self.name,
            input_names=self.inputs,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain, sides and times."""
        channel = CylinderChannel()
        return {
            **super().describe(),
            "domain": {
                "lower": [0.0, 0.0],
                "upper": [channel.length, channel.height],
                "cylinder": {"center": list(channel.center), "radius": channel.radius},
            },
            "boundary conditions": {
                "inflow": f"velocity = {self.largest_speed:g} * 4 y (H - y) / H^2, along x",
                "outflow": "nu du/dn - p n = 0",
                "walls, obstacle": "velocity = 0",
            },
            "mesh": {"mesh_size": self.mesh_size, "body_size": self.body_size},
            "times": list(self.times),
        }

    def with_options(self, **options: Any) -> CylinderFlowFamily:
        """The family with other numbers."""
        return replace(self, **options)


def cylinder_flow(**options: Any) -> CylinderFlowFamily:
    """Unsteady flow past the cylinder of the benchmark's channel."""
    return CylinderFlowFamily(**options)
