"""Parts of structured grids, with the layers of neighbours that stencils reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid

Window = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class GridBlock:
    """A rectangular part of a grid: what one process works on.

    Arrays over a block have shape ``(channel, *shape)``. *Ghosted* arrays have `width`
    more layers at both ends of every axis, shape ``(channel, *ghosted_shape)``: values
    of neighbouring blocks (around the corner of periodic axes), and beyond a side of the
    box values that the problem fills in from its boundary conditions.

    Parameters
    ----------
    grid
        The whole grid.
    start, stop
        First index along each axis, and one past the last.
    width
        Number of ghost layers.

    Raises
    ------
    InputError
        If the part is empty or not inside the grid.

    Examples
    --------
    >>> block = GridBlock(StructuredGrid((8, 8)), (0, 4), (8, 8))
    >>> block.shape, block.ghosted_shape, block.sides
    ((8, 4), (10, 6), ('x_lower', 'x_upper', 'y_upper'))
    """

    grid: StructuredGrid
    start: tuple[int, ...]
    stop: tuple[int, ...]
    width: int = 1

    def __post_init__(self) -> None:
        sizes = self.grid.shape
        if not len(self.start) == len(self.stop) == len(sizes) or not all(
            0 <= first < last <= size
            for first, last, size in zip(self.start, self.stop, sizes, strict=True)
        ):
            raise InputError(
                f"the block {self.start} to {self.stop} is not a part of a grid of shape {sizes}"
            )
        if self.width < 0:
            raise InputError(f"width={self.width} must not be negative")

    @classmethod
    def whole(cls, grid: StructuredGrid, width: int = 1) -> GridBlock:
        """The block that is the grid."""
        return cls(grid, (0,) * grid.dimension, grid.shape, width)

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return self.grid.dimension

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(last - first for first, last in zip(self.start, self.stop, strict=True))

    @property
    def ghosted_shape(self) -> tuple[int, ...]:
        """The same with the ghost layers."""
        return tuple(size + 2 * self.width for size in self.shape)

    @property
    def window(self) -> Window:
        """Where the block lies in arrays over the whole grid."""
        return tuple(slice(first, last) for first, last in zip(self.start, self.stop, strict=True))

    @property
    def inner(self) -> Window:
        """Where the block lies in its ghosted arrays."""
        return tuple(slice(self.width, self.width + size) for size in self.shape)

    def shifted(self, axis: int, step: int) -> Window:
        """Where the neighbours `step` further along an axis lie in ghosted arrays."""
        window = list(self.inner)
        window[axis] = slice(self.width + step, self.width + self.shape[axis] + step)
        return tuple(window)

    def touches(self, axis: int, end: str) -> bool:
        """Whether the block has a side of the box at the ``"lower"`` or ``"upper"`` end."""
        if self.grid.periodic[axis]:
            return False
        if end == "lower":
            return self.start[axis] == 0
        return self.stop[axis] == self.grid.shape[axis]

    @property
    def sides(self) -> tuple[str, ...]:
        """Names of the sides of the box that the block has."""
        return tuple(
            f"{AXIS_NAMES[axis]}_{end}"
            for axis in range(self.dimension)
            for end in ("lower", "upper")
            if self.touches(axis, end)
        )

    def axes(self, *, ghosted: bool = False) -> tuple[FloatArray, ...]:
        """Coordinates along each axis; those of ghosts go on beyond the box."""
        more = self.width if ghosted else 0
        shift = 0.5 if self.grid.location == "cell" else 0.0
        return tuple(
            low + (np.arange(first - more, last + more, dtype=np.float64) + shift) * np.float64(h)
            for low, first, last, h in zip(
                self.grid.lower, self.start, self.stop, self.grid.spacing, strict=True
            )
        )

    def points(self, *, ghosted: bool = False) -> FloatArray:
        """Coordinates, shape ``(dimension, *shape)`` or ``(dimension, *ghosted_shape)``."""
        return np.stack(np.meshgrid(*self.axes(ghosted=ghosted), indexing="ij"))

    def side_points(self, axis: int, end: str) -> FloatArray:
        """Points on a side of the box, one a cell next to it, ``(dimension, *others)``.

        Raises
        ------
        InputError
            If the block does not touch that side.
        """
        if not self.touches(axis, end):
            raise InputError(f"the block does not touch {AXIS_NAMES[axis]}_{end}")
        axes = list(self.axes())
        corner = self.grid.lower if end == "lower" else self.grid.upper
        axes[axis] = np.array([corner[axis]])
        points = np.stack(np.meshgrid(*axes, indexing="ij"))
        return points.reshape(self.dimension, *(n for k, n in enumerate(self.shape) if k != axis))

    def own_grid(self) -> StructuredGrid:
        """The cells of the block as a grid of their own (cell-centred grids)."""
        if self.shape == self.grid.shape:
            return self.grid
        if self.grid.location != "cell":
            raise InputError("only blocks of cell-centred grids are grids of their own")
        steps = self.grid.spacing
        lower = tuple(
            low + first * h
            for low, first, h in zip(self.grid.lower, self.start, steps, strict=True)
        )
        upper = tuple(
            low + last * h for low, last, h in zip(self.grid.lower, self.stop, steps, strict=True)
        )
        wraps = tuple(
            wrap and own == size
            for wrap, own, size in zip(self.grid.periodic, self.shape, self.grid.shape, strict=True)
        )
        return StructuredGrid(self.shape, lower, upper, wraps)
