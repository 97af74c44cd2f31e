"""States of periodic problems in time: all channels, whole on every process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid


@dataclass(eq=False)
class FourierState:
    """Values of all channels on a grid that wraps on every axis.

    Parameters
    ----------
    grid
        The grid.
    values
        Shape ``(channel, *shape)``.
    names
        One name a channel.

    Examples
    --------
    >>> grid = StructuredGrid(8, periodic=True)
    >>> wave = lambda grid: np.sin(2 * np.pi * grid.points())
    >>> state = FourierState(grid, wave(grid), ("u",))
    >>> fine = grid.with_shape(30)
    >>> bool(np.allclose(state.sample(fine).values, wave(fine)))
    True
    """

    grid: StructuredGrid
    values: FloatArray
    names: tuple[str, ...]

    @property
    def native(self) -> FloatArray:
        """The array of values, shape ``(channel, *shape)``."""
        return self.values

    def local_fields(self) -> dict[str, Field]:
        """Every channel by its name."""
        whole = self.gather()
        return {name: whole.select([name]) for name in self.names}

    def gather(self) -> Field:
        """All channels."""
        return Field(self.grid, self.values, self.names)

    def sample(self, grid: StructuredGrid) -> Field:
        """All channels at the points of a grid in the same box, by trigonometric interpolation.

        Exact for functions whose modes the state's grid holds.

        Raises
        ------
        InputError
            If the grid has another dimension or reaches out of the box.
        """
        if grid == self.grid:
            return self.gather()
        if grid.dimension != self.grid.dimension:
            raise InputError(
                f"the state lives on a {self.grid.dimension}D grid, not a {grid.dimension}D one"
            )
        values = self.values
        for axis in range(grid.dimension):
            matrix = periodic_interpolation(self.grid, axis, grid.axes()[axis])
            # the axis behind the channels is replaced by the grid's and moved to the back
            values = np.moveaxis(np.tensordot(matrix, values, axes=(1, 1)), 0, -1)
        return Field(grid, values, self.names)

    def write_paraview(self, path: Path, time: float) -> None:
        """Write all channels at one time."""
        from pdesolve.output.paraview import write_grid

        write_grid(path, self.local_fields(), time)


def periodic_interpolation(grid: StructuredGrid, axis: int, points: FloatArray) -> FloatArray:
    """Matrix from values along an axis to the trigonometric interpolant at points.

    Its columns are the cardinal functions sin(π n x/L) / (n tan(π x/L)) for an even number
    n of values and sin(π n x/L) / (n sin(π x/L)) for an odd one.

    Parameters
    ----------
    grid
        Grid whose axis wraps.
    axis
        The axis.
    points
        Coordinates, shape ``(num_points,)``.

    Raises
    ------
    InputError
        If a point lies out of the box.

    References
    ----------
    Trefethen (2000), Spectral Methods in MATLAB, doi:10.1137/1.9780898719598, chapter 3.
    """
    low, high, size = grid.lower[axis], grid.upper[axis], grid.shape[axis]
    slack = 1e-10 * (high - low)
    if points.min() < low - slack or points.max() > high + slack:
        raise InputError(
            f"points from {points.min():g} to {points.max():g} reach out of the state's box, "
            f"{low:g} to {high:g}"
        )
    angle = np.pi * np.subtract.outer(points, grid.axes()[axis]) / (high - low)
    angle -= np.pi * np.round(angle / np.pi)
    at_point = np.abs(angle) < 1e-13
    angle[at_point] = 1.0
    below = np.tan(angle) if size % 2 == 0 else np.sin(angle)
    matrix: FloatArray = np.sin(size * angle) / (size * below)
    matrix[at_point] = 1.0
    return matrix
