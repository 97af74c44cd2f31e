"""Linear solves on grids with one or more unknowns a cell."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_block import BlockMatrix, DistributedGrid
from operators.failures import LinearSolveFailure
from operators.result import SolveResult
from pdesolve._petsc_options import SolverOptions, flatten, raise_input_error, reason_name
from pdesolve.grid._petsc_blocks import (
    NEED_SYMMETRY,
    block_of_process,
    guess_on_block,
    last_line,
    with_factorisation,
)
from pdesolve.grid._petsc_solver import MOST_DRIFT, raise_together, warn_unused
from pdesolve.grid._petsc_state import BlockState
from pdesolve.problems.base import Problem
from pdesolve.solution import Solution

# Tolerance on the true residual: GMRES preconditioned from the right monitors it.
DEFAULT_PARAMETERS: dict[str, Any] = {
    "ksp_type": "gmres",
    "ksp_pc_side": "right",
    "ksp_rtol": 1e-8,
    "ksp_atol": 1e-50,
    "ksp_max_it": 1000,
    "ksp_gmres_restart": 100,
    "pc_type": "lu",
}
_FROM_THE_RIGHT = ("gmres", "fgmres", "lgmres", "bcgs", "gcr")
_TESTED = ("ksp_rtol", "ksp_atol", "ksp_max_it")
_RESIDUAL_TESTED = {"CONVERGED_RTOL", "CONVERGED_ATOL"}


class BlockSolver:
    """Solve the linear system of a problem on one grid.

    Parameters
    ----------
    problem
        Its ``block_system(block)`` gives the matrix and the right-hand side.
    grid
        The grid.
    solver_parameters
        PETSc options, nested or flat, that replace the defaults: those of the system,
        else GMRES with a factorisation (that of MUMPS where it is there, L D Lᵀ of
        symmetric systems, which need not be definite), 1e-8 relative to ‖b‖₂ in the true
        residual.
    options_prefix
        Prefix under which PETSc's command line reaches this solver.
    comm
        MPI communicator; methods are collective on it.

    Examples
    --------
    >>> from pdesolve.problems.helmholtz import HelmholtzProblem
    >>> problem = HelmholtzProblem(20.0, dimension=1)
    >>> solver = BlockSolver(problem, problem.grid(64))
    >>> vector, result = solver.solve()
    >>> result.converged
    True
    """

    def __init__(
        self,
        problem: Problem,
        grid: StructuredGrid,
        solver_parameters: Mapping[str, Any] | None = None,
        options_prefix: str = "",
        comm: Any = None,
    ) -> None:
        self.comm = PETSc.COMM_WORLD if comm is None else comm
        block = block_of_process(grid, problem.stencil_width, comm)
        start = time.perf_counter()
        error: Exception | None = None
        try:
            self.system = problem.block_system(block)
        except Exception as problem_here:  # whatever it is, the other processes must know
            error = problem_here
        raise_together(comm, error)
        system = self.system
        defaults = {**DEFAULT_PARAMETERS}
        if system.symmetric and PETSc.Sys.hasExternalPackage("mumps"):
            defaults["pc_type"] = "cholesky"  # L D Lᵀ with pivots: half the work and memory
        defaults.update(system.solver_parameters or {})
        chosen = flatten({} if solver_parameters is None else solver_parameters)
        if chosen.get("ksp_type", "gmres") not in _FROM_THE_RIGHT:
            del defaults["ksp_pc_side"]
        self.options = SolverOptions(
            with_factorisation(defaults, solver_parameters), solver_parameters, options_prefix
        )
        _check_options(self.options.options)
        self.distributed = DistributedGrid(
            grid, len(system.names), problem.stencil_width, self.comm
        )
        self._matrix = self._assemble(system.coefficients)
        self._shifted = None
        if system.preconditioner is not None:
            self._shifted = self._assemble(system.preconditioner)
        self._right = self.distributed.vector(system.right_hand_side)
        self.failure = ""
        self.unused: list[str] = []
        self._assembly = time.perf_counter() - start
        self._ksp = self._create()

    def _assemble(self, coefficients: FloatArray) -> BlockMatrix:
        matrix = BlockMatrix(self.distributed, self.system.offsets, self.system.couplings)
        matrix.mat.setOption(PETSc.Mat.Option.SYMMETRIC, self.system.symmetric)
        matrix.set_values(coefficients)
        return matrix

    def _create(self) -> Any:
        ksp = PETSc.KSP().create(comm=self.comm)
        ksp.setOptionsPrefix(self.options.prefix)
        ksp.setOperators(self._matrix.mat, (self._shifted or self._matrix).mat)
        self.options.insert()
        try:
            ksp.setFromOptions()
        except PETSc.Error as error:
            raise_input_error(error)
            raise InputError(
                f"PETSc refused the solver's options: {last_line(error)}. Check the values of "
                "ksp_type, pc_type and the others"
            ) from error
        finally:
            self.options.unused()  # notes which were read
            self.options.remove()
        if ksp.getType() in NEED_SYMMETRY and not self.system.symmetric:
            raise InputError(
                f"ksp_type '{ksp.getType()}' needs a symmetric operator, and this one is not; use "
                "gmres or bcgs"
            )
        ksp.setConvergenceHistory(reset=True)
        ksp.setErrorIfNotConverged(False)
        return ksp

    def solve(self, x0: FloatArray | None = None) -> tuple[Any, SolveResult]:
        """Solve (collective); a failure is told by the record.

        Parameters
        ----------
        x0
            First guess over the block, ``(component, *shape)``.
        """
        vector = self.distributed.vector(x0)
        ksp = self._ksp
        ksp.setInitialGuessNonzero(x0 is not None and ksp.getType() != "preonly")
        self.failure = ""
        self.options.insert()
        start = ready = time.perf_counter()
        try:
            ksp.setUp()
            ksp.setUpOnBlocks()
            ready = time.perf_counter()
            ksp.solve(self._right, vector)
        except PETSc.Error as error:  # a factorisation or a set-up that gave up
            raise_input_error(error)
            self.failure = last_line(error)
        finally:
            self.unused = self.options.unused()
            self.options.remove()
        done = time.perf_counter()
        seconds = {"assembly": self._assembly, "setup": ready - start, "solve": done - ready}
        return vector, self._record(vector, seconds)

    def _record(self, vector: Any, seconds: dict[str, float]) -> SolveResult:
        ksp = self._ksp
        residual = self._right.duplicate()
        self._matrix.mat.mult(vector, residual)
        residual.aypx(-1.0, self._right)
        size, norm = self._right.norm(), residual.norm()
        residual.destroy()
        relative = float(norm / size if size > 0 else norm)
        code = int(ksp.getConvergedReason())
        reason = "DIVERGED_PC_FAILED" if self.failure else reason_name(code)
        direct = ksp.getType() == PETSc.KSP.Type.PREONLY  # which reads no tolerance
        rtol = float(self.options.options["ksp_rtol"] if direct else ksp.getTolerances()[0])
        converged = code > 0 and not self.failure and bool(np.isfinite(relative))
        if reason not in _RESIDUAL_TESTED:
            converged = converged and relative <= rtol
        elif reason == "CONVERGED_RTOL":
            converged = converged and relative <= MOST_DRIFT * rtol
        history = [] if self.failure else ksp.getConvergenceHistory()
        return SolveResult(
            converged=converged,
            reason=reason,
            iterations=0 if self.failure else int(ksp.getIterationNumber()),
            residual_norms=tuple(float(value) for value in history),
            relative_residual=relative,
            rtol=rtol,
            num_unknowns=int(vector.getSize()),
            solver=f"{ksp.getType()} + {ksp.getPC().getType()}",
            seconds=seconds,
            options_prefix=self.options.prefix,
            notes=self.system.notes,
        )

    def advice(self, result: SolveResult) -> str:
        """What to tell the user about a failed solve."""
        text = (
            f"{result.describe()}; relative residual {result.relative_residual:.2e}, asked for "
            f"{result.rtol:.1e}."
        )
        if self.failure:
            text += f" PETSc said: {self.failure}."
        if result.reason == "DIVERGED_PC_FAILED":
            text += (
                " The preconditioner could not be set up: the matrix may be singular, or PETSc's "
                "own factorisation was asked for on several processes (then give "
                "pc_factor_mat_solver_type mumps)."
            )
        elif result.reason == "CONVERGED_RTOL":
            text += " The residual that the method monitors has parted from b - A u."
        elif result.reason == "DIVERGED_ITS":
            text += " Raise ksp_max_it, or use a factorisation (pc_type lu)."
        if self.system.hint:
            text += f" {self.system.hint}"
        return (
            text + " Pass check=False to get the partial result; it is also in the exception's "
            "'result' and 'solution'."
        )

    def destroy(self) -> None:
        """Free the PETSc objects but the distributed grid, which answers need (collective)."""
        self._ksp.destroy()
        self._right.destroy()
        self._matrix.destroy()
        if self._shifted is not None:
            self._shifted.destroy()


def _check_options(options: Mapping[str, Any]) -> None:
    for key in _TESTED:
        try:
            number = float(options[key])
        except (TypeError, ValueError):
            raise InputError(f"{key}={options[key]!r} must be a number") from None
        if not (np.isfinite(number) and number >= 0):
            raise InputError(f"{key}={options[key]} must be finite and not negative")
    if float(options["ksp_rtol"]) == 0 and float(options["ksp_atol"]) <= 1e-50:
        raise InputError(
            "ksp_rtol=0 with no ksp_atol switches every stopping test off; give one of them"
        )


def solve_block_system(
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
    """Solve a linear problem with several unknowns a cell; see :func:`pdesolve.solve`.

    Raises
    ------
    InputError
        If problem, grid and options do not fit together.
    LinearSolveFailure
        If the tolerance is not met and `check` holds; it carries ``result``, and the last
        iterate as ``solution``.
    """
    solver = BlockSolver(problem, grid, solver_parameters, options_prefix, comm)
    distributed, names = solver.distributed, solver.system.names
    error: Exception | None = None
    guess = inputs = None
    try:
        guess = guess_on_block(x0, grid, distributed.block, names)
        inputs = problem.input_fields(grid)
    except Exception as problem_here:  # the other processes must learn of it
        error = problem_here
    raise_together(comm, error)
    vector, result = solver.solve(guess)
    state = BlockState(distributed, vector, names, problem.unknown, inputs)
    solution = Solution(problem, result, "grid", state)
    warn_unused(solver.unused, error=unused_options == "error")
    text = "" if result.converged else solver.advice(result)
    solver.destroy()
    if check and not result.converged:
        raise LinearSolveFailure(text, result=result, solution=solution)
    return solution
