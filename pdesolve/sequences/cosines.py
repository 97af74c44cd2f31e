"""Smooth parts of fields by cosines and sines."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid


@lru_cache(maxsize=32)
def _axis_basis(size: int, modes: int, *, periodic: bool, vertex: bool) -> FloatArray:
    """Orthonormal rows (in the plain inner product of square-root-weighted values)."""
    index = np.arange(size)
    number = np.arange(min(modes, size))[:, None]
    if periodic:  # 1, cos, sin, cos, sin, ... of growing frequency
        frequency = (number + 1) // 2
        angle = 2 * np.pi * frequency * (index + (0.0 if vertex else 0.5)) / size
        rows = np.where(number % 2 == 1, np.cos(angle), np.sin(angle)) * np.sqrt(2 / size)
        rows[0] = np.sqrt(1 / size)
        rows[2 * frequency[:, 0] == size] = (-1.0) ** index / np.sqrt(size)
    elif vertex:  # DCT-I; with the trapezoidal rule's weights its rows are orthonormal
        ends = np.where((index == 0) | (index == size - 1), np.sqrt(0.5), 1.0)
        rows = np.cos(np.pi * number * index / (size - 1)) * np.sqrt(2 / (size - 1)) * ends
        rows *= ends[: len(number), None]
    else:  # DCT-II
        rows = np.cos(np.pi * number * (index + 0.5) / size) * np.sqrt(2 / size)
        rows[0] = np.sqrt(1 / size)
    rows.setflags(write=False)
    return np.asarray(rows, dtype=np.float64)


def truncated_cosine(values: FloatArray, grid: StructuredGrid, modes: int = 12) -> FloatArray:
    """The coefficients of a field in the smoothest cosines (sines too on periodic axes).

    With all coefficients kept, Σ_k |c_k|² = ‖v‖²_L2 in the grid's quadrature rule (midpoints
    for cells, trapezoids for vertices). The Euclidean distance of truncated coefficients
    therefore never exceeds the L2 distance of the fields. The basis is DCT-II on cells,
    DCT-I on vertices and the real Fourier basis on periodic axes.

    Parameters
    ----------
    values
        Shape ``(*grid.shape)`` or ``(channel, *grid.shape)``.
    grid
        Where the values are.
    modes
        Basis functions along each axis, at most the grid's size along it.

    Returns
    -------
    numpy.ndarray
        Shape ``(p,)`` or ``(channel, p)``, with p the product of ``min(modes, size)`` over
        the axes; in the unit of the values times that of length to half the dimension.

    Raises
    ------
    InputError
        If the shape does not fit, or `modes` is not a positive integer.

    References
    ----------
    Ahmed, Natarajan, Rao (1974), Discrete Cosine Transform, doi:10.1109/T-C.1974.223784.

    Examples
    --------
    >>> grid = StructuredGrid((32, 32))
    >>> coefficients = truncated_cosine(np.full((32, 32), 3.0), grid, modes=2)
    >>> np.allclose(coefficients, [3.0, 0.0, 0.0, 0.0])
    True
    """
    if isinstance(modes, bool) or not isinstance(modes, int | np.integer) or modes < 1:
        raise InputError(
            f"modes={modes!r} must be a positive integer; leave it out for 12 along each axis"
        )
    found = np.asarray(values, dtype=np.float64)
    if found.shape[-grid.dimension :] != grid.shape or found.ndim - grid.dimension not in (0, 1):
        raise InputError(
            f"values of shape {found.shape} do not fit {grid.shape}; give (*shape) or "
            "(channel, *shape)"
        )
    lead = found.shape[: -grid.dimension]
    found = found * np.sqrt(grid.quadrature_weights())
    for axis in range(grid.dimension):
        rows = _axis_basis(
            grid.shape[axis],
            int(modes),
            periodic=grid.periodic[axis],
            vertex=grid.location == "vertex",
        )
        # each product takes the first space axis and puts the coefficients last
        found = np.tensordot(found, rows, axes=(len(lead), 1))
    return found.reshape(*lead, -1)
