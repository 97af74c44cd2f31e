"""How the values of a grid are laid out for multigrid: in classes of even and odd indices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from pdesolve.spectral.transforms import Array

Offset = tuple[int, ...]


def splittable(shape: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[bool, ...]:
    """Whether an axis can be split.

    Not one of a single point, nor a periodic one of less than four, as two neighbours would
    become the same.
    """
    return tuple(n >= (4 if wrap else 2) for n, wrap in zip(shape, periodic, strict=True))


class ParityClasses:
    """The points of a batch of grids, split by the parities of their indices.

    Along a split axis the point 2I + parity is number I of its class. Classes of one
    parity have no neighbours in themselves, so that Gauss–Seidel updates a class at once;
    the even class is the next coarser grid. All classes are padded to one number of
    places and stored one after another, the batch last:

        field = [margin | class 0 | margin | class 1 | ... | margin].

    A neighbour is then another class, read from a place further on: every operation runs
    over contiguous memory, and no sample ever reads another one. Where a neighbour is
    outside the grid some other value of the same sample is read; its coefficient is zero
    (in the margins as well, which are never written).
    A periodic axis has one more place at both ends, for copies (:meth:`copies`).

    Parameters
    ----------
    shape, periodic
        Of the grid.
    batch
        Number of samples.
    coarsened
        The axes to split, among :func:`splittable` ones; all of these when left out.

    Attributes
    ----------
    split
        Whether each axis is split (and coarsened).
    classes
        Parities, the classes with an even sum first (red before black).
    has_seam
        Whether a periodic axis has an odd number of points. Its two ends are neighbours in
        one class, and take each other's values from before a sweep.
    slots
        Places along each axis.
    length, margin, size
        Numbers in a class, in a margin (whole rows), and in a field.

    Examples
    --------
    >>> layout = ParityClasses((4, 3), (False, False), batch=2)
    >>> layout.classes
    [(0, 0), (1, 1), (0, 1), (1, 0)]
    >>> layout.coarse_shape, layout.length
    ((2, 2), 8)
    >>> layout.neighbour(3, (1, 0))  # of 2I + 1 above: the next even one
    (0, 4)
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        periodic: tuple[bool, ...],
        batch: int,
        coarsened: tuple[bool, ...] | None = None,
    ) -> None:
        self.shape, self.periodic, self.batch = shape, periodic, batch
        self.dimension = len(shape)
        self.split = splittable(shape, periodic) if coarsened is None else coarsened
        self.coarse_shape = tuple(
            (n + 1) // 2 if split else n for n, split in zip(shape, self.split, strict=True)
        )
        self.pad = tuple(int(wrap) for wrap in periodic)
        self.slots = tuple(n + 2 * pad for n, pad in zip(self.coarse_shape, self.pad, strict=True))
        strides = [batch]
        for places in reversed(self.slots[1:]):
            strides.insert(0, strides[0] * places)
        self.strides = tuple(strides)
        self.length = math.prod(self.slots) * batch
        row = batch * self.slots[-1]
        self.margin = row * -(-sum(strides) // row)
        found = itertools.product(*((0, 1) if split else (0,) for split in self.split))
        self.has_seam = any(
            wrap and split and n % 2
            for wrap, split, n in zip(periodic, self.split, shape, strict=True)
        )
        # where both ends of an axis are even, they see each other through copies in the odd class,
        # which therefore comes later
        self.classes = sorted(
            found, key=lambda parities: (0 if self.has_seam else sum(parities) % 2, parities)
        )
        self.number = {parities: c for c, parities in enumerate(self.classes)}
        self.size = self.margin + len(self.classes) * (self.length + self.margin)
        self.wraps = any(periodic)

    def neighbour(self, number: int, offset: Offset) -> tuple[int, int]:
        """Class and distance in memory of the neighbours of a class's points."""
        parities, shift = [], 0
        for parity, step, split, stride in zip(
            self.classes[number], offset, self.split, self.strides, strict=True
        ):
            place = parity + step if split else step
            parities.append(place % 2 if split else 0)
            shift += stride * (place // 2 if split else place)
        return self.number[tuple(parities)], shift

    def part(self, field: Array, number: int, shift: int = 0) -> Array:
        """A class in a field, or what is `shift` further on."""
        start = self.margin + number * (self.length + self.margin) + shift
        return field[start : start + self.length]

    def single(self, field: Array, shift: int = 0) -> Array:
        """The same in a field of one class (of `single_size`)."""
        return field[self.margin + shift : self.margin + shift + self.length]

    @property
    def single_size(self) -> int:
        """Numbers in a field of one class."""
        return 2 * self.margin + self.length

    def points(self, number: int) -> tuple[int, ...]:
        """How many points of the grid a class has along each axis."""
        return tuple(
            (n - parity + 1) // 2 if split else n
            for n, parity, split in zip(self.shape, self.classes[number], self.split, strict=True)
        )

    def inside(self, values: Array, number: int) -> Array:
        """The grid's points among the places of a class, shape ``(*points, batch)``."""
        window = tuple(
            slice(pad, pad + count)
            for pad, count in zip(self.pad, self.points(number), strict=True)
        )
        return values.reshape((*self.slots, self.batch))[window]

    def of_class(self, number: int) -> tuple[slice, ...]:
        """Where the points of a class are on the grid."""
        return tuple(
            slice(parity, None, 2) if split else slice(None)
            for parity, split in zip(self.classes[number], self.split, strict=True)
        )

    def scatter(self, values: Array, field: Array) -> None:
        """Write values ``(*shape, batch)`` to a field."""
        for number in range(len(self.classes)):
            target = self.inside(self.part(field, number), number)
            target[...] = values[self.of_class(number)]

    def gather(self, field: Array, values: Array) -> None:
        """Write a field to values ``(*shape, batch)``."""
        for number in range(len(self.classes)):
            values[self.of_class(number)] = self.inside(self.part(field, number), number)

    def coarse(self, single: Array) -> Array:
        """The even class as values on the coarse grid, ``(*coarse_shape, batch)``."""
        return self.inside(self.single(single), self.number[(0,) * self.dimension])

    def copies(self, number: int) -> Iterator[tuple[int, int, int, int]]:
        """What a class has to be given at the ends of periodic axes, axis by axis.

        Yields
        ------
        tuple
            Axis, place to write, class to read from, place to read. With an odd number of
            points the odd class has its copies from the even one.
        """
        for axis in range(self.dimension):
            if not self.periodic[axis]:
                continue
            last = self.coarse_shape[axis]  # the place of the last point of an even class
            parity = self.classes[number][axis]
            if self.split[axis] and self.shape[axis] % 2 and parity:
                even = list(self.classes[number])
                even[axis] = 0
                partner = self.number[tuple(even)]
                yield axis, last, partner, 1
                yield axis, 0, partner, last
            else:
                yield axis, last + 1, number, 1
                yield axis, 0, number, last

    def at(self, values: Array, axis: int, place: int) -> Array:
        """One layer of the places of a class."""
        window = (*(slice(None),) * axis, place)
        return values.reshape((*self.slots, self.batch))[window]

    def copy_ends(self, field: Array) -> None:
        """Fill in the copies at the ends of periodic axes, in all classes."""
        if self.wraps:
            for target, source in self.end_pairs(field):
                target[...] = source

    def end_pairs(self, field: Array) -> list[tuple[Array, Array]]:
        """What :meth:`copy_ends` writes and reads, in this order."""
        found: list[tuple[int, Array, Array]] = []
        for number in range(len(self.classes)):
            values = self.part(field, number)
            for axis, place, partner, source in self.copies(number):
                read = self.at(self.part(field, partner), axis, source)
                found.append((axis, self.at(values, axis, place), read))
        return [(target, source) for _, target, source in sorted(found, key=lambda row: row[0])]

    def end_pairs_of(self, field: Array, number: int) -> list[tuple[Array, Array]]:
        """Those of one class, which are taken from itself."""
        values = self.part(field, number)
        return [
            (self.at(values, axis, place), self.at(values, axis, source))
            for axis, place, _, source in self.copies(number)
        ]

    def ends(self, field: Array) -> list[Array]:
        """The places of a field that hold copies."""
        return [target for target, _ in self.end_pairs(field)]
