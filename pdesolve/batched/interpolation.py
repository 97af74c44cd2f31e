"""Interpolation that follows jumps of the coefficients."""

from __future__ import annotations

import itertools

from pdesolve.batched.coefficients import Coefficients
from pdesolve.batched.in_place import InPlace, Pair
from pdesolve.batched.parity_classes import Offset
from pdesolve.spectral.transforms import Array

Corner = tuple[int, ...]
_TINY = 1e-6  # of the diagonal; a smaller sum is rounding, and such a point takes nothing


class Interpolation:
    """P of black-box multigrid from the even class to all points of a level.

    A point with an odd index along the axes S lies between 2^|S| coarse points. Its row
    of A is summed along the other axes, so that a stencil along S is left, and solved for
    the point with values 0 next to it replaced by their own interpolation. Where
    coefficients jump this keeps the flux continuous.

    Parameters
    ----------
    coefficients
        −A of the level.
    work
        Arithmetic.

    Attributes
    ----------
    weights
        By class and corner (−1 or 1 along each axis of S, 0 along others), a field of one
        class each.

    References
    ----------
    Dendy (1982), Black box multigrid, doi:10.1016/0021-9991(82)90057-2.
    """

    def __init__(self, coefficients: Coefficients, work: InPlace) -> None:
        self.coefficients, self.work = coefficients, work
        layout = self.layout = coefficients.layout
        self.weights: dict[tuple[int, Corner], Array] = {}
        order = sorted(layout.classes, key=sum)
        self._order = [layout.number[parities] for parities in order if any(parities)]
        for number in self._order:
            for corner in self.corners(number):
                self.weights[number, corner] = work.zeros(layout.single_size)
        self._collapsed = work.zeros(layout.length)

    def corners(self, number: int) -> list[Corner]:
        """The corners between which the points of a class lie."""
        parities = self.layout.classes[number]
        return list(itertools.product(*((-1, 1) if odd else (0,) for odd in parities)))

    def weight(self, number: int, corner: Corner, shift: int = 0) -> Array | None:
        """Weights of a class, or None for the coarse points themselves (1)."""
        if not any(corner):
            return None
        return self.layout.single(self.weights[number, corner], shift)

    def corner_shift(self, corner: Corner) -> int:
        """Where in the even class a corner of the points of a class is."""
        strides = self.layout.strides
        return sum(stride for stride, side in zip(strides, corner, strict=True) if side > 0)

    def set_up(self) -> None:
        """Compute the weights from the coefficients."""
        for number in self._order:
            inverse = self._inverse_of_collapsed_centre(number)
            for corner in self.corners(number):
                target = self.layout.single(self.weights[number, corner])
                self._solve(number, corner, target)
                target *= inverse
            self._copy_ends(number)

    def _inverse_of_collapsed_centre(self, number: int) -> Array:
        coefficients, xp = self.coefficients, self.work.xp
        total = -coefficients.of(number, (0,) * self.layout.dimension)
        least = total * _TINY
        for offset in self._along(number, (0,) * self.layout.dimension):
            if any(offset):
                total -= coefficients.of(number, offset)
        usable = total > least
        return xp.where(usable, 1.0 / xp.where(usable, total, 1.0), 0.0)

    def _along(self, number: int, step: Offset) -> list[Offset]:
        """The offsets that equal `step` along the odd axes of a class."""
        parities = self.layout.classes[number]
        return [
            offset
            for offset in [*self.coefficients.offsets, (0,) * self.layout.dimension]
            if all(
                given == wanted
                for given, wanted, odd in zip(offset, step, parities, strict=True)
                if odd
            )
        ]

    def _solve(self, number: int, corner: Corner, target: Array) -> None:
        target[...] = 0.0
        choices = itertools.product(*((0, side) if side else (0,) for side in corner))
        for step in choices:
            offsets = self._along(number, step)
            if not any(step) or not offsets:
                continue
            first, *others = [self.coefficients.of(number, offset) for offset in offsets]
            other, shift = self.layout.neighbour(number, step)
            left = tuple(side - part for side, part in zip(corner, step, strict=True))
            weight = self.weight(other, left, shift)
            collapsed = first
            if others:
                collapsed = self._collapsed
                collapsed[...] = first
                for values in others:
                    collapsed += values
            if weight is None:
                target += collapsed
            else:
                self.work.add_products(target, [(collapsed, weight)])

    def _copy_ends(self, number: int) -> None:
        layout = self.layout
        for axis, place, partner, source in layout.copies(number):
            for corner in self.corners(number):
                target = layout.at(layout.single(self.weights[number, corner]), axis, place)
                if partner == number:
                    values = layout.single(self.weights[number, corner])
                    target[...] = layout.at(values, axis, source)
                    continue
                # the copy is a coarse point along this axis: at its end, and at no other
                if (corner[axis] > 0) != (source == 1):
                    target[...] = 0.0
                    continue
                left = (*corner[:axis], 0, *corner[axis + 1 :])
                weight = self.weight(partner, left)
                target[...] = 1.0 if weight is None else layout.at(weight, axis, source)

    def restriction(self, field: Array, skipped: set[int]) -> tuple[Array, list[Pair]]:
        """Pᵀ of a field: values of the coarse points, and the products to add to them."""
        layout = self.layout
        pairs = []
        for number in self._order:
            if number in skipped:
                continue
            for corner in self.corners(number):
                shift = -self.corner_shift(corner)
                weight = self.weight(number, corner, shift)
                pairs.append((weight, layout.part(field, number, shift)))
        return layout.part(field, layout.number[(0,) * layout.dimension]), pairs

    def prolongation(self, number: int, coarse: Array) -> list[Pair] | None:
        """The products that are P of a field of the even class, or None for that class."""
        if number not in self._order:
            return None
        return [
            (
                self.layout.single(self.weights[number, corner]),
                self.layout.single(coarse, self.corner_shift(corner)),
            )
            for corner in self.corners(number)
        ]
