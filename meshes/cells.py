"""Facts about the cell shapes, and their volumes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

CellType = Literal["interval", "triangle", "quadrilateral", "tetrahedron", "hexahedron"]
FloatArray = npt.NDArray[np.float64]
IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CellShape:
    """Vertices of one cell shape, in the order of VTK and Gmsh.

    Parameters
    ----------
    name
        Name of the shape.
    dimension
        Topological dimension.
    facets
        Local vertex numbers of each facet.
    corners
        For each vertex, the neighbours along its edges, ordered so that the edges span a
        positive volume where the cell is not inverted.
    reversal
        Order of the vertices that mirrors the cell.
    """

    name: CellType
    dimension: int
    facets: tuple[tuple[int, ...], ...]
    corners: tuple[tuple[int, ...], ...]
    reversal: tuple[int, ...]

    @property
    def num_vertices(self) -> int:
        """Vertices of a cell."""
        return len(self.corners)

    @property
    def is_simplex(self) -> bool:
        """Whether the shape is an interval, triangle or tetrahedron."""
        return self.num_vertices == self.dimension + 1


SHAPES: dict[str, CellShape] = {
    shape.name: shape
    for shape in (
        CellShape("interval", 1, ((0,), (1,)), ((1,), (0,)), (1, 0)),
        CellShape("triangle", 2, ((0, 1), (1, 2), (2, 0)), ((1, 2), (2, 0), (0, 1)), (0, 2, 1)),
        CellShape(
            "quadrilateral",
            2,
            ((0, 1), (1, 2), (2, 3), (3, 0)),
            ((1, 3), (2, 0), (3, 1), (0, 2)),
            (0, 3, 2, 1),
        ),
        CellShape(
            "tetrahedron",
            3,
            ((0, 1, 2), (0, 1, 3), (1, 2, 3), (0, 2, 3)),
            ((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1)),
            (0, 2, 1, 3),
        ),
        CellShape(
            "hexahedron",
            3,
            (
                (0, 1, 2, 3),
                (4, 5, 6, 7),
                (0, 1, 5, 4),
                (1, 2, 6, 5),
                (2, 3, 7, 6),
                (3, 0, 4, 7),
            ),
            (
                (1, 3, 4),
                (2, 0, 5),
                (3, 1, 6),
                (0, 2, 7),
                (7, 5, 0),
                (4, 6, 1),
                (5, 7, 2),
                (6, 4, 3),
            ),
            (0, 3, 2, 1, 4, 7, 6, 5),
        ),
    )
}

# Corners of the reference square and cube, in VTK's order.
_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
_CUBE = np.array([[*xy, z] for z in (0, 1) for xy in _SQUARE], dtype=np.float64)
REFERENCE_CORNERS = {"quadrilateral": _SQUARE, "hexahedron": _CUBE}


def shape_functions(cell_type: str, where: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Multilinear functions of a quadrilateral or hexahedron and their gradients.

    Parameters
    ----------
    cell_type
        ``"quadrilateral"`` or ``"hexahedron"``.
    where
        Reference coordinates in [0, 1], shape ``(n, d)``.

    Returns
    -------
    tuple
        Values ``(n, k)`` and gradients ``(n, k, d)``.

    Examples
    --------
    >>> shape_functions("quadrilateral", np.array([[0.5, 0.5]]))[0]
    array([[0.25, 0.25, 0.25, 0.25]])
    """
    corners = REFERENCE_CORNERS[cell_type]
    sign = 2.0 * corners - 1.0
    factors = np.where(corners[None] == 1.0, where[:, None, :], 1.0 - where[:, None, :])
    values = factors.prod(axis=2)
    gradients = np.empty(factors.shape)
    for axis in range(corners.shape[1]):
        others = np.delete(factors, axis, axis=2).prod(axis=2)
        gradients[:, :, axis] = sign[:, axis] * others
    return values, gradients


def _determinant(edges: FloatArray) -> FloatArray:
    """Determinants of ``(n, d, d)`` edge matrices."""
    if edges.shape[-1] == 1:
        return np.asarray(edges[:, 0, 0])
    if edges.shape[-1] == 2:
        return np.asarray(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
    cross = np.cross(edges[:, 0], edges[:, 1])
    return np.asarray(np.einsum("ni,ni->n", cross, edges[:, 2]))


def signed_volumes(points: FloatArray, cells: IndexArray, cell_type: str) -> FloatArray:
    """Length, area or volume of each cell; negative for mirrored cells.

    Parameters
    ----------
    points
        Shape ``(num_points, d)``.
    cells
        Shape ``(num_cells, k)``.
    cell_type
        Shape of the cells.

    Returns
    -------
    ndarray
        Shape ``(num_cells,)``, in the unit of the coordinates to the power d.

    Examples
    --------
    >>> signed_volumes(np.array([[0.0, 0], [1, 0], [0, 1]]), np.array([[0, 1, 2]]), "triangle")
    array([0.5])
    """
    shape = SHAPES[cell_type]
    corners = points[cells]
    if shape.is_simplex:
        edges = corners[:, 1:] - corners[:, :1]
        return _determinant(edges) / (1.0, 2.0, 6.0)[shape.dimension - 1]
    # Two Gauss points an axis integrate the Jacobian of a multilinear map exactly.
    gauss = np.array([0.5 - np.sqrt(3.0) / 6.0, 0.5 + np.sqrt(3.0) / 6.0])
    axes = np.meshgrid(*([gauss] * shape.dimension), indexing="ij")
    nodes = np.stack([axis.ravel() for axis in axes], axis=1)
    _, gradients = shape_functions(cell_type, nodes)
    total = np.zeros(len(cells))
    for gradient in gradients:
        total += _determinant(np.einsum("nki,kj->nji", corners, gradient)) / len(nodes)
    return total


def smallest_corner_jacobians(points: FloatArray, cells: IndexArray, cell_type: str) -> FloatArray:
    """The least Jacobian determinant at the vertices of each cell, shape ``(num_cells,)``.

    It is positive where the cell is convex and not inverted; on simplices it is the
    volume times d!.
    """
    corners = points[cells]
    least = np.full(len(cells), np.inf)
    for vertex, neighbours in enumerate(SHAPES[cell_type].corners):
        if cell_type == "interval":
            edges = (corners[:, 1:] - corners[:, :1]).reshape(-1, 1, 1)
        else:
            edges = corners[:, list(neighbours)] - corners[:, vertex, None]
        least = np.minimum(least, _determinant(edges))
    return least


def facets_of(cells: IndexArray, cell_type: str) -> tuple[IndexArray, IndexArray]:
    """Every facet of every cell.

    Returns
    -------
    tuple
        Sorted vertex numbers ``(num_cells * num_facets, m)`` and the cell of each.
    """
    facets = SHAPES[cell_type].facets
    rows = np.concatenate([cells[:, list(facet)] for facet in facets])
    return np.sort(rows, axis=1), np.tile(np.arange(len(cells)), len(facets))


def row_keys(rows: IndexArray, num_points: int) -> npt.NDArray[np.void] | IndexArray:
    """One comparable key a row of sorted vertex numbers."""
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    width = rows.shape[1]
    if width * np.log2(max(num_points, 2)) < 63:
        key = np.zeros(len(rows), dtype=np.int64)
        for column in range(width):
            key = key * num_points + rows[:, column]
        return key
    return rows.view([("", np.int64)] * width).ravel()
