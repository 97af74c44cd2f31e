"""Solve a problem with finite elements."""

from __future__ import annotations

import dataclasses
import numbers
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from meshes.errors import InputError, suggest
from meshes.field import Field
from operators.failures import LinearSolveFailure, NonlinearSolveFailure
from pdesolve._petsc_options import unused_message
from pdesolve.fem._firedrake import communicator, firedrake, raise_together
from pdesolve.fem._firedrake_data import node_coordinates
from pdesolve.fem._firedrake_forms import ELEMENTS, FormContext, LinearForm, NonlinearForm
from pdesolve.fem._firedrake_linear import LinearFormSolver
from pdesolve.fem._firedrake_meshes import NamedMesh, named_mesh
from pdesolve.fem._firedrake_nonlinear import NonlinearFormSolver
from pdesolve.fem._firedrake_state import FemState
from pdesolve.fem.preconditioners import split_named
from pdesolve.problems.base import Problem
from pdesolve.solution import Solution
from pdesolve.tolerances import with_tolerance


def solve_fem(
    problem: Problem,
    *,
    mesh: Any,
    solver_parameters: Mapping[str, Any] | str | None = None,
    options_prefix: str = "",
    x0: Field | None = None,
    comm: Any = None,
    check: bool = True,
    element: str = "CG",
    degree: int = 1,
    rtol: float | None = None,
    unused_options: str = "warn",
) -> Solution:
    """Solve a problem that has a weak form; collective, see :func:`pdesolve.solve`.

    Parameters
    ----------
    problem
        Its ``weak_form(context)`` gives a :class:`LinearForm` or a
        :class:`NonlinearForm`.
    mesh
        See :func:`pdesolve.fem._firedrake_meshes.named_mesh`.
    solver_parameters, options_prefix
        PETSc options as in Firedrake or the name of a preconditioner
        (:mod:`pdesolve.fem.preconditioners`), and their prefix.
    x0
        Initial guess, not for mixed elements.
    comm
        MPI communicator; a Firedrake mesh brings its own.
    check
        Raise when the tolerance is not met.
    element
        ``"CG"`` (Lagrange), ``"Q"`` (the same on quadrilaterals or hexahedra), ``"RT"``
        (Raviart–Thomas flux and discontinuous pressure), ``"RTCF"`` (the same on
        quadrilaterals or hexahedra).
    degree
        1 or more; ``"RT"`` of degree r has pressures of degree r − 1.
    rtol
        Relative tolerance on the residual.
    unused_options
        ``"warn"`` or ``"error"``.

    Raises
    ------
    InputError
        If problem, mesh and options do not fit together.
    LinearSolveFailure, NonlinearSolveFailure
        If the tolerance is not met; carries ``result`` and the partial ``solution``.
    """
    start = time.perf_counter()
    _check_element(element, degree)
    own = mesh.mesh if isinstance(mesh, NamedMesh) else mesh
    ranks = own.comm if hasattr(own, "ufl_cell") else communicator(comm)
    tensor_cells = element in ("Q", "RTCF")
    named = named_mesh(problem, mesh, ranks, tensor_cells=tensor_cells)
    if tensor_cells and named.mesh.ufl_cell().is_simplex:
        raise InputError(f"element='{element}' needs quadrilaterals or hexahedra; use 'CG' or 'RT'")
    form = problem.weak_form(FormContext(named, element, int(degree)))
    failure: type[LinearSolveFailure | NonlinearSolveFailure]
    solver: LinearFormSolver | NonlinearFormSolver
    name = "ksp_rtol" if isinstance(form, LinearForm) else "snes_rtol"
    split_named(solver_parameters)  # refuses unknown names and other types
    if isinstance(solver_parameters, str):
        solver_parameters = {"preconditioner": solver_parameters}
    solver_parameters = with_tolerance(solver_parameters, rtol, name)
    if isinstance(form, LinearForm):
        solver, failure = (
            LinearFormSolver(form, solver_parameters, options_prefix),
            LinearSolveFailure,
        )
    elif isinstance(form, NonlinearForm):
        solver = NonlinearFormSolver(form, solver_parameters, options_prefix)
        failure = NonlinearSolveFailure
    else:
        raise InputError(
            f"weak_form of '{problem.name}' gave a {type(form).__name__}; it must give a "
            "LinearForm or a NonlinearForm"
        )
    guess = None if x0 is None else _guess(x0, solver.space)
    prepared = time.perf_counter() - start
    answer, result = solver.solve(guess)
    if solver.unused:
        if unused_options == "error":
            raise InputError(unused_message(solver.unused))
        warnings.warn(unused_message(solver.unused), UserWarning, stacklevel=3)
    seconds = {**result.seconds, "assembly": result.seconds["assembly"] + prepared}
    result = dataclasses.replace(result, seconds=seconds)
    state = FemState(
        answer,
        form.names,
        form.main,
        form.inputs,
        named.evaluators,
        form.outputs,
        form.hole_value,
    )
    solution = Solution(problem, result, "fem", state)
    if check and not result.converged:
        raise failure(solver.advice(result), result=result, solution=solution)
    return solution


LARGEST_DEGREE = 15


def _check_element(element: str, degree: object) -> None:
    if element not in ELEMENTS:
        raise InputError(f"there is no element '{element}'. {suggest(str(element), ELEMENTS)}")
    if isinstance(degree, bool) or not isinstance(degree, numbers.Integral) or int(degree) < 1:
        raise InputError(f"degree={degree!r} must be an integer of 1 or more")
    if int(degree) > LARGEST_DEGREE:
        raise InputError(
            f"degree={degree} is more than the {LARGEST_DEGREE} for which the elements' bases are "
            "well conditioned; take a finer mesh"
        )


def _guess(x0: Field, space: Any) -> Any:
    """A field at the nodes of a space."""
    if len(space) > 1:
        raise InputError(
            "an initial guess (x0, accelerate) is not used with mixed elements; use element='CG'"
        )
    size = int(np.prod(space.value_shape, dtype=int))
    if not isinstance(x0, Field) or x0.num_channels != size:
        count = "one channel" if size == 1 else f"{size} channels"
        raise InputError(f"x0 must be a Field with {count}")
    result = firedrake.Function(space)
    points, error = node_coordinates(space), None
    values = np.empty((size, len(points)))
    try:
        values = x0.evaluate(points)
    except InputError as problem:
        error = problem
    raise_together(space.mesh().comm, error)
    data = result.dat.data_with_halos
    data[...] = values.T.reshape(data.shape)
    return result
