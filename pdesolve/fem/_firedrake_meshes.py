"""The Firedrake mesh of a problem, and the names of its sides."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from meshes._firedrake import boundary_numbers, name_sides, to_firedrake
from meshes.errors import InputError, PDESolveError
from meshes.gmsh_curved import read_gmsh_with_edges
from meshes.structured import AXIS_NAMES, StructuredGrid
from meshes.unstructured import UnstructuredMesh
from pdesolve.fem._firedrake import communicator, firedrake, raise_together
from pdesolve.fem.curved import CurvedMesh
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import (
    Condition,
    Dirichlet,
    Neumann,
    Periodic,
    conditions_by_side,
    periodic_axes,
)


@dataclass(frozen=True, eq=False)
class NamedMesh:
    """A Firedrake mesh with names for the parts of its boundary.

    Parameters
    ----------
    mesh
        The Firedrake mesh.
    sides
        Numbers for Firedrake's ``ds`` and ``DirichletBC`` by name.
    grid
        For boxes, the cells that the mesh divides, or None.
    wraps
        Whether the mesh may be periodic.
    evaluators
        Where the points of grids lie in the mesh, kept from solve to solve.

    Examples
    --------
    Many solves on one mesh::

        kept = box_mesh(problem.grid(64))
        solutions = [solve(problem, mesh=kept) for problem in problems]
    """

    mesh: Any
    sides: Mapping[str, int]
    grid: StructuredGrid | None = None
    wraps: bool = False
    evaluators: dict[tuple[StructuredGrid, str], Any] = field(default_factory=dict, repr=False)

    def conditions(
        self,
        given: Mapping[str, Condition],
        allowed: tuple[type, ...] = (Dirichlet, Neumann, Periodic),
    ) -> dict[str, Condition]:
        """Exactly one condition for each side, of the allowed kinds.

        Raises
        ------
        InputError
            For an unknown name, a side with no condition or with two, or a periodic side
            of a mesh that is not periodic.
        """
        kept = dict(given)
        if self.wraps:
            kept = {
                name: condition
                for name, condition in given.items()
                if name in self.sides or not isinstance(condition, Periodic)
            }
            if not self.sides and set(kept) == {"all"}:
                return {}
        found = conditions_by_side(kept, tuple(self.sides), allowed)
        for name, condition in found.items():
            if isinstance(condition, Periodic):
                raise InputError(
                    f"side '{name}' is given Periodic(), and this mesh does not wrap there; solve "
                    "on a box (mesh a number of cells), or give a periodic Firedrake mesh"
                )
        return found


def named_mesh(problem: Problem, mesh: Any, comm: Any, *, tensor_cells: bool = False) -> NamedMesh:
    """The mesh to solve on (collective).

    Parameters
    ----------
    problem
        Gives box and periodic axes where `mesh` is a number of cells.
    mesh
        Cells an axis (an integer or one an axis), a :class:`meshes.StructuredGrid`, an
        :class:`meshes.UnstructuredMesh`, a Firedrake mesh, the path of a Gmsh file, which
        process 0 reads, a :class:`CurvedMesh`, or a :class:`NamedMesh` kept for many
        solves.
    comm
        mpi4py communicator.
    tensor_cells
        Divide boxes into quadrilaterals or hexahedra instead of triangles or tetrahedra.

    Raises
    ------
    InputError
        If the mesh is of another kind or dimension.
    """
    if isinstance(mesh, NamedMesh):
        found = mesh
    elif isinstance(mesh, str | Path):
        found = _from_file(Path(mesh), comm)
    elif isinstance(mesh, UnstructuredMesh):
        found = _named(to_firedrake(mesh, comm))
    elif isinstance(mesh, CurvedMesh):
        from pdesolve.fem._firedrake_curved import curve_boundary

        straight = _named(to_firedrake(mesh.mesh, comm))
        found = curve_boundary(straight, mesh.side, mesh.project)
    elif hasattr(mesh, "ufl_cell") and hasattr(mesh, "coordinates"):
        found = replace(_named(mesh), wraps=True)
    elif isinstance(mesh, StructuredGrid):
        found = box_mesh(_as_cells(problem, mesh), comm, tensor_cells=tensor_cells)
    elif isinstance(mesh, numbers.Integral | tuple | list | np.ndarray):
        shape = int(mesh) if isinstance(mesh, numbers.Integral) else tuple(mesh)
        found = box_mesh(problem.grid(shape), comm, tensor_cells=tensor_cells)
    else:
        raise InputError(
            f"mesh is a {type(mesh).__name__}; give cells an axis such as (32, 32), a "
            "StructuredGrid, an UnstructuredMesh, a Firedrake mesh, or the path of a .msh file"
        )
    dimension = int(found.mesh.geometric_dimension)
    if dimension != problem.dimension:
        raise InputError(f"'{problem.name}' is {problem.dimension}D, and the mesh is {dimension}D")
    return found


def _named(mesh: Any) -> NamedMesh:
    return NamedMesh(mesh, boundary_numbers(mesh))


def _from_file(path: Path, comm: Any) -> NamedMesh:
    content, edges, error = None, None, None
    if comm.rank == 0:
        try:
            content, edges = read_gmsh_with_edges(path)
        except (PDESolveError, OSError) as problem:
            error = problem
    raise_together(comm, error)
    straight = _named(to_firedrake(content, comm))
    edges = comm.bcast(edges, root=0)
    if edges is None:
        return straight
    from pdesolve.fem._firedrake_curved import bend_edges

    return bend_edges(straight, edges)


def _as_cells(problem: Problem, grid: StructuredGrid) -> StructuredGrid:
    """The cells of a grid, whose corners are the points of a vertex grid."""
    wraps = periodic_axes(problem.boundary_conditions, problem.dimension)
    if grid.dimension == problem.dimension and grid.periodic != wraps:
        raise InputError(
            f"the problem's axes wrap as {wraps}, the grid's as {grid.periodic}; make the grid "
            "with problem.grid(shape)"
        )
    if grid.location == "cell":
        return grid
    shape = tuple(n if wrap else n - 1 for n, wrap in zip(grid.shape, grid.periodic, strict=True))
    return replace(grid, shape=shape, location="cell")


def box_mesh(grid: StructuredGrid, comm: Any = None, *, tensor_cells: bool = False) -> NamedMesh:
    """Divide the cells of a grid into simplices, or keep them (collective).

    Every mesh cell lies in one grid cell: two triangles in each rectangle, six tetrahedra
    in each cuboid. Boxes in 3D that wrap on one or two axes only are left in hexahedra,
    which is all that Firedrake offers for them.

    Parameters
    ----------
    grid
        A grid with ``location="cell"``.
    comm
        MPI communicator.
    tensor_cells
        Keep rectangles and cuboids.

    Examples
    --------
    >>> box_mesh(StructuredGrid((4, 4))).sides
    {'x_lower': 1, 'x_upper': 2, 'y_lower': 3, 'y_upper': 4}
    """
    comm = communicator(comm)
    _check_periodic_size(grid)
    # Firedrake makes the box [0, shape]; exact whole numbers are scaled below.
    size = tuple(float(count) for count in grid.shape)
    build = {1: _interval, 2: _rectangle, 3: _cuboid}[grid.dimension]
    mesh = build(grid, size, tensor_cells, comm)
    coordinates = mesh.coordinates.dat.data_with_halos
    scaled = coordinates.reshape(-1, grid.dimension)
    for axis in range(grid.dimension):
        scaled[:, axis] = grid.lower[axis] + grid.spacing[axis] * scaled[:, axis]
    if any(grid.periodic):
        coordinates[...] = scaled.reshape(coordinates.shape)
    sides = {
        f"{AXIS_NAMES[axis]}_{end}": 1 + 2 * axis + (end == "upper")
        for axis in range(grid.dimension)
        if not grid.periodic[axis]
        for end in ("lower", "upper")
    }
    name_sides(mesh, sides)
    return NamedMesh(mesh, sides, grid, wraps=any(grid.periodic))


def _check_periodic_size(grid: StructuredGrid) -> None:
    for axis, wrap in enumerate(grid.periodic):
        if wrap and grid.shape[axis] < 3:
            raise InputError(
                f"axis {AXIS_NAMES[axis]} is periodic and has {grid.shape[axis]} cells; finite "
                "elements need three or more there"
            )


def _interval(grid: StructuredGrid, size: tuple[float, ...], _tensor: bool, comm: Any) -> Any:
    make = firedrake.PeriodicIntervalMesh if grid.periodic[0] else firedrake.IntervalMesh
    return make(grid.shape[0], size[0], comm=comm)


def _rectangle(grid: StructuredGrid, size: tuple[float, ...], tensor: bool, comm: Any) -> Any:
    if not any(grid.periodic):
        return firedrake.RectangleMesh(*grid.shape, *size, quadrilateral=tensor, comm=comm)
    direction = "both" if all(grid.periodic) else "x" if grid.periodic[0] else "y"
    return firedrake.PeriodicRectangleMesh(
        *grid.shape, *size, direction=direction, quadrilateral=tensor, comm=comm
    )


def _cuboid(grid: StructuredGrid, size: tuple[float, ...], tensor: bool, comm: Any) -> Any:
    if not any(grid.periodic):
        return firedrake.BoxMesh(*grid.shape, *size, hexahedral=tensor, comm=comm)
    if all(grid.periodic) and not tensor:
        return firedrake.PeriodicBoxMesh(*grid.shape, *size, comm=comm)
    return firedrake.PeriodicBoxMesh(
        *grid.shape, *size, directions=grid.periodic, hexahedral=True, comm=comm
    )


def relative_cell_size(mesh: Any) -> float:
    """One over the number of cells along an axis, about (collective)."""
    cells = mesh.comm.allreduce(int(mesh.cell_set.size))
    return float(1.0 / math.pow(max(cells, 1), 1.0 / mesh.topological_dimension))
