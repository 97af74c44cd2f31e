"""Meshes to and from Firedrake."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.cells import SHAPES, CellType, FloatArray, IndexArray, row_keys, signed_volumes
from meshes.errors import InputError, require
from meshes.kernel_cache import use_cache_of_this_processor
from meshes.unstructured import UNNAMED, UnstructuredMesh

use_cache_of_this_processor()
with warnings.catch_warnings():
    # PETSc may run already, for the other backend; Firedrake then takes it as it is
    warnings.filterwarnings("ignore", "Calling petsctools.init", UserWarning)
    firedrake: Any = require("firedrake", extra="fem")
    PETSc: Any = firedrake.PETSc
    # Irksome adds the time derivative to UFL's language, which UFL allows only before it has
    # worked on a form. Where it cannot be loaded, what needs it says why.
    irksome: Any = None
    irksome_error = ""
    try:
        irksome = require("irksome", extra="fem")
    except Exception as problem:  # absent, or UFL has worked on forms of the caller's already
        irksome_error = str(problem)

# A label in the mesh's DMPlex for each named part; its value is the number in Firedrake's
# own "Face Sets" and "Cell Sets". Labels travel with the mesh through distribution and
# checkpoint files.
_SIDE, _REGION = "side: ", "region: "
_UNMARKED = -1

# From VTK's order to that of DMPlex, and from Firedrake's tensor-product order to VTK's.
_TO_PLEX = {"tetrahedron": (1, 0, 2, 3), "hexahedron": (0, 3, 2, 1, 4, 5, 6, 7)}
_FROM_TENSOR = {"quadrilateral": (0, 2, 3, 1), "hexahedron": (0, 4, 6, 2, 1, 5, 7, 3)}


def to_firedrake(mesh: UnstructuredMesh | None, comm: Any = None) -> Any:
    """Make a Firedrake mesh (collective).

    Parameters
    ----------
    mesh
        The mesh; only that of process 0 is used, others may pass None.
    comm
        MPI communicator; all processes when left out.

    Returns
    -------
    firedrake.MeshGeometry
        Spread over the processes, with the parts of boundary and domain marked: a name
        that is a number keeps it, the others get the next free ones
        (:func:`boundary_numbers`).
    """
    comm = firedrake.COMM_WORLD if comm is None else comm
    source = mesh if comm.rank == 0 else None
    if comm.bcast(source is None if comm.rank == 0 else None, root=0):
        raise InputError("process 0 gave no mesh")
    head = None
    sides: dict[str, IndexArray] = {}
    if source is not None:
        sides = _with_unnamed(source)
        head = (source.dimension, _numbers(sides), _numbers(source.cell_tags))
    dimension, side_numbers, region_numbers = comm.bcast(head, root=0)
    cells = points = None
    if source is not None:
        order = _TO_PLEX.get(source.cell_type)
        cells = source.cells if order is None else source.cells[:, list(order)]
        points = source.points
    plex = firedrake.mesh.plex_from_cell_list(dimension, cells, points, comm)
    for label in ("Face Sets", "Cell Sets"):
        plex.createLabel(label)
    for name in side_numbers:
        plex.createLabel(_SIDE + name)
    for name in region_numbers:
        plex.createLabel(_REGION + name)
    if source is not None:
        first, _ = plex.getDepthStratum(0)
        for name, number in side_numbers.items():
            rows = (np.asarray(sides[name]) + first).tolist()
            facets = [int(facet) for row in rows for (facet,) in [plex.getFullJoin(row)]]
            _mark(plex, ("Face Sets", _SIDE + name), number, facets)
        for name, number in region_numbers.items():
            _mark(plex, ("Cell Sets", _REGION + name), number, source.cell_tags[name])
    return firedrake.Mesh(plex, comm=comm)


def _mark(plex: Any, labels: tuple[str, ...], number: int, points: Any) -> None:
    """Give points of a plex a number in some of its labels."""
    numbers = np.unique(np.asarray(points, dtype=np.int32))  # in increasing order
    for label in labels:
        if len(numbers):
            found = PETSc.IS().createGeneral(numbers, comm=PETSc.COMM_SELF)
            plex.getLabel(label).setStratumIS(number, found)


def _with_unnamed(mesh: UnstructuredMesh) -> dict[str, IndexArray]:
    """The tagged facets, and the rest of the boundary as one more part."""
    sides = dict(mesh.facet_tags)
    if UNNAMED not in mesh.boundary_names or UNNAMED in sides:
        return sides
    keys = row_keys(mesh.boundary_facets, mesh.num_points)
    named = [row_keys(np.sort(rows, axis=1), mesh.num_points) for rows in sides.values()]
    rest = ~np.isin(keys, np.concatenate(named)) if named else np.ones(len(keys), dtype=bool)
    return {**sides, UNNAMED: mesh.boundary_facets[rest]}


def _numbers(names: Any) -> dict[str, int]:
    """A positive number for each name."""
    taken = {int(name) for name in names if name.isdecimal() and int(name) > 0}
    numbers, following = {}, 1
    for name in names:
        if name.isdecimal() and int(name) > 0:
            numbers[name] = int(name)
            continue
        while following in taken:
            following += 1
        taken.add(following)
        numbers[name] = following
    return numbers


def boundary_numbers(mesh: Any) -> dict[str, int]:
    """Numbers for Firedrake's ``ds`` by the name of each part of the boundary (collective).

    Parameters
    ----------
    mesh
        A Firedrake mesh. Parts of meshes that were not made by :func:`to_firedrake` are
        called by their numbers, and the facets without a number ``"unnamed"`` (-1).

    Examples
    --------
    >>> boundary_numbers(firedrake.UnitSquareMesh(2, 2))
    {'1': 1, '2': 2, '3': 3, '4': 4}
    """
    facets = mesh.topology.exterior_facets
    markers = [int(marker) for marker in facets.unique_markers]
    marked = sum(len(_subset(mesh, marker)) for marker in markers)
    present = mesh.comm.allgather(
        ([marker for marker in markers if len(_subset(mesh, marker))], len(facets.facets) > marked)
    )
    outer = {marker for found, _ in present for marker in found}
    named = {number: name for name, number in _label_values(mesh, _SIDE).items()}
    numbers = {named.get(marker, str(marker)): marker for marker in markers if marker in outer}
    if any(unmarked for _, unmarked in present):
        numbers[UNNAMED] = _UNMARKED
    return numbers


def name_sides(mesh: Any, names: Mapping[str, int]) -> None:
    """Name parts of the boundary of a Firedrake mesh by their numbers (collective).

    The names go into checkpoint files with the mesh.
    """
    plex = mesh.topology_dm
    for name, number in names.items():
        plex.createLabel(_SIDE + name)
        if plex.getStratumSize("Face Sets", number):
            points = plex.getStratumIS("Face Sets", number)
            plex.getLabel(_SIDE + name).setStratumIS(number, points)


def _subset(mesh: Any, marker: int) -> IndexArray:
    """Indices of this process's exterior facets with a marker, without Firedrake's warnings."""
    facets = mesh.topology.exterior_facets
    if marker == _UNMARKED:
        return np.asarray(facets.subset(marker).indices, dtype=np.int64)
    plex = mesh.topology_dm
    if not plex.getStratumSize("Face Sets", marker):
        return np.empty(0, dtype=np.int64)
    points = plex.getStratumIS("Face Sets", marker).indices
    return np.flatnonzero(np.isin(facets.facets, points))


def _label_values(mesh: Any, prefix: str) -> dict[str, int]:
    """Name and number of the labels that :func:`to_firedrake` has made (collective)."""
    plex = mesh.topology_dm
    own = {}
    for index in range(plex.getNumLabels()):
        label = plex.getLabelName(index)
        if label.startswith(prefix):
            values = plex.getLabelIdIS(label).indices
            if len(values):
                own[label[len(prefix) :]] = int(values[0])
    found: dict[str, int] = {}
    for part in mesh.comm.allgather(own):
        found.update(part)
    return found


@dataclass(frozen=True, eq=False)
class LocalMesh:
    """The cells of one process, and where Firedrake keeps the values of their vertices.

    Parameters
    ----------
    mesh
        The cells that this process owns.
    cell, corner
        For each point, a cell that it belongs to and its number in that cell's local
        numbering of degree-1 elements, shape ``(num_points,)``.
    """

    mesh: UnstructuredMesh
    cell: IndexArray
    corner: IndexArray

    def vertex_values(self, function: Any) -> FloatArray:
        """Values of a degree-1 function at the points, shape ``(channel, num_points)``."""
        nodes = function.function_space().cell_node_map().values_with_halo
        values = function.dat.data_ro_with_halos[nodes[self.cell, self.corner]]
        return np.ascontiguousarray(values.reshape(len(self.cell), -1).T, dtype=np.float64)


def from_firedrake(mesh: Any) -> UnstructuredMesh:
    """The cells that this process owns, with names (collective)."""
    return local_mesh(mesh).mesh


def local_mesh(mesh: Any, *, straighten: bool = False) -> LocalMesh:
    """Take this process's part of a Firedrake mesh (collective).

    Points on a periodic seam appear once on either side of it.

    Parameters
    ----------
    mesh
        The Firedrake mesh.
    straighten
        Give the cells of a curved mesh straight edges between their corners.

    Raises
    ------
    InputError
        If the mesh is curved, extruded or bent into a higher dimension, or this process
        has no cells.
    """
    name = str(mesh.ufl_cell().cellname)
    element = mesh.coordinates.function_space().ufl_element()
    if name not in SHAPES or getattr(mesh, "extruded", False):
        raise InputError(f"cells of type {name} or extruded meshes are not supported")
    if mesh.geometric_dimension != mesh.topological_dimension:
        raise InputError(
            f"the mesh is {mesh.topological_dimension}D and bends into "
            f"{mesh.geometric_dimension}D space; only flat meshes are supported"
        )
    coordinates = mesh.coordinates
    if element.degree() != 1 and straighten:
        from ufl import H1

        family = "CG" if element in H1 else "DG"
        straight = firedrake.VectorFunctionSpace(mesh, family, 1, variant="equispaced")
        coordinates = firedrake.Function(straight).interpolate(mesh.coordinates)
    elif element.degree() != 1:
        raise InputError(
            f"the mesh is curved (coordinates of degree {element.degree()}); only straight cells "
            "are supported so far: interpolate the coordinates to degree 1"
        )
    cell_type: CellType = name  # type: ignore[assignment]
    space = firedrake.FunctionSpace(mesh, "CG", 1)
    owned = int(mesh.cell_set.size)
    if owned == 0:
        raise InputError("this process has no cells; use fewer processes")
    nodes = np.asarray(space.cell_node_map().values_with_halo, dtype=np.int64)[:owned]
    where = coordinates.function_space().cell_node_map().values_with_halo[:owned]
    places = coordinates.dat.data_ro_with_halos.reshape(-1, mesh.geometric_dimension)
    corners = np.asarray(places[where], dtype=np.float64)
    first, cells = _distinct(nodes, corners)
    width = nodes.shape[1]
    points = corners.reshape(-1, corners.shape[2])[first]
    facets = _facets(mesh, space, cells, owned)
    order = _FROM_TENSOR.get(name)
    cells = cells if order is None else cells[:, list(order)]
    mirrored = signed_volumes(points, cells, cell_type) < 0
    cells[mirrored] = cells[mirrored][:, list(SHAPES[cell_type].reversal)]
    result = UnstructuredMesh(points, cells, cell_type, facets, _regions(mesh, owned))
    return LocalMesh(result, first // width, first % width)


def _distinct(nodes: IndexArray, corners: FloatArray) -> tuple[IndexArray, IndexArray]:
    """Number the different (vertex, position) pairs.

    Returns
    -------
    tuple
        For each point the flat index of its first corner, and the cells in terms of points.
    """
    flat = corners.reshape(-1, corners.shape[2])
    step = 1e-9 * max(float(np.ptp(flat, axis=0).max()), 1e-300)
    rounded = np.round((flat - flat.min(axis=0)) / step).astype(np.int64)
    keys = np.column_stack([nodes.ravel(), rounded])
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first, np.asarray(inverse, dtype=np.int64).reshape(nodes.shape)


def _facets(mesh: Any, space: Any, cells: IndexArray, owned: int) -> dict[str, IndexArray]:
    """Vertex numbers of the named exterior facets of the owned cells."""
    closure = space.finat_element.entity_closure_dofs()
    dimension = mesh.topological_dimension
    level = closure.get(dimension - 1) or {
        index: dofs
        for key in closure
        if isinstance(key, tuple) and sum(key) == dimension - 1
        for index, dofs in closure[key].items()
    }
    corners = np.array([sorted(level[index]) for index in sorted(level)])
    topology = mesh.topology.exterior_facets
    facet_cells = np.asarray(topology.facet_cell)[:, 0].astype(np.int64)
    local = np.asarray(topology.local_facet_dat.data_ro_with_halos).reshape(-1).astype(np.int64)
    found = {}
    for name, number in boundary_numbers(mesh).items():
        chosen = _subset(mesh, number)
        chosen = chosen[facet_cells[chosen] < owned]
        if len(chosen) and name != UNNAMED:
            found[name] = cells[facet_cells[chosen][:, None], corners[local[chosen]]]
    return found


def _regions(mesh: Any, owned: int) -> dict[str, IndexArray]:
    """Numbers of the owned cells in each marked region."""
    named = {number: name for name, number in _label_values(mesh, _REGION).items()}
    plex = mesh.topology_dm
    own = plex.getLabelIdIS("Cell Sets").indices.tolist() if plex.hasLabel("Cell Sets") else []
    numbers = sorted({int(number) for part in mesh.comm.allgather(own) for number in part})
    found = {}
    for number in numbers:
        ids = np.asarray(mesh.topology.cell_subset(number).indices, dtype=np.int64)
        if len(ids := ids[ids < owned]):
            found[named.get(number, str(number))] = ids
    return found
