"""Orders in which samples that follow each other are alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from operators.stencil import IntArray
from pdesolve.sequences.features import checked_features
from pdesolve.sequences.hilbert import hilbert_index

# Relative difference of squared distances below which two of them are a tie
_TIE = 1e-9


def path_length(features: FloatArray, order: IntArray | None = None) -> float:
    """Σ ‖x_{o(i+1)} − x_{o(i)}‖₂, the sum of distances from each sample to the next.

    Parameters
    ----------
    features
        Shape ``(N, p)``.
    order
        A permutation; that of the index when left out.

    Examples
    --------
    >>> path_length(np.array([[0.0], [2.0], [1.0]])), path_length(
    ...     np.array([[0.0], [2.0], [1.0]]), np.array([0, 2, 1]))
    (3.0, 2.0)
    """
    points = checked_features(features)
    if order is not None:
        points = points[checked_order(order, len(points))]
    return float(np.sqrt((np.diff(points, axis=0) ** 2).sum(axis=1)).sum())


def checked_order(order: IntArray, num_samples: int) -> IntArray:
    """The order as an array of int64, if it is a permutation.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> checked_order([1, 0], 2)
    array([1, 0])
    """
    given = np.asarray(order)
    if not np.array_equal(np.sort(given.ravel()), np.arange(num_samples)) or given.ndim != 1:
        raise InputError(f"order must hold each number from 0 to {num_samples - 1} once")
    return given.astype(np.int64)


def index_order(features: FloatArray) -> IntArray:
    """The order of the samples' numbers.

    Examples
    --------
    >>> index_order(np.zeros((3, 1)))
    array([0, 1, 2])
    """
    return np.arange(len(checked_features(features)), dtype=np.int64)


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
        raise InputError(f"group_size={group_size!r} must be positive")
    if not count:
        return np.empty(0, dtype=np.int64)
    if not 0 <= start < count:
        raise InputError(f"start={start!r} is not one of {count} samples, numbered from 0")
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


def principal_components(features: FloatArray, dimensions: int) -> FloatArray:
    """Coordinates along the directions of largest variance, shape ``(N, ≤ dimensions)``.

    Signs are such that the largest coordinate by magnitude is positive.

    Examples
    --------
    >>> principal_components(np.array([[0.0, 0.0], [3.0, 4.0]]), 1).round(12).tolist()
    [[2.5], [-2.5]]
    """
    points = checked_features(features)
    if not points.size:
        return points[:, :0]
    centred = points - points.mean(axis=0)
    kept = min(dimensions, *centred.shape)
    if centred.shape[0] >= centred.shape[1]:
        _, vectors = np.linalg.eigh(centred.T @ centred)
        found = centred @ vectors[:, : -kept - 1 : -1]
    else:
        values, vectors = np.linalg.eigh(centred @ centred.T)
        found = vectors[:, : -kept - 1 : -1] * np.sqrt(np.maximum(values[: -kept - 1 : -1], 0.0))
    at_largest = found[np.abs(found).argmax(axis=0), np.arange(kept)]
    return np.asarray(np.where(at_largest < 0, -found, found), dtype=np.float64)


def space_filling_order(features: FloatArray, dimensions: int = 6) -> IntArray:
    """Follow Hilbert's curve through the leading principal components.

    The work is O(N p² + N log N): this is the order for very many samples. All components
    are divided into cells of one size, so that lengths keep their proportions.

    Parameters
    ----------
    features
        Shape ``(N, p)``.
    dimensions
        How many principal components, at most 16.

    Returns
    -------
    numpy.ndarray
        A permutation, dtype int64; samples of one cell follow their numbers.

    References
    ----------
    Skilling (2004), Programming the Hilbert curve, doi:10.1063/1.1751381; Platzman, Bartholdi
    (1989), Spacefilling curves and the planar travelling salesman problem,
    doi:10.1145/76359.76361.

    Examples
    --------
    >>> space_filling_order(np.array([[0.0], [5.0], [1.0], [4.0]]))
    array([1, 3, 2, 0])
    """
    if isinstance(dimensions, bool) or not 1 <= dimensions <= 16:
        raise InputError(f"dimensions={dimensions!r} must lie between 1 and 16")
    points = checked_features(features)
    coordinates = principal_components(points, dimensions)
    width = float(np.ptp(coordinates, axis=0).max()) if coordinates.size else 0.0
    if width == 0.0:
        return np.arange(len(points), dtype=np.int64)
    bits = min(20, 62 // coordinates.shape[1])
    scaled = (coordinates - coordinates.min(axis=0)) * ((2**bits - 1) / width)
    return np.argsort(hilbert_index(scaled.astype(np.int64), bits), kind="stable")


def _two_opt(features: FloatArray) -> IntArray:
    from pdesolve.sequences.two_opt import two_opt_order

    return two_opt_order(features)


ORDERS: dict[str, Callable[[FloatArray], IntArray]] = {
    "index": index_order,
    "nearest-neighbor": nearest_neighbor_order,
    "two-opt": _two_opt,
    "space-filling": space_filling_order,
}


def order_samples(features: FloatArray, name: str = "two-opt") -> IntArray:
    """An order by name.

    Parameters
    ----------
    features
        Shape ``(N, p)``, see :func:`pdesolve.sequences.feature_matrix`.
    name
        ``index``, ``nearest-neighbor`` (:func:`nearest_neighbor_order`), ``two-opt`` (the same,
        improved by :func:`pdesolve.sequences.two_opt_order`) or ``space-filling``
        (:func:`space_filling_order`).

    Returns
    -------
    numpy.ndarray
        A permutation of ``range(N)``, dtype int64; a function of the features alone.

    Raises
    ------
    InputError
        For an unknown name, or features that are not finite.

    Examples
    --------
    >>> order_samples(np.array([[0.0], [5.0], [1.0], [4.0]]), "nearest-neighbor")
    array([0, 2, 3, 1])
    """
    if name not in ORDERS:
        raise InputError(f"there is no order '{name}'. {suggest(name, ORDERS)}")
    return ORDERS[name](features)
