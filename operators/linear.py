"""Linear maps between fields, their sums, products and transposes."""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from meshes.unstructured import UnstructuredMesh

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True)
class Space:
    """Shape of the arrays that a linear operator takes or gives.

    Parameters
    ----------
    shape
        Array shape.
    mesh
        The mesh behind it, if any. Two spaces fit when their shapes are equal and
        their meshes, where both are known, are equal.

    Examples
    --------
    >>> Space((2, 3)).size
    6
    """

    shape: tuple[int, ...]
    mesh: StructuredGrid | UnstructuredMesh | None = None

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return math.prod(self.shape)

    def fits(self, other: Space) -> bool:
        """Whether an array of the other space can be used here."""
        if self.shape != other.shape:
            return False
        return self.mesh is None or other.mesh is None or self.mesh == other.mesh

    def __str__(self) -> str:
        return f"shape {self.shape}" + (f" on {self.mesh}" if self.mesh is not None else "")


class LinearOperator(ABC):
    """A linear map from ``source`` to ``range``.

    An implementation gives ``source``, ``range``, ``_apply``, ``_apply_transpose`` and
    ``to_csr``; checks, algebra (``+ - * @``) and the transpose ``T`` come from here.
    Arrays have the shape of the space.
    """

    source: Space
    range: Space
    __array_ufunc__ = None  # NumPy leaves ``array * operator`` to this class

    @abstractmethod
    def _apply(self, x: Any) -> Any: ...

    @abstractmethod
    def _apply_transpose(self, y: Any) -> Any: ...

    @abstractmethod
    def to_csr(self) -> csr_array:
        """The matrix, arrays taken in C order."""

    def apply(self, x: npt.ArrayLike) -> FloatArray:
        """A x for an array of shape ``source.shape``."""
        result: FloatArray = self._apply(_checked(x, self.source, "apply"))
        return result

    def apply_transpose(self, y: npt.ArrayLike) -> FloatArray:
        """Aᵀ y for an array of shape ``range.shape``."""
        result: FloatArray = self._apply_transpose(_checked(y, self.range, "apply_transpose"))
        return result

    @property
    def T(self) -> LinearOperator:  # noqa: N802  (NumPy's name)
        """The transpose."""
        return TransposedOperator(self)

    @property
    def is_square(self) -> bool:
        """Whether source and range fit each other."""
        return self.source.fits(self.range)

    def is_symmetric(self, tolerance: float = 1e-12) -> bool:
        """Whether ‖A − Aᵀ‖ ≤ tolerance ‖A‖ in the largest entry, from the matrix."""
        if not self.is_square:
            return False
        matrix = self.to_csr()
        largest = abs(matrix).max() if matrix.nnz else 0.0
        difference = abs(matrix - matrix.T)
        return bool((difference.max() if difference.nnz else 0.0) <= tolerance * largest)

    def __add__(self, other: LinearOperator) -> LinearOperator:
        if isinstance(other, LinearOperator):
            return SumOperator(self, other)
        return NotImplemented

    def __sub__(self, other: LinearOperator) -> LinearOperator:
        if isinstance(other, LinearOperator):
            return SumOperator(self, ScaledOperator(other, -1.0))
        return NotImplemented

    def __mul__(self, factor: float) -> LinearOperator:
        if isinstance(factor, numbers.Real):
            return ScaledOperator(self, float(factor))
        return NotImplemented

    __rmul__ = __mul__

    def __neg__(self) -> LinearOperator:
        return self * -1.0

    def __matmul__(self, other: LinearOperator) -> LinearOperator:
        if isinstance(other, LinearOperator):
            return ProductOperator(self, other)
        return NotImplemented


def real_array(name: str, values: npt.ArrayLike) -> FloatArray:
    """As float64, refusing complex numbers, whose imaginary part would be lost."""
    array = np.asarray(values)
    if np.iscomplexobj(array):
        raise InputError(f"{name} is complex; only real operators are supported")
    return array.astype(np.float64, copy=False)


def _checked(x: npt.ArrayLike, space: Space, method: str) -> FloatArray:
    values = np.asarray(x)
    if values.shape != space.shape:
        raise InputError(f"{method}: array of shape {values.shape} given, {space} expected")
    if np.iscomplexobj(values):
        raise InputError(f"{method}: complex array given; apply to real and imaginary part")
    return values.astype(np.float64, copy=False)


class SumOperator(LinearOperator):
    """A + B."""

    def __init__(self, first: LinearOperator, second: LinearOperator) -> None:
        if not (first.source.fits(second.source) and first.range.fits(second.range)):
            raise InputError(
                f"cannot add operators: {first.source} → {first.range} and "
                f"{second.source} → {second.range}"
            )
        self.first, self.second = first, second
        self.source, self.range = first.source, first.range

    def _apply(self, x: FloatArray) -> FloatArray:
        return self.first.apply(x) + self.second.apply(x)

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self.first.apply_transpose(y) + self.second.apply_transpose(y)

    def to_csr(self) -> csr_array:
        """Sum of the matrices."""
        matrix: csr_array = (self.first.to_csr() + self.second.to_csr()).tocsr()
        return matrix


class ScaledOperator(LinearOperator):
    """c A."""

    def __init__(self, operator: LinearOperator, factor: float) -> None:
        if not math.isfinite(factor):
            raise InputError(f"cannot scale an operator by {factor}")
        self.operator, self.factor = operator, factor
        self.source, self.range = operator.source, operator.range

    def _apply(self, x: FloatArray) -> FloatArray:
        return self.factor * self.operator.apply(x)

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self.factor * self.operator.apply_transpose(y)

    def to_csr(self) -> csr_array:
        """Scaled matrix."""
        return (self.factor * self.operator.to_csr()).tocsr()


class ProductOperator(LinearOperator):
    """A B, which applies B first."""

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        if not outer.source.fits(inner.range):
            raise InputError(
                f"cannot compose: the inner operator gives {inner.range}, the outer takes "
                f"{outer.source}"
            )
        self.outer, self.inner = outer, inner
        self.source, self.range = inner.source, outer.range

    def _apply(self, x: FloatArray) -> FloatArray:
        return self.outer.apply(self.inner.apply(x))

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self.inner.apply_transpose(self.outer.apply_transpose(y))

    def to_csr(self) -> csr_array:
        """Product of the matrices."""
        matrix: csr_array = (self.outer.to_csr() @ self.inner.to_csr()).tocsr()
        return matrix


class TransposedOperator(LinearOperator):
    """Aᵀ."""

    def __init__(self, operator: LinearOperator) -> None:
        self.operator = operator
        self.source, self.range = operator.range, operator.source

    def _apply(self, x: FloatArray) -> FloatArray:
        return self.operator.apply_transpose(x)

    def _apply_transpose(self, y: FloatArray) -> FloatArray:
        return self.operator.apply(y)

    @property
    def T(self) -> LinearOperator:  # noqa: N802
        """The original."""
        return self.operator

    def to_csr(self) -> csr_array:
        """Transposed matrix."""
        return self.operator.to_csr().T.tocsr()
