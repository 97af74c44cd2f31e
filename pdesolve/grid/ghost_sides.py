"""Values beyond the sides of a box that stand for boundary conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Robin


@dataclass(frozen=True, eq=False)
class GhostSide:
    """ghost = mirror · u + data, with u in the cell on the inner side of the same face.

    Parameters
    ----------
    axis, end
        Which side, as in :meth:`meshes.block.GridBlock.touches`.
    mirror, data
        Over the ghosted block without that axis, with that axis kept as length 1.
    """

    axis: int
    end: str
    mirror: FloatArray
    data: FloatArray

    def window(self, layer: int) -> tuple[slice, ...]:
        """Cells of a ghosted array: layer 0 is beyond the side, layer 1 the first inside."""
        first = layer if self.end == "lower" else -1 - layer
        index = slice(first, first + 1 or None)
        return tuple(index if k == self.axis else slice(None) for k in range(self.data.ndim))


def ghost_sides(block: GridBlock, conditions: Mapping[str, Condition]) -> tuple[GhostSide, ...]:
    """The sides of the box that a block touches, for the equation −Δu = ...

    With the value and the slope at the face halfway between a ghost and its neighbour to
    second order: Dirichlet u = g gives ghost = 2 g − u, Neumann ∂u/∂n = q gives u + h q,
    Robin ∂u/∂n + α u = r gives ((1 − α h / 2) u + h r) / (1 + α h / 2).

    Parameters
    ----------
    block
        With one ghost layer, on a cell-centred grid.
    conditions
        For every side of the grid that does not wrap.

    Raises
    ------
    InputError
        For conditions of another kind, or data that are not finite.

    Examples
    --------
    >>> from meshes import StructuredGrid
    >>> block = GridBlock.whole(StructuredGrid((4,)))
    >>> sides = ghost_sides(block, {"x_lower": Dirichlet(1.0), "x_upper": Neumann(0.0)})
    >>> fill_ghosts(np.zeros(6), sides)
    array([2., 0., 0., 0., 0., 0.])
    """
    if block.width != 1 or block.grid.location != "cell":
        raise InputError("ghost_sides needs a block of a cell-centred grid with one ghost layer")
    found = []
    for axis in range(block.dimension):
        for end in ("lower", "upper"):
            if not block.touches(axis, end):
                continue
            name = f"{AXIS_NAMES[axis]}_{end}"
            condition, h = conditions[name], block.grid.spacing[axis]
            points = _face_points(block, axis, end)
            shape = points.shape[1:]
            one = np.ones(shape)
            if isinstance(condition, Dirichlet):
                mirror, data = -one, 2.0 * _values(condition, name, points)
            elif isinstance(condition, Neumann):
                mirror, data = one, h * _values(condition, name, points)
            elif isinstance(condition, Robin):
                flat = points.reshape(block.dimension, -1).T
                slope = 0.5 * h * condition.coefficient_function.evaluate(flat).reshape(shape)
                mirror = (1.0 - slope) / (1.0 + slope)
                data = h * _values(condition, name, points) / (1.0 + slope)
            else:
                raise InputError(f"{condition!r} cannot be used on side '{name}' here")
            found.append(GhostSide(axis, end, mirror, data))
    return tuple(found)


def _face_points(block: GridBlock, axis: int, end: str) -> FloatArray:
    """Points on a side, ghosts included and kept inside the box, ``(dimension, *shape)``."""
    grid = block.grid
    axes = []
    for k, values in enumerate(block.axes(ghosted=True)):
        low, high = grid.lower[k], grid.upper[k]
        inside = low + np.mod(values - low, high - low) if grid.periodic[k] else values
        axes.append(np.clip(inside, low, high))
    axes[axis] = np.array([grid.lower[axis] if end == "lower" else grid.upper[axis]])
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def _values(condition: Dirichlet | Neumann | Robin, name: str, points: FloatArray) -> FloatArray:
    values = condition.function.evaluate(points.reshape(len(points), -1).T)
    if not np.isfinite(values).all():
        where = points.reshape(len(points), -1)[:, np.flatnonzero(~np.isfinite(values))[0]]
        raise InputError(f"the data on side '{name}' are not finite at {tuple(where.tolist())}")
    return values.reshape(points.shape[1:])


def fill_ghosts(ghosted: FloatArray, sides: Sequence[GhostSide]) -> FloatArray:
    """Set the ghosts of one component beyond the box, in place; gives the array back."""
    for side in sides:
        ghosted[side.window(0)] = side.mirror * ghosted[side.window(1)] + side.data
    return ghosted


def fold_ghosts(
    offsets: npt.NDArray[np.int64], coefficients: FloatArray, sides: Sequence[GhostSide]
) -> None:
    """Make coefficients at ghosts ones at the cells that they mirror, in place.

    Parameters
    ----------
    offsets
        Shape ``(S, dimension)``, entries −1, 0 and 1.
    coefficients
        Shape ``(S, *shape)`` over the block: the derivative by values that include
        ghosts. After the call those that reach beyond the box are zero.
    sides
        From :func:`ghost_sides`.
    """
    number = {tuple(int(i) for i in offset): s for s, offset in enumerate(offsets)}
    for side in sides:
        out = -1 if side.end == "lower" else 1
        row = tuple(
            (slice(0, 1) if out < 0 else slice(-1, None)) if k == side.axis else slice(None)
            for k in range(side.data.ndim)
        )
        for offset, s in number.items():
            if offset[side.axis] != out:
                continue
            inner = list(offset)
            inner[side.axis] = 0
            # the mirror's value is that of the column the offset leads to
            columns = tuple(
                slice(None) if k == side.axis else slice(1 + step, size + 1 + step)
                for k, (step, size) in enumerate(zip(offset, coefficients.shape[1:], strict=True))
            )
            moved = coefficients[(s, *row)] * side.mirror[columns]
            coefficients[(number[tuple(inner)], *row)] += moved
            coefficients[(s, *row)] = 0.0


def laplacian_coefficients(block: GridBlock) -> FloatArray:
    """−Δ by second differences, ``(1 + 2 d, *shape)``, ghosts counted as unknowns.

    The order is that of :func:`pdesolve.grid.finite_volume.diffusion_offsets`.
    """
    values = np.zeros((1 + 2 * block.dimension, *block.shape))
    for axis, h in enumerate(block.grid.spacing):
        values[0] += 2.0 / h**2
        values[1 + 2 * axis] = values[2 + 2 * axis] = -1.0 / h**2
    return values


def minus_laplacian(ghosted: FloatArray, block: GridBlock) -> FloatArray:
    """−Δu over the block by second differences, of an array whose ghosts are filled."""
    result = np.zeros(block.shape)
    centre = ghosted[block.inner]
    for axis, h in enumerate(block.grid.spacing):
        result += (
            2.0 * centre - ghosted[block.shifted(axis, -1)] - ghosted[block.shifted(axis, 1)]
        ) / h**2
    return result
