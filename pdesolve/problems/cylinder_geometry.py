"""Channels with a round obstacle, meshed with Gmsh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.gmsh_model import gmsh_model, meshed
from meshes.structured import FloatArray
from meshes.unstructured import UnstructuredMesh

SIDES = ("inflow", "outflow", "walls", "obstacle")
"""Names of the parts of the boundary."""


@dataclass(frozen=True)
class CylinderChannel:
    """A channel [0, length] × [0, height] without a disk.

    The default is that of the benchmark "flow around a cylinder".

    Parameters
    ----------
    length, height
        Of the channel, in metres.
    center
        Of the disk.
    radius
        Of the disk.

    References
    ----------
    Schäfer, Turek (1996), Benchmark computations of laminar flow around a cylinder,
    doi:10.1007/978-3-322-89849-4_39.

    Examples
    --------
    >>> CylinderChannel().project([[0.2, 0.3]]).tolist()
    [[0.2, 0.25]]
    """

    length: float = 2.2
    height: float = 0.41
    center: tuple[float, float] = (0.2, 0.2)
    radius: float = 0.05

    def __post_init__(self) -> None:
        numbers = (self.length, self.height, self.radius, *self.center)
        if not np.isfinite(numbers).all() or min(self.length, self.height, self.radius) <= 0:
            raise InputError(
                f"length={self.length}, height={self.height} and radius={self.radius} must be "
                "positive and finite"
            )
        x, y = self.center
        gap = min(x, self.length - x, y, self.height - y) - self.radius
        if gap <= 0:
            raise InputError(
                f"the disk of radius {self.radius} at {self.center} does not lie inside the "
                f"channel {self.length} × {self.height}"
            )

    @property
    def diameter(self) -> float:
        """Of the disk."""
        return 2.0 * self.radius

    @property
    def front_and_back(self) -> FloatArray:
        """The points of the circle that face inflow and outflow, shape ``(2, 2)``."""
        x, y = self.center
        return np.array([[x - self.radius, y], [x + self.radius, y]])

    def project(self, points: npt.ArrayLike) -> FloatArray:
        """The nearest points of the circle; points of shape ``(n, 2)``."""
        offset = np.asarray(points, dtype=np.float64) - self.center
        distance = np.linalg.norm(offset, axis=1, keepdims=True)
        found: FloatArray = np.asarray(self.center) + self.radius * offset / distance
        return found

    def contains(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points ``(2, ...)`` lie in the disk."""
        x, y = self.center
        inside = (points[0] - x) ** 2 + (points[1] - y) ** 2 < self.radius**2
        return np.asarray(inside, dtype=np.bool_)

    def indicator(self, points: FloatArray) -> FloatArray:
        """1 in the disk and 0 elsewhere, at points ``(2, ...)``."""
        return np.asarray(self.contains(points), dtype=np.float64)


def cylinder_channel_mesh(
    size: float, channel: CylinderChannel | None = None, *, body_size: float | None = None
) -> UnstructuredMesh:
    """Triangles with the sides inflow, outflow, walls and obstacle.

    The same arguments give the same mesh. The edges on the obstacle are straight; see
    :func:`pdesolve.fem._firedrake_curved.curve_boundary`.

    Parameters
    ----------
    size
        Largest length of an edge, away from the obstacle.
    channel
        Measures; those of the benchmark when left out.
    body_size
        Length of the edges on the obstacle; a sixth of `size`, and no more than a quarter
        of the radius, when left out.

    Raises
    ------
    InputError
        If a size is not positive, or so large that the channel has less than two cells
        across.
    MissingDependencyError
        If Gmsh is not installed.

    Examples
    --------
    >>> mesh = cylinder_channel_mesh(0.1)
    >>> sorted(mesh.boundary_names)
    ['inflow', 'obstacle', 'outflow', 'walls']
    """
    shape = CylinderChannel() if channel is None else channel
    if not (np.isfinite(size) and 0 < size <= shape.height / 2):
        raise InputError(
            f"size={size} must be positive and at most {shape.height / 2:g}, half the height"
        )
    near = min(size / 6, shape.radius / 4) if body_size is None else body_size
    if not (np.isfinite(near) and 0 < near <= min(size, shape.radius)):
        raise InputError(
            f"body_size={near} must be positive and at most {min(size, shape.radius):g}"
        )
    with gmsh_model("channel") as gmsh:
        _draw(gmsh, shape)
        _set_sizes(gmsh, shape, size, near)
        return meshed(gmsh, 2)


def _draw(gmsh: Any, shape: CylinderChannel) -> None:
    geo = gmsh.model.geo
    x, y = shape.center
    box = ((0.0, 0.0), (shape.length, 0.0), (shape.length, shape.height), (0.0, shape.height))
    corners = [geo.addPoint(*corner, 0.0) for corner in box]
    below, outflow, above, inflow = (
        geo.addLine(corners[i], corners[(i + 1) % 4]) for i in range(4)
    )
    center = geo.addPoint(x, y, 0.0)
    # quarters of the circle, so that its front and back are points of the mesh
    steps = ((1, 0), (0, 1), (-1, 0), (0, -1))
    round_points = [geo.addPoint(x + shape.radius * a, y + shape.radius * b, 0.0) for a, b in steps]
    arcs = [geo.addCircleArc(round_points[i], center, round_points[(i + 1) % 4]) for i in range(4)]
    outer = geo.addCurveLoop([below, outflow, above, inflow])
    surface = geo.addPlaneSurface([outer, geo.addCurveLoop(arcs)])
    geo.synchronize()
    parts = ([inflow], [outflow], [below, above], arcs)
    for number, (name, curves) in enumerate(zip(SIDES, parts, strict=True), start=1):
        gmsh.model.addPhysicalGroup(1, curves, number, name)
    gmsh.model.addPhysicalGroup(2, [surface], len(SIDES) + 1, "fluid")


def _set_sizes(gmsh: Any, shape: CylinderChannel, size: float, near: float) -> None:
    """Edges grow from `near` at the obstacle to `size`, one size every second diameter or so."""
    x, y = shape.center
    field = gmsh.model.mesh.field
    distance = f"sqrt((x-{x!r})^2+(y-{y!r})^2)-{shape.radius!r}"
    width = max(4.0 * shape.radius, 3.0 * (size - near))
    number = field.add("MathEval")
    share = f"({distance})/{width!r}"
    # Gmsh's formulas know no minimum: min(a, 1) = (a + 1 - |a - 1|) / 2
    formula = f"{near!r}+({size!r}-{near!r})*({share}+1-fabs({share}-1))/2"
    field.setString(number, "F", formula)
    field.setAsBackgroundMesh(number)
