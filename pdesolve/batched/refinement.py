"""Iterative refinement of a chunk of samples: float32 inside, float64 outside."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meshes.errors import InputError
from pdesolve.batched.coefficients import opposite, positive_offsets
from pdesolve.batched.conjugate_gradients import ConjugateGradients
from pdesolve.batched.in_place import InPlace
from pdesolve.batched.multigrid import Multigrid
from pdesolve.batched.result import (
    CONVERGED,
    INCOMPATIBLE,
    INDEFINITE,
    ITERATIONS,
    NOT_FINITE,
    RUNNING,
    STAGNATED,
)
from pdesolve.batched.stencils import StackedStencils
from pdesolve.spectral.transforms import Array

_AIM = 0.5  # of the tolerance, for the residual that is updated in the inner type
_STALLS = 4  # refinements without progress after which a sample is given up


@dataclass(frozen=True)
class RefinementSettings:
    """What decides an answer.

    Parameters
    ----------
    rtol
        Relative residual to reach.
    max_iterations
        Most iterations of a sample.
    inner_dtype
        Type of the iteration and the preconditioner, ``"float32"`` or ``"float64"``.
    inner_iterations
        Iterations from one residual in float64 to the next. A fixed number, so that a
        sample's answer does not depend on the others.
    dense
        Largest number of unknowns of the coarsest level.
    refine
        Whether to go on from the residual in float64.
    """

    rtol: float = 1e-8
    max_iterations: int = 200
    inner_dtype: str = "float32"
    inner_iterations: int = 5
    dense: int = 64
    refine: bool = True


@dataclass(eq=False)
class ChunkRecord:
    """Answers of a chunk, arrays of the stencils' library, see ``BatchedResult``."""

    values: Array
    status: Array
    iterations: Array
    refinements: Array
    relative_residuals: Array


class ChunkSolver:
    """Solves chunks of one size, with all arrays kept from one to the next.

    Parameters
    ----------
    stencils
        A chunk; others must have its grid, offsets and number of samples.
    settings
        See there.
    """

    def __init__(self, stencils: StackedStencils, settings: RefinementSettings) -> None:
        self.settings, self.batch = settings, stencils.batch
        self.xp, self.grid = stencils.xp, stencils.grid
        given = [tuple(row) for row in stencils.offsets.tolist()]
        self._place = {offset: number for number, offset in enumerate(given)}
        if any(max(map(abs, offset)) > 1 for offset in given):
            raise InputError(
                f"offsets {given} reach further than the next cell; multigrid takes stencils of "
                "nearest neighbours. Solve these systems one by one with PETSc"
            )
        offsets = [
            offset
            for offset in positive_offsets(self.grid.dimension)
            if offset in self._place or opposite(offset) in self._place
        ]
        work = InPlace(stencils.coefficients, settings.inner_dtype)
        self.work = work
        self.multigrid = Multigrid(self.grid, self.batch, work, offsets, settings.dense)
        self.iteration = ConjugateGradients(self.multigrid)
        self._dirty = False
        shape = (self.batch, *self.grid.shape)
        self._scratch, self._residual = (
            self.xp.zeros(shape, dtype=self.xp.float64, device=work.device) for _ in range(2)
        )
        self._inner = work.zeros((*self.grid.shape, self.batch))

    def solve(
        self,
        stencils: StackedStencils,
        right: Array,
        initial: Array | None,
        singular: Array | None,
    ) -> ChunkRecord:
        """Solve a chunk.

        Parameters
        ----------
        stencils, right
            A and b.
        initial
            First guess, or zero.
        singular
            Numbers 0 and 1 ``(batch,)``: whether constants are a sample's null space; None
            if they are in no sample's.
        """
        with np.errstate(all="ignore"):
            return self._solve(stencils, right, initial, singular)

    def _solve(
        self,
        stencils: StackedStencils,
        right: Array,
        initial: Array | None,
        singular: Array | None,
    ) -> ChunkRecord:
        xp, settings, iteration = self.xp, self.settings, self.iteration
        axes = tuple(range(1, self.grid.dimension + 1))
        status, stencils, right, initial = self._screened(stencils, right, initial, axes)
        bad = status != RUNNING
        unsolved = bad if bool(xp.any(bad)) else None
        size = xp.sqrt(xp.sum(right * right, axis=axes))
        if singular is not None:
            excess = xp.abs(xp.sum(right, axis=axes)) / math.sqrt(self.grid.num_points)
            unfit = (singular > 0) & (excess > 0.5 * settings.rtol * size) & (status == RUNNING)
            status = xp.where(unfit, INCOMPATIBLE, status)
        unit = xp.where(size > 0, size, xp.ones_like(size))
        scale = self._set_up(stencils, singular)
        values = xp.zeros_like(right) if initial is None else initial + 0.0
        iterations = xp.zeros_like(status)
        refinements = xp.zeros_like(status)
        stalls = xp.zeros_like(status)
        known = None if initial is None else values
        relative = self._refine(stencils, right, known, unit, singular, axes)
        status = self._judged(status, relative)
        best, previous = relative, xp.ones_like(unit)
        fresh = status == RUNNING
        moving = fresh
        once = xp.zeros_like(fresh)
        lost = once
        aim = _AIM * settings.rtol
        while bool(xp.any(moving)):
            for _ in range(settings.inner_iterations):
                product = iteration.precondition(singular)
                beta = xp.where(fresh | ~moving, 0.0, product / xp.where(fresh, 1.0, previous))
                iteration.set_direction(beta)
                curvature = iteration.multiply()
                usable = (curvature > 0) & (product > 0)
                broken = moving & ~usable
                lost = lost | broken
                status = xp.where(broken & fresh & once, INDEFINITE, status)
                once = once | (broken & fresh)
                moving = moving & usable
                alpha = xp.where(moving, product / xp.where(usable, curvature, 1.0), 0.0)
                iteration.add(iteration.solution, alpha, iteration.direction)
                iteration.add(iteration.residual, alpha, iteration.product)
                updated = xp.sqrt(iteration.dot(iteration.residual, iteration.residual))
                previous = xp.where(moving, product, previous)
                fresh = fresh & ~moving
                iterations = iterations + xp.astype(moving, iterations.dtype)
                moving = moving & ~(updated <= aim) & (iterations < settings.max_iterations)
                if not bool(xp.any(moving)):
                    break
            self._take(values, unit * scale)
            active = status == RUNNING
            relative = xp.where(
                active, self._refine(stencils, right, values, unit, singular, axes), relative
            )
            refinements = refinements + xp.astype(active, refinements.dtype)
            progress = relative < 0.9 * best
            stalls = xp.where(active & ~progress, stalls + 1, xp.zeros_like(stalls))
            best = xp.where(progress, relative, best)
            status = self._judged(status, relative)
            running = status == RUNNING
            spent = (iterations >= settings.max_iterations) | (not settings.refine)
            status = xp.where(running & spent, ITERATIONS, status)
            status = xp.where(running & (stalls >= _STALLS), STAGNATED, status)
            moving = status == RUNNING
            fresh = fresh | lost | (stalls > 0) | (relative > 3.0 * updated)
            lost = xp.zeros_like(lost)
        self._dirty = self._dirty or bool(xp.any(status != CONVERGED))
        if singular is not None:
            mean = xp.sum(values, axis=axes, keepdims=True) / self.grid.num_points
            values -= mean * xp.reshape(xp.astype(singular, xp.float64), mean.shape)
        if unsolved is not None:
            shown = xp.reshape(unsolved, (-1, *(1,) * len(axes)))
            values = xp.where(shown, xp.nan, values)
            relative = xp.where(unsolved, xp.nan, relative)
        return ChunkRecord(values, status, iterations, refinements, relative)

    def _screened(
        self,
        stencils: StackedStencils,
        right: Array,
        initial: Array | None,
        axes: tuple[int, ...],
    ) -> tuple[Array, StackedStencils, Array, Array | None]:
        """The status to begin with, and a chunk where bad samples are replaced by u = 0."""
        xp = self.xp
        total = xp.sum(stencils.coefficients, axis=(1, *(axis + 1 for axis in axes)))
        total = total + xp.sum(right, axis=axes)
        if initial is not None:
            total = total + xp.sum(initial, axis=axes)
        finite = xp.isfinite(total)
        positive = xp.all(stencils.diagonal > 0, axis=axes)
        status = xp.where(finite, xp.where(positive, RUNNING, INDEFINITE), NOT_FINITE)
        good = status == RUNNING
        if bool(xp.all(good)):
            return status, stencils, right, initial
        self._dirty = True
        kept = xp.reshape(good, (-1, *(1,) * len(axes)))
        centre = self._place.get((0,) * len(axes), -1)
        one = xp.zeros_like(stencils.coefficients)
        one[:, centre, ...] = 1.0
        coefficients = xp.where(kept[:, None], stencils.coefficients, one)
        replaced = stencils.with_coefficients(coefficients)
        right = xp.where(kept, right, xp.zeros_like(right))
        if initial is not None:
            initial = xp.where(kept, initial, xp.zeros_like(initial))
        return status, replaced, right, initial

    def _set_up(self, stencils: StackedStencils, singular: Array | None) -> Array:
        """Fill in and set up the multigrid; gives the factor of each sample's matrix."""
        xp, finest = self.xp, self.multigrid.finest
        if self._dirty:
            self.iteration.clear()
            self._dirty = False
        axes = tuple(range(1, self.grid.dimension + 1))
        scale = 1.0 / xp.max(stencils.diagonal, axis=axes)
        factor = xp.reshape(-scale, (-1, *(1,) * len(axes)))
        fields = {(0,) * len(axes): finest.coefficients.centre, **finest.coefficients.coupling}
        for offset, field in fields.items():
            number = self._place.get(offset)
            if number is None:  # the other one of the pair is given
                raise InputError(
                    f"offset {offset} is missing beside {opposite(offset)}; a symmetric "
                    "stencil has both. Add it, with the coefficients of the other one shifted"
                )
            xp.multiply(stencils.coefficients[:, number, ...], factor, out=self._scratch)
            finest.layout.scatter(xp.moveaxis(self._scratch, 0, -1), field)
        sums = stencils.row_sums() * factor
        finest.layout.scatter(xp.moveaxis(sums, 0, -1), self.iteration.row_sums)
        self.multigrid.set_up(singular)
        return scale

    def _refine(
        self,
        stencils: StackedStencils,
        right: Array,
        values: Array | None,
        unit: Array,
        singular: Array | None,
        axes: tuple[int, ...],
    ) -> Array:
        """The residual b − A u in float64, handed to the iteration; gives ‖r‖ / ‖b‖."""
        xp, residual = self.xp, self._residual
        residual[...] = 0.0
        if values is not None:
            stencils.add_to(residual, values, self._scratch)
            residual *= -1.0
        residual += right
        residual /= xp.reshape(unit, (-1, *(1,) * len(axes)))
        xp.multiply(residual, residual, out=self._scratch)
        relative = xp.sqrt(xp.sum(self._scratch, axis=axes))
        if singular is not None:
            mean = xp.sum(residual, axis=axes, keepdims=True) / self.grid.num_points
            residual -= mean * xp.reshape(xp.astype(singular, xp.float64), mean.shape)
        layout, iteration = self.iteration.layout, self.iteration
        layout.scatter(xp.moveaxis(residual, 0, -1), iteration.residual)
        iteration.solution[...] = 0.0
        return relative

    def _take(self, values: Array, factor: Array) -> None:
        """Add the correction that the iteration found to the answer."""
        xp = self.xp
        self.iteration.layout.gather(self.iteration.solution, self._inner)
        self._scratch[...] = xp.moveaxis(self._inner, -1, 0)
        self._scratch *= xp.reshape(factor, (-1, *(1,) * self.grid.dimension))
        values += self._scratch

    def _judged(self, status: Array, relative: Array) -> Array:
        xp = self.xp
        running = status == RUNNING
        status = xp.where(running & (relative <= self.settings.rtol), CONVERGED, status)
        return xp.where(running & ~xp.isfinite(relative), STAGNATED, status)
