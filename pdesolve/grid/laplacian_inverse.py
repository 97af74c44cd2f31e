"""The inverse of −Δ + s on a grid, by the eigenvectors of each axis, and dual norms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.spatial import ConstantFunction
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.problems.boundary import (
    USUAL,
    Condition,
    Dirichlet,
    Neumann,
    Robin,
    conditions_by_side,
)

LARGEST_AXIS = 2048
"""Cells along an axis above which the dense eigenvalue problem of that axis is too costly."""


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


def inverse_laplacian(
    grid: StructuredGrid,
    conditions: Mapping[str, Condition],
    right_hand_side: FloatArray,
    *,
    shift: float = 0.0,
    singular: bool = False,
) -> FloatArray:
    """Solve (L + s) z = r with L the finite volumes of −Δ under the same kinds of conditions.

    Parameters
    ----------
    grid
        Cell-centred grid.
    conditions
        Condition by side: Dirichlet, Neumann, Robin with a constant coefficient; their data
        do not matter.
    right_hand_side
        r, shape ``grid.shape``.
    shift
        s ≥ 0, in 1/m².
    singular
        Whether L + s has the constants in its null space; the means of r and z are then left
        out.

    Raises
    ------
    InputError
        If L is no sum over the axes under these conditions.

    Examples
    --------
    >>> grid = StructuredGrid((4,))
    >>> inverse_laplacian(grid, {"all": Neumann(0.0)}, np.ones(4), shift=2.0).round(12)
    array([0.5, 0.5, 0.5, 0.5])
    """
    eigenvalues, vectors = _eigenvectors(grid, conditions, shift)
    transformed = _over_axes(right_hand_side, vectors)
    if singular:
        _leave_out_constants(eigenvalues, transformed)
    return _over_axes(transformed / eigenvalues, [one.T for one in vectors])


def dual_energy(
    grid: StructuredGrid,
    conditions: Mapping[str, Condition],
    residual: FloatArray,
    *,
    shift: float = 0.0,
    singular: bool = False,
) -> float:
    """rᵀ(L + s)⁻¹r, with L and s as in :func:`inverse_laplacian`.

    Parameters
    ----------
    grid, conditions, shift, singular
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
    eigenvalues, vectors = _eigenvectors(grid, conditions, shift)
    transformed = _over_axes(residual, vectors)
    if singular:
        _leave_out_constants(eigenvalues, transformed)
    return float(np.sum(transformed**2 / eigenvalues))


def _eigenvectors(
    grid: StructuredGrid, conditions: Mapping[str, Condition], shift: float
) -> tuple[FloatArray, list[FloatArray]]:
    """Eigenvalues of L + s, shape ``grid.shape``, and the eigenvectors along each axis."""
    alike = homogeneous_conditions(grid, conditions)
    if alike is None:
        raise InputError("the Laplacian under these conditions is no sum over the axes")
    sides = conditions_by_side(alike, grid.side_names, USUAL)
    eigenvalues, vectors = np.full(grid.shape, shift), []
    for axis in range(grid.dimension):
        line = StructuredGrid(
            (grid.shape[axis],),
            (grid.lower[axis],),
            (grid.upper[axis],),
            (grid.periodic[axis],),
        )
        own = {
            f"x{side[1:]}": condition
            for side, condition in sides.items()
            if side[0] == AXIS_NAMES[axis]
        }
        ones, zeros = np.ones(line.shape), np.zeros(line.shape)
        matrix = diffusion_system(line, ones, zeros, own).stencil.to_csr().toarray()
        values, columns = np.linalg.eigh(matrix)
        eigenvalues += values.reshape((-1,) + (1,) * (grid.dimension - 1 - axis))
        vectors.append(columns)
    return eigenvalues, vectors


def _over_axes(values: FloatArray, matrices: list[FloatArray]) -> FloatArray:
    """The transpose of each axis' matrix applied along it."""
    for matrix in matrices:  # the axis in front is transformed and moved to the back
        values = np.moveaxis(np.tensordot(matrix, values, axes=(0, 0)), 0, -1)
    return values


def _leave_out_constants(eigenvalues: FloatArray, transformed: FloatArray) -> None:
    constant = np.unravel_index(int(np.argmin(eigenvalues)), eigenvalues.shape)
    transformed[constant], eigenvalues[constant] = 0.0, 1.0
