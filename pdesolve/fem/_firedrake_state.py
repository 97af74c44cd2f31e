"""A finite element answer: values on the mesh, at points, and in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes._firedrake import LocalMesh, local_mesh
from meshes.cells import CellType
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, Location, StructuredGrid
from meshes.unstructured import UnstructuredMesh
from pdesolve.fem._firedrake import firedrake, ufl

# How far outside a cell, relative to it, a point may lie and still be evaluated there.
POINT_TOLERANCE = 1e-6
# How far from a point, relative to the grid's spacing, a discontinuous function is read,
# and along which line: one that no usual mesh has a facet on.
_STEP = 1e-4
_DIRECTION = np.array([1.0, 0.618, 0.382])


@dataclass(eq=False)
class FemState:
    """An answer on a Firedrake mesh.

    Parameters
    ----------
    native
        The Firedrake function, of a mixed space where there are several unknowns.
    names
        Names of the unknowns.
    main
        Number of the main one.
    inputs
        Firedrake functions written beside them.
    evaluators
        Where the points of a grid lie in the mesh, by grid; filled when first needed.
    outputs
        Names of the unknowns that :meth:`gather` and :meth:`sample` give; the main one
        when left out.
    hole_value
        What :meth:`sample` gives at points outside the mesh but inside its bounding box,
        such as in an obstacle; an error when left out.
    """

    native: Any
    names: tuple[str, ...]
    main: int = 0
    inputs: tuple[Any, ...] = ()
    evaluators: dict[tuple[StructuredGrid, str], Any] = field(default_factory=dict, repr=False)
    outputs: tuple[str, ...] = ()
    hole_value: float | None = None

    def __post_init__(self) -> None:
        for name, function in self.functions.items():
            function.rename(name)
        unknown = [name for name in self.outputs if name not in self.names]
        if unknown:
            raise InputError(
                f"there is no unknown '{unknown[0]}'. {suggest(unknown[0], self.names)}"
            )

    @property
    def functions(self) -> Mapping[str, Any]:
        """The unknowns as Firedrake functions, by name, the main one first."""
        parts = dict(zip(self.names, self.native.subfunctions, strict=True))
        first = self.names[self.main]
        return {first: parts[first], **parts}

    @property
    def mesh(self) -> Any:
        """The Firedrake mesh."""
        return self.native.function_space().mesh().unique()

    @cached_property
    def _local(self) -> LocalMesh:
        return local_mesh(self.mesh, straighten=True)

    def local_fields(self) -> dict[str, Field]:
        """Take this process's part of each unknown (collective).

        Continuous functions give their values at vertices, discontinuous ones their
        values at the centroids of cells. A vector has one channel for each component.
        """
        fields = {}
        for name, function in self.functions.items():
            location: Location = "vertex" if _is_continuous(function) else "cell"
            values = _values(function, self._local, location)
            names = channel_names(name, function)
            fields[name] = Field(self._local.mesh, values, names, location)
        return fields

    @property
    def shown(self) -> dict[str, Any]:
        """The unknowns that stand for the answer."""
        functions = self.functions
        return {name: functions[name] for name in self.outputs or (self.names[self.main],)}

    def _local_output(self) -> Field:
        """The part of the answer that this process holds; at centroids if any unknown jumps."""
        shown = self.shown
        continuous = all(_is_continuous(function) for function in shown.values())
        location: Location = "vertex" if continuous else "cell"
        values = [_values(function, self._local, location) for function in shown.values()]
        names = [channel for name, f in shown.items() for channel in channel_names(name, f)]
        return Field(self._local.mesh, np.concatenate(values), tuple(names), location)

    def gather(self) -> Field:
        """The main unknown (or the outputs) on the whole mesh, on every process (collective).

        A vector has one channel for each component.
        """
        own = self._local_output()
        comm = self.mesh.comm
        if comm.size == 1:
            return own
        mesh = self._local.mesh
        tags = dict(mesh.facet_tags), dict(mesh.cell_tags)
        parts = comm.allgather((mesh.points, mesh.cells, *tags, own.values))
        return _joined(parts, own, mesh.cell_type)

    def sample(self, grid: StructuredGrid) -> Field:
        """The main unknown (or the outputs) at a grid's points, on every process (collective).

        A discontinuous unknown is averaged over two points close by on opposite sides, so
        that the answer at points between cells does not depend on the partition.

        Raises
        ------
        InputError
            If a point lies outside the mesh.
        """
        if grid.dimension != self.mesh.geometric_dimension:
            raise InputError(
                f"the grid is {grid.dimension}D, the mesh {self.mesh.geometric_dimension}D"
            )
        points = grid.points().reshape(grid.dimension, -1).T
        names: list[str] = []
        values: list[FloatArray] = []
        for name, function in self.shown.items():
            names += channel_names(name, function)
            values.append(self._at(function, grid, points))
        return Field(grid, np.concatenate(values).reshape(-1, *grid.shape), tuple(names))

    def _at(self, function: Any, grid: StructuredGrid, points: FloatArray) -> FloatArray:
        """Values of one unknown at points, shape ``(channel, n)``."""
        if _is_continuous(function):
            values = self._evaluate(function, grid, points, "at")
        else:
            step = _STEP * np.array(grid.spacing) * _DIRECTION[: grid.dimension]
            sides = [
                self._evaluate(function, grid, points + step, "above"),
                self._evaluate(function, grid, points - step, "below"),
            ]
            inside = np.isfinite(sides).sum(axis=0)
            values = np.nansum(sides, axis=0) / np.maximum(inside, 1)
            if not inside.all():  # corners of the domain
                values = np.where(inside, values, self._evaluate(function, grid, points, "at"))
        if np.isfinite(_largest(function)):
            values = self.with_holes(values, points)
        return values.T

    def with_holes(self, values: FloatArray, points: FloatArray) -> FloatArray:
        """Values ``(n, channel)`` with those of holes in place of NaN (collective).

        Raises
        ------
        InputError
            If others are NaN.
        """
        if self.hole_value is not None:
            outside = np.isnan(values).any(axis=1)
            values[outside & self._is_in_bounding_box(points)] = self.hole_value
        missing = np.flatnonzero(np.isnan(values).any(axis=1))
        if len(missing):
            first = points[missing[0]]
            raise InputError(
                f"{len(missing)} of {len(points)} points of the grid lie outside the mesh; the "
                f"first is {tuple(first.tolist())}"
            )
        return values

    def _is_in_bounding_box(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        places = self.mesh.coordinates.dat.data_ro.reshape(-1, self.mesh.geometric_dimension)
        ends = self.mesh.comm.allgather((places.min(axis=0), places.max(axis=0)))
        lower, upper = np.min([e[0] for e in ends], axis=0), np.max([e[1] for e in ends], axis=0)
        slack = 1e-9 * (upper - lower)
        inside = ((points >= lower - slack) & (points <= upper + slack)).all(axis=1)
        return np.asarray(inside, dtype=np.bool_)

    def _evaluate(
        self, function: Any, grid: StructuredGrid, points: FloatArray, which: str
    ) -> FloatArray:
        """Values at points ``(n, channel)``, NaN outside; where the points lie is kept."""
        if (grid, which) not in self.evaluators:
            self.evaluators[grid, which] = firedrake.PointEvaluator(
                self.mesh,
                points,
                tolerance=POINT_TOLERANCE,
                missing_points_behaviour="ignore",
            )
        values = self.evaluators[grid, which].evaluate(function)
        return np.asarray(values, dtype=np.float64).reshape(len(points), -1)

    def write_paraview(self, path: Path, time: float) -> None:
        """Write a ``.pvd`` file and the files that it names (collective)."""
        functions = [_for_paraview(function) for function in self.functions.values()]
        functions += [_for_paraview(function) for function in self.inputs]
        firedrake.VTKFile(str(path)).write(*functions, time=time)


def _largest(function: Any) -> float:
    with function.dat.vec_ro as vector:
        return float(vector.max()[1])


def _is_continuous(function: Any) -> bool:
    return function.function_space().ufl_element() in ufl.H1


def channel_names(name: str, function: Any) -> tuple[str, ...]:
    """The name of a scalar, or those of a vector's components, such as ``velocity_x``."""
    if not function.ufl_shape:
        return (name,)
    return tuple(f"{name}_{axis}" for axis in AXIS_NAMES[: function.ufl_shape[0]])


def _values(function: Any, local: LocalMesh, location: Location) -> FloatArray:
    """Values at vertices or centroids, shape ``(channel, n)``."""
    mesh = function.function_space().mesh()
    vector = bool(function.ufl_shape)
    make = firedrake.VectorFunctionSpace if vector else firedrake.FunctionSpace
    family = "DG" if mesh.ufl_cell().is_simplex else "DQ"
    if location == "vertex":
        corners = firedrake.Function(make(mesh, family, 1, variant="equispaced"))
        return local.vertex_values(corners.interpolate(function))
    centres = firedrake.Function(make(mesh, family, 0)).interpolate(function)
    nodes = centres.function_space().cell_node_map().values_with_halo[: local.mesh.num_cells, 0]
    values = centres.dat.data_ro_with_halos[nodes].reshape(local.mesh.num_cells, -1).T
    return np.ascontiguousarray(values, dtype=np.float64)


def _for_paraview(function: Any) -> Any:
    """Fluxes as vectors with values at the cells' corners, matrices and others as they are."""
    space = function.function_space()
    if space.ufl_element() not in ufl.HDiv or space.ufl_element() in ufl.H1:
        return function
    mesh = space.mesh()
    family = "DG" if mesh.ufl_cell().is_simplex else "DQ"
    shown = firedrake.Function(firedrake.VectorFunctionSpace(mesh, family, 1), name=function.name())
    return shown.interpolate(function)


def _joined(parts: list[Any], own: Field, cell_type: CellType) -> Field:
    """One field of the parts of all processes; points at one place are one point."""
    points = np.concatenate([part[0] for part in parts])
    step = 1e-9 * float(np.ptp(points, axis=0).max())
    rounded = np.round((points - points.min(axis=0)) / step).astype(np.int64)
    _, first, number = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    number = number.reshape(-1)
    starts = np.cumsum([0, *(len(part[0]) for part in parts)])
    cell_starts = np.cumsum([0, *(len(part[1]) for part in parts)])
    cells = np.concatenate(
        [number[part[1] + start] for part, start in zip(parts, starts, strict=False)]
    )
    facets: dict[str, list[Any]] = {}
    regions: dict[str, list[Any]] = {}
    for part, start, cell_start in zip(parts, starts, cell_starts, strict=False):
        for name, rows in part[2].items():
            facets.setdefault(name, []).append(number[rows + start])
        for name, ids in part[3].items():
            regions.setdefault(name, []).append(ids + cell_start)
    whole = UnstructuredMesh(
        points[first],
        cells,
        cell_type,
        {name: np.concatenate(rows) for name, rows in facets.items()},
        {name: np.concatenate(ids) for name, ids in regions.items()},
    )
    values = np.concatenate([part[4] for part in parts], axis=1)
    if own.location == "vertex":
        values = values[:, first]
    return Field(whole, values, own.names, own.location)
