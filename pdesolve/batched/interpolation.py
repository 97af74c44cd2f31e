"""Interpolation that follows jumps of the coefficients, and Galerkin coarse operators."""

from __future__ import annotations

import itertools
from typing import Any

from pdesolve.batched.in_place import InPlace, Pair
from pdesolve.batched.parity_classes import Offset, ParityClasses
from pdesolve.spectral.transforms import Array

Corner = tuple[int, ...]
_TINY = 1e-6  # of the diagonal; a smaller sum is rounding, and such a point takes nothing


def positive_offsets(dimension: int) -> list[Offset]:
    """One of each pair ±δ of the offsets to the neighbours, (3^d − 1)/2 of them."""
    zero = (0,) * dimension
    return [offset for offset in itertools.product((-1, 0, 1), repeat=dimension) if offset > zero]


def opposite(offset: Offset) -> Offset:
    """−δ."""
    return tuple(-step for step in offset)


class Coefficients:
    """−A on one level, half of it: what δ > 0 couples is coupled the same way by −δ.

    Parameters
    ----------
    layout
        Of the level.
    work
        Arithmetic.
    offsets
        The positive offsets that occur.

    Attributes
    ----------
    centre
        −diag A, a field.
    coupling
        −A of each positive offset, a field each.
    """

    def __init__(self, layout: ParityClasses, work: InPlace, offsets: list[Offset]) -> None:
        self.layout = layout
        self.centre = work.zeros(layout.size)
        self.coupling = {offset: work.zeros(layout.size) for offset in offsets}
        self.offsets = [*offsets, *map(opposite, offsets)]

    def of(self, number: int, offset: Offset) -> Array:
        """−A of an offset in the rows of a class."""
        if not any(offset):
            return self.layout.part(self.centre, number)
        if offset in self.coupling:
            return self.layout.part(self.coupling[offset], number)
        other, shift = self.layout.neighbour(number, offset)
        return self.layout.part(self.coupling[opposite(offset)], other, shift)

    def terms(self, number: int, field: Array) -> list[tuple[int, Pair]]:
        """Class, coefficients and values of all neighbours of the points of a class."""
        found = []
        for offset in self.offsets:
            other, shift = self.layout.neighbour(number, offset)
            pair = self.of(number, offset), self.layout.part(field, other, shift)
            found.append((other, pair))
        return sorted(found, key=lambda row: row[0])

    def copy_ends(self) -> None:
        """Fill in the copies at periodic ends."""
        for field in self.coupling.values():
            self.layout.copy_ends(field)


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


class Galerkin:
    """Coefficients of Pᵀ A P, in two steps: A P row by row, then Pᵀ of it.

    Parameters
    ----------
    interpolation
        Of the level.
    work
        Arithmetic.
    """

    def __init__(self, interpolation: Interpolation, work: InPlace) -> None:
        self.layout, self.work = interpolation.layout, work
        self._interpolation = interpolation
        zero = (0,) * self.layout.dimension
        wanted = [zero, *positive_offsets(self.layout.dimension)]
        self._products: dict[tuple[int, Offset], tuple[Array, list[Any]]] = {}
        self._sums: dict[Offset, list[Any]] = {}
        for step in wanted:
            found = self._sum(step)
            if found:
                self._sums[step] = found
        self.offsets = [step for step in self._sums if any(step)]
        self._result = work.zeros(self.layout.single_size)

    def coefficients(self) -> Any:
        """Pairs of coarse offset and −Pᵀ A P, valid until the next pair; call `set_up` first."""
        for step, terms in self._sums.items():
            target = self.layout.single(self._result)
            self._total(target, terms)
            yield step, self.layout.coarse(self._result)

    def set_up(self) -> None:
        """Compute A P."""
        for (number, _), (field, terms) in self._products.items():
            values = self.layout.single(field)
            self._total(values, terms)
            for axis, place, partner, source in self.layout.copies(number):
                if partner == number:
                    self.layout.at(values, axis, place)[...] = self.layout.at(values, axis, source)

    def _total(self, target: Array, terms: list[Any]) -> None:
        pairs = [term for term in terms if term[0] is not None]
        single = [values for weight, values in terms if weight is None]
        if single:
            target[...] = single[0]
            for values in single[1:]:
                target += values
            self.work.add_products(target, pairs)
        else:
            self.work.products(target, pairs)

    def _sum(self, step: Offset) -> list[Any]:
        """The terms of the coefficient of a coarse offset: pairs of a weight and of A P."""
        layout, terms = self.layout, []
        for alpha in itertools.product(*((-1, 0, 1) if split else (0,) for split in layout.split)):
            parities = tuple(abs(side) for side in alpha)
            number = layout.number[parities]
            below = [side < 0 for side in alpha]
            shift = -sum(s for s, is_below in zip(layout.strides, below, strict=True) if is_below)
            column = tuple(delta + is_below for delta, is_below in zip(step, below, strict=True))
            product = self._product(number, column)
            if product is None:
                continue
            weight = self._interpolation.weight(number, opposite(alpha), shift)
            terms.append((weight, layout.single(product, shift)))
        return terms

    def _product(self, number: int, column: Offset) -> Array | None:
        """The field of entries of A P in the rows of a class, in one column relative to them."""
        if (number, column) in self._products:
            return self._products[number, column][0]
        layout, terms = self.layout, []
        coefficients = self._interpolation.coefficients
        for offset in [(0,) * layout.dimension, *coefficients.offsets]:
            other, shift = layout.neighbour(number, offset)
            corner = []
            for axis, parity in enumerate(layout.classes[other]):
                own = layout.classes[number][axis]
                place = (own + offset[axis]) // 2 if layout.split[axis] else offset[axis]
                side = column[axis] - place
                corner.append(2 * side - 1 if parity else side)
            odd = layout.classes[other]
            allowed = all(
                side in ((-1, 1) if parity else (0,))
                for side, parity in zip(corner, odd, strict=True)
            )
            if not allowed:
                continue
            values = coefficients.of(number, offset)
            terms.append((self._interpolation.weight(other, tuple(corner), shift), values))
        if not terms:
            return None
        field = self.work.zeros(layout.single_size)
        self._products[number, column] = field, terms
        return field
