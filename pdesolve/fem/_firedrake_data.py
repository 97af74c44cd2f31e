"""Given functions of space as Firedrake coefficients."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.spatial import (
    ConstantFunction,
    FieldFunction,
    FormulaFunction,
    as_spatial_function,
    is_spatial_function,
)
from pdesolve.fem._firedrake import firedrake, raise_together, ufl
from pdesolve.fem._firedrake_meshes import NamedMesh

Check = Callable[[FloatArray, FloatArray], None]


def node_coordinates(space: Any) -> FloatArray:
    """Positions of the nodes of a space with point values, shape ``(num_nodes, d)``."""
    mesh = space.mesh()
    element = space.ufl_element()
    if space.value_shape:
        element = element.sub_elements[0]
    vector = firedrake.VectorFunctionSpace(mesh, element)
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
    side: int | None = None,
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
        ``()``, or the shape of a vector or a matrix.
    check
        Called with values ``(n, *shape)`` and points ``(n, d)``; raises
        :class:`InputError`.
    side
        Firedrake's number of the part of the boundary that the data are for. They are read
        in the cells along it, and zero in all others; everywhere when left out.

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
    if len(shape) == 1 and isinstance(value, list | tuple) and not _all_numbers(value):
        _check_length(value, shape, name)
        parts = [
            coefficient(part, named, degree=degree, name=f"component {index} of {name}", side=side)
            for index, part in enumerate(value)
        ]
        return ufl.as_vector(parts)
    try:
        constant = _constant(value, shape)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    if constant is not None:
        if check is not None:
            check(constant[None], np.zeros((1, mesh.geometric_dimension)))
        return firedrake.Constant(constant if shape else float(constant))
    smooth = not isinstance(value, Field) and (
        isinstance(value, FormulaFunction) or (callable(value) and not is_spatial_function(value))
    )
    scalar = interior_space(mesh, degree if smooth else 0)
    points = node_coordinates(scalar)
    nodes = None if side is None else nodes_along(scalar, side)
    if nodes is not None:
        points = points[nodes]
    values: FloatArray = np.zeros((0, *shape))
    failure: Exception | None = None
    try:
        if len(points):
            values = _evaluate(value, points, shape, named.grid)
            require_finite(values, points, name)
            if check is not None:
                check(values, points)
    except Exception as problem:  # the other processes must learn of it, whatever it is
        failure = problem
    raise_together(mesh.comm, failure)
    space = scalar
    if shape:
        make = firedrake.VectorFunctionSpace if len(shape) == 1 else firedrake.TensorFunctionSpace
        size = {"dim": shape[0]} if len(shape) == 1 else {"shape": shape}
        space = make(mesh, scalar.ufl_element(), **size)
    result = firedrake.Function(space, name=name)
    data = result.dat.data_with_halos
    if nodes is None:
        data[...] = values.reshape(data.shape)
    else:
        data[nodes] = values.reshape(-1, *data.shape[1:])
    return result


def nodes_along(space: Any, *numbers_of_sides: int) -> Any:
    """Nodes, those of halos with them, of the cells that have a facet in parts of the boundary.

    Parameters
    ----------
    space
        A space without nodes that cells share.
    numbers_of_sides
        Firedrake's numbers of the parts.
    """
    facets = space.mesh().exterior_facets
    rows = [facets.measure_set("exterior_facet", number).indices for number in numbers_of_sides]
    cells = facets.facet_cell[np.concatenate(rows), 0]
    return np.unique(space.cell_node_list[cells])


def _constant(value: object, shape: tuple[int, ...]) -> FloatArray | None:
    if isinstance(value, ConstantFunction):
        value = value.value
    if isinstance(value, numbers.Real) or (isinstance(value, np.ndarray) and value.ndim == 0):
        number = float(value)
        if not np.isfinite(number):
            raise InputError(f"{value} is not a finite number")
        if len(shape) == 1:
            return np.full(shape, number)
        return np.array(number) if not shape else number * np.eye(shape[0])
    if shape and isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value, dtype=np.float64)
        if array.shape != shape or not np.isfinite(array).all():
            kind = "vector" if len(shape) == 1 else "matrix"
            raise InputError(f"a constant {kind} must be finite and of shape {shape}")
        return array
    return None


def _all_numbers(values: Sequence[object]) -> bool:
    return all(isinstance(value, numbers.Real) for value in values)


def _check_length(values: Sequence[object], shape: tuple[int, ...], name: str) -> None:
    if len(values) != shape[0]:
        raise InputError(f"{name} has {len(values)} components; {shape[0]} are needed")


def _evaluate(
    value: Any, points: FloatArray, shape: tuple[int, ...], grid: StructuredGrid | None
) -> FloatArray:
    """Values at points, shape ``(n, *shape)``."""
    if shape:
        return evaluate_array(value, points, shape)
    function = as_spatial_function(value)
    if grid is not None and not isinstance(function, FormulaFunction):
        function = FieldFunction(Field(grid, function.on(grid)))
    return np.asarray(function.evaluate(points), dtype=np.float64)


def evaluate_array(value: Any, points: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Values of a vector- or matrix-valued function or field at points, ``(n, *shape)``."""
    num_points, size = len(points), math.prod(shape)
    kind = "vector" if len(shape) == 1 else "matrix"
    if isinstance(value, Field):
        if value.num_channels != size:
            rows = "" if len(shape) == 1 else " (row by row)"
            raise InputError(
                f"a {kind} field needs {size} channels{rows}; this one has {value.num_channels}"
            )
        return value.evaluate(points, method="nearest").T.reshape(num_points, *shape)
    if not callable(value):
        raise InputError(
            f"a {kind} of shape {shape} must be an array, a function of points, a Field with "
            f"{size} channels, or a UFL expression"
        )
    given = value(points.T)
    if isinstance(given, list | tuple):  # of numbers and arrays
        given = np.stack([np.broadcast_to(np.asarray(g), (num_points,)) for g in given])
    given = np.asarray(given, dtype=np.float64)
    if given.shape not in {shape, (*shape, num_points)}:
        raise InputError(
            f"the function gave shape {given.shape} for points of shape {points.T.shape}; it must "
            f"give {(*shape, num_points)}"
        )
    if given.shape == shape:
        given = np.repeat(given[..., None], num_points, axis=2)
    return np.moveaxis(given, -1, 0)


def require_finite(values: FloatArray, points: FloatArray, name: str) -> None:
    """Refuse values ``(n, ...)`` that are not finite, naming the first point."""
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
