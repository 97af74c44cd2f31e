"""∂/∂t of frames, from the frames themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meshes.errors import InputError
from meshes.structured import FloatArray


def differentiation_matrix(times: Sequence[float] | FloatArray, order: int = 6) -> FloatArray:
    """The matrix that takes values at times to the derivative of their interpolant there.

    Row j holds the derivative at t_j of the polynomial of degree `order` through the
    `order` + 1 nearest frames: central differences in the middle, one-sided ones at the
    ends. It knows nothing of the equation, so that frames that solve nothing cannot
    satisfy ∂u/∂t = F(u) by construction.

    Parameters
    ----------
    times
        Increasing, T of them; they need not be equally spaced.
    order
        Degree of the interpolant, and order of accuracy in the spacing; with fewer than
        `order` + 1 frames that of the polynomial through all.

    Returns
    -------
    array
        Shape ``(T, T)``, 1/s.

    Raises
    ------
    InputError
        If there are fewer than two times, they do not increase, or `order` is not a
        positive integer.

    References
    ----------
    Fornberg (1988), Generation of Finite Difference Formulas on Arbitrarily Spaced Grids,
    Mathematics of Computation 51, doi:10.1090/S0025-5718-1988-0935077-0.

    Examples
    --------
    >>> times = np.array([0.0, 0.5, 0.75, 1.0])
    >>> bool(np.allclose(differentiation_matrix(times, 3) @ times**3, 3 * times**2))
    True
    """
    nodes = np.asarray(times, dtype=np.float64)
    if nodes.ndim != 1 or len(nodes) < 2:
        raise InputError(f"times={times!r} must be a sequence of two or more times")
    if not (np.isfinite(nodes).all() and (np.diff(nodes) > 0).all()):
        raise InputError(f"times={times!r} must be finite and increase")
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise InputError(f"order={order!r} must be a positive integer")
    count = len(nodes)
    width = min(order + 1, count)
    matrix = np.zeros((count, count))
    for row in range(count):
        first = min(max(row - width // 2, 0), count - width)
        near = slice(first, first + width)
        distance = nodes[near] - nodes[row]
        size = float(np.abs(distance).max())
        powers = np.vander(distance / size, width, increasing=True).T
        wanted = np.zeros(width)
        wanted[1] = 1.0 / size
        matrix[row, near] = np.linalg.solve(powers, wanted)
    return matrix
