"""Krylov solves that keep a preconditioner for some systems."""

from __future__ import annotations

import math
import time
from typing import Any, Literal

from petsc4py import PETSc

from pdesolve.pc._petsc_rescaled import Rescaled
from pdesolve.sequences.lagging import LagRule

Treatment = Literal["fresh", "kept", "repeated"]


class LaggedKSP:
    """Solve systems that come in one matrix, making the preconditioner when a rule says so.

    The matrix keeps its identity while its values change. A solve with a kept
    preconditioner that does not converge is repeated at once from the same first guess with
    one of its own, so that lagging never costs an answer. With a preconditioner
    :class:`pdesolve.pc.Rescaled` keeping means to keep the inner one.

    Parameters
    ----------
    ksp
        The Krylov method with its operators and options.
    rule
        When to keep.

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
        matrix = ksp.getOperators()[1]
        state = int(matrix.stateGet())
        self.setup_seconds = 0.0
        if state == self._state:  # the very matrix that it was made for
            self._set_up(keep=True)
            ksp.solve(right, solution)
            return "kept"
        diagonal = matrix.getDiagonal()
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
            converged = int(ksp.getConvergedReason()) > 0 and math.isfinite(solution.norm())
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
        pc = ksp.getPC()
        context = pc.getPythonContext() if pc.getType() == PETSc.PC.Type.PYTHON else None
        rescaled = context if isinstance(context, Rescaled) else None
        if rescaled is None:
            pc.setReusePreconditioner(keep)
        else:
            rescaled.keep = keep
        ksp.setOperators(*ksp.getOperators())
        made = 0 if rescaled is None else rescaled.made
        ksp.setUp()
        if rescaled is not None and not keep and rescaled.made == made:
            rescaled.setUp(pc)  # PETSc has seen this matrix already, with the inner one kept
        self.setup_seconds += time.perf_counter() - start

    def _tell(self, seconds: float) -> None:
        self.rule.after(
            int(self.ksp.getIterationNumber()),
            converged=int(self.ksp.getConvergedReason()) > 0,
            seconds=seconds,
            setup_seconds=self.setup_seconds,
        )
