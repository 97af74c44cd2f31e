"""Meshes of arbitrary domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.cells import (
    SHAPES,
    CellType,
    FloatArray,
    IndexArray,
    facets_of,
    row_keys,
    signed_volumes,
    smallest_corner_jacobians,
)
from meshes.errors import InputError, suggest

UNNAMED = "unnamed"


def _some(indices: npt.ArrayLike) -> str:
    """The first few of many numbers, as text."""
    values = np.asarray(indices).tolist()
    text = ", ".join(str(value) for value in values[:8])
    return text + (f", ... ({len(values)} in all)" if len(values) > 8 else "")


def _integers(name: str, given: object) -> IndexArray:
    values = np.asarray(given)
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"{name} must hold integers, not {values.dtype}")
    return np.ascontiguousarray(values, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class UnstructuredMesh:
    """Points joined to cells of one shape, with named parts of the boundary.

    Parameters
    ----------
    points
        Coordinates, shape ``(num_points, d)``, d = 1, 2 or 3, in the problem's unit of
        length.
    cells
        Vertex numbers, shape ``(num_cells, k)``, in the order of VTK and Gmsh, positively
        oriented (triangles and quadrilaterals counterclockwise).
    cell_type
        ``"interval"``, ``"triangle"``, ``"quadrilateral"``, ``"tetrahedron"`` or
        ``"hexahedron"``; cells are straight (no curved cells yet).
    facet_tags
        Vertex numbers of the facets of each named part, shape ``(num_facets, m)``.
    cell_tags
        Cell numbers of each named region, shape ``(n,)``.

    Raises
    ------
    InputError
        If an array has a wrong shape, coordinates are not finite, a vertex number is out
        of range, a vertex belongs to no cell, a cell is inverted, flat or not convex, or
        a named facet is no facet of a cell or has two names.

    Notes
    -----
    The arrays are read-only. Movers make a new mesh with :meth:`with_points`.

    Examples
    --------
    >>> mesh = UnstructuredMesh([[0.0, 0], [1, 0], [1, 1], [0, 1]], [[0, 1, 2], [0, 2, 3]],
    ...                         facet_tags={"left": [[0, 3]]})
    >>> mesh.cell_volumes()
    array([0.5, 0.5])
    >>> mesh.boundary_names
    ('left', 'unnamed')
    """

    points: FloatArray
    cells: IndexArray
    cell_type: CellType = "triangle"
    facet_tags: Mapping[str, IndexArray] = field(default_factory=dict)
    cell_tags: Mapping[str, IndexArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cell_type not in SHAPES:
            raise InputError(
                f"there is no cell type '{self.cell_type}'. {suggest(self.cell_type, SHAPES)}"
            )
        shape = SHAPES[self.cell_type]
        points = np.array(self.points, dtype=np.float64, order="C")
        if points.ndim != 2 or points.shape[1] != shape.dimension:
            raise InputError(
                f"points of shape {points.shape} must have shape (num_points, {shape.dimension}) "
                f"for {self.cell_type} cells"
            )
        cells = _integers("cells", self.cells).copy()
        if cells.size == 0 or points.size == 0:
            raise InputError("the mesh is empty; it needs at least one cell")
        if cells.ndim != 2 or cells.shape[1] != shape.num_vertices:
            raise InputError(
                f"cells of shape {cells.shape} must have shape (num_cells, {shape.num_vertices}) "
                f"for {self.cell_type} cells"
            )
        _check_points(points)
        _check_cells(points, cells, self.cell_type)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "cells", cells)
        points.flags.writeable = cells.flags.writeable = False
        self._check_neighbours()
        facet_tags = self._checked_facet_tags(len(shape.facets[0]))
        object.__setattr__(self, "facet_tags", MappingProxyType(facet_tags))
        object.__setattr__(self, "cell_tags", MappingProxyType(self._checked_cell_tags()))

    def _check_neighbours(self) -> None:
        _, inverse, count = np.unique(self._facet_keys, return_inverse=True, return_counts=True)
        crowded = np.flatnonzero(count[inverse] > 2)
        if len(crowded):
            cells = np.unique(crowded % self.num_cells)
            raise InputError(
                f"a facet joins two cells at most, and cells {_some(cells)} share one among three "
                "or more; leave out cells that are listed twice"
            )

    def _checked_facet_tags(self, width: int) -> dict[str, IndexArray]:
        tags: dict[str, IndexArray] = {}
        known = np.unique(self._facet_keys)
        owner: dict[Any, str] = {}
        for name, given in self.facet_tags.items():
            rows = _integers(f"facet_tags['{name}']", given)
            if rows.ndim == 1 and width == 1:
                rows = rows[:, None]
            if rows.ndim != 2 or rows.shape[1] != width:
                raise InputError(
                    f"facet_tags['{name}'] of shape {rows.shape} must have shape (num_facets, "
                    f"{width}) for {self.cell_type} cells"
                )
            keys = row_keys(np.sort(rows, axis=1), self.num_points)
            strange = ~np.isin(keys, known)
            if strange.any() or rows.min(initial=0) < 0 or rows.max(initial=0) >= self.num_points:
                first = int(np.flatnonzero(strange)[0]) if strange.any() else 0
                raise InputError(
                    f"facet {tuple(rows[first].tolist())} named '{name}' is no facet of any cell"
                )
            for key, row in zip(keys.tolist(), rows, strict=True):
                if owner.setdefault(key, name) != name:
                    raise InputError(
                        f"facet {tuple(row.tolist())} is named both '{owner[key]}' and '{name}'; "
                        "a facet can have one name"
                    )
            tags[str(name)] = rows
            rows.flags.writeable = False
        return tags

    def _checked_cell_tags(self) -> dict[str, IndexArray]:
        tags: dict[str, IndexArray] = {}
        for name, given in self.cell_tags.items():
            ids = _integers(f"cell_tags['{name}']", given).reshape(-1)
            wrong = ids[(ids < 0) | (ids >= self.num_cells)]
            if len(wrong):
                raise InputError(
                    f"cell_tags['{name}'] holds {_some(wrong)}; cells are numbered from 0 to "
                    f"{self.num_cells - 1}"
                )
            tags[str(name)] = ids
            ids.flags.writeable = False
        return tags

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return int(self.points.shape[1])

    @property
    def num_points(self) -> int:
        """Number of vertices."""
        return len(self.points)

    @property
    def num_cells(self) -> int:
        """Number of cells."""
        return len(self.cells)

    def cell_volumes(self) -> FloatArray:
        """Length, area or volume of each cell, shape ``(num_cells,)``."""
        return signed_volumes(self.points, self.cells, self.cell_type)

    def cell_centroids(self) -> FloatArray:
        """Mean of each cell's vertices, shape ``(num_cells, d)``."""
        centroids: FloatArray = self.points[self.cells].mean(axis=1)
        return centroids

    @cached_property
    def _facet_keys(self) -> npt.NDArray[Any]:
        rows, _ = facets_of(self.cells, self.cell_type)
        return row_keys(rows, self.num_points)

    @cached_property
    def boundary_facets(self) -> IndexArray:
        """Facets that belong to one cell only, shape ``(n, m)``, vertex numbers sorted."""
        rows, _ = facets_of(self.cells, self.cell_type)
        _, first, count = np.unique(self._facet_keys, return_index=True, return_counts=True)
        facets: IndexArray = rows[np.sort(first[count == 1])]
        facets.flags.writeable = False
        return facets

    @cached_property
    def boundary_names(self) -> tuple[str, ...]:
        """Names of the parts of the boundary.

        Named facets between two cells are left out; ``"unnamed"`` comes last where the
        boundary has facets without a name.
        """
        outer = row_keys(self.boundary_facets, self.num_points)
        names, covered = [], 0
        for name, rows in self.facet_tags.items():
            keys = np.unique(row_keys(np.sort(rows, axis=1), self.num_points))
            found = int(np.isin(keys, outer).sum())
            covered += found
            if found:
                names.append(name)
        return (*names, UNNAMED) if covered < len(outer) else tuple(names)

    def with_points(self, points: npt.ArrayLike) -> UnstructuredMesh:
        """The same cells and names at other coordinates, checked again.

        Raises
        ------
        InputError
            If the number of points differs or a cell is inverted there.
        """
        moved = np.asarray(points, dtype=np.float64)
        if moved.shape != self.points.shape:
            raise InputError(
                f"points of shape {moved.shape} must have the mesh's shape {self.points.shape}"
            )
        return replace(self, points=moved)

    def quadrature_weights(self, location: str) -> FloatArray:
        """Weights of the values in an integral over the mesh.

        Parameters
        ----------
        location
            ``"cell"``: the volumes, shape ``(num_cells,)``. ``"vertex"``: each cell's
            volume shared equally by its vertices, shape ``(num_points,)``.
        """
        volumes = self.cell_volumes()
        if location == "cell":
            return volumes
        if location != "vertex":
            raise InputError(f"location={location!r} must be 'cell' or 'vertex'")
        size = self.cells.shape[1]
        weights = np.zeros(self.num_points)
        np.add.at(weights, self.cells.ravel(), np.repeat(volumes / size, size))
        return weights

    def locate(self, points: npt.ArrayLike) -> tuple[IndexArray, FloatArray]:
        """Cells that hold the points, and the weights of their vertices there.

        Parameters
        ----------
        points
            Shape ``(n, d)``.

        Returns
        -------
        tuple
            Cell numbers ``(n,)`` and weights ``(n, k)``, which sum to one.

        Raises
        ------
        InputError
            If a point lies outside the mesh.
        """
        from meshes.location import locate

        where = np.atleast_2d(np.asarray(points, dtype=np.float64))
        if where.ndim != 2 or where.shape[1] != self.dimension:
            raise InputError(f"points of shape {where.shape} must have shape (n, {self.dimension})")
        return locate(self, where)

    @classmethod
    def from_gmsh(cls, path: str | Path) -> UnstructuredMesh:
        """Read a Gmsh file, see :func:`meshes.gmsh.read_gmsh`."""
        from meshes.gmsh import read_gmsh

        return read_gmsh(Path(path))

    @classmethod
    def from_firedrake(cls, mesh: Any) -> UnstructuredMesh:
        """Take this process's cells of a Firedrake mesh; all of them on one process."""
        from meshes._firedrake import from_firedrake

        return from_firedrake(mesh)

    def to_firedrake(self, comm: Any = None) -> Any:
        """A Firedrake mesh, spread over the processes (collective).

        Every process gives the same mesh; that of the first is used. Named parts keep
        their names: :func:`meshes._firedrake.boundary_numbers` gives the numbers to use
        in Firedrake's ``ds``.
        """
        from meshes._firedrake import to_firedrake

        return to_firedrake(self, comm)

    def __repr__(self) -> str:
        return (
            f"UnstructuredMesh({self.num_points} points, {self.num_cells} {self.cell_type} cells, "
            f"{self.dimension}D, boundary {', '.join(self.boundary_names)})"
        )


def _check_points(points: FloatArray) -> None:
    wrong = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(wrong):
        raise InputError(f"coordinates must be finite; points {_some(wrong)} are not")


def _check_cells(points: FloatArray, cells: IndexArray, cell_type: str) -> None:
    outside = np.flatnonzero(((cells < 0) | (cells >= len(points))).any(axis=1))
    if len(outside):
        raise InputError(
            f"cells {_some(outside)} name vertices outside 0 to {len(points) - 1}; cell "
            f"{outside[0]} is {tuple(cells[outside[0]].tolist())}"
        )
    used = np.zeros(len(points), dtype=bool)
    used[cells] = True
    if not used.all():
        raise InputError(
            f"points {_some(np.flatnonzero(~used))} belong to no cell; leave them out and renumber "
            "the cells"
        )
    volumes = signed_volumes(points, cells, cell_type)
    size = float(np.ptp(points, axis=0).max()) ** points.shape[1]
    bad = np.flatnonzero(~(volumes > 1e-15 * size / len(cells)))
    if len(bad):
        raise InputError(
            f"cells {_some(bad)} have no positive volume (cell {bad[0]}: {volumes[bad[0]]:.3e}); "
            "order their vertices positively, or untangle the mesh"
        )
    if not SHAPES[cell_type].is_simplex:
        bad = np.flatnonzero(~(smallest_corner_jacobians(points, cells, cell_type) > 0))
        if len(bad):
            raise InputError(f"cells {_some(bad)} are not convex, which a {cell_type} must be")
