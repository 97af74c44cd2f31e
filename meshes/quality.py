"""How well shaped the cells of a mesh are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meshes.cells import SHAPES, FloatArray, IndexArray, facets_of, row_keys

if TYPE_CHECKING:
    from meshes.unstructured import UnstructuredMesh


@dataclass(frozen=True)
class MeshQuality:
    """Summary of a mesh.

    Parameters
    ----------
    num_points, num_cells
        Sizes.
    smallest_volume, largest_volume
        Of the cells.
    worst_shape, mean_shape
        Of :func:`cell_shape_quality`, 1 being best.
    worst_cell
        Number of the cell with the worst shape.
    """

    num_points: int
    num_cells: int
    smallest_volume: float
    largest_volume: float
    worst_shape: float
    mean_shape: float
    worst_cell: int


def cell_shape_quality(mesh: UnstructuredMesh) -> FloatArray:
    """Shape of each cell between 0 (flat) and 1 (regular), shape ``(num_cells,)``.

    The mean ratio: with J the matrix that maps the regular simplex to the one at a
    vertex, d det(J)^(2/d) / ‖J‖²_F; of quadrilaterals and hexahedra the least over the
    vertices, with the square or cube in place of the regular simplex. Intervals have 1.

    References
    ----------
    P. M. Knupp (2001), Algebraic mesh quality metrics, SIAM J. Sci. Comput. 23,
    doi:10.1137/S1064827500371499.

    Examples
    --------
    >>> from meshes.unstructured import UnstructuredMesh
    >>> mesh = UnstructuredMesh([[0.0, 0], [1, 0], [0.5, 0.75**0.5]], [[0, 1, 2]])
    >>> cell_shape_quality(mesh).round(6)
    array([1.])
    """
    shape, corners = SHAPES[mesh.cell_type], mesh.points[mesh.cells]
    size = shape.dimension
    if size == 1:
        return np.ones(mesh.num_cells)
    reference: npt.NDArray[np.floating[Any]] = np.eye(size)
    if shape.is_simplex:
        # edges of the regular simplex from its first vertex, as columns
        reference = np.linalg.cholesky(0.5 * (np.ones((size, size)) + np.eye(size))).T
    inverse = np.linalg.inv(reference)
    least = np.full(mesh.num_cells, np.inf)
    vertices = range(1) if shape.is_simplex else range(shape.num_vertices)
    for vertex in vertices:
        neighbours = list(shape.corners[vertex])
        edges = np.swapaxes(corners[:, neighbours] - corners[:, vertex, None], 1, 2) @ inverse
        volume = np.maximum(np.linalg.det(edges), 0.0)
        ratio = size * volume ** (2.0 / size) / np.sum(edges**2, axis=(1, 2))
        least = np.minimum(least, ratio)
    return least


def assess(mesh: UnstructuredMesh) -> MeshQuality:
    """Sizes and shapes of a mesh in numbers.

    Examples
    --------
    >>> from meshes.unstructured import UnstructuredMesh
    >>> assess(UnstructuredMesh([[0.0, 0], [1, 0], [0, 1]], [[0, 1, 2]])).smallest_volume
    0.5
    """
    volumes, shapes = mesh.cell_volumes(), cell_shape_quality(mesh)
    return MeshQuality(
        mesh.num_points,
        mesh.num_cells,
        float(volumes.min()),
        float(volumes.max()),
        float(shapes.min()),
        float(shapes.mean()),
        int(np.argmin(shapes)),
    )


def folded_facets(points: FloatArray, cells: IndexArray, cell_type: str) -> IndexArray:
    """Inner facets whose two cells lie on the same side, shape ``(n, m)``.

    A mesh of positively oriented cells that has one overlaps itself there.
    """
    rows, owner = facets_of(cells, cell_type)
    keys = row_keys(rows, len(points))
    order = np.argsort(keys, kind="stable")
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    first, second = order[same], order[same + 1]
    centroids = points[cells].mean(axis=1)
    corners = points[rows[first]]
    base = corners[:, 0]
    size = points.shape[1]
    if size == 1:
        normals = np.ones((len(base), 1))
    elif size == 2:
        edge = corners[:, 1] - base
        normals = np.stack([-edge[:, 1], edge[:, 0]], axis=1)
    else:
        normals = np.cross(corners[:, 1] - base, corners[:, 2] - base)
    sides = [np.einsum("ni,ni->n", normals, centroids[owner[k]] - base) for k in (first, second)]
    folded: IndexArray = rows[first][sides[0] * sides[1] > 0]
    return folded
