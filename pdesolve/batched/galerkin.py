"""Coarse operators of multigrid."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from pdesolve.batched.coefficients import opposite, positive_offsets
from pdesolve.batched.in_place import InPlace
from pdesolve.batched.interpolation import Interpolation
from pdesolve.batched.parity_classes import Offset
from pdesolve.spectral.transforms import Array

Term = tuple[Array | None, Array]
"""A weight, None for 1, and what it multiplies."""


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
        self._products: dict[tuple[int, Offset], tuple[Array, list[Term]]] = {}
        self._sums: dict[Offset, list[Term]] = {}
        for step in wanted:
            found = self._sum(step)
            if found:
                self._sums[step] = found
        self.offsets = [step for step in self._sums if any(step)]
        self._result = work.zeros(self.layout.single_size)

    def coefficients(self) -> Iterator[tuple[Offset, Array]]:
        """Compute −Pᵀ A P offset by offset, from A P.

        Yields
        ------
        tuple
            The offset and values on the coarse grid, valid until the next ones.
        """
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

    def _total(self, target: Array, terms: list[Term]) -> None:
        pairs = [term for term in terms if term[0] is not None]
        single = [values for weight, values in terms if weight is None]
        if single:
            target[...] = single[0]
            for values in single[1:]:
                target += values
            self.work.add_products(target, pairs)
        else:
            self.work.products(target, pairs)

    def _sum(self, step: Offset) -> list[Term]:
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
