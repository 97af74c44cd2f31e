"""Find the cells that hold given points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meshes.cells import SHAPES, FloatArray, IndexArray, shape_functions
from meshes.errors import InputError

if TYPE_CHECKING:
    from meshes.unstructured import UnstructuredMesh

# How far outside a cell, in barycentric coordinates, a point still counts as inside.
TOLERANCE = 1e-9
_CHUNK = 2_000_000


def _simplex_weights(corners: FloatArray, points: FloatArray) -> FloatArray:
    """Barycentric weights ``(n, k)`` of points ``(n, d)`` in simplices ``(n, k, d)``."""
    edges = np.swapaxes(corners[:, 1:] - corners[:, :1], 1, 2)
    inner = np.linalg.solve(edges, (points - corners[:, 0])[..., None])[..., 0]
    return np.concatenate([1.0 - inner.sum(axis=1, keepdims=True), inner], axis=1)


def _multilinear_weights(cell_type: str, corners: FloatArray, points: FloatArray) -> FloatArray:
    """Weights of points in quadrilaterals or hexahedra, by Newton's method."""
    size = corners.shape[2]
    where = np.full((len(points), size), 0.5)
    for _ in range(20):
        values, gradients = shape_functions(cell_type, where)
        miss = np.einsum("nk,nki->ni", values, corners) - points
        jacobian = np.einsum("nki,nkj->nij", corners, gradients)
        step = np.linalg.solve(jacobian, miss[..., None])[..., 0]
        where = np.clip(where - step, -1.0, 2.0)
        if np.abs(step).max(initial=0.0) < 1e-13:
            break
    values, _ = shape_functions(cell_type, where)
    return values


def locate(mesh: UnstructuredMesh, points: FloatArray) -> tuple[IndexArray, FloatArray]:
    """Cells that hold the points, and the vertices' weights there.

    Cells are tried in order of the distance of their centroid, nearest first; what the
    nearest ones do not hold is looked for in all whose bounding ball reaches the point.

    Parameters
    ----------
    mesh
        The mesh.
    points
        Shape ``(n, d)``.

    Returns
    -------
    tuple
        Cell numbers ``(n,)`` and weights ``(n, k)`` that sum to one; linear (simplices)
        or multilinear interpolation is their product with vertex values.

    Raises
    ------
    InputError
        If a point lies outside the mesh.
    """
    from scipy.spatial import cKDTree

    num_points, shape = len(points), SHAPES[mesh.cell_type]
    found = np.full(num_points, -1, dtype=np.int64)
    weights = np.zeros((num_points, shape.num_vertices))
    finite = np.isfinite(points).all(axis=1)
    tree = cKDTree(mesh.cell_centroids())
    open_points = np.flatnonzero(finite)
    count = min(4, mesh.num_cells)
    while len(open_points):
        for part in np.array_split(open_points, max(1, len(open_points) * count // _CHUNK)):
            _, near = tree.query(points[part], k=count)
            near = np.asarray(near, dtype=np.int64).reshape(len(part), -1)
            _try_cells(mesh, points, part, near, found, weights)
        open_points = np.flatnonzero((found < 0) & finite)
        if count == mesh.num_cells:
            break
        count = min(8 * count, mesh.num_cells)
        if len(open_points):
            open_points = open_points[_within_box(mesh, points[open_points])]
    missing = np.flatnonzero(found < 0)
    if len(missing):
        raise InputError(
            f"{len(missing)} of {num_points} points lie outside the mesh; the first is "
            f"{tuple(points[missing[0]].tolist())}"
        )
    return found, weights


def _within_box(mesh: UnstructuredMesh, points: FloatArray) -> IndexArray:
    low, high = mesh.points.min(axis=0), mesh.points.max(axis=0)
    slack = TOLERANCE * (high - low)
    return np.flatnonzero(((points >= low - slack) & (points <= high + slack)).all(axis=1))


def _try_cells(
    mesh: UnstructuredMesh,
    points: FloatArray,
    part: IndexArray,
    near: IndexArray,
    found: IndexArray,
    weights: FloatArray,
) -> None:
    """Fill in the points of `part` that one of their candidates holds."""
    simplex = SHAPES[mesh.cell_type].is_simplex
    for column in range(near.shape[1]):
        still = np.flatnonzero(found[part] < 0)
        if not len(still):
            return
        cells = near[still, column]
        corners, where = mesh.points[mesh.cells[cells]], points[part[still]]
        given = (
            _simplex_weights(corners, where)
            if simplex
            else _multilinear_weights(mesh.cell_type, corners, where)
        )
        inside = given.min(axis=1) >= -TOLERANCE
        if not simplex:
            back = np.einsum("nk,nki->ni", given, corners)
            scale = np.ptp(corners, axis=1).max(axis=1)
            inside &= np.abs(back - where).max(axis=1) <= 1e-8 * scale
        found[part[still[inside]]] = cells[inside]
        weights[part[still[inside]]] = given[inside]
