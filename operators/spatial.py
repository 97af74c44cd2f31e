"""Functions of space: numbers, formulas, fields and random draws behind one interface."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, runtime_checkable

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid


@runtime_checkable
class SpatialFunction(Protocol):
    """A function of space that is the same function on every mesh."""

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Values at the grid's points, shape ``grid.shape``."""

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Values at points of shape ``(n, dimension)``, shape ``(n,)``."""


def is_spatial_function(value: object) -> TypeGuard[SpatialFunction]:
    """Whether a value has the methods of a :class:`SpatialFunction`.

    Examples
    --------
    >>> is_spatial_function(ConstantFunction(1.0)), is_spatial_function(abs)
    (True, False)
    """
    # what isinstance says of a protocol, which is asked for every datum of every sample
    return hasattr(value, "on") and hasattr(value, "evaluate")


# points at which a formula is evaluated at a time, so that its temporaries stay in the cache
_CHUNK = 1 << 15


def values_on_axes(function: SpatialFunction, axes: Sequence[FloatArray]) -> FloatArray:
    """Values at all points of a product of axes, such as a part of a grid.

    Parameters
    ----------
    function
        If it has a method ``on_axes``, that is called; else ``evaluate``.
    axes
        Coordinates along each axis.

    Returns
    -------
    numpy.ndarray
        Shape ``(len(axes[0]), ...)``.

    Examples
    --------
    >>> product = as_spatial_function(lambda x: x[0] * x[1])
    >>> values_on_axes(product, (np.array([1.0, 2.0]), np.array([3.0])))
    array([[3.],
           [6.]])
    """
    own = getattr(function, "on_axes", None)
    if own is not None:
        values: FloatArray = own(tuple(axes))
        return values
    shape = tuple(len(axis) for axis in axes)
    points = _product_points(axes).reshape(len(shape), -1)
    return np.asarray(function.evaluate(points.T), dtype=np.float64).reshape(shape)


def _product_points(axes: Sequence[FloatArray]) -> FloatArray:
    points = np.empty((len(axes), *(len(axis) for axis in axes)))
    for row, part in zip(points, np.meshgrid(*axes, indexing="ij", sparse=True), strict=True):
        row[...] = part
    return points


@dataclass(frozen=True)
class ConstantFunction:
    """The same value everywhere."""

    value: float

    def on_axes(self, axes: tuple[FloatArray, ...]) -> FloatArray:
        """Constant array over a product of axes."""
        return np.full(tuple(len(axis) for axis in axes), self.value)

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Constant array of shape ``grid.shape``."""
        return np.full(grid.shape, self.value)

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Constant array of shape ``(n,)``."""
        return np.full(len(np.atleast_2d(points)), self.value)


@dataclass(frozen=True)
class FormulaFunction:
    """A Python function of coordinates.

    Parameters
    ----------
    formula
        Takes an array of shape ``(dimension, ...)`` and gives shape ``(...)`` (or a
        number).
    """

    formula: Callable[[FloatArray], Any]

    def _values(self, points: FloatArray) -> FloatArray:
        values = np.asarray(self.formula(points))
        if np.iscomplexobj(values):
            raise InputError(f"the function {self._name!r} gave complex values; real are needed")
        if values.ndim and values.shape != points.shape[1:]:
            raise InputError(
                f"the function {self._name!r} gave shape "
                f"{values.shape} for points of shape {points.shape}; it must give "
                f"{points.shape[1:]}"
            )
        return np.broadcast_to(np.asarray(values, dtype=np.float64), points.shape[1:])

    @property
    def _name(self) -> str:
        return str(getattr(self.formula, "__name__", self.formula))

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Values at the grid's points."""
        return self.on_axes(grid.axes())

    def on_axes(self, axes: tuple[FloatArray, ...]) -> FloatArray:
        """Values over a product of axes, in slabs along the first."""
        shape = tuple(len(axis) for axis in axes)
        result = np.empty(shape)
        rows = max(1, _CHUNK // max(1, int(np.prod(shape[1:]))))
        for first in range(0, shape[0], rows):
            points = _product_points((axes[0][first : first + rows], *axes[1:]))
            result[first : first + rows] = self._values(points)
        return result

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Values at points ``(n, dimension)``."""
        return np.array(self._values(np.atleast_2d(np.asarray(points, dtype=np.float64)).T))


@dataclass(frozen=True, eq=False)
class FieldFunction:
    """A scalar field taken as constant around each of its values.

    On a grid it gives the nearest value, so that an array of cell values keeps its jumps
    on a finer grid.
    """

    field: Field

    def on(self, grid: StructuredGrid) -> FloatArray:
        """Nearest value at the grid's points."""
        values: FloatArray = self.field.resample(grid, method="nearest").values[0]
        return values

    def evaluate(self, points: npt.ArrayLike) -> FloatArray:
        """Nearest value at points ``(n, dimension)``."""
        values: FloatArray = self.field.evaluate(points, method="nearest")[0]
        return values


def as_spatial_function(value: object) -> SpatialFunction:
    """Wrap a number, a function of points, or a scalar :class:`meshes.Field`.

    Parameters
    ----------
    value
        What to wrap. An object that is a spatial function already is given back. Wrap an
        array in a ``Field`` first: it does not say where its values sit.

    Raises
    ------
    InputError
        For anything else, and for numbers that are not finite.

    Examples
    --------
    >>> as_spatial_function(lambda x: x[0] * x[1]).evaluate([[2.0, 3.0]])
    array([6.])
    """
    if isinstance(value, numbers.Real):
        if not np.isfinite(float(value)):
            raise InputError(f"{value} is not a finite number")
        return ConstantFunction(float(value))
    if isinstance(value, Field):
        if value.num_channels != 1:
            raise InputError(f"a scalar field is needed; this one has channels {value.names}")
        return FieldFunction(value)
    if is_spatial_function(value):
        return value
    if callable(value):
        return FormulaFunction(value)
    if isinstance(value, np.ndarray | list | tuple):
        raise InputError(
            "an array alone does not say where its values sit; wrap it: "
            "Field(StructuredGrid(array.shape), array)"
        )
    raise InputError(
        f"{value!r} is no function of space; give a number, a function of points of shape "
        "(dimension, ...), or a Field"
    )
