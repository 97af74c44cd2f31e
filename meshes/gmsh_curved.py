"""Read Gmsh files whose cells are of second order, with curved edges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from meshes.cells import FloatArray, IndexArray
from meshes.errors import InputError
from meshes.gmsh import build_mesh, flat_points, read_file
from meshes.unstructured import UnstructuredMesh

# For each cell of second order: the straight one, and the corners beside each middle node.
_SECOND_ORDER: dict[str, tuple[str, int, tuple[tuple[int, int], ...]]] = {
    "line3": ("line", 2, ((0, 1),)),
    "triangle6": ("triangle", 3, ((0, 1), (1, 2), (2, 0))),
    "tetra10": ("tetra", 4, ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3))),
}


@dataclass(frozen=True, eq=False)
class CurvedEdges:
    """Edges that bend.

    Parameters
    ----------
    straight
        The middle between the ends of each edge, shape ``(num_edges, d)``.
    curved
        Where the edge's middle node lies, shape ``(num_edges, d)``.
    """

    straight: FloatArray
    curved: FloatArray


def read_gmsh_with_edges(path: Path) -> tuple[UnstructuredMesh, CurvedEdges | None]:
    """The straight mesh in a Gmsh file, and the edges that bend, if it has such.

    Parameters
    ----------
    path
        A ``.msh`` file with straight cells, or with triangles or tetrahedra of second
        order (``Mesh.ElementOrder = 2``).

    Raises
    ------
    InputError
        As :func:`meshes.gmsh.read_gmsh`, for other curved cells too.

    Examples
    --------
    >>> read_gmsh_with_edges(Path("absent.msh"))
    Traceback (most recent call last):
        ...
    meshes.errors.InputError: there is no file 'absent.msh'
    """
    content = read_file(path)
    kinds = {block.type for block in content.cells}
    if not kinds & set(_SECOND_ORDER):
        return build_mesh(path, content), None
    blocks, ends, middles, cells = [], [], [], []
    for block in content.cells:
        if block.type not in _SECOND_ORDER:
            blocks.append(block)
            continue
        kind, corners, edges = _SECOND_ORDER[block.type]
        rows = np.asarray(block.data, dtype=np.int64)
        blocks.append(SimpleNamespace(type=kind, data=rows[:, :corners]))
        for index, edge in enumerate(edges):
            ends.append(rows[:, list(edge)])
            middles.append(rows[:, corners + index])
        cells.append((corners, rows))
    straight = SimpleNamespace(
        points=content.points,
        cells=blocks,
        cell_data=content.cell_data,
        cell_sets=content.cell_sets,
    )
    mesh = build_mesh(path, straight)
    count = max(corners for corners, _ in cells)
    widest = np.concatenate([rows[:, :corners] for corners, rows in cells if corners == count])
    points = flat_points(path, np.asarray(content.points, np.float64), mesh.dimension, widest)
    return mesh, _bent(points, np.concatenate(ends), np.concatenate(middles))


def _bent(points: FloatArray, ends: IndexArray, middles: IndexArray) -> CurvedEdges | None:
    """The edges whose middle node is not halfway between their ends, once each."""
    _, first = np.unique(middles, return_index=True)
    ends, middles = ends[first], middles[first]
    halfway = points[ends].mean(axis=1)
    lengths = np.linalg.norm(points[ends[:, 1]] - points[ends[:, 0]], axis=1)
    bent = np.linalg.norm(points[middles] - halfway, axis=1) > 1e-10 * lengths
    if not np.isfinite(points[middles]).all():
        raise InputError("a middle node of a curved edge is not finite")
    return CurvedEdges(halfway[bent], points[middles][bent]) if bent.any() else None
