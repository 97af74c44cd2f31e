"""Given values of scalars and vectors on parts of the boundary."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray
from operators.spatial import ConstantFunction, as_spatial_function
from pdesolve.fem._firedrake import firedrake, raise_together, ufl
from pdesolve.fem._firedrake_data import evaluate_array, node_coordinates, require_finite
from pdesolve.problems.boundary import Dirichlet


def dirichlet_conditions(
    space: Any, number: int, condition: Dirichlet, side: str, factor: Any = None
) -> list[Any]:
    """Firedrake's conditions for one side (collective); see :meth:`FormContext.dirichlet`.

    Parameters
    ----------
    space
        A space of scalars or vectors with point values, or such a part of a mixed space.
    number
        Firedrake's number of the side.
    condition
        What is given.
    side
        The side's name, for messages.
    factor
        A Firedrake ``Constant`` that multiplies all values, or None.

    Examples
    --------
    >>> space = firedrake.VectorFunctionSpace(firedrake.UnitSquareMesh(2, 2), "CG", 1)
    >>> len(dirichlet_conditions(space, 1, Dirichlet((1.0, 0.0)), "left"))
    1
    >>> len(dirichlet_conditions(space, 1, Dirichlet((1.0, None)), "left"))
    1
    """
    name = f"value on '{side}'"
    shape, value = tuple(space.value_shape), condition.value
    if len(shape) > 1:
        raise InputError(f"{name}: the unknown is a matrix; only scalars and vectors are given")
    if condition.component is not None:
        _check_component(condition.component, shape, side)
        return [_condition(space.sub(condition.component), number, value, name, factor)]
    if not (shape and isinstance(value, list | tuple)):
        return [_condition(space, number, value, name, factor)]
    if len(value) != shape[0]:
        raise InputError(f"{name} has {len(value)} components; the unknown has {shape[0]}")
    if all(isinstance(part, numbers.Real) for part in value):
        return [_condition(space, number, np.asarray(value, dtype=np.float64), name, factor)]
    return [
        _condition(space.sub(index), number, part, f"component {index} of {name}", factor)
        for index, part in enumerate(value)
        if part is not None
    ]


def _check_component(component: object, shape: tuple[int, ...], side: str) -> None:
    if not shape:
        raise InputError(
            f"the condition of side '{side}' is for component {component}, and the unknown is a "
            "scalar; leave component out"
        )
    whole = isinstance(component, numbers.Integral) and not isinstance(component, bool)
    if not whole or not 0 <= int(component) < shape[0]:  # type: ignore[call-overload]
        raise InputError(
            f"the condition of side '{side}' is for component {component!r}; the unknown has "
            f"components 0 to {shape[0] - 1}"
        )


def _condition(space: Any, number: int, value: Any, name: str, factor: Any) -> Any:
    """One Firedrake condition for a scalar or a vector."""
    given = _boundary_value(space, number, value, name)
    if given is None:
        return firedrake.DirichletBC(space, firedrake.Constant(np.zeros(space.value_shape)), number)
    if factor is not None:
        given = factor * given
    return firedrake.DirichletBC(space, given, number)


def _boundary_value(space: Any, number: int, value: Any, name: str) -> Any:
    """A constant, an expression, or a function with values at the side's nodes; None is 0."""
    shape = tuple(space.value_shape)
    if isinstance(value, ufl.core.expr.Expr):
        if value.ufl_shape != shape:
            raise InputError(f"{name} has UFL shape {value.ufl_shape}; {shape} is needed")
        return value
    constant = _constant(value, shape, name)
    if constant is not None:
        return firedrake.Constant(constant) if np.any(constant) else None
    zero = firedrake.DirichletBC(space, firedrake.Constant(np.zeros(shape)), number)
    nodes, own_space = zero.nodes, zero.function_space()
    where = node_coordinates(space.collapse())[nodes]
    values: FloatArray = np.empty(0)
    error: Exception | None = None
    try:
        if shape:
            values = evaluate_array(value, where, shape)
        else:
            values = np.asarray(as_spatial_function(value).evaluate(where), dtype=np.float64)
        require_finite(values, where, name)
    except Exception as problem:  # the other processes must learn of it, whatever it is
        error = problem
    raise_together(space.mesh().comm, error)
    result = firedrake.Function(own_space, name=name)
    result.dat.data_with_halos[nodes] = values
    return result


def _constant(value: Any, shape: tuple[int, ...], name: str) -> FloatArray | None:
    """Numbers as an array of the space's shape; None for everything else."""
    if isinstance(value, ConstantFunction):
        value = value.value
    if isinstance(value, Field) or callable(value):
        return None
    if not isinstance(value, numbers.Real | np.ndarray | list | tuple):
        return None
    if not shape and not isinstance(value, numbers.Real) and np.ndim(value) > 0:
        raise InputError(f"{name} has several components, and the unknown is a scalar")
    array = np.asarray(value, dtype=np.float64)
    if array.ndim and array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; {shape} is needed")
    if not np.isfinite(array).all():
        raise InputError(f"{name}: {value} is not finite")
    return np.broadcast_to(array, shape).copy()
