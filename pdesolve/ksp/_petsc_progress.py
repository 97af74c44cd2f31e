"""Iteration number, history, monitors and the reason to stop of one PETSc solve."""

from __future__ import annotations

import math
from typing import Any

from petsc4py import PETSc

Reason = PETSc.KSP.ConvergedReason


class SolveProgress:
    """Tells PETSc how a solve goes on, and asks its convergence test.

    Parameters
    ----------
    ksp
        The PETSc solver.

    Attributes
    ----------
    iteration
        Number of the last iteration.
    reason
        PETSc's converged reason, 0 while the iteration goes on.
    """

    def __init__(self, ksp: Any) -> None:
        self.iteration = 0
        self.reason = 0
        self._ksp = ksp
        self._most_iterations = ksp.getTolerances()[3]

    def test(self, iteration: int, norm: float) -> int:
        """PETSc's own convergence test; what is not finite is a failure."""
        if not math.isfinite(norm):
            failed = self.preconditioner_failed()
            return int(Reason.DIVERGED_PCSETUP_FAILED if failed else Reason.DIVERGED_NANORINF)
        return int(self._ksp.callConvergenceTest(iteration, norm))

    def report(self, iteration: int, norm: float) -> bool:
        """Tell history and monitors of an iteration; whether to stop."""
        ksp = self._ksp
        self.iteration = iteration
        ksp.setIterationNumber(iteration)
        ksp.setResidualNorm(norm if not math.isnan(norm) else math.inf)  # PETSc refuses NaN
        ksp.logConvergenceHistory(norm)
        ksp.monitor(iteration, norm)
        self.reason = self.test(iteration, norm)
        if not self.reason and iteration >= self._most_iterations:
            self.reason = int(Reason.DIVERGED_MAX_IT)
        return self.reason != 0

    def stop(self, name: str) -> None:
        """Stop for a reason of the method's own, such as ``DIVERGED_BREAKDOWN``."""
        self.reason = int(getattr(Reason, name))

    def preconditioner_failed(self) -> bool:
        """Whether the preconditioner failed on any process (collective)."""
        failed = int(self._ksp.getPC().getFailedReason()) != 0
        comm = self._ksp.getComm()
        return bool(comm.tompi4py().allreduce(int(failed))) if comm.getSize() > 1 else failed
