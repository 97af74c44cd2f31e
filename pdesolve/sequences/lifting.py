"""What given values do to the right-hand sides of other unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.structured import FloatArray


class Lifting:
    """The product of the operator's columns of given values with these values.

    Parameters
    ----------
    matrix
        Sparse matrix without boundary conditions, shape ``(n, n)``.
    fixed
        Which unknowns are given, shape ``(n,)``.

    Examples
    --------
    >>> from scipy import sparse
    >>> matrix = sparse.csr_matrix([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]])
    >>> right = np.zeros(3)
    >>> Lifting(matrix, np.array([True, False, False])).subtract(np.array([5.0, 0.0, 0.0]), right)
    >>> right.tolist()
    [0.0, 5.0, 0.0]
    """

    def __init__(self, matrix: Any, fixed: npt.NDArray[np.bool_]) -> None:
        self._fixed = np.flatnonzero(fixed)
        part = matrix[:, self._fixed].tocsr()
        rows = (np.diff(part.indptr) > 0) & ~fixed
        self._rows = np.flatnonzero(rows)
        self._part = part[self._rows]

    def subtract(self, lift: FloatArray, right: FloatArray) -> None:
        """Take the product with `lift` from a right-hand side, in place."""
        right.reshape(-1)[self._rows] -= self._part @ lift.reshape(-1)[self._fixed]
