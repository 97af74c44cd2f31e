"""Shorter paths through samples by exchanging edges."""

from __future__ import annotations

from collections import deque

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.stencil import IntArray
from pdesolve.sequences.nearest_neighbor import nearest_neighbor_order
from pdesolve.sequences.paths import checked_order, path_length
from pdesolve.sequences.standardization import checked_features

# A move must shorten the path by this much of its mean edge, or rounding could cycle
_LEAST_GAIN = 1e-9

# Rows of distances made at once
_BLOCK = 512


def nearest_lists(points: FloatArray, members: IntArray, count: int) -> IntArray:
    """The nearest other members of each member, shape ``(len(members), count)``.

    Examples
    --------
    >>> nearest_lists(np.array([[0.0], [1.0], [3.0]]), np.array([0, 1, 2]), 1).ravel().tolist()
    [1, 0, 1]
    """
    own = points[members] - points[members].mean(axis=0)
    squares = (own**2).sum(axis=1)
    found = np.empty((len(members), count), dtype=np.int64)
    for start in range(0, len(members), _BLOCK):
        rows = slice(start, min(start + _BLOCK, len(members)))
        distances = (-2.0 * own[rows]) @ own.T
        distances += squares
        here = np.arange(rows.start, rows.stop)
        distances[here - rows.start, here] = np.inf
        near = np.sort(np.argpartition(distances, count - 1, axis=1)[:, :count], axis=1)
        by_distance = np.argsort(np.take_along_axis(distances, near, axis=1), kind="stable")
        found[rows] = members[np.take_along_axis(near, by_distance, axis=1)]
    return found


class _Path:
    """An open path and the lengths of its edges, with a zero before and after."""

    def __init__(self, points: FloatArray, order: IntArray) -> None:
        self.points, self.order = points, order.copy()
        self.size = len(order)
        self.position = np.empty_like(order)
        self.position[order] = np.arange(self.size)
        self.edges = np.zeros(self.size + 1)
        self.edges[1:-1] = np.sqrt((np.diff(points[order], axis=0) ** 2).sum(axis=1))

    def best_exchange(
        self, sample: int, near: IntArray, distances: FloatArray
    ) -> tuple[float, int, int]:
        """The largest gain, and the first and last position of the part to turn round."""
        here, there = int(self.position[sample]), self.position[near]
        best = (0.0, 0, 0)
        for side in (1, 0):  # the edges behind both samples, or before both
            # edge k joins positions k - 1 and k
            cut, cuts = here + side, there + side
            own = here + (1 if side else -1)
            gains = self.edges[cut] + self.edges[cuts] - distances
            if 0 <= own < self.size:
                others = there + (1 if side else -1)
                inside = (others >= 0) & (others < self.size)
                far = self.points[self.order[np.where(inside, others, 0)]]
                far = far - self.points[self.order[own]]
                gains = gains - np.where(inside, np.sqrt(np.einsum("ij,ij->i", far, far)), 0.0)
            chosen = int(gains.argmax())
            if gains[chosen] > best[0]:
                low, high = sorted((cut, int(cuts[chosen])))
                best = (float(gains[chosen]), low, high - 1)
        return best

    def turn(self, first: int, last: int) -> IntArray:
        """Turn a part round; gives the samples at the two new edges."""
        part = slice(first, last + 1)
        self.order[part] = self.order[part][::-1].copy()
        self.position[self.order[part]] = np.arange(first, last + 1)
        self.edges[first + 1 : last + 1] = self.edges[first + 1 : last + 1][::-1].copy()
        for edge in (first, last + 1):
            if 0 < edge < self.size:
                step = self.points[self.order[edge]] - self.points[self.order[edge - 1]]
                self.edges[edge] = np.sqrt(step @ step)
        ends = np.array([first - 1, first, last, last + 1])
        found: IntArray = self.order[ends[(ends >= 0) & (ends < self.size)]]
        return found


def two_opt_order(
    features: FloatArray,
    order: IntArray | None = None,
    num_neighbors: int = 10,
    group_size: int = 10_000,
) -> IntArray:
    """Shorten the path of an order by exchanging pairs of edges, until none helps.

    Replacing the edges (a, a') and (c, c') by (a, c) and (a', c') turns the part between
    round; it is tried for the nearest neighbours c of each a. At the open ends of the path
    one edge is exchanged.

    Parameters
    ----------
    features
        Shape ``(N, p)``.
    order
        Where to begin, :func:`pdesolve.sequences.nearest_neighbor_order` when left out.
    num_neighbors
        How many neighbours of each sample are tried.
    group_size
        Neighbours are looked for among so many samples that follow each other in `order`.

    Returns
    -------
    numpy.ndarray
        A permutation, dtype int64, whose path is never longer than that of `order`.

    Raises
    ------
    InputError
        If a feature is not finite, `order` is not a permutation, or a number is not positive.

    References
    ----------
    Croes (1958), A Method for Solving Traveling-Salesman Problems, doi:10.1287/opre.6.6.791;
    Bentley (1992), Fast Algorithms for Geometric Traveling Salesman Problems,
    doi:10.1287/ijoc.4.4.387 (neighbour lists and don't-look bits).

    Examples
    --------
    >>> points = np.array([[0.0], [2.0], [1.0], [3.0]])
    >>> two_opt_order(points, np.arange(4))
    array([0, 2, 1, 3])
    """
    points = checked_features(features)
    if num_neighbors < 1 or group_size < 1:
        raise InputError(
            f"num_neighbors={num_neighbors!r} and group_size={group_size!r} must be positive"
        )
    given = nearest_neighbor_order(points) if order is None else checked_order(order, len(points))
    length = path_length(points, given)
    if len(points) < 3 or length == 0.0:
        return given
    near, distances = _neighbors(points, given, num_neighbors, group_size)
    path = _Path(points, given)
    least = _LEAST_GAIN * length / len(points)
    waiting, is_waiting = deque(given.tolist()), np.ones(len(points), dtype=bool)
    while waiting:
        sample = waiting.popleft()
        is_waiting[sample] = False
        gain, first, last = path.best_exchange(sample, near[sample], distances[sample])
        if gain <= least:
            continue
        ends = path.turn(first, last)
        for other in (sample, *ends.tolist()):
            if not is_waiting[other]:
                is_waiting[other] = True
                waiting.append(other)
    return path.order if path_length(points, path.order) <= length else given


def _neighbors(
    points: FloatArray, order: IntArray, count: int, group_size: int
) -> tuple[IntArray, FloatArray]:
    """Nearest samples within groups of the order, and their distances, ``(N, count)``."""
    groups = np.array_split(order, -(-len(order) // group_size))
    count = min(count, min(len(group) for group in groups) - 1)
    near = np.empty((len(points), count), dtype=np.int64)
    distances = np.empty((len(points), count))
    for group in groups:
        members = np.sort(group)
        near[members] = nearest_lists(points, members, count)
    for column in range(count):
        steps = points[near[:, column]] - points
        distances[:, column] = np.sqrt(np.einsum("ij,ij->i", steps, steps))
    return near, distances
