"""One solve with GCRO-DR."""

from __future__ import annotations

import math
from typing import Any

from pdesolve.ksp._petsc_gcrodr_space import DeflatedKrylovSpace
from pdesolve.ksp._petsc_operator import PreconditionedOperator
from pdesolve.ksp._petsc_progress import SolveProgress
from pdesolve.ksp.least_squares import HessenbergLeastSquares

# what Arnoldi's step leaves of a product, relative to it, when the space is exhausted
_BREAKDOWN = 1e-14

# The residual is updated without a product; if the true one differs from it at the end by
# more than this part, it takes its place and the iteration goes on.
_DRIFT = 1e-2


class GCRODRIteration:
    """Cycles of GCRO-DR for one right-hand side.

    Parameters
    ----------
    space
        Storage, with the recycled vectors.
    operator
        The preconditioned operator.
    progress
        Monitors and convergence test.
    b, x
        Right-hand side, and initial guess that becomes the solution.
    """

    def __init__(
        self,
        space: DeflatedKrylovSpace,
        operator: PreconditionedOperator,
        progress: SolveProgress,
        b: Any,
        x: Any,
    ) -> None:
        self.renewal = 0
        self._space, self._operator, self._progress = space, operator, progress
        self._b, self._x = b, x
        self._problem: HessenbergLeastSquares | None = None
        self._verified = math.inf
        self._residual, self._correction, self._scratch = space.work.vectors[:3]

    def run(self, guess: bool) -> None:
        """Iterate until PETSc's test, or the method, says stop."""
        space, progress = self._space, self._progress
        space.work.rows[1] = 0
        self._compute_residual(guess)
        norm = space.work.norm(space.work.rows[0])
        if progress.preconditioner_failed():
            norm = math.nan
        if progress.report(0, norm):
            return
        self.renewal = space.renew(self._operator)
        if space.num_recycled:
            norm = space.project()
            if progress.test(1, norm):
                progress.report(1, norm)
                self._verify(norm, norm, exhausted=False)
        while not progress.reason:
            # the residual has lost digits, and with them its being orthogonal to C
            old = space.project()
            if old == 0.0:
                progress.reason = progress.test(max(progress.iteration, 1), old)
                if not progress.reason:
                    progress.stop("CONVERGED_ATOL")
                break
            norm, exhausted = self._cycle(old)
            if math.isfinite(norm) and (progress.reason > 0 or exhausted):
                self._verify(norm, old, exhausted=exhausted)
        self._add_correction(self._x)

    def iterate(self, target: Any) -> None:
        """Put the iterate of this moment into a vector, for monitors."""
        self._x.copy(target)
        work = self._space.work
        kept = work.rows[1].copy()
        if self._problem is not None and self._problem.num_columns:
            work.rows[1] += self._space.correction(self._problem.solution())[0]
        self._add_correction(target)
        work.rows[1] = kept
        work.changed(1)

    def _compute_residual(self, guess: bool = True) -> None:
        """Residual of the present solution, preconditioned on the left."""
        right_hand_side = self._b
        if guess:
            self._operator.residual(self._b, self._x, self._scratch)
            right_hand_side = self._scratch
        if self._operator.right:
            right_hand_side.copy(self._residual)
        else:
            self._operator.precondition(right_hand_side, self._residual)

    def _add_correction(self, target: Any) -> None:
        work = self._space.work
        work.changed(1)
        target.axpy(1.0, self._correction)
        work.rows[1] = 0
        work.changed(1)

    def _cycle(self, norm: float) -> tuple[float, bool]:
        """Arnoldi steps up to the restart: the residual's norm, whether the space is exhausted."""
        space, progress = self._space, self._progress
        most = max(1, space.restart - space.num_recycled)
        self._problem = problem = HessenbergLeastSquares(norm, most)
        space.start(norm)
        exhausted = False
        for j in range(most):
            entries, before, after = space.step(j, self._operator)
            if not (math.isfinite(before) and math.isfinite(after)):
                progress.report(progress.iteration + 1, math.nan)
                break
            column = entries.tolist()
            exhausted = after <= _BREAKDOWN * before
            if exhausted:
                column[-1] = entries[-1] = 0.0
            if not problem.add(column):  # the operator is singular on this space
                break
            if progress.report(progress.iteration + 1, problem.norm) or exhausted:
                break
        self._problem = None
        if not problem.num_columns:
            return norm, exhausted
        total, image = space.correction(problem.solution())
        first, steps = space.num_recycled, problem.num_columns
        image *= -1.0
        image[0] += norm
        residual, correction = space.work.rows[:2]
        correction += total
        residual[:] = image @ space.basis.rows[first : first + steps + 1]
        space.work.changed(0, 1)
        if space.recycle:
            space.choose(steps, self._operator)
        return float(math.sqrt(image @ image)), exhausted

    def _verify(self, norm: float, old: float, *, exhausted: bool) -> None:
        """Compute the residual from its definition; go on if the updated one was wrong."""
        space, progress = self._space, self._progress
        claimed = progress.reason
        if claimed < 0:
            return
        self._add_correction(self._x)
        self._compute_residual()
        true = space.work.norm(space.work.rows[0])
        if claimed and abs(true - norm) <= _DRIFT * norm:
            return
        progress.reason = progress.test(max(progress.iteration, 1), true)
        if progress.reason:
            return
        stagnant = true > (1 - _DRIFT) * old if exhausted else true > 0.5 * self._verified
        self._verified = true
        if stagnant:
            progress.stop("DIVERGED_BREAKDOWN")
        elif not exhausted:  # perhaps C is not the image of U
            space.forget_image()
            self.renewal += space.renew(self._operator)
