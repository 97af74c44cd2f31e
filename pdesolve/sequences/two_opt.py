"""Shorter paths through samples by exchanging edges and moving samples."""

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
            gains = self.edges[cut] + self.edges[cuts] - distances
            own = here + 2 * side - 1
            if 0 <= own < self.size:
                gains = gains - self._distances(int(self.order[own]), there + 2 * side - 1)
            chosen = int(gains.argmax())
            if gains[chosen] > best[0]:
                low, high = sorted((cut, int(cuts[chosen])))
                best = (float(gains[chosen]), low, high - 1)
        return best

    def best_move(self, sample: int, near: IntArray, distances: FloatArray) -> tuple[float, int]:
        """The largest gain of putting a sample beside a neighbour, and its new position."""
        here, there = int(self.position[sample]), self.position[near]
        saved = self.edges[here] + self.edges[here + 1]
        if 0 < here < self.size - 1:
            step = self.points[self.order[here + 1]] - self.points[self.order[here - 1]]
            saved -= np.sqrt(step @ step)
        best = (0.0, 0)
        for side in (1, 0):  # between the neighbour and the next, or the one before
            others = there + 2 * side - 1
            gains = saved + self.edges[there + side] - distances - self._distances(sample, others)
            gains[others == here] = 0.0
            chosen = int(gains.argmax())
            if gains[chosen] > best[0]:
                at = int(there[chosen])
                best = (float(gains[chosen]), at + side - (1 if at > here else 0))
        return best

    def _distances(self, sample: int, positions: IntArray) -> FloatArray:
        """From a sample to those at some positions; zero beyond the ends of the path."""
        inside = (positions >= 0) & (positions < self.size)
        steps = self.points[self.order[np.where(inside, positions, 0)]] - self.points[sample]
        return np.where(inside, np.sqrt(np.einsum("ij,ij->i", steps, steps)), 0.0)

    def move(self, sample: int, to: int) -> IntArray:
        """Put a sample at another position; gives the samples at the new edges."""
        here = int(self.position[sample])
        around = self.order[max(here - 1, 0) : here + 2].copy()
        if to > here:
            ends = self.turn(here, to)
            self.turn(here, to - 1)
        else:
            ends = self.turn(to, here)
            self.turn(to + 1, here)
        return np.concatenate([around, ends, self.order[max(to - 1, 0) : to + 2]])

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
    """Shorten the path of an order by exchanging edges and moving samples, until none helps.

    Replacing the edges (a, a') and (c, c') by (a, c) and (a', c') turns the part between
    round (2-opt). The other change puts a between c and the sample next to it (Or-opt). Both
    are tried for the nearest neighbours c of each a. At the open ends of the path one edge is
    exchanged.

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
    doi:10.1287/ijoc.4.4.387 (moves of samples, neighbour lists, don't-look bits).

    Examples
    --------
    >>> points = np.array([[0.0], [2.0], [1.0], [3.0]])
    >>> two_opt_order(points, np.arange(4))
    array([0, 2, 1, 3])
    """
    points = checked_features(features)
    if num_neighbors < 1 or group_size < 1:
        raise InputError(
            f"num_neighbors={num_neighbors!r} and group_size={group_size!r} must be positive; "
            "leave them out for the defaults"
        )
    given = nearest_neighbor_order(points) if order is None else checked_order(order, len(points))
    length = path_length(points, given)
    near, distances = _neighbors(points, given, num_neighbors, group_size)
    if len(points) < 3 or length == 0.0 or not near.shape[1]:
        return given
    path = _Path(points, given)
    least = _LEAST_GAIN * length / len(points)
    waiting, is_waiting = deque(given.tolist()), np.ones(len(points), dtype=bool)
    while waiting:
        sample = waiting.popleft()
        is_waiting[sample] = False
        gain, first, last = path.best_exchange(sample, near[sample], distances[sample])
        other_gain, to = path.best_move(sample, near[sample], distances[sample])
        if max(gain, other_gain) <= least:
            continue
        ends = path.turn(first, last) if gain >= other_gain else path.move(sample, to)
        for other in (sample, *ends.tolist()):
            if not is_waiting[other]:
                is_waiting[other] = True
                waiting.append(other)
    return path.order if path_length(points, path.order) <= length else given


def _neighbors(
    points: FloatArray, order: IntArray, count: int, group_size: int
) -> tuple[IntArray, FloatArray]:
    """Nearest samples within groups of the order, and their distances, ``(N, count)``."""
    groups = np.array_split(order, max(-(-len(order) // group_size), 1))
    count = max(min(count, min(len(group) for group in groups) - 1), 0)
    near = np.empty((len(points), count), dtype=np.int64)
    distances = np.empty((len(points), count))
    for group in groups:
        members = np.sort(group)
        if count:
            near[members] = nearest_lists(points, members, count)
    for column in range(count):
        steps = points[near[:, column]] - points
        distances[:, column] = np.sqrt(np.einsum("ij,ij->i", steps, steps))
    return near, distances
