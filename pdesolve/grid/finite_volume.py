"""Cell-centred finite volumes for diffusion and convection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.spatial import ConstantFunction
from pdesolve.grid.block_data import ENDS, BlockCoefficient, Values, side_values
from pdesolve.grid.convection import Convection
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.problems.base import LinearSystem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Robin

_DIFFUSION = Convection()


def diffusion_offsets(dimension: int) -> npt.NDArray[np.int64]:
    """Centre, then the lower and upper neighbour along each axis, ``(1 + 2 d, d)``."""
    offsets = np.zeros((1 + 2 * dimension, dimension), dtype=np.int64)
    for axis in range(dimension):
        offsets[1 + 2 * axis, axis] = -1
        offsets[2 + 2 * axis, axis] = 1
    return offsets


def diffusion_system(
    grid: StructuredGrid,
    coefficient: FloatArray,
    source: FloatArray,
    conditions: Mapping[str, Condition],
) -> LinearSystem:
    """Discretise −∇·(a ∇u) = f by conservative finite volumes.

    The flux through the face between cells i and j at distance h is
    2 a_i a_j / (a_i + a_j) · (u_i − u_j) / h, the exact one for a that jumps at the face
    (harmonic average). A side with u = g is half a cell away, 2 a_i (u_i − g) / h; a
    given flux enters as it is; on a side with a ∂u/∂n + r u = s the half cell and the
    transfer coefficient r are in series. The error is O(h²) in the cell values for
    smooth a and for jumps along faces.

    Parameters
    ----------
    grid
        Cell-centred grid.
    coefficient, source
        a > 0 and f at the cell centres, shape ``grid.shape``.
    conditions
        One condition for each of ``grid.side_names``.

    Returns
    -------
    LinearSystem
        Divided by the cell volume, so that A u approximates −∇·(a ∇u).

    Raises
    ------
    InputError
        For a vertex grid, data that are not finite, a negative Robin coefficient, or
        fluxes and sources that do not balance where constants solve the homogeneous
        problem.

    References
    ----------
    Eymard, Gallouët, Herbin (2000), Finite volume methods, Handbook of Numerical
    Analysis 7, doi:10.1016/S1570-8659(00)07005-8.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> sides = {"x_lower": Dirichlet(0.0), "x_upper": Dirichlet(0.0)}
    >>> system = diffusion_system(grid, np.ones(4), np.ones(4), sides)
    >>> system.stencil.diagonal()
    array([48., 32., 32., 48.])
    """
    if grid.location != "cell":
        raise InputError("finite volumes need a grid with location='cell'")
    block = GridBlock.whole(grid)
    spread = BlockCoefficient.of_array(coefficient, grid)
    return block_system(block, spread, source, conditions).linear_system()


@dataclass(frozen=True, eq=False)
class _Rows:
    """The arrays that are filled axis by axis."""

    values: FloatArray
    right: FloatArray
    uniform: list[float] = field(default_factory=list)

    def couple(self, axis: int, end: str, window: tuple[slice | int, ...], weight: Values) -> None:
        """Add weight · (u_i − u_j) for the neighbours j at one end of the cells i."""
        self.values[0][window] += weight
        self.neighbours(axis, end, window, weight)

    def couple_all(
        self, axis: int, end: str, window: tuple[slice | int, ...], weight: float
    ) -> None:
        """The same for all cells but the last layer at that end, and one weight."""
        self.uniform.append(weight)
        self.values[0][_along(axis, -1 if end == "upper" else 0)] -= weight
        self.neighbours(axis, end, window, weight)

    def neighbours(
        self, axis: int, end: str, window: tuple[slice | int, ...], weight: Values
    ) -> None:
        """Set the coefficients −weight of the neighbours j."""
        row = self.values[1 + 2 * axis + (end == "upper")]
        if isinstance(weight, float):
            row[window] = -weight
        else:
            row[window] = np.negative(weight)

    def finish(self) -> None:
        """Add what is the same in all cells."""
        if self.uniform:
            self.values[0] += sum(self.uniform)


def block_system(
    block: GridBlock,
    coefficient: BlockCoefficient,
    source: FloatArray,
    conditions: Mapping[str, Condition],
    convection: Convection = _DIFFUSION,
) -> StencilRows:
    """The rows of a block for −∇·(a ∇u) + b·∇u = f, see :func:`diffusion_system`.

    Parameters
    ----------
    block
        The part of the grid that this process has.
    coefficient
        a > 0 on the block and in the layers next to it.
    source
        f at the cells of the block.
    conditions
        One condition for each of ``grid.side_names``, the same on every process.
    convection
        Velocity and scheme; none when left out.

    Returns
    -------
    StencilRows
        Every process gets the same flags.

    Raises
    ------
    InputError
        As :func:`diffusion_system` does.

    Examples
    --------
    >>> block = GridBlock(StructuredGrid((4,)), (0,), (2,))
    >>> ones = BlockCoefficient(1.0, ((None, 1.0),))
    >>> sides = {"x_lower": Dirichlet(0.0), "x_upper": Robin(2.0, 1.0)}
    >>> block_system(block, ones, np.ones(2), sides).coefficients[0]
    array([48., 32.])
    """
    if block.grid.location != "cell":
        raise InputError("finite volumes need a grid with location='cell'")
    dimension = block.dimension
    rows = _Rows(np.zeros((1 + 2 * dimension, *block.shape)), np.array(source, dtype=np.float64))
    own = {side: _as_robin(condition, side) for side, condition in conditions.items()}
    for axis in range(dimension):
        _interior_faces(rows, block, coefficient, convection, axis)
        for end in ENDS:
            _end_faces(rows, block, coefficient, convection, axis, end, own)
    rows.finish()
    fixed = any(
        isinstance(condition, Dirichlet) or _somewhere_positive(block.grid, side, condition)
        for side, condition in own.items()
    )
    return StencilRows(
        block,
        diffusion_offsets(dimension),
        rows.values,
        rows.right,
        symmetric=convection.velocity is None,
        constant_null_space=not fixed,
    )


def _as_robin(condition: Condition, side: str) -> Dirichlet | Robin:
    if isinstance(condition, Dirichlet | Robin):
        return condition
    if isinstance(condition, Neumann):
        return Robin(0.0, condition.flux)
    raise InputError(f"{condition!r} cannot be used on a side of a box such as '{side}'")


def _interior_faces(
    rows: _Rows,
    block: GridBlock,
    coefficient: BlockCoefficient,
    convection: Convection,
    axis: int,
) -> None:
    """Faces between two cells of the block."""
    h, size = block.grid.spacing[axis], block.shape[axis]
    low, high = _along(axis, slice(0, size - 1)), _along(axis, slice(1, size))
    face: Values
    if isinstance(coefficient.values, float):
        face = coefficient.values / h**2
    else:
        face = _harmonic(coefficient.values[low], coefficient.values[high])
        face *= 2.0 / h**2
    velocity = convection.at_faces(block, axis, slice(1, size))
    for window, end, outward in ((low, "upper", 1.0), (high, "lower", -1.0)):
        weight = convection.weight(face, outward, velocity, h)
        if isinstance(weight, float):
            rows.couple_all(axis, end, window, weight)
        else:
            rows.couple(axis, end, window, weight)


def _end_faces(
    rows: _Rows,
    block: GridBlock,
    coefficient: BlockCoefficient,
    convection: Convection,
    axis: int,
    end: str,
    conditions: Mapping[str, Dirichlet | Robin],
) -> None:
    """Faces to the next block, or those in a side of the box."""
    h, upper = block.grid.spacing[axis], end == "upper"
    window = _along(axis, -1 if upper else 0)
    inside = coefficient.at_side(axis, end)
    outward = 1.0 if upper else -1.0
    velocity = convection.at_faces(block, axis, block.shape[axis] if upper else 0)
    layer = coefficient.layers[axis][upper]
    if layer is not None:
        beyond = layer if isinstance(layer, float) else layer[_along(axis, 0)]
        face: Values = 2.0 / h**2 * _harmonic(inside, beyond)
        rows.couple(axis, end, window, convection.weight(face, outward, velocity, h))
        return
    side = f"{AXIS_NAMES[axis]}_{end}"
    condition = conditions[side]
    given = side_values(condition.function, block, axis, end)
    half = 2.0 / h**2 * inside
    if isinstance(condition, Dirichlet):
        weight = convection.weight(half, outward, velocity, h, at_side=True)
        rows.values[0][window] += weight
        rows.right[window] += weight * given
        return
    # a ∂u/∂n = slope · h (u_side − u_i) = value − transfer · u_side, solved for u_side
    weight, slope = convection.free_side(half, outward, velocity, h)
    transfer = _transfer(condition, block, axis, end) / h
    ratio = weight / (transfer + slope)
    rows.values[0][window] += ratio * transfer
    rows.right[window] += ratio * (given / h)


def _transfer(condition: Robin, block: GridBlock, axis: int, end: str) -> Values:
    values = side_values(condition.coefficient_function, block, axis, end)
    least = float(np.min(values))
    if least < 0:
        raise InputError(
            f"the Robin coefficient on '{AXIS_NAMES[axis]}_{end}' must not be negative; it is "
            f"{least:.6g} somewhere. With a ∂u/∂n + coefficient · u = value a negative one feeds "
            "energy in, and the problem need not have a solution"
        )
    return values


def _somewhere_positive(grid: StructuredGrid, side: str, condition: Dirichlet | Robin) -> bool:
    """Whether a Robin side fixes u; every process looks at the whole side."""
    if not isinstance(condition, Robin):
        return False
    function = condition.coefficient_function
    if isinstance(function, ConstantFunction):
        return function.value > 0
    axis, end = AXIS_NAMES.index(side[0]), side.partition("_")[2]
    return bool(np.max(side_values(function, GridBlock.whole(grid), axis, end)) > 0)


def _harmonic(one: Values, other: Values) -> Values:
    """Half the harmonic average, one · other / (one + other)."""
    face = one * other
    face /= one + other
    return face


def _along(axis: int, window: slice | int) -> tuple[slice | int, ...]:
    return (slice(None),) * axis + (window,)
