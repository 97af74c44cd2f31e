"""Orders in which samples that follow each other are alike, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from operators.stencil import IntArray
from pdesolve.sequences.nearest_neighbor import nearest_neighbor_order
from pdesolve.sequences.space_filling import space_filling_order
from pdesolve.sequences.standardization import checked_features
from pdesolve.sequences.two_opt import two_opt_order


def index_order(features: FloatArray) -> IntArray:
    """The order of the samples' numbers.

    Examples
    --------
    >>> index_order(np.zeros((3, 1)))
    array([0, 1, 2])
    """
    return np.arange(len(checked_features(features)), dtype=np.int64)


ORDERS: dict[str, Callable[[FloatArray], IntArray]] = {
    "index": index_order,
    "nearest-neighbor": nearest_neighbor_order,
    "two-opt": two_opt_order,
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
