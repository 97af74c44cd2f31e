"""Multigrid for stacked stencils: set-up and V-cycle."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from pdesolve.batched.in_place import InPlace, Pair
from pdesolve.batched.interpolation import Coefficients, Galerkin, Interpolation
from pdesolve.batched.parity_classes import Offset, ParityClasses
from pdesolve.spectral.transforms import Array


class Level:
    """One level: coefficients, interpolation, and the fields of a V-cycle.

    Parameters
    ----------
    layout
        Places of the values.
    work
        Arithmetic.
    offsets
        Positive offsets of the stencil.

    Attributes
    ----------
    right, values
        The fields b and u ≈ A⁻¹ b.
    """

    def __init__(self, layout: ParityClasses, work: InPlace, offsets: list[Offset]) -> None:
        self.layout, self.work = layout, work
        self.coefficients = Coefficients(layout, work, offsets)
        self.interpolation = Interpolation(self.coefficients, work)
        self.galerkin = Galerkin(self.interpolation, work)
        self.right, self.values, self.residual = (work.zeros(layout.size) for _ in range(3))
        self.inverse_diagonal = work.zeros(layout.size)
        self.coarse_right = work.zeros(layout.single_size)
        self.coarse_values = work.zeros(layout.single_size)
        self._sum = work.zeros(layout.length)
        self._plan()

    def _plan(self) -> None:
        layout, count = self.layout, len(self.layout.classes)
        terms = [self.coefficients.terms(c, self.values) for c in range(count)]
        self._all = [[pair for _, pair in row] for row in terms]
        self._earlier = [[pair for o, pair in row if o < c] for c, row in enumerate(terms)]
        # an axis that is not split couples points of one class: M is larger than diag A there
        self._excess: list[Array | None] = [None] * count
        self._later = [[pair for o, pair in row if o >= c] for c, row in enumerate(terms)]
        self._parts = [
            tuple(layout.part(field, c) for field in self._fields()) for c in range(count)
        ]
        self._ends = [self._ends_of(c) for c in range(count)]
        self._residual_ends = layout.end_pairs(self.residual)
        if not all(layout.split) and layout.wraps:
            excess = self.work.zeros(layout.size)
            for c in range(count):
                self._excess[c] = layout.part(excess, c)
                pair = self._excess[c], layout.part(self.values, c)
                self._all[c].append(pair)
                self._later[c].append(pair)
        if layout.has_seam:
            self._earlier = self._all
            for c, pairs in enumerate(self._later):
                centre = layout.part(self.coefficients.centre, c)
                pairs[:] = [*self._all[c], (centre, layout.part(self.values, c))]
        skipped = {c for c in range(count) if not self._later[c]}
        self._restriction = self.interpolation.restriction(self.residual, skipped)
        # the backward sweep begins with the last class; some values are replaced unread
        read = [
            any(o == c for later in range(c, count) for o, _ in terms[later]) for c in range(count)
        ]
        self._prolongation = [
            (c, self.interpolation.prolongation(c, self.coarse_values))
            for c in range(count)
            if read[c]
        ]

    def _fields(self) -> tuple[Array, ...]:
        return self.right, self.values, self.residual, self.inverse_diagonal

    def _ends_of(self, number: int) -> list[Pair]:
        """Copies at periodic ends that have to follow when a class has changed."""
        layout = self.layout
        pairs = layout.end_pairs(self.values)
        return pairs if layout.has_seam else layout.end_pairs_of(self.values, number)

    def set_up(self) -> None:
        """Interpolation and what the sweeps need, from the coefficients."""
        layout, xp = self.layout, self.work.xp
        self.coefficients.copy_ends()
        for number in range(len(layout.classes)):
            diagonal = -layout.part(self.coefficients.centre, number)
            excess = self._excess[number]
            if excess is not None:
                excess[...] = 0.0
                for other, (coupling, _) in self.coefficients.terms(number, self.values):
                    if other == number:
                        excess += 0.5 * xp.abs(coupling)
                diagonal += excess
            positive = diagonal > 0
            inverse = xp.where(positive, 1.0 / xp.where(positive, diagonal, 1.0), 0.0)
            layout.part(self.inverse_diagonal, number)[...] = inverse
        for target in layout.ends(self.inverse_diagonal):
            target[...] = 0.0
        self.interpolation.set_up()
        self.galerkin.set_up()

    def smooth_forward(self) -> None:
        """A sweep over the classes from u = 0."""
        work = self.work
        if self.layout.has_seam:  # a class may hold copies of one that comes earlier
            self.values[...] = 0.0
        for (right, values, _, inverse), pairs, ends in zip(
            self._parts, self._earlier, self._ends, strict=True
        ):
            if pairs:
                work.products(self._sum, pairs)
                self._sum += right
                work.multiply(self._sum, inverse, values)
            else:
                work.multiply(right, inverse, values)
            for target, source in ends:
                target[...] = source

    def smooth_backward(self) -> None:
        """A sweep in the opposite order."""
        work = self.work
        for (right, values, _, inverse), pairs, ends in zip(
            reversed(self._parts), reversed(self._all), reversed(self._ends), strict=True
        ):
            if pairs:
                work.products(self._sum, pairs)
                self._sum += right
                work.multiply(self._sum, inverse, values)
            else:
                work.multiply(right, inverse, values)
            for target, source in ends:
                target[...] = source

    def restrict(self) -> Array:
        """Pᵀ (b − A u) after a forward sweep, values on the coarse grid.

        What a sweep leaves in a class comes from the classes that changed after it.
        """
        for (right, _, residual, _), pairs in zip(self._parts, self._later, strict=True):
            if pairs:
                self.work.products(residual, pairs)
            if self.layout.has_seam:
                residual += right
        for target, source in self._residual_ends:
            target[...] = source
        first, pairs = self._restriction
        target = self.layout.single(self.coarse_right)
        target[...] = first
        self.work.add_products(target, pairs)
        return self.layout.coarse(self.coarse_right)

    def correct(self) -> None:
        """Add P of what was written to ``layout.coarse(coarse_values)``."""
        layout = self.layout
        for axis, place, partner, source in layout.copies(layout.number[(0,) * layout.dimension]):
            del partner
            values = layout.single(self.coarse_values)
            layout.at(values, axis, place)[...] = layout.at(values, axis, source)
        for number, pairs in self._prolongation:
            values = self._parts[number][1]
            if pairs is None:
                values += layout.single(self.coarse_values)
            else:
                self.work.add_products(values, pairs)
        for target, source in layout.end_pairs(self.values):
            target[...] = source


class Multigrid:
    """A symmetric V(1,1)-cycle for a batch of symmetric positive (semi)definite stencils.

    Smoothing is Gauss–Seidel by colours (red–black for 5- and 7-point stencils), forward
    before and backward after the coarse correction. Interpolation follows the
    coefficients, coarse operators are Pᵀ A P, and the coarsest system is inverted.

    Parameters
    ----------
    shape, periodic
        Of the grids.
    batch
        Number of samples.
    work
        Arithmetic, of float32 or float64.
    offsets
        Positive offsets of the stencils.
    dense
        Largest number of unknowns of the coarsest level.

    Attributes
    ----------
    finest
        The level whose coefficients are to be filled in before :meth:`set_up`.

    References
    ----------
    Dendy (1982), Black box multigrid, doi:10.1016/0021-9991(82)90057-2.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        periodic: tuple[bool, ...],
        batch: int,
        work: InPlace,
        offsets: list[Offset],
        dense: int = 64,
    ) -> None:
        self.work, self.batch = work, batch
        self.levels: list[Level] = []
        self.periodic = periodic
        while True:
            layout = ParityClasses(shape, periodic, batch)
            level = Level(layout, work, offsets)
            self.levels.append(level)
            shape, offsets = layout.coarse_shape, level.galerkin.offsets
            if math.prod(shape) <= dense or shape == layout.shape:
                break
        self.coarsest_shape = shape
        self.finest = self.levels[0]
        self._inverse: Array | None = None

    def set_up(self, singular: Array | None = None) -> None:
        """Interpolation, coarse operators and the inverse of the coarsest one.

        Parameters
        ----------
        singular
            Whether constants are in a sample's null space, numbers 0 and 1 ``(batch,)``.
        """
        for level, below in itertools.pairwise(self.levels):
            level.set_up()
            for step, values in level.galerkin.coefficients():
                field = (
                    below.coefficients.coupling[step] if any(step) else below.coefficients.centre
                )
                below.layout.scatter(values, field)
        level = self.levels[-1]
        level.set_up()
        self._inverse = self._inverted(dict_of(level.galerkin.coefficients()), singular)

    def _inverted(self, coarse: dict[Offset, Array], singular: Array | None) -> Array:
        """A⁻¹ of the coarsest level, shape ``(batch, n, n)``; of A + c 1 1ᵀ where singular."""
        xp, shape = self.work.xp, self.coarsest_shape
        count = math.prod(shape)
        index = np.arange(count).reshape(shape)
        dense = xp.zeros((self.batch, count, count), dtype=xp.float64, device=self.work.device)
        for step, values in coarse.items():
            rows, columns = neighbours(index, step, self.periodic)
            entries = -xp.astype(values.reshape(count, self.batch), xp.float64).T
            dense[:, rows, columns] += entries[:, rows]
            if any(step):
                dense[:, columns, rows] += entries[:, rows]
        diagonal = xp.sum(xp.linalg.diagonal(dense), axis=1) / count
        if singular is not None:
            shift = xp.astype(singular, xp.float64) * diagonal / count
            dense += xp.reshape(shift, (-1, 1, 1))
        # neither a sample that is not finite nor a singular one may stop the others
        identity = xp.eye(count, dtype=xp.float64, device=self.work.device)
        good = xp.all(xp.all(xp.isfinite(dense), axis=2), axis=1)
        dense = xp.where(xp.reshape(good, (-1, 1, 1)), dense, identity)
        return xp.astype(symmetric_inverse(xp, dense), self.work.dtype)

    def clear(self) -> None:
        """Set all fields of the V-cycle to zero."""
        for level in self.levels:
            for field in (level.right, level.values, level.residual):
                field[...] = 0.0
            level.coarse_right[...] = 0.0
            level.coarse_values[...] = 0.0

    def apply(self) -> Array:
        """One V-cycle for the finest level's ``right``; its ``values`` are the answer."""
        xp = self.work.xp
        for level, below in itertools.pairwise(self.levels):
            level.smooth_forward()
            below.layout.scatter(level.restrict(), below.right)
        self.levels[-1].smooth_forward()
        values = self.levels[-1].restrict()
        count = math.prod(self.coarsest_shape)
        right = values.reshape(count, self.batch).T
        found = xp.matmul(self._inverse, right[:, :, None])[:, :, 0].T
        level = self.levels[-1]
        level.layout.coarse(level.coarse_values)[...] = found.reshape(
            (*self.coarsest_shape, self.batch)
        )
        for number in reversed(range(len(self.levels))):
            level = self.levels[number]
            level.correct()
            level.smooth_backward()
            if number:
                above = self.levels[number - 1]
                level.layout.gather(level.values, above.layout.coarse(above.coarse_values))
        return self.finest.values


def dict_of(found: Any) -> dict[Offset, Array]:
    """Coefficients by offset, copied."""
    return {step: values + 0.0 for step, values in found}


def neighbours(
    index: np.ndarray[Any, Any], step: Offset, periodic: tuple[bool, ...]
) -> tuple[Any, Any]:
    """Numbers of the points that have a neighbour at an offset, and of those neighbours."""
    moved = np.roll(index, tuple(-s for s in step), tuple(range(index.ndim)))
    inside = np.ones(index.shape, dtype=bool)
    for axis, s in enumerate(step):
        if s and not periodic[axis]:
            window: list[Any] = [slice(None)] * index.ndim
            window[axis] = -1 if s > 0 else 0
            inside[tuple(window)] = False
    return index[inside], moved[inside]


def symmetric_inverse(xp: Any, matrices: Array) -> Array:
    """Inverses of symmetric matrices; of a singular one that on its range."""
    try:
        found = xp.linalg.inv(matrices)
        if bool(xp.all(xp.isfinite(found))):
            return found
    except (RuntimeError, np.linalg.LinAlgError):
        pass
    values, vectors = xp.linalg.eigh(matrices)
    largest = xp.max(xp.abs(values), axis=1, keepdims=True)
    usable = xp.abs(values) > 1e-13 * largest
    inverse = xp.where(usable, 1.0 / xp.where(usable, values, 1.0), 0.0)
    return xp.matmul(vectors * inverse[:, None, :], xp.matrix_transpose(vectors))
