"""Columns of features on one scale."""

from __future__ import annotations

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.stencil import IntArray

# Spread relative to the largest value below which a column is rounding error
_CONSTANT = 1e-12


def standardize(features: FloatArray, groups: IntArray | None = None) -> FloatArray:
    """Centre the columns, and scale groups of them to a mean square distance from 0 of one.

    Columns that do not vary are dropped: those with a standard deviation below 1e-12 of
    the largest value in their group.

    Parameters
    ----------
    features
        Shape ``(N, p)``.
    groups
        Shape ``(p,)``: the group of each column; columns of a group keep their
        proportions. Each by itself when left out.

    Returns
    -------
    numpy.ndarray
        Shape ``(N, q)`` with q ≤ p.

    Raises
    ------
    InputError
        If a value is not finite; the message names the samples.

    Examples
    --------
    >>> standardize(np.array([[1.0, 7.0], [3.0, 7.0]])).tolist()
    [[-1.0], [1.0]]
    """
    values = checked_features(features)
    kinds = np.arange(values.shape[1]) if groups is None else np.asarray(groups)
    if kinds.shape != (values.shape[1],):
        raise InputError(
            f"groups of shape {kinds.shape} do not fit {values.shape[1]} columns; give one "
            "number a column"
        )
    if not len(values):
        return values.copy()
    names, group = np.unique(kinds, return_inverse=True)
    largest = np.zeros(len(names))
    np.maximum.at(largest, group, np.abs(values).max(axis=0))
    centred = values - values.mean(axis=0)
    variances = np.mean(centred**2, axis=0)
    varies = np.sqrt(variances) > _CONSTANT * largest[group]
    spread = np.sqrt(np.bincount(group, variances, len(names)))[group]
    scaled: FloatArray = centred[:, varies] / spread[varies]
    return scaled


def checked_features(features: FloatArray) -> FloatArray:
    """Features as a finite array of float64.

    Raises
    ------
    InputError
        If the array is not of shape ``(N, p)``, or a value is not finite.

    Examples
    --------
    >>> checked_features(np.array([[0.0], [np.nan]]))
    Traceback (most recent call last):
    meshes.errors.InputError: features of sample 1 are not finite; leave it out before sorting
    """
    values = np.asarray(features, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(
            f"features of shape {values.shape} must have shape (samples, numbers a sample); "
            "flatten the numbers of each sample"
        )
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        shown = ", ".join(str(i) for i in bad[:5]) + (", ..." if len(bad) > 5 else "")
        samples, pronoun = ("sample", "it") if len(bad) == 1 else ("samples", "them")
        raise InputError(
            f"features of {samples} {shown} are not finite; leave {pronoun} out before sorting"
        )
    return values
