"""Given functions of space as Firedrake coefficients."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.spatial import (
    ConstantFunction,
    FieldFunction,
    FormulaFunction,
    SpatialFunction,
    as_spatial_function,
)
from pdesolve.fem._firedrake import firedrake, raise_together, ufl
from pdesolve.fem._firedrake_meshes import NamedMesh

Check = Callable[[FloatArray, FloatArray], None]


def node_coordinates(space: Any) -> FloatArray:
    """Positions of the nodes of a space with point values, shape ``(num_nodes, d)``."""
    mesh = space.mesh()
    vector = firedrake.VectorFunctionSpace(mesh, space.ufl_element())
    where = firedrake.Function(vector).interpolate(firedrake.SpatialCoordinate(mesh))
    return np.asarray(where.dat.data_ro_with_halos, dtype=np.float64).reshape(
        -1, mesh.geometric_dimension
    )


def interior_space(mesh: Any, degree: int) -> Any:
    """Discontinuous polynomials with values at points inside the cells.

    A function with jumps along facets is then read on the right side of each jump.
    """
    family = "DG" if mesh.ufl_cell().is_simplex else "DQ"
    return firedrake.FunctionSpace(mesh, family, degree, variant="spectral")


def coefficient(
    value: object,
    named: NamedMesh,
    *,
    degree: int,
    name: str,
    shape: tuple[int, ...] = (),
    check: Check | None = None,
) -> Any:
    """A number, function, field or draw as something to put into a form (collective).

    Numbers and constant arrays become constants; UFL expressions stay; formulas become
    discontinuous polynomials of the given degree, read at points inside the cells; fields
    and random draws become constants on each cell, read at its centroid. On a box a draw
    is first evaluated at the centres of the grid's cells, and each mesh cell takes the
    value of the grid cell that holds it: the coefficient that the backend ``grid`` uses.

    Parameters
    ----------
    value
        What was given.
    named
        The mesh.
    degree
        For formulas.
    name
        For messages and output files.
    shape
        ``()`` or the shape of a matrix.
    check
        Called with values ``(n, *shape)`` and points ``(n, d)``; raises
        :class:`InputError`.

    Raises
    ------
    InputError
        On every process, if the value cannot be used or is not finite on any.
    """
    if isinstance(value, ufl.core.expr.Expr):
        if value.ufl_shape != shape:
            raise InputError(f"{name} has UFL shape {value.ufl_shape}; {shape} is needed")
        return value
    mesh = named.mesh
    try:
        constant = _constant(value, shape)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    if constant is not None:
        if check is not None:
            check(constant[None], np.zeros((1, mesh.geometric_dimension)))
        return firedrake.Constant(constant if shape else float(constant))
    smooth = not isinstance(value, Field) and (
        isinstance(value, FormulaFunction)
        or (callable(value) and not isinstance(value, SpatialFunction))
    )
    scalar = interior_space(mesh, degree if smooth else 0)
    points = node_coordinates(scalar)
    values: FloatArray = np.empty((0, *shape))
    failure: Exception | None = None
    try:
        values = _evaluate(value, points, shape, named.grid)
        _finite(values, points, name)
        if check is not None:
            check(values, points)
    except Exception as problem:  # the other processes must learn of it, whatever it is
        failure = problem
    raise_together(mesh.comm, failure)
    space = scalar
    if shape:
        space = firedrake.TensorFunctionSpace(mesh, scalar.ufl_element(), shape=shape)
    result = firedrake.Function(space, name=name)
    data = result.dat.data_with_halos
    data[...] = values.reshape(data.shape)
    return result


def _constant(value: object, shape: tuple[int, ...]) -> FloatArray | None:
    if isinstance(value, ConstantFunction):
        value = value.value
    if isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0):
        number = float(value)
        if not np.isfinite(number):
            raise InputError(f"{value} is not a finite number")
        return np.array(number) if not shape else number * np.eye(shape[0])
    if shape and isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value, dtype=np.float64)
        if array.shape != shape or not np.isfinite(array).all():
            raise InputError(f"a constant matrix must be finite and of shape {shape}")
        return array
    return None


def _evaluate(
    value: Any, points: FloatArray, shape: tuple[int, ...], grid: StructuredGrid | None
) -> FloatArray:
    """Values at points, shape ``(n, *shape)``."""
    if shape:
        return _evaluate_matrix(value, points, shape)
    function = as_spatial_function(value)
    if grid is not None and not isinstance(function, FormulaFunction):
        function = FieldFunction(Field(grid, function.on(grid)))
    return np.asarray(function.evaluate(points), dtype=np.float64)


def _evaluate_matrix(value: Any, points: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    num_points, size = len(points), shape[0] * shape[1]
    if isinstance(value, Field):
        if value.num_channels != size:
            raise InputError(
                f"a matrix field needs {size} channels (row by row); this one has "
                f"{value.num_channels}"
            )
        return value.evaluate(points, method="nearest").T.reshape(num_points, *shape)
    if not callable(value):
        raise InputError(
            f"a matrix of shape {shape} must be an array, a function of points, a Field with "
            f"{size} channels, or a UFL expression"
        )
    given = np.asarray(value(points.T), dtype=np.float64)
    if given.shape not in {shape, (*shape, num_points)}:
        raise InputError(
            f"the function gave shape {given.shape} for points of shape {points.T.shape}; it must "
            f"give {(*shape, num_points)}"
        )
    if given.shape == shape:
        given = np.repeat(given[..., None], num_points, axis=2)
    return np.moveaxis(given, -1, 0)


def _finite(values: FloatArray, points: FloatArray, name: str) -> None:
    wrong = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{name} is not finite at {tuple(points[first].tolist())} and {int(wrong.sum()) - 1} "
            "other points"
        )


def require_positive(name: str) -> Check:
    """A check that scalar values are positive, and matrices symmetric positive definite."""

    def check(values: FloatArray, points: FloatArray) -> None:
        if values.ndim == 1:
            least = np.asarray(values)
        else:
            skew = np.abs(values - np.swapaxes(values, 1, 2)).max(axis=(1, 2))
            wrong = skew > 1e-10 * np.abs(values).max(axis=(1, 2))
            if wrong.any():
                where = points[int(np.flatnonzero(wrong)[0])]
                raise InputError(f"the {name} must be a symmetric matrix; at {where} it is not")
            least = np.asarray(np.linalg.eigvalsh(values)[:, 0], dtype=np.float64)
        if least.size and least.min() <= 0:
            first = int(np.argmin(least))
            what = "it is" if values.ndim == 1 else "its least eigenvalue is"
            where = (
                f"{tuple(points[first].tolist())} and {int((least <= 0).sum()) - 1} other points"
            )
            raise InputError(f"the {name} must be positive; {what} {least[first]:.6g} at {where}")

    return check


def nodal_values(function: SpatialFunction, space: Any, nodes: Any, name: str) -> Any:
    """A function of a space with given values at some nodes and zero elsewhere (collective)."""
    result = firedrake.Function(space, name=name)
    where = node_coordinates(space)[nodes]
    values: FloatArray = np.empty(0)
    error: Exception | None = None
    try:
        values = np.asarray(function.evaluate(where), dtype=np.float64)
        _finite(values, where, name)
    except Exception as problem:  # the other processes must learn of it, whatever it is
        error = problem
    raise_together(space.mesh().comm, error)
    result.dat.data_with_halos[nodes] = values
    return result
