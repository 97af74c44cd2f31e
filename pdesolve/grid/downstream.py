"""Cells numbered along the flow."""

from __future__ import annotations

import numpy as np

from meshes.errors import InputError
from operators.stencil import Stencil
from pdesolve.problems.base import LinearSystem


def upstream_axes(stencil: Stencil) -> tuple[int, ...]:
    """Axes along which a stencil carries from higher to lower cells, on the average.

    Upwind and exponential schemes weigh the neighbour upstream more: its coefficient is
    the more negative one.

    Examples
    --------
    >>> from meshes.structured import StructuredGrid
    >>> offsets = [[0], [1], [-1]]
    >>> upstream_axes(Stencil(StructuredGrid((4,)), offsets, [3.0, -2.0, -1.0]))
    (0,)
    """
    numbers = {tuple(offset): place for place, offset in enumerate(stencil.offsets.tolist())}
    found = []
    for axis in range(stencil.grid.dimension):
        step = [0] * stencil.grid.dimension
        step[axis] = 1
        above, below = numbers.get(tuple(step)), numbers.get(tuple(-part for part in step))
        if above is None or below is None:
            continue
        if stencil.coefficients[above].sum() < stencil.coefficients[below].sum():
            found.append(axis)
    return tuple(found)


def reversed_along(system: LinearSystem, axes: tuple[int, ...]) -> LinearSystem:
    """The same system with its cells numbered backwards along some axes.

    Incomplete and Gauss–Seidel factors follow the numbering: along the flow one forward
    substitution carries everything downstream.

    Parameters
    ----------
    system
        A u = b.
    axes
        Axes to reverse. The answer comes reversed along them as well.

    References
    ----------
    Bey, Wittum (1997), Downwind numbering: robust multigrid for convection-diffusion
    problems, Applied Numerical Mathematics 23, doi:10.1016/S0168-9274(96)00067-0.

    Examples
    --------
    >>> from meshes.structured import StructuredGrid
    >>> stencil = Stencil(StructuredGrid((3,)), [[0], [1], [-1]], [3.0, -2.0, -1.0])
    >>> turned = reversed_along(LinearSystem(stencil, np.array([1.0, 0.0, 0.0])), (0,))
    >>> turned.stencil.apply([1.0, 0.0, 0.0]), turned.right_hand_side
    (array([ 3., -2.,  0.]), array([0., 0., 1.]))
    """
    if not axes:
        return system
    stencil = system.stencil
    offsets = stencil.offsets.tolist()
    numbers = {tuple(offset): place for place, offset in enumerate(offsets)}
    try:
        mirrored = [
            numbers[tuple(-part if axis in axes else part for axis, part in enumerate(offset))]
            for offset in offsets
        ]
    except KeyError:
        raise InputError(
            f"a stencil with the offsets {offsets} cannot be reversed along {axes}: it does not "
            "reach as far on both sides"
        ) from None
    space = [axis + 1 for axis in axes]
    return LinearSystem(
        Stencil(
            stencil.grid,
            stencil.offsets,
            np.ascontiguousarray(np.flip(stencil.coefficients[mirrored], tuple(space))),
        ),
        np.ascontiguousarray(np.flip(system.right_hand_side, axes)),
        system.symmetric,
        system.constant_null_space,
        system.notes,
    )
