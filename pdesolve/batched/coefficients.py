"""The stencils of one level, half of each."""

from __future__ import annotations

import itertools

from pdesolve.batched.in_place import InPlace, Pair
from pdesolve.batched.parity_classes import Offset, ParityClasses
from pdesolve.spectral.transforms import Array


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
