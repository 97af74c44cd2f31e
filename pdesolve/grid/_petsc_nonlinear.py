"""Solve a nonlinear problem on a grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from meshes.field import Field
from meshes.structured import StructuredGrid
from operators.failures import NonlinearSolveFailure
from pdesolve.grid._petsc_blocks import guess_on_block
from pdesolve.grid._petsc_newton import NonlinearSolver
from pdesolve.grid._petsc_solver import raise_together, warn_unused
from pdesolve.grid._petsc_state import BlockState
from pdesolve.problems.base import Problem
from pdesolve.solution import Solution


def solve_nonlinear(
    problem: Problem,
    grid: StructuredGrid,
    *,
    solver_parameters: Mapping[str, Any] | None = None,
    options_prefix: str = "",
    x0: Field | None = None,
    comm: Any = None,
    check: bool = True,
    unused_options: Literal["warn", "error"] = "warn",
) -> Solution:
    """Solve a nonlinear problem on a grid; collective, see :func:`pdesolve.solve`.

    Raises
    ------
    InputError
        If problem, grid and options do not fit together.
    NonlinearSolveFailure
        If the tolerance is not met and `check` holds; it carries ``result``, and the last
        iterate as ``solution``.
    """
    solver = NonlinearSolver(problem, grid, solver_parameters, options_prefix, comm)
    distributed, error = solver.distributed, None
    guess = inputs = None
    try:
        guess = guess_on_block(x0, grid, distributed.block, solver.system.names)
        inputs = problem.input_fields(grid)
    except Exception as problem_here:  # the other processes must learn of it
        error = problem_here
    raise_together(comm, error)
    vector, result = solver.solve(guess)
    if x0 is not None:
        result = dataclasses.replace(result, notes=(*result.notes, "started from x0"))
    state = BlockState(distributed, vector, solver.system.names, problem.unknown, inputs)
    solution = Solution(problem, result, "grid", state)
    warn_unused(solver.unused, error=unused_options == "error")
    text = "" if result.converged else solver.advice(result, vector)
    solver.destroy()
    if check and not result.converged:
        raise NonlinearSolveFailure(text, result=result, solution=solution)
    return solution
