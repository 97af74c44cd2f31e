"""Multigrid for stacked stencils: set-up and V-cycle."""

from __future__ import annotations

import itertools
import math

from meshes.structured import StructuredGrid
from pdesolve.batched.coarsest import coarsest_inverse
from pdesolve.batched.in_place import InPlace
from pdesolve.batched.level import Level
from pdesolve.batched.parity_classes import Offset, ParityClasses, splittable
from pdesolve.spectral.transforms import Array

_ALIKE = 1.5  # ratio of spacings up to which axes are coarsened together


def _strong_axes(
    shape: tuple[int, ...], periodic: tuple[bool, ...], spacing: tuple[float, ...]
) -> tuple[bool, ...]:
    able = splittable(shape, periodic)
    if not any(able):
        return able
    least = min(h for h, can in zip(spacing, able, strict=True) if can)
    return tuple(can and h <= _ALIKE * least for h, can in zip(spacing, able, strict=True))


class Multigrid:
    """A symmetric V(1,1)-cycle for a batch of symmetric positive (semi)definite stencils.

    Smoothing is Gauss–Seidel by colours (red–black for 5- and 7-point stencils), forward
    before and backward after the coarse correction. Interpolation follows the
    coefficients, coarse operators are Pᵀ A P, and the coarsest system is inverted.

    Parameters
    ----------
    grid
        Of all samples. Where its spacings differ only the axes of the smallest are coarsened,
        until they are alike: a point smoother does nothing along axes of weak coupling.
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
        grid: StructuredGrid,
        batch: int,
        work: InPlace,
        offsets: list[Offset],
        dense: int = 64,
    ) -> None:
        self.work, self.batch = work, batch
        self.levels: list[Level] = []
        shape, spacing = grid.shape, grid.spacing
        self.periodic = periodic = grid.periodic
        while True:
            coarsened = _strong_axes(shape, periodic, spacing)
            layout = ParityClasses(shape, periodic, batch, coarsened)
            spacing = tuple(h * (1 + split) for h, split in zip(spacing, coarsened, strict=True))
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
        self._inverse = coarsest_inverse(
            self.work,
            level.galerkin.coefficients(),
            self.coarsest_shape,
            self.periodic,
            self.batch,
            singular,
        )

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
