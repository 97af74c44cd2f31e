"""Krylov solves of stencil systems with PETSc, keeping what can be kept between solves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_stencil import (
    StencilLayout,
    StencilMatrix,
    check_index_range,
    is_symmetric,
)
from operators.failures import LinearSolveFailure
from operators.result import SolveResult
from operators.stencil import IntArray
from pdesolve._petsc_options import (
    SolverOptions,
    abandon,
    raise_input_error,
    reason_name,
    unused_message,
)
from pdesolve.grid.stencil_rows import StencilRows, balance
from pdesolve.problems.base import LinearSystem

# Tolerance on the true residual; the error this leaves is far below the discretisation's.
DEFAULT_PARAMETERS: dict[str, Any] = {
    "ksp_type": "cg",
    "ksp_norm_type": "unpreconditioned",
    "ksp_rtol": 1e-8,
    "ksp_atol": 1e-50,
    "ksp_max_it": 1000,
    "pc_type": "gamg",
    "mg_levels_ksp_max_it": 2,
    "mg_levels_pc_type": "jacobi",
}

_NEED_SYMMETRY = {"cg", "minres", "symmlq", "cr", "fcg", "pipecg", "groppcg", "nash", "stcg"}

# these measure another norm than that of the true residual
_OTHER_NORM = {"symmlq", "cr"}

# reasons that come from a test of the residual; after any other one it is tested here
_RESIDUAL_TESTED = {"CONVERGED_RTOL", "CONVERGED_ATOL"}

# A Krylov method updates its residual without computing b - A u again, and near the
# limit of float64 the two part; above this many tolerances it is a failure.
MOST_DRIFT = 10.0


def default_parameters(own: Mapping[str, Any]) -> dict[str, Any]:
    """A problem's own defaults over the general ones, whose multigrid options go with GAMG.

    Examples
    --------
    >>> default_parameters({"pc_type": "lu"})["ksp_type"]
    'cg'
    """
    general = DEFAULT_PARAMETERS
    if own.get("pc_type", general["pc_type"]) != general["pc_type"]:
        general = {key: value for key, value in general.items() if not key.startswith("mg_")}
    return {**general, **own}


class GridSolver:
    """Solve linear systems on one grid, one after another.

    The distributed array, the matrix with its nonzero pattern, the Krylov method and the
    preconditioner's symbolic part are made for the first system and kept for the next,
    which takes about half the time.

    Parameters
    ----------
    grid
        The grid.
    solver_parameters
        PETSc options, nested or flat; they replace the defaults (CG with algebraic
        multigrid, 1e-8 relative to ‖b‖₂ in the true residual).
    options_prefix
        Prefix under which PETSc's command line reaches this solver.
    comm
        MPI communicator; methods are collective on it.
    defaults
        Gives, from the grid and the number of processes, options by which the systems to
        come are best solved: :meth:`pdesolve.Problem.grid_solver_parameters`. They come
        before the general defaults and behind the caller's.

    Examples
    --------
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> problem = DarcyProblem(1.0, dimension=2)
    >>> grid = problem.grid(32)
    >>> solver = GridSolver(grid)
    >>> vector, result = solver.solve(problem.discretize(grid))
    >>> result.reason
    'CONVERGED_RTOL'
    """

    def __init__(
        self,
        grid: StructuredGrid,
        solver_parameters: Mapping[str, Any] | None = None,
        options_prefix: str = "",
        comm: Any = None,
        defaults: Callable[[StructuredGrid, int], Mapping[str, Any]] | None = None,
    ) -> None:
        check_index_range(grid)
        self.grid = grid
        self.comm = PETSc.COMM_WORLD if comm is None else comm
        ranks = PETSc.Comm(self.comm).getSize()
        merged = default_parameters({} if defaults is None else defaults(grid, ranks))
        if isinstance(solver_parameters, Mapping) and (
            solver_parameters.get("ksp_type") in _OTHER_NORM
        ):
            del merged["ksp_norm_type"]
        self.options = SolverOptions(merged, solver_parameters, options_prefix)
        self._check_options()
        self.matrix: StencilMatrix | None = None
        self._layout: StencilLayout | None = None
        self._ksp: Any = None
        self._right: Any = None
        self._null_space = False
        self._failure = ""
        self._unused: list[str] = []

    def _check_options(self) -> None:
        numbers = {}
        for key in ("ksp_rtol", "ksp_atol", "ksp_max_it"):
            value = self.options.options.get(key)
            try:
                numbers[key] = float(value)  # type: ignore[arg-type]
            except (TypeError, ValueError):
                raise InputError(f"{key}={value!r} must be a number") from None
            if not (np.isfinite(numbers[key]) and numbers[key] >= 0):
                raise InputError(f"{key}={value} must be finite and not negative")
        if numbers["ksp_rtol"] == 0 and numbers["ksp_atol"] <= 1e-50:
            raise InputError(
                "ksp_rtol=0 with no ksp_atol switches every stopping test off; give one of them"
            )

    @property
    def block(self) -> GridBlock:
        """The part of the grid whose rows this process makes (collective when first asked)."""
        if self._layout is None:
            self._layout = StencilLayout(self.grid, comm=self.comm)
        return self._layout.block

    def _create(self, system: LinearSystem | StencilRows) -> StencilMatrix:
        """Matrix, right-hand side and Krylov method for systems like this one."""
        matrix = StencilMatrix(self.grid, _offsets(system), self.comm, self._layout)
        ksp = PETSc.KSP().create(comm=self.comm)
        try:
            ksp.setOptionsPrefix(self.options.prefix)
            ksp.setOperators(matrix.mat)
            # for geometric multigrid: cells are divided into halves along each axis
            matrix.dm.setInterpolationType(PETSc.DMDA.InterpolationType.Q0)
            ksp.setDM(matrix.dm)
            ksp.setDMActive(PETSc.KSP.DMActive.ALL, False)
            ksp.setFromOptions()
        except PETSc.Error as error:
            ksp.destroy()
            matrix.destroy()
            self._layout = None
            raise_input_error(error)
            raise InputError(
                f"PETSc refused the solver's options: {_last_line(error)}. Check the values of "
                "ksp_type, pc_type and the others"
            ) from error
        ksp.setConvergenceHistory(reset=True)
        ksp.setErrorIfNotConverged(False)
        self._null_space = system.constant_null_space
        if self._null_space:
            space = PETSc.NullSpace().create(constant=True, comm=self.comm)
            matrix.mat.setNullSpace(space)
            space.destroy()
        self._ksp, self._right = ksp, matrix.vector()
        return matrix

    def _fill(self, system: LinearSystem | StencilRows) -> tuple[StencilMatrix, tuple[str, ...]]:
        """The matrix and the right-hand side of a system, and remarks."""
        offsets = _offsets(system)
        if self.matrix is not None and (
            self._null_space != system.constant_null_space
            or not np.array_equal(self.matrix.offsets, offsets)
        ):
            self.destroy()
        first = self.matrix is None
        if self.matrix is None:
            self.matrix = self._create(system)
        matrix = self.matrix
        # the flag is tested against the numbers once a solver: the systems that follow are of
        # the same kind, and every answer's true residual is looked at
        symmetric = system.symmetric
        if isinstance(system, LinearSystem):
            symmetric = symmetric and (not first or system.stencil.is_symmetric())
            self._require_symmetry(symmetric)
            matrix.set_values(system.stencil)
            self._right.array = system.right_hand_side[matrix.local_window].ravel()
            notes = system.notes
        else:
            matrix.set_block(system.coefficients)
            self._right.array = system.right_hand_side.ravel()
            notes = self._common(system.notes)
            if system.constant_null_space:
                total, size = self._right.sum(), self._right.norm(PETSc.NormType.NORM_1)
                shift, more = balance(self.grid, float(total), float(size))
                self._right.shift(-shift)
                notes += more
            self._require_symmetry(symmetric and (not first or is_symmetric(matrix.mat)))
        matrix.mat.setOption(PETSc.Mat.Option.SYMMETRIC, system.symmetric)
        return matrix, notes

    def _treat_constants(self, singular: bool) -> None:
        """Factors of a singular coarsest matrix are noise; its pseudo-inverse is not."""
        options = self.options.options
        own = "mg_coarse_pc_type" in self.options.given or options.get("pc_type") != "gamg"
        if not own and singular:
            options["mg_coarse_pc_type"] = "svd"
        elif not own:
            options.pop("mg_coarse_pc_type", None)

    def _require_symmetry(self, symmetric: bool) -> None:
        method = self._ksp.getType()
        if method in _NEED_SYMMETRY and not symmetric:
            raise InputError(
                f"ksp_type '{method}' needs a symmetric operator, and this one is not; use gmres "
                "or bcgs"
            )

    def _common(self, notes: tuple[str, ...]) -> tuple[str, ...]:
        """The remarks of all processes, each once (collective)."""
        if self.matrix is None or self.matrix.dm.comm.getSize() == 1:
            return notes
        every = self.matrix.dm.comm.tompi4py().allgather(notes)
        return tuple(dict.fromkeys(note for one in every for note in one))

    def assemble(self, system: LinearSystem | StencilRows) -> Assembled:
        """Take one system in (collective); the caller may then drop its arrays.

        Parameters
        ----------
        system
            Matrix and right-hand side on this solver's grid, whole or by blocks.

        Raises
        ------
        InputError
            If the system does not fit the solver.
        """
        grid = system.stencil.grid if isinstance(system, LinearSystem) else system.block.grid
        if grid != self.grid:
            raise InputError(f"the system lives on {grid}, the solver on {self.grid}")
        if self._failure:
            self.destroy()
        self._treat_constants(system.constant_null_space)
        self.options.insert()
        start = time.perf_counter()
        try:
            matrix, notes = self._fill(system)
        finally:
            self._unused = self.options.unused()
            self.options.remove()
        return Assembled(matrix, system.constant_null_space, notes, time.perf_counter() - start)

    def solve(
        self,
        system: LinearSystem | StencilRows,
        x0: FloatArray | None = None,
        *,
        check: bool = True,
    ) -> tuple[Any, SolveResult]:
        """Solve one system (collective).

        Parameters
        ----------
        system
            Matrix and right-hand side on this solver's grid.
        x0
            Initial guess, shape ``grid.shape``, or that of the process's block.
        check
            Raise if the tolerance is not met.

        Returns
        -------
        tuple
            The PETSc vector and the record.

        Raises
        ------
        LinearSolveFailure
            If the method stops without convergence; it carries the record, and the last
            iterate as ``solution`` (a PETSc vector).
        InputError
            If the system does not fit the solver.
        """
        return self.solve_assembled(self.assemble(system), x0, check=check)

    def solve_assembled(
        self, assembled: Assembled, x0: FloatArray | None = None, *, check: bool = True
    ) -> tuple[Any, SolveResult]:
        """Solve the system that was taken in last (collective), see :meth:`solve`."""
        matrix = assembled.matrix
        if x0 is not None and np.shape(x0) not in (self.grid.shape, matrix.local_shape):
            raise InputError(
                f"x0 of shape {np.shape(x0)} does not fit the grid's shape {self.grid.shape}"
            )
        if x0 is not None and not np.isfinite(x0).all():
            raise InputError("x0 is not finite")
        if x0 is not None and np.shape(x0) != matrix.local_shape:
            x0 = x0[matrix.local_window]
        self.options.insert()
        try:
            start = time.perf_counter()
            vector = matrix.block_vector(x0)
            self._ksp.setInitialGuessNonzero(x0 is not None)
            self._failure = ""
            try:
                self._ksp.setUp()
                ready = time.perf_counter()
                self._ksp.solve(self._right, vector)
            except PETSc.Error as error:  # a factorisation or a set-up that gave up
                raise_input_error(error)
                ready = time.perf_counter()
                self._failure = _last_line(error)
            done = time.perf_counter()
        finally:
            self._unused = self.options.unused()
            self.options.remove()
        seconds = {"assembly": assembled.seconds, "setup": ready - start, "solve": done - ready}
        result = self._record(assembled, vector, seconds)
        if check and not result.converged:
            raise LinearSolveFailure(self.advice(result), result=result, solution=vector)
        return vector, result

    def unused_options(self) -> list[str]:
        """The caller's options that PETSc has not read in the last solve."""
        return self._unused

    def _record(self, assembled: Assembled, vector: Any, seconds: dict[str, float]) -> SolveResult:
        if assembled.constant_null_space and not self._failure:
            vector.shift(-vector.sum() / vector.getSize())
        residual = self._right.duplicate()
        assembled.matrix.mat.mult(vector, residual)
        residual.aypx(-1.0, self._right)
        size, norm = self._right.norm(), residual.norm()
        residual.destroy()
        relative = norm / size if size > 0 else norm
        code = int(self._ksp.getConvergedReason())
        reason = "DIVERGED_PC_FAILED" if self._failure else reason_name(code)
        # preonly reads no tolerance
        direct = self._ksp.getType() == PETSc.KSP.Type.PREONLY
        rtol = float(self.options.options["ksp_rtol"] if direct else self._ksp.getTolerances()[0])
        converged = code > 0 and not self._failure and bool(np.isfinite(relative))
        true_norm = self._ksp.getNormType() == PETSc.KSP.NormType.UNPRECONDITIONED
        if reason not in _RESIDUAL_TESTED:
            converged = converged and relative <= rtol
        elif reason == "CONVERGED_RTOL" and true_norm:
            converged = converged and relative <= MOST_DRIFT * rtol
        history = [] if self._failure else self._ksp.getConvergenceHistory()
        return SolveResult(
            converged=converged,
            reason=reason,
            iterations=0 if self._failure else int(self._ksp.getIterationNumber()),
            residual_norms=tuple(float(value) for value in history),
            relative_residual=float(relative),
            rtol=rtol,
            num_unknowns=self.grid.num_points,
            solver=f"{self._ksp.getType()} + {self._ksp.getPC().getType()}",
            seconds=seconds,
            options_prefix=self.options.prefix,
            notes=assembled.notes,
        )

    def advice(self, result: SolveResult) -> str:
        """What to tell the user about a failed solve."""
        text = (
            f"{result.describe()}; relative residual {result.relative_residual:.2e}, asked for "
            f"{result.rtol:.1e}."
        )
        if self._failure:
            text += f" PETSc said: {self._failure}."
        if result.reason == "DIVERGED_PC_FAILED":
            text += (
                " The preconditioner could not be set up: the matrix may be singular, or PETSc's "
                "own factorisation was asked for on several processes (then give "
                "pc_factor_mat_solver_type mumps)."
            )
        if result.reason == "CONVERGED_RTOL":
            text += (
                " The residual that the method updates has parted from b - A u: the tolerance is "
                "below what float64 reaches here. Ask for a larger one."
            )
        elif result.reason.startswith("CONVERGED"):
            text += (
                " This method takes its steps without testing the residual, which is larger than "
                "asked for; use a Krylov method (ksp_type cg) or a factorisation (pc_type lu)."
            )
        if result.reason == "DIVERGED_ITS":
            text += " Raise ksp_max_it, or use a better preconditioner (pc_type gamg or lu)."
        return (
            text + " Pass check=False to get the partial result; it is also in the exception's "
            "'result' and 'solution'."
        )

    def destroy(self) -> None:
        """Free the PETSc objects (collective)."""
        if self._failure:
            abandon(self._ksp, self._right)
        if self.matrix is not None:
            self._ksp.destroy()
            self._right.destroy()
            self.matrix.destroy()
            self.matrix = self._layout = None
        self._failure = ""


def _offsets(system: LinearSystem | StencilRows) -> IntArray:
    return system.stencil.offsets if isinstance(system, LinearSystem) else system.offsets


@dataclass(frozen=True, eq=False)
class Assembled:
    """A system that a solver has taken in."""

    matrix: StencilMatrix
    constant_null_space: bool
    notes: tuple[str, ...]
    seconds: float


def warn_unused(unused: list[str], *, error: bool) -> None:
    """Warn about options that nothing read, or refuse them."""
    if not unused:
        return
    if error:
        raise InputError(unused_message(unused))
    import warnings

    warnings.warn(unused_message(unused), UserWarning, stacklevel=4)


def raise_together(comm: Any, error: Exception | None) -> None:
    """Raise on every process if any has an error, so that none waits for it (collective)."""
    ranks: Any = PETSc.COMM_WORLD if comm is None else comm
    ranks = ranks.tompi4py() if hasattr(ranks, "tompi4py") else ranks
    texts = ranks.allgather(None if error is None else f"{type(error).__name__}: {error}")
    if error is not None:
        raise error
    for rank, text in enumerate(texts):
        if text is not None:
            raise InputError(f"process {rank} could not set the problem up. {text}")


def _last_line(error: Exception) -> str:
    """PETSc's message without the stack in front of it."""
    return str(error).strip().splitlines()[-1].strip()
