"""The greedy order: from each sample to the nearest one that is left."""

from __future__ import annotations

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.stencil import IntArray
from pdesolve.sequences.space_filling import space_filling_order
from pdesolve.sequences.standardization import checked_features

# Relative difference of squared distances below which two of them are a tie
_TIE = 1e-9


def nearest_neighbor_order(
    features: FloatArray, start: int = 0, group_size: int = 10_000
) -> IntArray:
    """Go from each sample to the nearest one that has not been visited.

    The work is O(N² p) for N ≤ `group_size` (each step is one matrix-vector product). More
    samples are first cut into groups of equal size along a space-filling curve;
    groups are sorted one by one, each from the sample that is nearest to the end of the
    group before, which takes O(N · group_size · p).

    Parameters
    ----------
    features
        Shape ``(N, p)``.
    start
        The first sample.
    group_size
        Most samples that are sorted together.

    Returns
    -------
    numpy.ndarray
        A permutation, dtype int64. Among equal distances (to 1e-9 of their squares) the lowest
        number comes first.

    Raises
    ------
    InputError
        If a feature is not finite, there is no sample `start`, or `group_size` is not
        positive.

    References
    ----------
    Wang, Hao, Wang, Geng, Wang, Li, Wu (2024), Accelerating Data Generation for Neural
    Operators via Krylov Subspace Recycling, arXiv:2401.09516, algorithm 1.

    Examples
    --------
    >>> nearest_neighbor_order(np.array([[0.0], [5.0], [1.0], [4.0]]))
    array([0, 2, 3, 1])
    """
    points = checked_features(features)
    count = len(points)
    if group_size < 1:
        raise InputError(f"group_size={group_size!r} must be positive; leave it out for one group")
    if not count:
        return np.empty(0, dtype=np.int64)
    if not 0 <= start < count:
        raise InputError(
            f"start={start!r} is not one of {count} samples, numbered from 0; 0 always is"
        )
    if count <= group_size:
        return _greedy(points, start)
    curve = space_filling_order(points)
    groups = np.array_split(curve, -(-count // group_size))
    first = next(g for g, group in enumerate(groups) if start in group)
    parts: list[IntArray] = []
    for group in groups[first:] + groups[:first]:
        members = np.sort(group)
        begin = int(np.searchsorted(members, start))
        if parts:
            begin = _nearest(points[members], points[parts[-1][-1]])
        parts.append(members[_greedy(points[members], begin)])
    return np.concatenate(parts)


def _nearest(points: FloatArray, point: FloatArray) -> int:
    squares = ((points - point) ** 2).sum(axis=1)
    return int(np.flatnonzero(squares <= (1 + _TIE) * squares.min())[0])


def _greedy(points: FloatArray, start: int) -> IntArray:
    """The greedy order; distances are screened by a product, the nearest computed exactly."""
    count = len(points)
    order = np.empty(count, dtype=np.int64)
    order[0] = start
    centred = points - points.mean(axis=0)
    # |x|² - 2 x·y, without what does not depend on x; visited samples get infinity
    rest, numbers = -2.0 * centred, np.arange(count)
    squares = (centred**2).sum(axis=1)
    screen = 1e-13 * max(float(squares.max()), np.finfo(float).tiny) * (1 + points.shape[1])
    squares[start] = np.inf
    left = count - 1
    for step in range(1, count):
        if left < 0.8 * len(rest):
            alive = np.isfinite(squares)
            rest, numbers, squares = rest[alive], numbers[alive], squares[alive]
        last = order[step - 1]
        distances = rest @ centred[last]
        distances += squares
        best = int(distances.argmin())
        near = np.flatnonzero(distances <= distances[best] + screen)
        if len(near) > 1:
            best = int(near[_nearest(points[numbers[near]], points[last])])
        order[step] = numbers[best]
        squares[best] = np.inf
        left -= 1
    return order
