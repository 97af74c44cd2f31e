"""How far a finite element answer is from a known one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from meshes.errors import InputError
from pdesolve.fem._firedrake import firedrake, raise_together, ufl
from pdesolve.fem._firedrake_data import (
    evaluate_array,
    interior_space,
    node_coordinates,
    require_finite,
)
from pdesolve.fem._firedrake_state import FemState
from pdesolve.solution import Solution


def relative_error(
    solution: Solution, exact: Any, *, name: str | None = None, extra_degree: int = 2
) -> float:
    """‖u_h − u‖ / ‖u‖ in L², both read at points inside the cells (collective).

    Parameters
    ----------
    solution
        An answer of the backend ``fem``.
    exact
        u as a function of points of shape ``(dimension, n)``: it gives ``(n,)`` for a
        scalar and ``(dimension, n)`` for a vector.
    name
        Which unknown; the main one when left out.
    extra_degree
        By how much the polynomials in which u is read exceed those of u_h.

    Returns
    -------
    float
        The relative error; the absolute one where u is zero.

    Examples
    --------
    >>> from pdesolve import Dirichlet, DarcyProblem, solve
    >>> problem = DarcyProblem(1.0, 0.0, {"all": Dirichlet(lambda x: x[0])})
    >>> relative_error(solve(problem, mesh=4, backend="fem"), lambda x: x[0]) < 1e-7
    True
    """
    state = solution.state
    if not isinstance(state, FemState):
        raise InputError("relative_error reads answers of the backend 'fem'")
    functions = state.functions
    found = functions[next(iter(functions)) if name is None else name]
    mesh, shape = found.function_space().mesh(), tuple(found.ufl_shape)
    degree = found.function_space().ufl_element().embedded_superdegree + extra_degree
    scalar = interior_space(mesh, degree)
    space = firedrake.VectorFunctionSpace(mesh, scalar.ufl_element()) if shape else scalar
    reference = firedrake.Function(space)
    points = node_coordinates(scalar)
    error: Exception | None = None
    try:
        if shape:
            values = evaluate_array(exact, points, shape)
        else:
            values = np.broadcast_to(np.asarray(exact(points.T), dtype=np.float64), len(points))
        require_finite(values, points, "the exact solution")
        data = reference.dat.data_with_halos
        data[...] = values.reshape(data.shape)
    except Exception as problem:  # the other processes must learn of it, whatever it is
        error = problem
    raise_together(mesh.comm, error)
    difference = firedrake.Function(space).interpolate(found)
    difference -= reference
    squares = [
        firedrake.assemble(ufl.inner(function, function) * ufl.dx)
        for function in (difference, reference)
    ]
    return math.sqrt(squares[0] / squares[1] if squares[1] > 0 else squares[0])
