"""The order along a space-filling curve."""

from __future__ import annotations

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.stencil import IntArray
from pdesolve.sequences.hilbert import hilbert_index
from pdesolve.sequences.standardization import checked_features


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
        raise InputError(f"dimensions={dimensions!r} must lie between 1 and 16; 6 is usual")
    points = checked_features(features)
    coordinates = principal_components(points, dimensions)
    width = float(np.ptp(coordinates, axis=0).max()) if coordinates.size else 0.0
    if width == 0.0:
        return np.arange(len(points), dtype=np.int64)
    bits = min(20, 62 // coordinates.shape[1])
    scaled = (coordinates - coordinates.min(axis=0)) * ((2**bits - 1) / width)
    return np.argsort(hilbert_index(scaled.astype(np.int64), bits), kind="stable")
