"""Newton's method on one grid, with PETSc's SNES."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_block import BlockMatrix, DistributedGrid
from operators.result import SolveResult
from pdesolve._petsc_options import SolverOptions, flatten, reason_name
from pdesolve.grid._petsc_blocks import (
    NEED_SYMMETRY,
    block_of_process,
    last_line,
    with_factorisation,
)
from pdesolve.grid._petsc_solver import raise_together
from pdesolve.grid.systems import NonlinearSystem
from pdesolve.problems.base import Problem

# Tolerance on ‖F(u)‖₂ relative to that of the problem's own first guess.
DEFAULT_PARAMETERS: dict[str, Any] = {
    "snes_type": "newtonls",
    "snes_linesearch_type": "bt",
    "snes_rtol": 1e-8,
    "snes_atol": 1e-50,
    "snes_stol": 0.0,
    "snes_max_it": 50,
    "ksp_rtol": 1e-4,
    "ksp_max_it": 1000,
    "pc_type": "gamg",
    "mg_levels_ksp_max_it": 2,
    "mg_levels_pc_type": "jacobi",
}
_POSITIVE = ("snes_rtol", "snes_atol", "snes_max_it", "ksp_rtol", "ksp_max_it")
# reasons that come from a test of the residual; after any other one it is tested here
_RESIDUAL_TESTED = {"CONVERGED_FNORM_ABS", "CONVERGED_FNORM_RELATIVE"}


def nonlinear_reason_name(reason: int) -> str:
    """PETSc's name of a Newton method's reason for stopping."""
    names: dict[int, str] = {
        value: name
        for name, value in vars(PETSc.SNES.ConvergedReason).items()
        if isinstance(value, int) and name.startswith(("CONVERGED_", "DIVERGED_"))
    }
    return names.get(reason, f"reason {reason}")


class NonlinearSolver:
    """Solve F(u) = 0 on one grid with PETSc's SNES.

    Parameters
    ----------
    problem
        Its ``nonlinear_system(block)`` gives F, F' and the first guess.
    grid
        The grid.
    solver_parameters
        PETSc options, nested or flat, that replace the defaults: Newton's method with
        backtracking, 1e-8 relative to the residual of the first guess, linear systems
        with algebraic multigrid.
    options_prefix
        Prefix under which PETSc's command line reaches this solver.
    comm
        MPI communicator; methods are collective on it.

    Examples
    --------
    >>> from pdesolve.problems.nonlinear_elliptic import BratuProblem
    >>> problem = BratuProblem(strength=1.0)
    >>> solver = NonlinearSolver(problem, problem.grid(16))
    >>> vector, result = solver.solve()
    >>> result.reason
    'CONVERGED_FNORM_RELATIVE'
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
            self.system = problem.nonlinear_system(block)
            _check_finite(self.system)
        except Exception as problem_here:  # whatever it is, the other processes must know
            error = problem_here
        raise_together(comm, error)
        system = self.system
        # linear residuals in the norm of F: below one each step makes F smaller at first
        method, norm = "gmres", {"ksp_pc_side": "right"}
        if system.symmetric:
            method, norm = "cg", {"ksp_norm_type": "unpreconditioned"}
        given = flatten({} if solver_parameters is None else solver_parameters)
        if given.get("ksp_type", method) != method:
            norm = {}
        defaults = {
            **DEFAULT_PARAMETERS,
            "ksp_type": method,
            **norm,
            **(system.solver_parameters or {}),
        }
        self.options = SolverOptions(
            with_factorisation(defaults, solver_parameters), solver_parameters, options_prefix
        )
        _check_options(self.options.options)
        self.distributed = DistributedGrid(
            grid, len(system.names), problem.stencil_width, self.comm
        )
        self._matrix = BlockMatrix(self.distributed, system.offsets, system.couplings)
        self._matrix.mat.setOption(PETSc.Mat.Option.SYMMETRIC, system.symmetric)
        self._ranks = self.distributed.dm.comm.tompi4py()
        self._work = self.distributed.vector()
        self._current = system
        self._counts = (0, 0)  # Newton steps, and linear iterations inside
        self.failure = ""
        self.unused: list[str] = []
        self._assembly = time.perf_counter() - start
        self._snes = self._create()

    def _create(self) -> Any:
        # quasi-Newton methods ask for a matrix without having it filled in
        vector = self.distributed.vector(self.system.initial)
        self._jacobian(None, vector, self._matrix.mat, None)
        vector.destroy()
        snes = PETSc.SNES().create(comm=self.comm)
        snes.setOptionsPrefix(self.options.prefix)
        snes.setFunction(self._residual, self.distributed.vector())
        snes.setJacobian(self._jacobian, self._matrix.mat, self._matrix.mat)
        self.options.insert()
        try:
            snes.setFromOptions()
        except PETSc.Error as error:
            raise InputError(
                f"PETSc refused the solver's options: {last_line(error)}. Check the values of "
                "snes_type, ksp_type, pc_type and the others"
            ) from error
        finally:
            self.options.unused()  # notes which were read
            self.options.remove()
        method = snes.getKSP().getType()
        if method in NEED_SYMMETRY and not self.system.symmetric:
            raise InputError(
                f"ksp_type '{method}' needs a symmetric Jacobian, and this one is not; use gmres "
                "or bcgs"
            )
        self._tolerances = snes.getTolerances()
        snes.setConvergenceHistory()
        snes.setErrorIfNotConverged(False)
        return snes

    def _residual(self, snes: Any, x: Any, f: Any) -> None:
        del snes
        self.distributed.fill(f, self._evaluate(self._current.residual, x))

    def _jacobian(self, snes: Any, x: Any, jacobian: Any, preconditioner: Any) -> None:
        del snes, preconditioner
        self._matrix.set_values(self._evaluate(self._current.jacobian, x))
        if jacobian.handle != self._matrix.mat.handle:  # a matrix-free one (-snes_mf_operator)
            jacobian.assemble()

    def _evaluate(self, function: Any, x: Any) -> FloatArray:
        """A function of the problem; an error on one process is raised on all."""
        ghosted = self.distributed.ghosted(x)
        error: Exception | None = None
        values = ghosted
        try:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                values = function(ghosted)  # what is not finite is found by SNES
        except Exception as problem_here:  # the other processes must learn of it
            error = problem_here
        if self._ranks.allreduce(int(error is not None)):
            raise_together(self.comm, error)
        return values

    def residual_norm(self, vector: Any) -> float:
        """‖F(u)‖₂ (collective)."""
        self._residual(None, vector, self._work)
        return float(self._work.norm())

    def solve(self, x0: FloatArray | None = None) -> tuple[Any, SolveResult]:
        """Find u (collective); a failure is told by the record.

        Parameters
        ----------
        x0
            First guess over the block, ``(component, *shape)``, in the place of the
            problem's own. The tolerance stays relative to the residual of the latter.
        """
        start = time.perf_counter()
        system = self.system
        vector = self.distributed.vector(system.initial)
        rtol = self._tolerances[0]
        self._counts = (0, 0)
        notes = system.notes
        self.options.insert()
        try:
            size = self._load_norm()
            if system.prepare is not None and (x0 is None or size == 0):
                self._stages(vector, (system.prepare,), None)
                self._current = system
            first = self.residual_norm(vector)
            reference = min(first, size) if size > 0 else first
            if x0 is not None:
                self.distributed.fill(vector, x0)
            own = x0 is None and reference == first  # PETSc's test is the one that is meant
            self._stages(vector, (system,), None if own else reference)
            if not self._converged and x0 is None and system.easier:
                self.distributed.fill(vector, system.initial)
                self._stages(vector, (*system.easier, system), reference)
                notes = (
                    *notes,
                    f"reached by continuation in {len(system.easier) + 1} stages, since Newton's "
                    "method failed from the first guess",
                )
        finally:
            self._current = system
            self.unused = self.options.unused()
            self.options.remove()
        return vector, self._record(vector, reference, rtol, notes, time.perf_counter() - start)

    def _load_norm(self) -> float:
        """The load's norm (collective), zero where there is none."""
        if self.system.load is None:
            return 0.0
        self.distributed.fill(self._work, self.system.load)
        return float(self._work.norm())

    def _stages(
        self, vector: Any, stages: tuple[NonlinearSystem, ...], reference: float | None
    ) -> None:
        """Solve systems one after another, each from the answer of the one before.

        The tolerance is relative to the residual of each stage's first guess; that of the
        last one to `reference`, where it is given.
        """
        snes = self._snes
        rtol, atol, stol, most = self._tolerances
        for stage in stages:
            self._current = stage
            relative, absolute = rtol, atol
            if stage is stages[-1] and reference is not None:
                relative, absolute = 1e-50, max(atol, rtol * reference)
            snes.setTolerances(rtol=relative, atol=absolute, stol=stol, max_it=most)
            self.failure = ""
            try:
                snes.solve(None, vector)
            except PETSc.Error as error:  # a factorisation or a set-up that gave up
                if error.ierr < 0:  # an error of the problem's functions
                    raise
                self.failure = last_line(error)
            newton, linear = self._counts
            self._counts = (
                newton + int(snes.getIterationNumber()),
                linear + int(snes.getLinearSolveIterations()),
            )
            if not self._converged:
                return

    @property
    def _converged(self) -> bool:
        return not self.failure and int(self._snes.getConvergedReason()) > 0

    def _record(
        self,
        vector: Any,
        reference: float,
        rtol: float,
        notes: tuple[str, ...],
        seconds: float,
    ) -> SolveResult:
        snes = self._snes
        norm = self.residual_norm(vector)
        relative = norm / reference if reference > 0 else norm
        code = int(snes.getConvergedReason())
        reason = "DIVERGED_LINEAR_SOLVE" if self.failure else nonlinear_reason_name(code)
        converged = self._converged and bool(np.isfinite(norm))
        if reason not in _RESIDUAL_TESTED:
            converged = converged and relative <= rtol
        history = snes.getConvergenceHistory()[0]
        ksp = snes.getKSP()
        used = (snes.getType(), ksp.getType(), ksp.getPC().getType())
        return SolveResult(
            converged=converged,
            reason=reason,
            iterations=self._counts[0],
            residual_norms=tuple(float(value) for value in history),
            relative_residual=float(relative),
            rtol=float(rtol),
            num_unknowns=int(vector.getSize()),
            solver=" + ".join(name for name in used if name),
            seconds={"assembly": self._assembly, "solve": seconds},
            options_prefix=self.options.prefix,
            notes=notes,
            linear_iterations=self._counts[1],
        )

    def advice(self, result: SolveResult, vector: Any) -> str:
        """What to tell the user about a failed solve (collective)."""
        text = (
            f"{result.describe()}; ‖F(u)‖ is {result.relative_residual:.2e} of that of the first "
            f"guess, asked for {result.rtol:.1e}."
        )
        if self.failure:
            text += f" PETSc said: {self.failure}."
        where = self._first_bad(vector)
        if where:
            text += f" The residual is not finite{where}: the first guess (x0) or the data are bad."
        elif result.reason == "DIVERGED_LINEAR_SOLVE" and not self.failure:
            inner = reason_name(int(self._snes.getKSP().getConvergedReason()))
            text += (
                f" The linear solver stopped with {inner}; raise ksp_max_it, or use a "
                "factorisation (pc_type lu)."
            )
        elif result.reason == "DIVERGED_MAX_IT":
            text += " Raise snes_max_it, or begin nearer to the answer (x0)."
        elif result.reason in ("DIVERGED_LINE_SEARCH", "DIVERGED_LOCAL_MIN", "DIVERGED_TR_DELTA"):
            text += (
                " No step along Newton's direction makes the residual smaller: begin nearer to the "
                "answer (x0), solve the linear systems more exactly (ksp_rtol), or, where the "
                "residual is at round-off already, ask for a larger snes_rtol."
            )
        elif result.reason.startswith("CONVERGED"):
            text += " The method stopped for another reason than a small residual (snes_stol)."
        return (
            text + " Pass check=False to get the partial result; it is also in the exception's "
            "'result' and 'solution'."
        )

    def _first_bad(self, vector: Any) -> str:
        """Where F(u) is not finite (collective), or nothing."""
        values = self._evaluate(self.system.residual, vector)
        bad = np.argwhere(~np.isfinite(values))
        here = ""
        if len(bad):
            first = tuple(
                int(i) + low
                for i, low in zip(bad[0][1:], self.distributed.block.start, strict=True)
            )
            here = f" in component '{self.system.names[bad[0][0]]}' at index {first}"
        found: list[str] = self.distributed.comm.tompi4py().allgather(here)
        return next((text for text in found if text), "")

    def destroy(self) -> None:
        """Free the PETSc objects but the distributed grid, which answers need (collective)."""
        self._snes.destroy()
        self._work.destroy()
        self._matrix.destroy()


def _check_finite(system: NonlinearSystem) -> None:
    bad = ~np.isfinite(system.initial)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InputError(
            f"the first guess of '{system.names[where[0]]}' is not finite at index {where[1:]} of "
            "the block"
        )


def _check_options(options: Mapping[str, Any]) -> None:
    for key in _POSITIVE:
        try:
            number = float(options[key])
        except (TypeError, ValueError):
            raise InputError(f"{key}={options[key]!r} must be a number") from None
        if not (np.isfinite(number) and number >= 0):
            raise InputError(f"{key}={options[key]} must be finite and not negative")
    if float(options["snes_rtol"]) == 0 and float(options["snes_atol"]) <= 1e-50:
        raise InputError(
            "snes_rtol=0 with no snes_atol switches every stopping test off; give one of them"
        )
