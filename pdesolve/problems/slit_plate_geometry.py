"""A rectangular plate with a rectangular slit, meshed with Gmsh."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.gmsh_model import gmsh_model, meshed
from meshes.structured import FloatArray
from meshes.unstructured import UnstructuredMesh

SIDES = ("left", "right", "bottom", "top", "slit")
"""Names of the parts of the boundary."""

# Towards the slit's corners edges shrink with the square root of the distance, from this
# distance on; then the corners' singularities do not lower the order of the elements.
_RANGE = 0.2


@dataclass(frozen=True)
class SlitPlate:
    """The plate [0, 1] × [0, 1.6] without the slit (0.45, 0.55) × (0.4, 1.2) in its middle.

    Examples
    --------
    >>> SlitPlate().contains(np.array([[0.5, 0.2], [0.8, 0.8]])).tolist()
    [False, True]
    """

    width: float = 1.0
    height: float = 1.6
    slit_width: float = 0.1
    slit_height: float = 0.8

    @property
    def slit(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Lower left and upper right corner of the slit."""
        x, y = self.width / 2, self.height / 2
        return (
            (x - self.slit_width / 2, y - self.slit_height / 2),
            (x + self.slit_width / 2, y + self.slit_height / 2),
        )

    @property
    def area(self) -> float:
        """Of the plate without the slit."""
        return self.width * self.height - self.slit_width * self.slit_height

    def contains(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """Whether points ``(2, ...)`` belong to the plate and not to the slit."""
        (left, bottom), (right, top) = self.slit
        x, y = points[0], points[1]
        hole = (x > left) & (x < right) & (y > bottom) & (y < top)
        whole = (x >= 0) & (x <= self.width) & (y >= 0) & (y <= self.height)
        return np.asarray(whole & ~hole, dtype=np.bool_)


@lru_cache(maxsize=4)
def slit_plate_mesh(size: float = 0.04, *, graded: bool = True) -> UnstructuredMesh:
    """Triangles with the sides left, right, bottom, top and slit.

    The same arguments give the same mesh.

    Parameters
    ----------
    size
        Length of the edges, away from the slit's corners.
    graded
        Whether edges shrink towards the slit's four corners, with the square root of the
        distance down to about 5 · size². Derivatives of the temperature are infinite
        there, and on a mesh of equal edges the error in L² falls with size^(4/3) only.

    Raises
    ------
    InputError
        If the size is not positive, or larger than the slit is wide.
    MissingDependencyError
        If Gmsh is not installed.

    Examples
    --------
    >>> mesh = slit_plate_mesh(0.1)
    >>> sorted(mesh.boundary_names)
    ['bottom', 'left', 'right', 'slit', 'top']
    """
    plate = SlitPlate()
    if not (np.isfinite(size) and 0 < size <= plate.slit_width):
        raise InputError(
            f"mesh_size={size} must be positive and at most {plate.slit_width:g}, the slit's width"
        )
    with gmsh_model("slit plate") as gmsh:
        _draw(gmsh, plate)
        number = gmsh.model.mesh.field.add("MathEval")
        gmsh.model.mesh.field.setString(number, "F", _size_formula(plate, size, graded))
        gmsh.model.mesh.field.setAsBackgroundMesh(number)
        return meshed(gmsh, 2)


def _draw(gmsh: Any, plate: SlitPlate) -> None:
    geo = gmsh.model.geo

    def rectangle(low: tuple[float, float], high: tuple[float, float]) -> list[int]:
        """Lines bottom, right, top, left."""
        corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
        points = [geo.addPoint(x, y, 0.0) for x, y in corners]
        return [geo.addLine(points[i], points[(i + 1) % 4]) for i in range(4)]

    bottom, right, top, left = rectangle((0.0, 0.0), (plate.width, plate.height))
    slit = rectangle(*plate.slit)
    surface = geo.addPlaneSurface(
        [geo.addCurveLoop([bottom, right, top, left]), geo.addCurveLoop(slit)]
    )
    geo.synchronize()
    parts = ([left], [right], [bottom], [top], slit)
    for number, (name, curves) in enumerate(zip(SIDES, parts, strict=True), start=1):
        gmsh.model.addPhysicalGroup(1, curves, number, name)
    gmsh.model.addPhysicalGroup(2, [surface], len(SIDES) + 1, "plate")


def _size_formula(plate: SlitPlate, size: float, graded: bool) -> str:
    if not graded:
        return repr(size)
    (left, bottom), (right, top) = plate.slit
    # by symmetry, the distance to the nearest corner is that of |x - width/2|, |y - height/2|
    x = f"(fabs(x-{plate.width / 2!r})-{(right - left) / 2!r})"
    y = f"(fabs(y-{plate.height / 2!r})-{(top - bottom) / 2!r})"
    share = f"sqrt(sqrt({x}*{x}+{y}*{y})/{_RANGE!r})"
    least = size / _RANGE
    # Gmsh's formulas know no minimum and maximum: max(a, b) = (a + b + |a - b|) / 2
    above = f"(({share}+{least!r}+fabs({share}-{least!r}))/2)"
    return f"{size!r}*({above}+1-fabs({above}-1))/2"
