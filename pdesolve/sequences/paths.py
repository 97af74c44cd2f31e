"""Paths through samples."""

from __future__ import annotations

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.stencil import IntArray
from pdesolve.sequences.standardization import checked_features


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
        raise InputError(
            f"order must hold each number from 0 to {num_samples - 1} once; make it with "
            "pdesolve.sequences.ORDERS"
        )
    return given.astype(np.int64)
