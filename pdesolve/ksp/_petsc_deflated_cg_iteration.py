"""One solve with deflated conjugate gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from meshes.structured import FloatArray
from pdesolve.ksp._petsc_deflated_space import DeflationSpace
from pdesolve.ksp._petsc_operator import PreconditionedOperator
from pdesolve.ksp._petsc_progress import SolveProgress

# Steps after which Wᵀr = 0 is restored: rounding keeps its size while r shrinks.
_PROJECTION_INTERVAL = 20

# As for GMRES: the updated residual must agree with the true one at the end.
_DRIFT = 1e-2


class DeflatedCGIteration:
    """Conjugate gradients, A-orthogonal to a recycled space.

    Parameters
    ----------
    space
        Storage, with the recycled vectors.
    operator
        Matrix and preconditioner.
    progress
        Monitors and convergence test.
    norm
        The tested norm: unpreconditioned, preconditioned, natural or none.
    b, x
        Right-hand side, and initial guess that becomes the solution.
    """

    def __init__(
        self,
        space: DeflationSpace,
        operator: PreconditionedOperator,
        progress: SolveProgress,
        norm: str,
        b: Any,
        x: Any,
    ) -> None:
        self.renewal = 0
        self._space, self._operator, self._progress = space, operator, progress
        self._tested, self._b, self._x = norm, b, x
        self._verified = math.inf
        self._solution: FloatArray = space.work.rows[5]

    def run(self, guess: bool) -> None:
        """Iterate until PETSc's test, or the method, says stop."""
        space, progress, work = self._space, self._progress, self._space.work
        if guess:
            self._operator.residual(self._b, self._x, work.vectors[0])
        else:
            self._b.copy(work.vectors[0])
        self._solution[:] = 0
        norm, slope = self._measure()
        if progress.preconditioner_failed():
            norm = math.nan
        if progress.report(0, norm) or self._indefinite(slope):
            return
        if space.num_recycled:
            before = self._operator.products
            if not space.renew(self._operator):
                progress.stop("DIVERGED_INDEFINITE_MAT")
                return
            self.renewal = self._operator.products - before
            space.project(self._solution)
            norm, slope = self._measure()
            if progress.test(1, norm):
                progress.report(1, norm)
            elif self._indefinite(slope):
                return
        while True:
            if not progress.reason:
                self._iterate(slope)
            if progress.reason <= 0:
                break
            slope = self._verify()
            if progress.reason:
                break
        self._add_correction()

    def iterate(self, target: Any) -> None:
        """Put the iterate of this moment into a vector, for monitors."""
        self._x.copy(target)
        self._add_to(target)

    def _add_to(self, target: Any) -> None:
        self._space.work.changed(5)
        target.axpy(1.0, self._space.work.vectors[5])

    def _add_correction(self) -> None:
        self._add_to(self._x)
        self._solution[:] = 0

    def _measure(self) -> tuple[float, float]:
        """Set z = M⁻¹r; the tested norm, and rᵀz."""
        work = self._space.work
        self._operator.precondition(work.vectors[0], work.vectors[1])
        residual, preconditioned = work.rows[:2]
        tested = preconditioned if self._tested == "preconditioned" else residual
        slope, square = work.sum_over_processes(
            np.array([residual @ preconditioned, tested @ tested])
        ).tolist()
        if self._tested == "natural":
            square = abs(slope)
        if not (math.isfinite(square) and math.isfinite(slope)):
            return math.nan, slope
        return math.sqrt(square), slope

    def _indefinite(self, slope: float) -> bool:
        if slope < 0:
            self._progress.stop("DIVERGED_INDEFINITE_PC")
        return slope < 0

    def _iterate(self, slope: float) -> None:
        """Steps until PETSc's test, or the method, says stop."""
        space, progress, work = self._space, self._progress, self._space.work
        residual, preconditioned, direction, image = work.rows[:4]
        first, norm, old = space.num_recycled, 0.0, slope
        learning = space.num_directions == 0 and space.directions > 0 and space.recycle > 0
        number = 0
        dots = space.images.dots(space.count, preconditioned) if learning else np.zeros(0)
        while not progress.reason:
            if learning:
                np.subtract(preconditioned, dots @ space.basis.rows[: space.count], out=direction)
            else:
                direction *= slope / old if number else 0.0
                direction += preconditioned
                space.conjugate(direction, first)
            work.changed(2)
            self._operator.multiply(work.vectors[2], work.vectors[3])
            energy, step = work.sum_over_processes(
                np.array([direction @ image, direction @ residual])
            ).tolist()
            if not math.isfinite(energy):
                progress.report(progress.iteration + 1, math.nan)
                break
            if energy <= 0:
                zero = slope == 0 and energy == 0
                progress.stop("CONVERGED_ATOL" if zero else "DIVERGED_INDEFINITE_MAT")
                break
            step /= energy
            self._solution += step * direction
            residual -= step * image
            work.changed(0)
            if learning:
                space.add(energy)
            number += 1
            if not learning and number % _PROJECTION_INTERVAL == 0:
                space.project(self._solution)
            old = slope
            norm, slope = self._measure()
            progress.report(progress.iteration + 1, norm)
            if not progress.reason:
                self._indefinite(slope)
            if learning and math.isfinite(norm):
                before, dots = dots, space.images.dots(space.count, preconditioned)
                space.record(before, dots, step)
                learning = space.num_directions < space.directions

    def _verify(self) -> float:
        """Compute the residual from its definition; go on if the updated one was wrong."""
        progress, work = self._progress, self._space.work
        self._add_correction()
        self._operator.residual(self._b, self._x, work.vectors[4])
        difference = work.norm(work.rows[4] - work.rows[0])
        size = work.norm(work.rows[0])
        if difference <= _DRIFT * size:
            return 0.0
        work.vectors[4].copy(work.vectors[0])
        true, slope = self._measure()
        progress.reason = progress.test(max(progress.iteration, 1), true)
        if not progress.reason and true > 0.5 * self._verified:
            progress.stop("DIVERGED_BREAKDOWN")
        elif not progress.reason:
            self._verified = true
            self._space.clear()
            self._indefinite(slope)
        return slope
