"""One level of multigrid: smoothing and transfers."""

from __future__ import annotations

from pdesolve.batched.coefficients import Coefficients
from pdesolve.batched.galerkin import Galerkin
from pdesolve.batched.in_place import InPlace, Pair
from pdesolve.batched.interpolation import Interpolation
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
        if layout.has_seam:
            for c, pairs in enumerate(self._later):
                centre = layout.part(self.coefficients.centre, c)
                pairs[:] = [*self._all[c], (centre, layout.part(self.values, c))]
            self._earlier = self._all
        if any(o == c for c, row in enumerate(terms) for o, _ in row):
            excess = self.work.zeros(layout.size)
            for c in range(count):
                self._excess[c] = layout.part(excess, c)
                pair = self._excess[c], layout.part(self.values, c)
                self._all[c].append(pair)
                if not layout.has_seam:
                    self._later[c].append(pair)
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
