"""The inverse of the coarsest level of multigrid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from pdesolve.batched.in_place import InPlace
from pdesolve.batched.parity_classes import Offset
from pdesolve.spectral.transforms import Array


def coarsest_inverse(
    work: InPlace,
    coefficients: Iterable[tuple[Offset, Array]],
    shape: tuple[int, ...],
    periodic: tuple[bool, ...],
    batch: int,
    singular: Array | None,
) -> Array:
    """A⁻¹ of every sample, shape ``(batch, n, n)``.

    Where constants are in the null space it is that of A + c 1 1ᵀ, with c the mean of the
    diagonal over n.

    Parameters
    ----------
    work
        Arithmetic; the result is of its type, though computed in float64.
    coefficients
        Offsets, positive and zero, with values of −A, ``(*shape, batch)``.
    shape, periodic
        Of the grid.
    batch
        Number of samples.
    singular
        Numbers 0 and 1, ``(batch,)``, or None.

    Returns
    -------
    array
        A matrix that is not finite is left out (the identity), so that it does not stop the
        others; of one that is singular the inverse on its range.
    """
    xp = work.xp
    count = math.prod(shape)
    index = np.arange(count).reshape(shape)
    dense = xp.zeros((batch, count, count), dtype=xp.float64, device=work.device)
    for step, values in coefficients:
        rows, columns = neighbours(index, step, periodic)
        entries = -xp.astype(values.reshape((count, batch)), xp.float64).T[:, rows]
        dense[:, rows, columns] += entries
        if any(step):
            dense[:, columns, rows] += entries
    if singular is not None:
        diagonal = xp.sum(xp.linalg.diagonal(dense), axis=1)
        shift = xp.astype(singular, xp.float64) * diagonal / count**2
        dense += xp.reshape(shift, (-1, 1, 1))
    identity = xp.eye(count, dtype=xp.float64, device=work.device)
    good = xp.all(xp.all(xp.isfinite(dense), axis=2), axis=1)
    dense = xp.where(xp.reshape(good, (-1, 1, 1)), dense, identity)
    return xp.astype(symmetric_inverse(xp, dense), work.dtype)


def neighbours(
    index: np.ndarray[Any, Any], step: Offset, periodic: tuple[bool, ...]
) -> tuple[Any, Any]:
    """Numbers of the points that have a neighbour at an offset, and of those neighbours."""
    moved = np.roll(index, tuple(-s for s in step), tuple(range(index.ndim)))
    inside = np.ones(index.shape, dtype=bool)
    for axis, s in enumerate(step):
        if s and not periodic[axis]:
            window: list[Any] = [slice(None)] * index.ndim
            window[axis] = -1 if s > 0 else 0
            inside[tuple(window)] = False
    return index[inside], moved[inside]


def symmetric_inverse(xp: Any, matrices: Array) -> Array:
    """Inverses of symmetric matrices; of a singular one that on its range.

    Examples
    --------
    >>> symmetric_inverse(np, np.array([[[2.0, 0.0], [0.0, 4.0]], [[2.0, 0.0], [0.0, 0.0]]]))
    array([[[0.5 , 0.  ],
            [0.  , 0.25]],
    <BLANKLINE>
           [[0.5 , 0.  ],
            [0.  , 0.  ]]])
    """
    found = _inverse(xp, matrices)
    if found is not None:
        return found
    from array_api_compat import device

    values, vectors = xp.linalg.eigh(matrices)
    largest = xp.max(xp.abs(values), axis=1, keepdims=True)
    usable = xp.abs(values) > 1e-13 * largest
    inverse = xp.where(usable, 1.0 / xp.where(usable, values, 1.0), 0.0)
    on_range = xp.matmul(vectors * inverse[:, None, :], xp.matrix_transpose(vectors))
    # the others get what they would have got without the singular ones
    regular = xp.all(usable, axis=1)[:, None, None]
    identity = xp.eye(matrices.shape[1], dtype=matrices.dtype, device=device(matrices))
    found = _inverse(xp, xp.where(regular, matrices, identity))
    return on_range if found is None else xp.where(regular, found, on_range)


def _inverse(xp: Any, matrices: Array) -> Array | None:
    """Inverses, or None if one does not exist."""
    try:
        found = xp.linalg.inv(matrices)
    except (RuntimeError, np.linalg.LinAlgError):
        return None
    return found if bool(xp.all(xp.isfinite(found))) else None
