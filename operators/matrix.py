"""Linear operators given by a matrix or a diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray
from operators.linear import LinearOperator, Space, real_array

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class MatrixOperator(LinearOperator):
    """A sparse or dense matrix acting on arrays in C order.

    Parameters
    ----------
    matrix
        Any SciPy sparse matrix or 2D array, shape ``(range.size, source.size)``.
    source, range
        Spaces; plain vectors when left out.

    Raises
    ------
    InputError
        If the sizes do not match, or an entry is not finite.

    Examples
    --------
    >>> operator = MatrixOperator([[2.0, 0.0], [1.0, 1.0]])
    >>> (operator @ operator.T).apply([1.0, 1.0])
    array([6., 4.])
    """

    def __init__(
        self,
        matrix: Any,
        source: Space | None = None,
        range: Space | None = None,  # noqa: A002  (the attribute's name)
    ) -> None:
        from scipy.sparse import csr_array

        given = csr_array(matrix)
        if np.iscomplexobj(given.data):
            raise InputError("the matrix is complex; only real operators are supported")
        self.matrix = given.astype(np.float64, copy=False)
        rows, columns = self.matrix.shape
        self.source = source or Space((columns,))
        self.range = range or Space((rows,))
        if (self.range.size, self.source.size) != (rows, columns):
            raise InputError(
                f"a {rows} × {columns} matrix does not map {self.source} to {self.range}"
            )
        if not np.isfinite(self.matrix.data).all():
            raise InputError("the matrix has entries that are not finite")

    def _apply(self, x: FloatArray) -> FloatArray:
        result: FloatArray = (self.matrix @ x.ravel()).reshape(self.range.shape)
        return result

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        result: FloatArray = (self.matrix.T @ y.ravel()).reshape(self.source.shape)
        return result

    def to_csr(self) -> csr_array:
        """The matrix itself."""
        return self.matrix


class DiagonalOperator(LinearOperator):
    """Multiplication by an array, (D x)_i = d_i x_i.

    Examples
    --------
    >>> DiagonalOperator([1.0, 2.0]).apply([3.0, 3.0])
    array([3., 6.])
    """

    def __init__(self, diagonal: npt.ArrayLike, space: Space | None = None) -> None:
        self.diagonal = real_array("the diagonal", diagonal)
        self.source = self.range = space or Space(self.diagonal.shape)
        if self.diagonal.shape != self.source.shape:
            raise InputError(
                f"a diagonal of shape {self.diagonal.shape} does not act on {self.source}"
            )
        if not np.isfinite(self.diagonal).all():
            raise InputError("the diagonal has entries that are not finite")

    def _apply(self, x: FloatArray) -> FloatArray:
        return self.diagonal * x

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self.diagonal * y

    def to_csr(self) -> csr_array:
        """Diagonal matrix."""
        from scipy.sparse import diags_array

        return diags_array(self.diagonal.ravel()).tocsr()


def identity(space: Space) -> DiagonalOperator:
    """The identity on a space."""
    return DiagonalOperator(np.ones(space.shape), space)
