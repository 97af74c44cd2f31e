"""Steady incompressible flow: u·∇u − ∇·(ν ∇u) + ∇p = f, ∇·u = 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.parameters import ParameterSpace, ScalarParameter
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.channel import FLOW_UNITS, ChannelFamily
from pdesolve.problems.cylinder_geometry import CylinderChannel, cylinder_channel_mesh
from pdesolve.problems.flow import FlowProblem, Inflow, parabola, require_positive_numbers


@dataclass(frozen=True, eq=False)
class NavierStokesProblem(FlowProblem):
    """u·∇u − ∇·σ = f, ∇·u = 0, with σ = ν ∇u − p I (or 2 ν ε(u) − p I), on ``fem``.

    Elements, conditions and pressure are those of Stokes flow
    (:class:`pdesolve.problems.stokes.StokesProblem`), the parameters those of
    :class:`pdesolve.problems.flow.FlowProblem`. Solved by Newton's method; where it fails
    from rest, the flow is approached from more viscous ones, and where that ends too, a
    ``NonlinearSolveFailure`` carries the last iterate: a steady flow may not exist, or need
    a finer mesh.

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.boundary import Dirichlet
    >>> wall = Dirichlet(0.0)
    >>> problem = NavierStokesProblem(0.1, boundary_conditions={
    ...     "x_lower": wall, "x_upper": wall, "y_lower": wall,
    ...     "y_upper": Dirichlet((lambda x: 16 * (x[0] * (1 - x[0]))**2, 0.0))})
    >>> solve(problem, mesh=4).result.converged
    True
    """

    name: str = "navier_stokes"

    def weak_form(self, context: Any) -> Any:
        """Taylor–Hood form, for Newton's method."""
        from pdesolve.problems._firedrake_navier_stokes import navier_stokes_form

        return navier_stokes_form(self, context)


def _reynolds_parameter(
    fixed: float | None, lowest: float, highest: float, length: str
) -> ParameterSpace:
    """The Reynolds number: fixed, or drawn with an even logarithm."""
    require_positive_numbers(lowest_reynolds=lowest, highest_reynolds=highest)
    if fixed is not None:
        require_positive_numbers(reynolds=fixed)
        lowest = highest = float(fixed)
    about = f"mean speed * {length} / viscosity"
    return ParameterSpace((ScalarParameter("reynolds", lowest, highest, "1", about, "log"),))


@dataclass(frozen=True)
class LidDrivenCavityFamily(ProblemFamily):
    """Flow in the unit square whose upper side moves along with u = (1, 0).

    The walls stand still, and so do the corners at the lid. ν = 1 / Re.

    Parameters
    ----------
    reynolds
        Re; drawn from the range below when left out.
    lowest_reynolds, highest_reynolds
        The range, with an even distribution of log Re.
    name
        Name in the registry.

    References
    ----------
    Ghia, Ghia, Shin (1982), High-Re solutions for incompressible flow using the
    Navier-Stokes equations and a multigrid method, J. Comput. Phys. 48,
    doi:10.1016/0021-9991(82)90058-4.

    Examples
    --------
    >>> family = LidDrivenCavityFamily(reynolds=400)
    >>> family.problem(family.sample(np.random.default_rng(0))).viscosity
    0.0025
    """

    reynolds: float | None = None
    lowest_reynolds: float = 50.0
    highest_reynolds: float = 1000.0
    name: str = "lid_driven_cavity"

    backends: ClassVar[tuple[str, ...]] = ("fem",)
    inputs: ClassVar[tuple[str, ...]] = ("viscosity",)
    outputs: ClassVar[tuple[str, ...]] = ("velocity_x", "velocity_y", "pressure")
    units: ClassVar[Mapping[str, str]] = {**FLOW_UNITS, "reynolds": "1"}
    equation: ClassVar[str] = "u.grad u - nu div grad u + grad p = 0, div u = 0 in the unit square"
    citation: ClassVar[str] = "Ghia, Ghia, Shin (1982), doi:10.1016/0021-9991(82)90058-4"
    dimension: ClassVar[int] = 2  # type: ignore[misc]
    default_shape: ClassVar[tuple[int, ...]] = (32, 32)  # type: ignore[misc]

    def __post_init__(self) -> None:
        _ = self.parameters  # checks the numbers

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The Reynolds number."""
        lowest, highest = self.lowest_reynolds, self.highest_reynolds
        return _reynolds_parameter(self.reynolds, lowest, highest, "width")

    def problem(self, parameters: Mapping[str, Any]) -> NavierStokesProblem:
        """The problem with this Reynolds number."""
        values = self.parameters.check(parameters)
        sides = {side: Dirichlet(0.0) for side in ("x_lower", "x_upper", "y_lower")}
        return NavierStokesProblem(
            1.0 / values["reynolds"],
            boundary_conditions={**sides, "y_upper": Dirichlet((_lid, 0.0))},
            name=self.name,
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain and sides."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0, 0.0], "upper": [1.0, 1.0]},
            "boundary conditions": {
                "y_upper": "velocity = (1, 0)",
                "x_lower, x_upper, y_lower, corners": "velocity = 0",
            },
        }


def _lid(points: FloatArray) -> FloatArray:
    x = points[0]
    return np.where((x > 1e-12) & (x < 1 - 1e-12), 1.0, 0.0)


@dataclass(frozen=True)
class CylinderFlowSteadyFamily(ProblemFamily):
    """Steady flow past a cylinder in a channel; at Re = 20 case 2D-1 of the benchmark.

    The channel is [0, 2.2] × [0, 0.41] m with a disk of diameter D = 0.1 m at (0.2, 0.2),
    the viscosity 1e-3 m² s⁻¹, the inflow a parabola of mean speed U; Re = U D / ν.
    :meth:`quantities` gives drag and lift coefficients, 2 F / (U² D), and the difference
    of the pressure (over the density) between front and back of the disk.

    Parameters
    ----------
    reynolds
        Re; drawn from the range below when left out.
    lowest_reynolds, highest_reynolds
        The range, with an even distribution of log Re.
    cell_size
        Largest edge of a cell in metres.
    name
        Name in the registry.

    References
    ----------
    Schäfer, Turek (1996), Benchmark computations of laminar flow around a cylinder,
    doi:10.1007/978-3-322-89849-4_39.

    Examples
    --------
    >>> family = CylinderFlowSteadyFamily(reynolds=20.0)
    >>> round(family.mean_speed(20.0), 12)
    0.2
    """

    reynolds: float | None = None
    lowest_reynolds: float = 5.0
    highest_reynolds: float = 40.0
    cell_size: float = 0.03
    name: str = "cylinder_flow_steady"

    viscosity: ClassVar[float] = 1e-3
    channel: ClassVar[CylinderChannel] = CylinderChannel()
    backends: ClassVar[tuple[str, ...]] = ("fem",)
    inputs: ClassVar[tuple[str, ...]] = ("inflow_speed", "obstacle")
    outputs: ClassVar[tuple[str, ...]] = ("velocity_x", "velocity_y", "pressure")
    units: ClassVar[Mapping[str, str]] = {
        **FLOW_UNITS,
        "inflow_speed": "m s^-1",
        "obstacle": "1",
        "reynolds": "1",
    }
    equation: ClassVar[str] = "u.grad u - nu div grad u + grad p = 0, div u = 0"
    citation: ClassVar[str] = "Schäfer, Turek (1996), doi:10.1007/978-3-322-89849-4_39"
    has_own_mesh: ClassVar[bool] = True
    dimension: ClassVar[int] = 2  # type: ignore[misc]
    default_shape: ClassVar[tuple[int, ...]] = (176, 32)  # type: ignore[misc]

    def __post_init__(self) -> None:
        require_positive_numbers(cell_size=self.cell_size)
        if self.cell_size > self.channel.height / 2:
            raise InputError(f"cell_size={self.cell_size} must be at most half the height, 0.205")
        _ = self.parameters  # checks the numbers

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The Reynolds number."""
        lowest, highest = self.lowest_reynolds, self.highest_reynolds
        return _reynolds_parameter(self.reynolds, lowest, highest, "diameter")

    def mean_speed(self, reynolds: float) -> float:
        """U in m s⁻¹."""
        return reynolds * self.viscosity / self.channel.diameter

    def problem(self, parameters: Mapping[str, Any]) -> NavierStokesProblem:
        """The problem with this Reynolds number."""
        values = self.parameters.check(parameters)
        channel = self.channel
        largest = 1.5 * self.mean_speed(values["reynolds"])

        def speed_at(points: FloatArray) -> FloatArray:
            return largest * parabola(points[1] / channel.height)

        return NavierStokesProblem(
            self.viscosity,
            boundary_conditions={
                "inflow": Inflow(speed=largest),
                "outflow": Neumann(0.0),
                "walls": Dirichlet(0.0),
                "obstacle": Dirichlet(0.0),
            },
            lower=(0.0, 0.0),
            upper=(channel.length, channel.height),
            input_functions={"inflow_speed": speed_at, "obstacle": channel.indicator},
            make_mesh=self._mesh,
            name=self.name,
        )

    def _mesh(self) -> Any:
        from pdesolve.fem.curved import CurvedMesh

        mesh = cylinder_channel_mesh(self.cell_size, self.channel)
        return CurvedMesh(mesh, "obstacle", self.channel.project)

    def quantities(self, solution: Any, reynolds: float = 20.0) -> dict[str, float]:
        """Drag, lift and pressure difference of a solution (collective).

        Returns
        -------
        dict
            ``drag`` and ``lift`` coefficients, and ``pressure_difference`` in m² s⁻².
        """
        from pdesolve.fem._firedrake_forces import flow_force, force_coefficients, value_at

        force = flow_force(solution, "obstacle")
        drag, lift = force_coefficients(force, self.mean_speed(reynolds), self.channel.diameter)
        front, back = value_at(solution.state.functions["pressure"], self.channel.front_and_back)
        return {
            "drag": float(drag),
            "lift": float(lift),
            "pressure_difference": float(front - back),
        }

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain and sides."""
        channel = self.channel
        return {
            **super().describe(),
            "domain": {"lower": [0.0, 0.0], "upper": [channel.length, channel.height]},
            "obstacle": {"center": list(channel.center), "radius": channel.radius},
            "viscosity": self.viscosity,
            "boundary conditions": {
                "inflow": "velocity = 1.5 U 4 y (0.41 - y) / 0.41^2, normal",
                "outflow": "nu du/dn - p n = 0",
                "walls, obstacle": "velocity = 0",
            },
            "mesh": {"cell_size": self.cell_size},
        }


def navier_stokes_channel(**options: Any) -> ChannelFamily:
    """Navier–Stokes flow through a channel past a disk, with a random inflow profile."""
    return ChannelFamily(True, **options)


def lid_driven_cavity(**options: Any) -> LidDrivenCavityFamily:
    """Flow in the unit square with a moving lid."""
    return LidDrivenCavityFamily(**options)


def cylinder_flow_steady(**options: Any) -> CylinderFlowSteadyFamily:
    """Steady flow past the cylinder of the benchmark's channel; case 2D-1 at Re = 20."""
    return CylinderFlowSteadyFamily(**options)
