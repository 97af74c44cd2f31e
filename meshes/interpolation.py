"""Interpolation at points, on grids and on simplices."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from meshes.unstructured import UnstructuredMesh


def _inside(grid: StructuredGrid, points: FloatArray) -> None:
    if not np.isfinite(points).all():
        first = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])
        raise InputError(f"point {first} is not finite: {tuple(points[first].tolist())}")
    for axis in range(grid.dimension):
        if grid.periodic[axis]:
            continue
        slack = 1e-10 * grid.extent[axis]
        low, high = grid.lower[axis] - slack, grid.upper[axis] + slack
        outside = ~((points[:, axis] >= low) & (points[:, axis] <= high))
        if outside.any():
            first = int(np.flatnonzero(outside)[0])
            raise InputError(
                f"{int(outside.sum())} of {len(points)} points lie outside the box "
                f"{grid.lower} to {grid.upper}; the first is {tuple(points[first].tolist())}"
            )


def interpolate_on_grid(
    grid: StructuredGrid,
    values: FloatArray,
    points: FloatArray,
    method: Literal["linear", "nearest"],
) -> FloatArray:
    """Values ``(channel, *shape)`` at points ``(n, dimension)``, shape ``(channel, n)``."""
    if method not in ("linear", "nearest"):
        raise InputError(f"method={method!r} must be 'linear' or 'nearest'")
    _inside(grid, points)
    shift = 0.5 if grid.location == "cell" else 0.0
    corners: list[list[tuple[npt.NDArray[np.intp], FloatArray]]] = []
    for axis, size in enumerate(grid.shape):
        position = (points[:, axis] - grid.lower[axis]) / grid.spacing[axis] - shift
        wrap = grid.periodic[axis]
        if method == "nearest" or size == 1:
            # a point midway between two values belongs to the upper one
            index = np.floor(position + 0.5).astype(np.intp)
            index = index % size if wrap else np.clip(index, 0, size - 1)
            corners.append([(index, np.ones(len(points)))])
            continue
        left = np.floor(position).astype(np.intp)
        if not wrap:
            left = np.clip(left, 0, size - 2)
        fraction = position - left
        right = left + 1
        if wrap:
            left, right = left % size, right % size
        corners.append([(left, 1.0 - fraction), (right, fraction)])
    result = np.zeros((values.shape[0], len(points)))
    for choice in np.ndindex(*(len(options) for options in corners)):
        indices = tuple(corners[axis][pick][0] for axis, pick in enumerate(choice))
        weight = np.ones(len(points))
        for axis, pick in enumerate(choice):
            weight = weight * corners[axis][pick][1]
        result += weight * values[(slice(None), *indices)]
    return result


def interpolate_on_cells(
    mesh: UnstructuredMesh,
    values: FloatArray,
    points: FloatArray,
    *,
    cellwise: bool,
    at_vertices: bool,
) -> FloatArray:
    """Values on an unstructured mesh at points, shape ``(channel, n)``.

    With ``cellwise`` the value of the containing cell (or, for vertex values, of that
    cell's vertex with the largest barycentric weight); otherwise linear on the simplex.
    """
    cells, weights = mesh.locate(points)
    if not at_vertices:
        return values[:, cells]
    vertices = mesh.cells[cells]
    if cellwise:
        best = np.argmax(weights, axis=1)
        return values[:, vertices[np.arange(len(points)), best]]
    interpolated: FloatArray = np.einsum("cnk,nk->cn", values[:, vertices], weights)
    return interpolated
