"""Functions of space on one process's block of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.spatial import ConstantFunction, FieldFunction, SpatialFunction, values_on_axes

Values = FloatArray | float
ENDS = ("lower", "upper")


def on_block(function: SpatialFunction, block: GridBlock) -> FloatArray:
    """Values at the cells of a block, those that the whole grid has there.

    Parameters
    ----------
    function
        What to evaluate.
    block
        Its ghost layers are left out.

    Returns
    -------
    numpy.ndarray
        Shape ``block.shape``.

    Examples
    --------
    >>> from meshes.field import Field
    >>> block = GridBlock(StructuredGrid((4,)), (2,), (4,))
    >>> on_block(FieldFunction(Field(block.grid, np.arange(4.0))), block)
    array([2., 3.])
    """
    if isinstance(function, FieldFunction) and function.field.mesh == block.grid:
        known: FloatArray = function.field.values[0][block.window]
        return known
    if block.shape == block.grid.shape:
        return function.on(block.grid)
    return values_on_axes(function, block.axes())


def next_layer(
    function: SpatialFunction, block: GridBlock, axis: int, end: str
) -> FloatArray | None:
    """Values in the layer of cells next to a block, or None beyond a side of the box.

    Parameters
    ----------
    function
        What to evaluate.
    block
        The block.
    axis, end
        Which layer; around the corner on periodic axes.

    Returns
    -------
    numpy.ndarray or None
        Shape ``block.shape`` with one value along `axis`.
    """
    if block.touches(axis, end):
        return None
    size = block.grid.shape[axis]
    index = (block.start[axis] - 1 if end == "lower" else block.stop[axis]) % size
    if isinstance(function, FieldFunction) and function.field.mesh == block.grid:
        window = list(block.window)
        window[axis] = slice(index, index + 1)
        known: FloatArray = function.field.values[0][tuple(window)]
        return known
    axes = list(block.axes())
    axes[axis] = block.grid.axes()[axis][index : index + 1]
    return values_on_axes(function, axes)


@dataclass(frozen=True, eq=False)
class BlockCoefficient:
    """A positive function on a block and in the layers next to it.

    Parameters
    ----------
    values
        Shape ``block.shape``, or a number.
    layers
        By axis, the layer below and that above the block; None beyond a side of the box.

    Examples
    --------
    >>> halves = BlockCoefficient.of_array(np.arange(1.0, 5.0), StructuredGrid((4,)))
    >>> halves.layers
    ((None, None),)
    """

    values: Values
    layers: tuple[tuple[Values | None, Values | None], ...]

    @classmethod
    def of_function(
        cls,
        function: SpatialFunction,
        block: GridBlock,
        *,
        name: str = "coefficient",
        values: FloatArray | None = None,
    ) -> BlockCoefficient:
        """Evaluate a function, and check that it is positive.

        Parameters
        ----------
        function
            What to evaluate.
        block
            Where.
        name
            What messages call it.
        values
            Its values on the block, if they are known and checked already.

        Raises
        ------
        InputError
            If a value is not positive or not finite.
        """
        axes = range(block.dimension)
        if isinstance(function, ConstantFunction):
            if not function.value > 0:
                require_positive(function.on(block.grid), None, name)
            layers = tuple(
                tuple(None if block.touches(axis, end) else function.value for end in ENDS)
                for axis in axes
            )
            return cls(function.value, layers)  # type: ignore[arg-type]
        if values is None:
            values = on_block(function, block)
            require_positive(values, block, name)
        found = []
        for axis in axes:
            pair = [next_layer(function, block, axis, end) for end in ENDS]
            for layer in pair:
                if layer is not None:
                    require_positive(layer, None, f"{name} next to the block")
            found.append((pair[0], pair[1]))
        return cls(values, tuple(found))

    @classmethod
    def of_array(cls, values: FloatArray, grid: StructuredGrid) -> BlockCoefficient:
        """From values over a whole grid."""
        layers: list[tuple[Values | None, Values | None]] = []
        for axis, wraps in enumerate(grid.periodic):
            ends = (slice(-1, None), slice(0, 1))
            pair = [values[(slice(None),) * axis + (end,)] if wraps else None for end in ends]
            layers.append((pair[0], pair[1]))
        return cls(values, tuple(layers))

    def at_side(self, axis: int, end: str) -> Values:
        """Values in the cells at one end of the block, without that axis."""
        if isinstance(self.values, float):
            return self.values
        return self.values[(slice(None),) * axis + (0 if end == "lower" else -1,)]


def require_positive(values: FloatArray, block: GridBlock | None, name: str) -> None:
    """Refuse values that are not positive and finite."""
    low, high = values.min(), values.max()
    if np.isfinite(high) and low > 0:
        return
    bad = ~(np.isfinite(values) & (values > 0))
    first = tuple(int(i) for i in np.argwhere(bad)[0])
    where = first if block is None else tuple(np.add(first, block.start).tolist())
    raise InputError(
        f"the {name} must be positive and finite; it is {values[first]} at index "
        f"{where} ({int(bad.sum())} of {values.size} values)"
    )


def side_values(function: SpatialFunction, block: GridBlock, axis: int, end: str) -> Values:
    """A function on the faces of a block that lie in a side of the box.

    Returns
    -------
    numpy.ndarray or float
        A number where the function is one; else shape ``block.shape`` without `axis`.

    Raises
    ------
    InputError
        If a value is not finite.
    """
    if isinstance(function, ConstantFunction):
        return function.value
    axes = list(block.axes())
    corners = block.grid.lower if end == "lower" else block.grid.upper
    axes[axis] = np.array([corners[axis]])
    values = values_on_axes(function, axes).squeeze(axis=axis)
    if not np.isfinite(values).all():
        raise InputError(f"the data given on {AXIS_NAMES[axis]}_{end} are not finite everywhere")
    return values
