"""Solve one problem."""

from __future__ import annotations

import dataclasses
import importlib
import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, require
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.failures import SolveFailure
from pdesolve.problems.base import Problem
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.solution import Solution
from pdesolve.tolerances import with_tolerance

Backend = Literal["auto", "grid", "fem", "spectral"]


def solve(
    problem: Problem,
    *,
    mesh: Any = None,
    backend: Backend = "auto",
    solver_parameters: Mapping[str, Any] | None = None,
    options_prefix: str = "",
    x0: Field | None = None,
    accelerate: Any = None,
    comm: Any = None,
    check: bool = True,
    element: str = "CG",
    degree: int = 1,
    rtol: float | None = None,
    unused_options: Literal["warn", "error"] = "warn",
) -> Solution:
    """Solve a problem with PETSc (``grid``), Firedrake (``fem``) or Fourier modes (``spectral``).

    Collective on the communicator.

    Parameters
    ----------
    problem
        What to solve.
    mesh
        Number of cells an axis (an integer or a tuple), a :class:`meshes.StructuredGrid`;
        for ``fem`` also a :class:`meshes.UnstructuredMesh`, a Firedrake mesh, or the path
        of a Gmsh file.
    backend
        ``"grid"``, ``"fem"``, ``"spectral"`` (boxes that wrap on every axis, smooth data,
        every process the whole problem), or ``"auto"``: ``grid`` where the problem and
        the mesh allow it.
    solver_parameters
        PETSc options by name, nested or flat, without the dash; they replace the
        defaults.
    options_prefix
        Prefix under which PETSc's command line reaches the solver.
    x0
        Initial guess; resampled to the mesh.
    accelerate
        A trained surrogate (checkpoint path or ``neural.Surrogate``) whose prediction is
        the initial guess. The tolerance stays relative to ‖b‖, so the answer is as
        accurate as without.
    comm
        MPI communicator; all processes when left out.
    check
        Raise when the tolerance is not met; otherwise look at ``solution.result``.
    element, degree
        Finite element of the backend ``fem``: ``"CG"`` (continuous Lagrange) or ``"RT"``
        (mixed Raviart–Thomas with discontinuous pressure).
    rtol
        Relative tolerance on the residual: ``ksp_rtol`` of linear problems, ``snes_rtol``
        of nonlinear ones.
    unused_options
        Whether options that PETSc did not read are a warning or an error.

    Returns
    -------
    Solution
        Field, record of the solve and the library's own objects.

    Raises
    ------
    InputError
        If problem, mesh, backend and options do not fit together.
    SolveFailure
        If the tolerance is not met and `check` holds; carries ``result`` and ``solution``.
    MissingDependencyError
        If the backend is not installed.

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> solution = solve(DarcyProblem(1.0, dimension=1), mesh=64)
    >>> round(float(solution.field.evaluate([[0.5]])[0, 0]), 3)
    0.125
    """
    if not isinstance(problem, Problem):
        raise InputError(
            f"problem is a {type(problem).__name__}; give a Problem, such as "
            "family.problem(family.sample(rng))"
        )
    if isinstance(problem, EvolutionProblem):
        raise InputError(
            f"'{problem.name}' evolves in time; use pdesolve.evolve, which takes times and steps"
        )
    mesh = problem.default_mesh() if mesh is None else mesh
    if mesh is None:
        raise InputError("mesh is missing; give cells an axis such as mesh=(64, 64), or a mesh")
    chosen = _choose(problem, mesh, backend, (element, degree))
    if x0 is not None and accelerate is not None:
        raise InputError("x0 and accelerate both give an initial guess; give one of them")
    if accelerate is not None:
        x0 = importlib.import_module("neural.accelerate").initial_guess(
            accelerate, problem, _guess_grid(problem, mesh)
        )
    if chosen != "fem":
        name = "snes_rtol" if problem.is_nonlinear_on_grids and chosen == "grid" else "ksp_rtol"
        if rtol is not None:
            solver_parameters = with_tolerance(solver_parameters, rtol, name)
    if chosen == "grid" and problem.is_nonlinear_on_grids:
        require("petsc4py.PETSc", extra="petsc")
        nonlinear = importlib.import_module("pdesolve.grid._petsc_nonlinear")
        found: Solution = nonlinear.solve_nonlinear(
            problem,
            as_grid(problem, mesh),
            solver_parameters=solver_parameters,
            options_prefix=options_prefix,
            x0=x0,
            comm=comm,
            check=check,
            unused_options=unused_options,
        )
        return found
    if chosen == "grid" and problem.has_block_system:
        require("petsc4py.PETSc", extra="petsc")
        blocks = importlib.import_module("pdesolve.grid._petsc_block_solver")
        answer: Solution = blocks.solve_block_system(
            problem,
            as_grid(problem, mesh),
            solver_parameters=solver_parameters,
            options_prefix=options_prefix,
            x0=x0,
            comm=comm,
            check=check,
            unused_options=unused_options,
        )
        return answer
    if chosen == "grid":
        return _solve_grid(
            problem,
            as_grid(problem, mesh),
            solver_parameters,
            options_prefix,
            x0,
            comm,
            check,
            unused_options == "error",
        )
    if chosen == "spectral":
        return _solve_spectral(problem, as_grid(problem, mesh), solver_parameters, x0, check)
    importlib.import_module("meshes._firedrake")  # sets the kernel cache; says what is missing
    solver = importlib.import_module("pdesolve.fem._firedrake_solver")
    solution: Solution = solver.solve_fem(
        problem,
        mesh=mesh,
        solver_parameters=solver_parameters,
        options_prefix=options_prefix,
        x0=x0,
        comm=comm,
        check=check,
        element=element,
        degree=degree,
        rtol=rtol,
        unused_options=unused_options,
    )
    return solution


def is_box(mesh: Any) -> bool:
    """Whether a mesh argument stands for a box: numbers of cells, or a structured grid."""
    return isinstance(mesh, numbers.Integral | StructuredGrid) or (
        isinstance(mesh, Sequence | np.ndarray) and not isinstance(mesh, str)
    )


def _choose(problem: Problem, mesh: Any, backend: str, element: tuple[str, int]) -> str:
    from meshes.errors import suggest

    known = ("auto", "grid", "fem", "spectral")
    if backend not in known:
        raise InputError(f"there is no backend '{backend}'. {suggest(backend, known)}")
    tensor = getattr(problem, "has_tensor_coefficient", False)
    if backend == "auto":
        on_grid = is_box(mesh) and not tensor and element == ("CG", 1)
        backend = "grid" if on_grid and "grid" in problem.backends else "fem"
    if backend not in problem.backends:
        raise InputError(
            f"'{problem.name}' has no form for the backend '{backend}'; it has: "
            f"{', '.join(problem.backends)}"
        )
    if backend in ("grid", "spectral") and element != ("CG", 1):
        raise InputError(
            f"element={element[0]!r} and degree={element[1]} choose finite elements, which the "
            f"backend '{backend}' does not have; use backend='fem'"
        )
    if backend in ("grid", "spectral") and not is_box(mesh):
        kind = f"the file '{mesh}'" if isinstance(mesh, str | Path) else type(mesh).__name__
        raise InputError(
            f"the backend '{backend}' solves on boxes, and mesh is {kind}; use backend='fem'"
        )
    return backend


def as_grid(problem: Problem, mesh: Any) -> StructuredGrid:
    """The grid that a mesh argument stands for, checked against the problem."""
    if not isinstance(mesh, StructuredGrid):
        if isinstance(mesh, numbers.Integral) and not isinstance(mesh, bool):
            mesh = int(mesh)
        return problem.grid(mesh if isinstance(mesh, int) else tuple(mesh))
    if mesh.dimension != problem.dimension:
        raise InputError(f"the problem is {problem.dimension}D, the grid {mesh.dimension}D")
    return mesh


def _guess_grid(problem: Problem, mesh: Any) -> StructuredGrid:
    if not is_box(mesh):
        raise InputError(
            "accelerate works on boxes (mesh a number of cells or a StructuredGrid); on other "
            "meshes predict on a grid and pass x0"
        )
    return as_grid(problem, mesh)


def _solve_grid(
    problem: Problem,
    grid: StructuredGrid,
    solver_parameters: Mapping[str, Any] | None,
    options_prefix: str,
    x0: Field | None,
    comm: Any,
    check: bool,
    unused_is_error: bool,
) -> Solution:
    import time

    require("petsc4py.PETSc", extra="petsc")
    petsc = importlib.import_module("pdesolve.grid._petsc_solver")
    start = time.perf_counter()
    solver: Any = None
    error: Exception | None = None
    try:
        solver = petsc.GridSolver(
            grid, solver_parameters, options_prefix, comm, problem.grid_solver_parameters
        )
    except Exception as options_here:
        error = options_here
    petsc.raise_together(comm, error)
    block = solver.block if problem.discretizes_blocks else None
    try:
        guess = _guess_on(grid, x0, block)
        system = problem.discretize(grid) if block is None else problem.discretize_block(block)
    except Exception as problem_here:  # whatever it is, the other processes must learn of it
        error = problem_here
    petsc.raise_together(comm, error)
    discretised = time.perf_counter() - start
    assembled = solver.assemble(system)
    del system  # its arrays are as large as the matrix
    vector, result = solver.solve_assembled(assembled, guess, check=False)
    petsc.warn_unused(solver.unused_options(), error=unused_is_error)
    seconds = {**result.seconds, "assembly": result.seconds["assembly"] + discretised}
    result = dataclasses.replace(result, seconds=seconds)
    states = importlib.import_module("pdesolve.grid._petsc_stencil_state")
    state = states.GridState(solver.matrix, vector, problem.unknown, problem.input_fields)
    solution = Solution(problem, result, "grid", state)
    if check and not result.converged:
        raise _failure(solver, solution)
    return solution


def _solve_spectral(
    problem: Problem,
    grid: StructuredGrid,
    solver_parameters: Mapping[str, Any] | None,
    x0: Field | None,
    check: bool,
) -> Solution:
    from operators.failures import LinearSolveFailure
    from pdesolve.spectral.solver import SpectralState, solve_spectral_system

    guess = _guess_on(grid, x0)
    values, result = solve_spectral_system(problem.spectral_system(grid), guess, solver_parameters)
    state = SpectralState(grid, values, problem.unknown, problem.input_fields(grid))
    solution = Solution(problem, result, "spectral", state)
    if check and not result.converged:
        raise LinearSolveFailure(
            f"{result.describe()}; relative residual {result.relative_residual:.2e}, asked for "
            f"{result.rtol:.1e}. Raise ksp_max_it, or look whether the coefficient varies by many "
            "orders of magnitude",
            result=result,
            solution=solution,
        )
    return solution


def _guess_on(
    grid: StructuredGrid, x0: Field | None, block: GridBlock | None = None
) -> FloatArray | None:
    """Values of a guess on a grid, or on a block of it."""
    if x0 is None:
        return None
    if not isinstance(x0, Field) or x0.num_channels != 1:
        raise InputError("x0 must be a Field with one channel")
    values: FloatArray
    if block is None or x0.mesh == grid:
        values = x0.resample(grid).values[0]
        return values if block is None else values[block.window]
    values = x0.evaluate(block.points().reshape(grid.dimension, -1).T)[0]
    return values.reshape(block.shape)


def _failure(solver: Any, solution: Solution) -> SolveFailure:
    from operators.failures import LinearSolveFailure

    return LinearSolveFailure(
        solver.advice(solution.result), result=solution.result, solution=solution
    )
