"""Conjugate gradients on all samples of a batch at once, each with its own steps."""

from __future__ import annotations

import math

import numpy as np

from pdesolve.batched.multigrid import Multigrid
from pdesolve.spectral.transforms import Array


class ConjugateGradients:
    """The iteration for A x = r, preconditioned by a V-cycle.

    Parameters
    ----------
    multigrid
        With set-up done; its finest level's ``right`` is the residual r.
    """

    def __init__(self, multigrid: Multigrid) -> None:
        self.multigrid, self.work = multigrid, multigrid.work
        level = multigrid.finest
        self.layout = layout = level.layout
        self.residual, self.preconditioned = level.right, level.values
        self.solution, self.direction, self.product = (
            self.work.zeros(layout.size) for _ in range(3)
        )
        self.mask = self.work.zeros(layout.size)
        for number in range(len(layout.classes)):
            layout.inside(layout.part(self.mask, number), number)[...] = 1.0
        self._direction_ends = layout.end_pairs(self.direction)
        self._product_ends = layout.ends(self.product)
        self.row_sums = self.work.zeros(layout.size)
        self._difference = self.work.zeros(layout.length)
        self._pairs = []
        for number in range(len(layout.classes)):
            terms = level.coefficients.terms(number, self.direction)
            own = layout.part(self.direction, number)
            target = layout.part(self.product, number)
            sums = layout.part(self.row_sums, number)
            self._pairs.append((target, own, sums, [pair for _, pair in terms]))
        self._count = math.prod(layout.shape)
        self._row = layout.slots[-1] * layout.batch
        self._rows = {
            id(field): self._as_rows(field)
            for field in (
                self.residual, self.preconditioned, self.solution, self.direction, self.product,
                self.mask,
            )
        }  # fmt: skip
        self._total = self.work.zeros(self._row)
        self._scratch = self._as_rows(self.work.zeros(layout.size))

    def _as_rows(self, field: Array) -> Array:
        return field.reshape((-1, self._row))

    def dot(self, a: Array, b: Array) -> Array:
        """Inner products of two fields, ``(batch,)``."""
        xp, rows = self.work.xp, self._rows
        shape = (self.layout.slots[-1], self.layout.batch)
        if self.work.is_numpy:
            np.einsum("kj,kj->j", rows[id(a)], rows[id(b)], out=self._total)
            return self._folded(self._total.reshape(shape))
        self.work.multiply(rows[id(a)], rows[id(b)], out=self._scratch)
        return xp.sum(xp.sum(self._scratch, axis=0).reshape(shape), axis=0)

    def _folded(self, values: Array) -> Array:
        """Sums over the first axis, in an order that does not depend on the batch."""
        while len(values) > 1:
            half = len(values) // 2
            folded = values[:half] + values[half : 2 * half]
            if len(values) % 2:
                folded[0] += values[-1]
            values = folded
        return values[0]

    def spread(self, numbers: Array) -> Array:
        """Numbers of the samples, ``(batch,)``, repeated over a row of places."""
        xp = self.work.xp
        return xp.tile(xp.astype(numbers, self.work.dtype), (self.layout.slots[-1],))

    def add(self, target: Array, numbers: Array, field: Array) -> None:
        """Add numbers (by sample) times a field to a field."""
        target, field = self._rows[id(target)], self._rows[id(field)]
        factors = self.spread(numbers)
        if self.work.is_numpy:
            np.multiply(field, factors, out=self._scratch)
            np.add(target, self._scratch, out=target)
        elif hasattr(target, "addcmul_"):
            target.addcmul_(field, factors)
        else:
            target += field * factors

    def set_direction(self, numbers: Array) -> None:
        """Set the direction p to z + β p."""
        direction, new = self._rows[id(self.direction)], self._rows[id(self.preconditioned)]
        self.work.multiply(direction, self.spread(numbers), out=direction)
        direction += new
        for target, source in self._direction_ends:
            target[...] = source

    def multiply(self) -> Array:
        """Compute q = −A p, and pᵀ A p.

        Written with differences, −A p = Σ_δ c_δ (p[i + δ] − p[i]) − s p[i] with c = −A and
        the row sums s of A: what rounding leaves is then small against the differences and
        not only against p.
        """
        work, difference = self.work, self._difference
        for target, own, sums, pairs in self._pairs:
            work.multiply(own, sums, target)
            for coupling, values in pairs:
                work.subtract(values, own, difference)
                work.add_products(target, [(coupling, difference)])
        for target in self._product_ends:
            target[...] = 0.0
        return -self.dot(self.direction, self.product)

    def precondition(self, singular: Array | None) -> Array:
        """Compute z = M r, without its mean where constants are in the null space, and rᵀ z."""
        self.multigrid.apply()
        if singular is not None:
            mean = self.dot(self.preconditioned, self.mask) / self._count
            self.add(self.preconditioned, -mean * singular, self.mask)
        return self.dot(self.residual, self.preconditioned)

    def clear(self) -> None:
        """Forget everything, also what is not finite in places that are never written."""
        for field in (self.residual, self.preconditioned, self.solution, self.direction):
            field[...] = 0.0
        self.product[...] = 0.0
        self.multigrid.clear()
