"""Pieces of rates on a process's block: stencils and states at faces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.grid.block_data import ENDS, Values, side_values
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann

Limiter = Callable[[FloatArray, FloatArray], FloatArray]
Sides = dict[tuple[int, str], Values | None]


def apply_stencil(
    block: GridBlock,
    offsets: npt.NDArray[np.int64],
    coefficients: FloatArray,
    values: FloatArray,
) -> FloatArray:
    """Σ_s coefficients[s] · u[i + offsets[s]] on a block, from ghosted values of u.

    Examples
    --------
    >>> from meshes.structured import StructuredGrid
    >>> block = GridBlock.whole(StructuredGrid((3,)))
    >>> ghosted = np.array([0.0, 1.0, 2.0, 4.0, 0.0])
    >>> apply_stencil(block, np.array([[-1], [0]]), np.array([[-1.0] * 3, [1.0] * 3]), ghosted)
    array([1., 1., 2.])
    """
    result = np.zeros(block.shape)
    for row, part in zip(offsets, coefficients, strict=True):
        window = tuple(
            slice(inner.start + int(step), inner.stop + int(step))
            for inner, step in zip(block.inner, row, strict=True)
        )
        result += part * values[window]
    return result


def flow_sides(block: GridBlock, conditions: dict[str, Condition]) -> Sides:
    """What is given at the sides that a block touches: a value, or None where flow leaves.

    Raises
    ------
    InputError
        For a Neumann condition with a flux.
    """
    found: Sides = {}
    for axis in range(block.dimension):
        for end in ENDS:
            if not block.touches(axis, end):
                continue
            side = f"{AXIS_NAMES[axis]}_{end}"
            condition = conditions[side]
            if isinstance(condition, Dirichlet):
                found[axis, end] = side_values(condition.function, block, axis, end)
            elif isinstance(condition, Neumann) and condition.flux == 0:
                found[axis, end] = None
            else:
                raise InputError(
                    f"the condition of side '{side}' is {condition!r}; use Dirichlet(value), or "
                    "Neumann(0) where the flow leaves"
                )
    return found


def face_states(
    block: GridBlock, values: FloatArray, axis: int, limiter: Limiter, sides: Sides
) -> tuple[FloatArray, FloatArray]:
    """States on both sides of the faces across an axis, by limited linear reconstruction.

    Parameters
    ----------
    block
        The block, with two ghost layers.
    values
        One component, shape ``block.ghosted_shape``.
    axis
        The axis.
    limiter
        See :data:`pdesolve.grid.limiters.LIMITERS`.
    sides
        From :func:`flow_sides`. A given value is the state outside; where the flow leaves
        it is the state inside.

    Returns
    -------
    tuple of numpy.ndarray
        The states below and above each face, ``block.shape`` with one more along `axis`.

    References
    ----------
    van Leer (1979), Towards the ultimate conservative difference scheme V, Journal of
    Computational Physics 32, doi:10.1016/0021-9991(79)90145-1.

    Examples
    --------
    >>> from meshes.structured import StructuredGrid
    >>> from pdesolve.grid.limiters import LIMITERS
    >>> block = GridBlock.whole(StructuredGrid((4,), periodic=True), width=2)
    >>> below, above = face_states(block, np.arange(8.0), 0, LIMITERS["van_leer"], {})
    >>> below
    array([1.5, 2.5, 3.5, 4.5, 5.5])
    """
    window = list(block.inner)
    window[axis] = slice(0, block.shape[axis] + 2 * block.width)
    u = np.moveaxis(values[tuple(window)], axis, 0)
    if block.width > 2:
        u = u[block.width - 2 : 2 - block.width]
    lower, upper = (axis, "lower") in sides, (axis, "upper") in sides
    if lower or upper:
        if block.shape[axis] < 2:
            raise InputError("limited fluxes need two cells along an axis with sides")
        u = u.copy()
        if lower:
            given = sides[axis, "lower"]
            u[1] = 2 * u[2] - u[3] if given is None else 2 * given - u[2]
        if upper:
            given = sides[axis, "upper"]
            u[-2] = 2 * u[-3] - u[-4] if given is None else 2 * given - u[-3]
    steps = np.diff(u, axis=0)
    half = 0.5 * limiter(steps[:-1], steps[1:])
    below, above = (u[1:-1] + half)[:-1], (u[1:-1] - half)[1:]
    if lower:
        given = sides[axis, "lower"]
        below[0] = above[0] if given is None else given
    if upper:
        given = sides[axis, "upper"]
        above[-1] = below[-1] if given is None else given
    return np.moveaxis(below, 0, axis), np.moveaxis(above, 0, axis)


def face_differences(fluxes: FloatArray, axis: int, spacing: float) -> FloatArray:
    """(F at the upper face − F at the lower face) / h of each cell."""
    result: FloatArray = np.diff(fluxes, axis=axis) / spacing
    return result
