"""Krylov solves that keep a preconditioner for some systems."""

from __future__ import annotations

import time
from typing import Any, Literal

from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve.grid._petsc_solver import MOST_DRIFT
from pdesolve.pc._petsc_rescaled import Rescaled
from pdesolve.sequences.lagging import LagRule

Treatment = Literal["fresh", "kept", "repeated"]


class LaggedKSP:
    """Solve systems that come in one matrix, making the preconditioner when a rule says so.

    The matrix keeps its identity while its values change. A kept preconditioner works with
    a copy of the matrix that it was made for, scaled to the present one: the method's own
    preconditioner becomes the inner one of a :class:`pdesolve.pc.Rescaled`, unless it is
    one already. (PETSc's own reuse leaves the smoothers of a multigrid cycle with the new
    values and its coarse grids with the old ones, which need not be definite.) A solve with
    a kept preconditioner that does not reach the tolerance in the true residual is repeated
    at once, from the same first guess, with one of its own, so that lagging never costs an
    answer. Methods without iterations, and matrices without entries, always get their own.

    Parameters
    ----------
    ksp
        The Krylov method with its operators, its options read, on one process.
    rule
        When to keep.

    Raises
    ------
    InputError
        On several processes.

    Attributes
    ----------
    setup_seconds
        Time that the last solve spent on preconditioners.

    Examples
    --------
    >>> import numpy as np
    >>> from meshes import StructuredGrid
    >>> from operators._petsc_stencil import stencil_matrix
    >>> from pdesolve.problems.darcy import DarcyProblem
    >>> system = DarcyProblem(1.0, dimension=2).discretize(StructuredGrid((8, 8)))
    >>> matrix = stencil_matrix(system.stencil)
    >>> ksp = PETSc.KSP().create()
    >>> ksp.setOperators(matrix.mat)
    >>> lagged, done = LaggedKSP(ksp, LagRule()), []
    >>> right, solution = matrix.vector(system.right_hand_side), matrix.vector()
    >>> for factor in (1.0, 1.2):
    ...     matrix.set_block(factor * system.stencil.coefficients)
    ...     done.append(lagged.solve(right, solution))
    >>> done
    ['fresh', 'kept']
    """

    def __init__(self, ksp: Any, rule: LagRule) -> None:
        self.ksp, self.rule = ksp, rule
        self.setup_seconds = 0.0
        self._state: int | None = None
        self._operator, self._matrix = ksp.getOperators()
        if ksp.comm.getSize() > 1:
            raise InputError(
                f"a lagged preconditioner works on one process, not {ksp.comm.getSize()}. Solve "
                "sequences on PETSc.COMM_SELF, one on each process"
            )
        self._rescaled = _rescaled(ksp, self._matrix, rule)

    def restart(self) -> None:
        """Forget earlier systems: the next preconditioner is made anew."""
        self.rule.restart()
        self._state = None

    def solve(self, right: Any, solution: Any) -> Treatment:
        """Solve with the matrix as it is now (collective).

        Parameters
        ----------
        right
            The right-hand side.
        solution
            The answer, and the first guess where the method takes one.

        Returns
        -------
        str
            ``"fresh"`` with a preconditioner of its own, ``"kept"``, or ``"repeated"``:
            fresh after a kept one had failed. Whether it converged is the method's
            ``getConvergedReason``.
        """
        ksp = self.ksp
        state = int(self._matrix.stateGet())
        self.setup_seconds = 0.0
        if self._rescaled is None:
            self._solve_fresh(right, solution, state)
            return "fresh"
        if state == self._state:  # the very matrix that it was made for
            self._set_up(keep=True)
            ksp.solve(right, solution)
            return "kept"
        diagonal = self._matrix.getDiagonal()
        rebuild = self.rule.before(diagonal.array_r)
        diagonal.destroy()
        if not rebuild and self._solve_kept(right, solution):
            return "kept"
        self._solve_fresh(right, solution, state)
        return "fresh" if rebuild else "repeated"

    def _solve_kept(self, right: Any, solution: Any) -> bool:
        ksp = self.ksp
        guess = solution.copy() if ksp.getInitialGuessNonzero() else None
        rtol, atol, divtol, most = ksp.getTolerances()
        limit = self.rule.limit
        ksp.setTolerances(rtol, atol, divtol, most if limit is None else min(limit, most))
        start = time.perf_counter()
        try:
            self._set_up(keep=True)
            start = time.perf_counter()
            ksp.solve(right, solution)
            converged = int(ksp.getConvergedReason()) > 0 and self._true(right, solution)
        except PETSc.Error:
            converged = False
        finally:
            ksp.setTolerances(rtol, atol, divtol, most)
        if converged:
            seconds = time.perf_counter() - start
            self._tell(seconds)
        else:
            self.rule.repeat()
            if guess is not None:
                guess.copy(solution)
        if guess is not None:
            guess.destroy()
        return converged

    def _solve_fresh(self, right: Any, solution: Any, state: int) -> None:
        self._state = None
        self._set_up(keep=False)
        self._state = state
        start = time.perf_counter()
        self.ksp.solve(right, solution)
        self._tell(time.perf_counter() - start)

    def _set_up(self, *, keep: bool) -> None:
        ksp, start = self.ksp, time.perf_counter()
        ksp.setOperators(self._operator, self._matrix)
        if self._rescaled is None:
            ksp.setUp()
        else:
            self._rescaled.keep, made = keep, self._rescaled.made
            ksp.setUp()
            if not keep and self._rescaled.made == made:
                # PETSc has seen this matrix already, with the inner one kept
                self._rescaled.setUp(ksp.getPC())
        self.setup_seconds += time.perf_counter() - start

    def _true(self, right: Any, solution: Any) -> bool:
        """Whether the true residual meets the tolerance, with room for drift."""
        rtol, atol, _, _ = self.ksp.getTolerances()
        residual = right.duplicate()
        self._operator.mult(solution, residual)
        residual.aypx(-1.0, right)
        norm = residual.norm()
        residual.destroy()
        return bool(norm <= MOST_DRIFT * max(rtol * right.norm(), atol))

    def _tell(self, seconds: float) -> None:
        if self._rescaled is None:
            return
        self.rule.after(
            int(self.ksp.getIterationNumber()),
            converged=int(self.ksp.getConvergedReason()) > 0,
            seconds=seconds,
            setup_seconds=self.setup_seconds,
        )


def _rescaled(ksp: Any, matrix: Any, rule: LagRule) -> Rescaled | None:
    """The method's preconditioner as one that can be kept, put in its place."""
    pc = ksp.getPC()
    context = pc.getPythonContext() if pc.getType() == PETSc.PC.Type.PYTHON else None
    if isinstance(context, Rescaled):
        return context
    if ksp.getType() == PETSc.KSP.Type.PREONLY or "aij" not in matrix.getType():
        return None
    rescaled = Rescaled(pc, rule.settings.scaling)
    outer = PETSc.PC().create(comm=ksp.comm)
    outer.setOptionsPrefix(f"{ksp.getOptionsPrefix() or ''}lagged_")
    outer.setOperators(*ksp.getOperators())
    outer.setType(PETSc.PC.Type.PYTHON)
    outer.setPythonContext(rescaled)
    ksp.setPC(outer)
    return rescaled
