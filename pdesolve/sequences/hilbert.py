"""Positions of points along Hilbert's curve."""

from __future__ import annotations

import numpy as np

from meshes.errors import InputError
from operators.stencil import IntArray


def hilbert_index(cells: IntArray, bits: int) -> IntArray:
    """Where along Hilbert's curve cells of a cube of 2^bits cells an axis lie.

    Cells that follow each other along the curve share a face.

    Parameters
    ----------
    cells
        Whole numbers from 0 to 2^bits - 1, shape ``(N, dimensions)``.
    bits
        At least 1, with ``dimensions * bits <= 62``.

    Returns
    -------
    numpy.ndarray
        Shape ``(N,)``, from 0 to 2^(dimensions · bits) - 1.

    Raises
    ------
    InputError
        If the numbers do not fit.

    References
    ----------
    Skilling (2004), Programming the Hilbert curve, doi:10.1063/1.1751381.

    Examples
    --------
    >>> hilbert_index(np.array([[0, 0], [0, 1], [1, 1], [1, 0]]), bits=1).tolist()
    [0, 1, 2, 3]
    """
    given = np.asarray(cells, dtype=np.int64)
    if given.ndim != 2 or given.shape[1] < 1:
        raise InputError(
            f"cells of shape {given.shape} must have shape (N, dimensions); give one row a cell"
        )
    dimensions = given.shape[1]
    if bits < 1 or dimensions * bits > 62:
        raise InputError(
            f"bits={bits} in {dimensions} dimensions must lie between 1 and 62 in all; lower bits"
        )
    if given.size and (given.min() < 0 or given.max() >= 1 << bits):
        raise InputError(
            f"cells must lie between 0 and {(1 << bits) - 1}, and reach from {given.min()} to "
            f"{given.max()}; raise bits, or scale them"
        )
    axes = np.ascontiguousarray(given.T)
    for bit in range(bits - 1, 0, -1):  # undo the turns and mirrorings of each level
        low = (1 << bit) - 1
        for row in axes:
            is_set = (row >> bit) & 1 == 1
            swap = np.where(is_set, 0, (axes[0] ^ row) & low)
            axes[0] ^= np.where(is_set, low, swap)
            row ^= swap
    for axis in range(1, dimensions):  # Gray code
        axes[axis] ^= axes[axis - 1]
    flips = np.zeros_like(axes[0])
    for bit in range(bits - 1, 0, -1):
        flips ^= np.where((axes[-1] >> bit) & 1 == 1, (1 << bit) - 1, 0)
    axes ^= flips
    index = np.zeros(len(given), dtype=np.int64)
    for bit in range(bits - 1, -1, -1):
        for row in axes:
            index = (index << 1) | ((row >> bit) & 1)
    return index
