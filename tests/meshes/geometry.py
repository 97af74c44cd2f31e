"""Meshes made with Gmsh for the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def gmsh_model() -> Iterator[Any]:
    """A fresh Gmsh model, closed at the end."""
    import gmsh

    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.model.add("test")
        yield gmsh
    finally:
        gmsh.finalize()


def unit_square(gmsh: Any, size: float = 0.5) -> tuple[list[int], int]:
    """Lines bottom, right, top, left, and the surface of the unit square."""
    geo = gmsh.model.geo
    corners = [geo.addPoint(x, y, 0, size) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
    lines = [geo.addLine(corners[i], corners[(i + 1) % 4]) for i in range(4)]
    surface = geo.addPlaneSurface([geo.addCurveLoop(lines)])
    geo.synchronize()
    return lines, surface


def write_square(
    path: Path,
    *,
    size: float = 0.5,
    version: float = 4.1,
    binary: bool = False,
    prepare: Callable[[Any, list[int], int], None] | None = None,
    order: int = 1,
) -> Path:
    """The unit square with named sides: inlet (left), walls (bottom, top), 7 (right)."""
    with gmsh_model() as gmsh:
        lines, surface = unit_square(gmsh, size)
        if prepare is None:
            gmsh.model.addPhysicalGroup(1, [lines[3]], name="inlet")
            gmsh.model.addPhysicalGroup(1, [lines[1]], 7)
            gmsh.model.addPhysicalGroup(1, [lines[0], lines[2]], name="walls")
            gmsh.model.addPhysicalGroup(2, [surface], name="rock")
        else:
            prepare(gmsh, lines, surface)
        gmsh.model.mesh.generate(2)
        gmsh.model.mesh.setOrder(order)
        gmsh.option.setNumber("Mesh.MshFileVersion", version)
        gmsh.option.setNumber("Mesh.Binary", int(binary))
        gmsh.write(str(path))
    return path
