"""Flow through a channel past a round obstacle of random place and size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.parameters import ParameterSpace, ScalarParameter
from pdesolve.problems.base import ProblemFamily
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.channels import varying_inputs
from pdesolve.problems.cylinder_geometry import SIDES, CylinderChannel, cylinder_channel_mesh
from pdesolve.problems.flow import FlowProblem, Inflow, parabola, require_positive_numbers
from pdesolve.problems.flow import side_names as names_of

FLOW_UNITS: Mapping[str, str] = {
    "velocity_x": "m s^-1",
    "velocity_y": "m s^-1",
    "pressure": "m^2 s^-2",
    "viscosity": "m^2 s^-1",
    "length": "m",
}


@dataclass(frozen=True)
class ChannelFamily(ProblemFamily):
    """Steady flow through a channel past a disk, with a random inflow profile.

    The speed is 4 s (1 − s)(1 + a (2 s − 1)) at the inflow, where s runs across it, zero
    on walls and obstacle; the outflow is free. Random are a, the viscosity, and the place
    and radius of the disk.

    For a mesh of one's own (``mesh="channel.msh"``) the options `inflow`, `outflow`,
    `walls` and `obstacle` say what the parts of its boundary are called. Where these are
    other names than those of the family's own mesh, the obstacle is the mesh's, and only
    profile and viscosity are random.

    Parameters
    ----------
    inertia
        Whether u·∇u counts (Navier–Stokes) or not (Stokes).
    length, height
        Of the channel [0, length] × [0, height].
    speed
        Largest speed of the parabolic inflow (a = 0).
    viscosity
        Range of ν; by default [0.5, 2] for Stokes and [0.005, 0.05] for Navier–Stokes,
        which with the default measures are Reynolds numbers, speed · diameter / ν, from 4
        to 60.
    cell_size
        Largest edge of a cell of the family's own mesh; a twelfth of the height when left
        out.
    inflow, outflow, obstacle, walls
        Names of the sides: one name or number, a list, or names with commas between them.
    name
        Name in the registry; made when left out.

    Examples
    --------
    >>> import numpy as np
    >>> family = ChannelFamily(inertia=False)
    >>> draw = family.sample(np.random.default_rng(0))
    >>> 0.1 <= draw["obstacle_radius"] <= 0.15
    True
    """

    inertia: bool = False
    length: float = 3.0
    height: float = 1.0
    speed: float = 1.0
    viscosity: tuple[float, float] = ()  # type: ignore[assignment]
    cell_size: float | None = None
    inflow: Any = "inflow"
    outflow: Any = "outflow"
    obstacle: Any = "obstacle"
    walls: Any = "walls"
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("fem",)
    outputs: ClassVar[tuple[str, ...]] = ("velocity_x", "velocity_y", "pressure")
    citation: ClassVar[str] = (
        "Elman, Silvester, Wathen (2014), doi:10.1093/acprof:oso/9780199678792.001.0001"
    )
    units: ClassVar[Mapping[str, str]] = {
        **FLOW_UNITS,
        "inflow_speed": "m s^-1",
        "obstacle": "1",
        "obstacle_x": "m",
        "obstacle_y": "m",
        "obstacle_radius": "m",
        "skew": "1",
    }
    dimension: ClassVar[int] = 2  # type: ignore[misc]
    default_shape: tuple[int, ...] = field(default=(96, 32), init=False)

    def __post_init__(self) -> None:
        require_positive_numbers(length=self.length, height=self.height, speed=self.speed)
        if self.cell_size is not None:
            require_positive_numbers(cell_size=self.cell_size)
        if self.length < 1.5 * self.height:
            raise InputError(
                f"length={self.length} must be at least 1.5 times the height, {self.height}"
            )
        if not self.viscosity:
            scale = self.speed * self.height
            low, high = (0.005, 0.05) if self.inertia else (0.5, 2.0)
            object.__setattr__(self, "viscosity", (low * scale, high * scale))
        given: Any = self.viscosity
        both = given if isinstance(given, list | tuple) else (given, given)
        if len(both) != 2:
            raise InputError(f"viscosity={given!r} must be a number or a range of two numbers")
        require_positive_numbers(viscosity=both[0])
        require_positive_numbers(viscosity=both[1])
        object.__setattr__(self, "viscosity", (float(both[0]), float(both[1])))
        if not self.name:
            object.__setattr__(self, "name", self._standard_name)
        _ = self.parameters  # checks the ranges

    @property
    def has_own_mesh(self) -> bool:  # type: ignore[override]
        """Whether the sides have the names of the family's own mesh."""
        return tuple(",".join(names_of(getattr(self, option), option)) for option in SIDES) == SIDES

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """The place of the disk and the viscosity are such where they are random."""
        disk = ("obstacle",) if self.has_own_mesh else ()
        return varying_inputs(("inflow_speed", *disk, "viscosity"), self.parameters)

    @property
    def _standard_name(self) -> str:
        return "navier_stokes_channel" if self.inertia else "stokes_channel"

    @property
    def equation(self) -> str:  # type: ignore[override]
        """The PDE."""
        start = "u.grad u - nu" if self.inertia else "-nu"
        return f"{start} div grad u + grad p = 0, div u = 0"

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Obstacle, inflow profile and viscosity."""
        h = self.height
        low, high = self.viscosity
        disk = (
            ScalarParameter("obstacle_x", 0.5 * h, h, "m", "centre of the disk"),
            ScalarParameter("obstacle_y", 0.35 * h, 0.65 * h, "m", "centre of the disk"),
            ScalarParameter("obstacle_radius", 0.1 * h, 0.15 * h, "m", "of the disk"),
        )
        return ParameterSpace(
            (
                *(disk if self.has_own_mesh else ()),
                ScalarParameter("skew", -0.5, 0.5, "1", "a of the inflow's profile"),
                ScalarParameter("viscosity", low, high, "m^2 s^-1", "kinematic", "log"),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> FlowProblem:
        """The problem with these parameters."""
        values = self.parameters.check(parameters)
        skew, height, speed = float(values["skew"]), self.height, self.speed
        channel = self._channel(values) if self.has_own_mesh else None

        def profile(share: FloatArray) -> FloatArray:
            return parabola(share) * (1.0 + skew * (2.0 * share - 1.0))

        def speed_at(points: FloatArray) -> FloatArray:
            return speed * profile(points[1] / height)

        conditions: dict[str, Condition] = {}
        for option, condition in (
            ("inflow", Inflow(speed=speed, profile=profile)),
            ("outflow", Neumann(0.0)),
            ("walls", Dirichlet(0.0)),
            ("obstacle", Dirichlet(0.0)),
        ):
            conditions.update(dict.fromkeys(names_of(getattr(self, option), option), condition))
        return self._kind()(
            values["viscosity"],
            boundary_conditions=conditions,
            lower=(0.0, 0.0),
            upper=(self.length, height),
            input_functions={
                "inflow_speed": speed_at,
                **({} if channel is None else {"obstacle": channel.indicator}),
                **({"viscosity": values["viscosity"]} if "viscosity" in self.inputs else {}),
            },
            make_mesh=None if channel is None else partial(self._mesh, channel),
            name=self.name,
        )

    def _channel(self, values: Mapping[str, float]) -> CylinderChannel:
        center = (values["obstacle_x"], values["obstacle_y"])
        return CylinderChannel(self.length, self.height, center, values["obstacle_radius"])

    def _kind(self) -> type[FlowProblem]:
        if self.inertia:
            from pdesolve.problems.navier_stokes import NavierStokesProblem

            return NavierStokesProblem
        from pdesolve.problems.stokes import StokesProblem

        return StokesProblem

    def _mesh(self, channel: CylinderChannel) -> Any:
        from pdesolve.fem.curved import CurvedMesh

        size = self.height / 12 if self.cell_size is None else self.cell_size
        return CurvedMesh(cylinder_channel_mesh(size, channel), "obstacle", channel.project)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with domain and sides."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0, 0.0], "upper": [self.length, self.height]},
            "boundary conditions": {
                "inflow": f"velocity = {self.speed:g} * 4 s (1 - s) (1 + skew (2 s - 1)), normal",
                "outflow": "nu du/dn - p n = 0",
                "walls, obstacle": "velocity = 0",
            },
            "mesh": {"cell_size": self.height / 12 if self.cell_size is None else self.cell_size},
        }
