"""Find the simplices that hold the points of a grid."""

from __future__ import annotations

import numpy as np

from meshes.cells import FloatArray, IndexArray
from meshes.errors import InputError
from meshes.location import TOLERANCE

_CHUNK = 2_000_000


def locate_on_axes(
    corners: FloatArray, axes: tuple[FloatArray, ...], tolerance: float = TOLERANCE
) -> tuple[IndexArray, FloatArray]:
    """Simplices that hold the points of a product of axes, and the corners' weights there.

    For each simplex only the points in its bounding box are looked at. A point in several
    simplices belongs to the one in which it lies deepest.

    Parameters
    ----------
    corners
        Shape ``(num_cells, d + 1, d)``.
    axes
        Increasing coordinates along each of the d axes.
    tolerance
        How far outside, in barycentric coordinates, a point still counts as inside.

    Returns
    -------
    tuple
        Numbers of simplices, -1 for points in none, shape ``(num_points,)``, and weights
        ``(num_points, d + 1)``; the points are numbered with the last axis fastest.

    Raises
    ------
    InputError
        If the coordinates along an axis do not increase.

    Examples
    --------
    >>> triangle = np.array([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    >>> cells, weights = locate_on_axes(triangle, (np.array([0.0, 0.5]), np.array([0.25, 0.9])))
    >>> cells.tolist(), weights[0].tolist()
    ([0, 0, 0, -1], [0.75, 0.0, 0.25])
    """
    if any((np.diff(axis) <= 0).any() for axis in axes):
        raise InputError("the coordinates along an axis must increase")
    num_points = int(np.prod([len(axis) for axis in axes]))
    found = np.full(num_points, -1, dtype=np.int64)
    weights = np.zeros((num_points, corners.shape[1]))
    deepest = np.full(num_points, -np.inf)
    low, high = corners.min(axis=1), corners.max(axis=1)
    # a barycentric coordinate of -tolerance may lie so far outside of the box
    slack = corners.shape[2] * tolerance * (high - low)
    firsts, counts = [], []
    for number, axis in enumerate(axes):
        first = np.searchsorted(axis, low[:, number] - slack[:, number], side="left")
        last = np.searchsorted(axis, high[:, number] + slack[:, number], side="right")
        firsts.append(first)
        counts.append(last - first)
    totals = np.prod(counts, axis=0)
    near = np.flatnonzero(totals)
    edges = np.swapaxes(corners[near, 1:] - corners[near, :1], 1, 2)
    inverses = np.linalg.inv(edges)
    parts = np.cumsum(totals[near]) // _CHUNK
    for part in np.split(np.arange(len(near)), np.flatnonzero(np.diff(parts)) + 1):
        repeats = totals[near[part]]
        place = np.repeat(part, repeats)
        cells = near[place]
        rest = np.arange(len(cells)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        where, points, stride = np.empty((len(cells), len(axes))), np.zeros(len(cells), int), 1
        for number in reversed(range(len(axes))):
            count = counts[number][cells]
            index = firsts[number][cells] + rest % count
            rest //= count
            where[:, number] = axes[number][index]
            points += stride * index
            stride *= len(axes[number])
        inner = np.einsum("nij,nj->ni", inverses[place], where - corners[cells, 0])
        given = np.concatenate([1.0 - inner.sum(axis=1, keepdims=True), inner], axis=1)
        depth = given.min(axis=1)
        order = np.argsort(depth, kind="stable")  # of several values for one point the last stays
        order = order[depth[order] >= np.maximum(-tolerance, deepest[points[order]])]
        found[points[order]] = cells[order]
        weights[points[order]] = given[order]
        deepest[points[order]] = depth[order]
    return found, weights
