"""The inverse of −Δ + s on a grid by fast transforms, and dual norms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.spatial import ConstantFunction
from pdesolve.pc.fast_poisson import DIRICHLET, NEUMANN, AxisTransform
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Robin

LARGEST_AXIS = 2048
"""Cells along an axis with a Robin side, which has no fast transform, up to which it is taken."""
SMALLEST_EIGENVALUE = 1e-11
"""Of L + s beside its largest; rounding would decide on smaller ones."""


def homogeneous_conditions(
    grid: StructuredGrid, conditions: Mapping[str, Condition]
) -> dict[str, Condition] | None:
    """The same kind of condition on each side, with zero data.

    None where a condition is missing or of another kind than Dirichlet, Neumann and Robin, or
    where a Robin coefficient varies along a side: −Δ is then no sum over the axes.

    Examples
    --------
    >>> sorted(homogeneous_conditions(StructuredGrid((4,)), {"all": Dirichlet(3.0)}))
    ['x_lower', 'x_upper']
    """
    if not ("all" in conditions or set(grid.side_names) <= set(conditions)):
        return None
    found: dict[str, Condition] = {}
    for side in grid.side_names:
        condition = conditions[side if side in conditions else "all"]
        if isinstance(condition, Dirichlet | Neumann):
            found[side] = type(condition)(0.0)
        elif isinstance(condition, Robin):
            transfer = condition.coefficient_function
            if not isinstance(transfer, ConstantFunction):
                return None
            found[side] = Robin(transfer.value, 0.0)
        else:
            return None
    return found


def is_invertible(grid: StructuredGrid, conditions: Mapping[str, Condition]) -> bool:
    """Whether :func:`inverse_laplacian` takes these conditions, on so many cells.

    Examples
    --------
    >>> is_invertible(StructuredGrid((4,)), {"all": Robin(lambda x: x[0], 0.0)})
    False
    """
    sides = homogeneous_conditions(grid, conditions)
    if sides is None or grid.location != "cell" or min(grid.shape) < 2:
        return False
    slow = {AXIS_NAMES.index(side[0]) for side, one in sides.items() if isinstance(one, Robin)}
    return all(grid.shape[axis] <= LARGEST_AXIS for axis in slow)


def inverse_laplacian(
    grid: StructuredGrid,
    conditions: Mapping[str, Condition],
    right_hand_side: FloatArray,
    *,
    shift: float = 0.0,
) -> FloatArray:
    """Solve (L + s) z = r with L the finite volumes of −Δ under the same kinds of conditions.

    Parameters
    ----------
    grid
        Cell-centred grid of two or more cells an axis.
    conditions
        Condition by side: Dirichlet, Neumann, Robin with a constant coefficient; their data
        do not matter.
    right_hand_side
        r, shape ``grid.shape``.
    shift
        s ≥ 0, in 1/m². Where s = 0 and no side fixes the mean, those of r and z are left out.

    Raises
    ------
    InputError
        If L is no sum over the axes under these conditions, the grid does not fit, or L + s is
        too near a singular one.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> inverse_laplacian(grid, {"all": Neumann(0.0)}, np.ones(4), shift=2.0).round(12)
    array([0.5, 0.5, 0.5, 0.5])
    """
    sides = homogeneous_conditions(grid, conditions)
    if sides is None or not is_invertible(grid, conditions):
        raise InputError(
            "the Laplacian cannot be inverted by transforms of the axes: that takes two or more "
            "cells along each and Dirichlet, Neumann or Robin conditions with a constant "
            f"coefficient (on at most {LARGEST_AXIS} cells along that axis)"
        )
    transforms, eigenvalues = [], np.full(grid.shape, shift)
    for axis, (size, h) in enumerate(zip(grid.shape, grid.spacing, strict=True)):
        ends = [_weight(sides.get(f"{AXIS_NAMES[axis]}_{end}"), h) for end in ("lower", "upper")]
        transform = AxisTransform(size, ends[0], ends[1], grid.periodic[axis])
        along = [-1 if k == axis else 1 for k in range(grid.dimension)]
        eigenvalues = eigenvalues + transform.eigenvalues.reshape(along) / h**2
        transforms.append(transform)
    constants = (0,) * grid.dimension  # the mode of the mean, where it is one
    free = shift == 0 and eigenvalues[constants] == 0
    if free:
        eigenvalues[constants] = np.inf
    if eigenvalues.min() < SMALLEST_EIGENVALUE * eigenvalues[np.isfinite(eigenvalues)].max():
        raise InputError(
            "the Laplacian is too near a singular one to be inverted: its sides hardly hold the "
            "mean, or the box is too long"
        )
    values = np.array(right_hand_side, dtype=np.float64)
    for axis, transform in enumerate(transforms):
        values = transform.forward(values, axis)
    values /= eigenvalues
    for axis, transform in enumerate(transforms):
        values = transform.backward(values, axis)
    return values


def dual_energy(
    grid: StructuredGrid,
    conditions: Mapping[str, Condition],
    residual: FloatArray,
    *,
    shift: float = 0.0,
) -> float:
    """rᵀ(L + s)⁻¹r, with L and s as in :func:`inverse_laplacian`.

    Parameters
    ----------
    grid, conditions, shift
        As there.
    residual
        r, shape ``grid.shape``.

    Raises
    ------
    InputError
        As there.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> residual = np.array([1.0, 0.0, 0.0, 1.0])
    >>> round(dual_energy(grid, {"all": Dirichlet(0.0)}, residual), 6)
    0.0625
    """
    return float(np.vdot(residual, inverse_laplacian(grid, conditions, residual, shift=shift)))


def _weight(condition: Condition | None, h: float) -> float:
    """Of a side in units of an inner face: half a cell, in series with a Robin coefficient."""
    if isinstance(condition, Dirichlet):
        return DIRICHLET
    if isinstance(condition, Robin):
        transfer = float(condition.coefficient)  # type: ignore[arg-type]
        return 2.0 * transfer * h / (transfer * h + 2.0)
    return NEUMANN
