"""Finite volumes for nonlinear elliptic equations: semilinear ones, and the p-Laplacian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from meshes.block import GridBlock
from meshes.structured import FloatArray
from pdesolve.grid.finite_volume import diffusion_offsets
from pdesolve.grid.ghost_sides import (
    GhostSide,
    fill_ghosts,
    fold_ghosts,
    laplacian_coefficients,
    minus_laplacian,
)
from pdesolve.grid.systems import NonlinearSystem

Pointwise = Callable[[FloatArray], FloatArray]


def semilinear_system(
    block: GridBlock,
    sides: Sequence[GhostSide],
    *,
    name: str,
    reaction: Pointwise,
    derivative: Pointwise,
    source: FloatArray,
    initial: FloatArray,
    solver_parameters: dict[str, Any] | None = None,
) -> NonlinearSystem:
    """−Δu + r(u) = f with second differences; O(h²) for smooth u.

    Parameters
    ----------
    block, sides
        The block, and the sides of the box that it touches.
    name
        Of the unknown.
    reaction, derivative
        r and r', pointwise (r' one-sided where r has a kink).
    source, initial
        f and the first guess over the block, shape ``block.shape``.
    solver_parameters
        Default PETSc options.
    """
    linear = laplacian_coefficients(block)
    offsets = diffusion_offsets(block.dimension)
    fold_ghosts(offsets, linear, sides)

    def residual(u: FloatArray) -> FloatArray:
        values = fill_ghosts(u[0].copy(), sides)
        result = minus_laplacian(values, block) + reaction(u[0][block.inner]) - source
        return result[None]

    def jacobian(u: FloatArray) -> FloatArray:
        coefficients = linear.copy()
        coefficients[0] += derivative(u[0][block.inner])
        return coefficients

    return NonlinearSystem(
        (name,),
        residual,
        jacobian,
        offsets,
        initial[None],
        symmetric=True,
        solver_parameters=solver_parameters,
    )


def dirichlet_energy(
    ghosted: FloatArray, block: GridBlock, density: Callable[[FloatArray], FloatArray]
) -> float:
    """∫ density(|∇u|²) over the block, with gradients at the four (2 d) quarters of a cell.

    A quarter's gradient is made of the differences across the cell's faces next to it;
    its derivative by u is the finite volume scheme of :func:`p_laplacian_system`, and for
    density s/2 that of second differences.

    Parameters
    ----------
    ghosted
        One component with its ghosts filled.
    density
        Of the squared length of the gradient.
    """
    steps = [_differences(ghosted, block, axis) for axis in range(block.dimension)]
    total = 0.0
    for quarter in product((0, 1), repeat=block.dimension):
        squares = sum(steps[axis][end] ** 2 for axis, end in enumerate(quarter))
        total += float(np.sum(density(np.asarray(squares))))
    return total * block.grid.cell_volume / float(2**block.dimension)


def _differences(ghosted: FloatArray, block: GridBlock, axis: int) -> tuple[FloatArray, FloatArray]:
    """Slopes across the lower and the upper face of each cell along an axis."""
    h, centre = block.grid.spacing[axis], ghosted[block.inner]
    return (
        (centre - ghosted[block.shifted(axis, -1)]) / h,
        (ghosted[block.shifted(axis, 1)] - centre) / h,
    )


NINE_POINTS: npt.NDArray[np.int64] = np.array(
    [(0, 0), *[(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]]
)


def p_laplacian_system(
    block: GridBlock,
    sides: Sequence[GhostSide],
    *,
    name: str,
    exponent: float,
    regularisation: float,
    source: FloatArray,
    initial: FloatArray,
    solver_parameters: dict[str, Any] | None = None,
) -> NonlinearSystem:
    """−∇·((|∇u|² + ε²)^((p−2)/2) ∇u) = f in two dimensions, O(h²) for smooth u.

    The scheme is the derivative of the energy Σ over cells and their four quarters of
    (|∇u|² + ε²)^(p/2) / p − f u, where a quarter's gradient is made of the differences
    across the two faces next to it (beyond a Dirichlet side that of the ghost). So the
    Jacobian is symmetric positive definite, and for p = 2 the scheme is that of second
    differences.

    Parameters
    ----------
    block, sides
        The block, and its Dirichlet sides.
    name
        Of the unknown.
    exponent, regularisation
        p > 1 and ε > 0.
    source, initial
        f and the first guess over the block.
    solver_parameters
        Default PETSc options.
    """
    scheme = _PLaplacian(block, sides, exponent, regularisation**2)

    def residual(u: FloatArray) -> FloatArray:
        return (scheme.apply(fill_ghosts(u[0].copy(), sides)) - source)[None]

    def jacobian(u: FloatArray) -> FloatArray:
        coefficients = scheme.derivative(fill_ghosts(u[0].copy(), sides))
        fold_ghosts(NINE_POINTS, coefficients, sides)
        return coefficients

    return NonlinearSystem(
        (name,),
        residual,
        jacobian,
        NINE_POINTS,
        initial[None],
        symmetric=True,
        solver_parameters=solver_parameters,
    )


class _PLaplacian:
    """Fluxes through faces of the p-Laplacian's scheme, and their derivatives."""

    def __init__(
        self, block: GridBlock, sides: Sequence[GhostSide], exponent: float, shift: float
    ) -> None:
        self.block = block
        self.power = (exponent - 2.0) / 2.0
        self.shift = shift
        # share of the cell below and above each face in its four quarters
        self.shares = []
        for axis in range(2):
            shape = [1, 1]
            shape[axis] = block.shape[axis] + 1
            below, above = np.full(shape, 0.5), np.full(shape, 0.5)
            for side in sides:
                if side.axis == axis:
                    face = side.window(0)
                    inside = above if side.end == "lower" else below
                    outside = below if side.end == "lower" else above
                    where = tuple(s if k == axis else slice(None) for k, s in enumerate(face))
                    inside[where], outside[where] = 1.0, 0.0
            self.shares.append((below, above))

    def faces(self, u: FloatArray, axis: int) -> tuple[FloatArray, list[FloatArray], FloatArray]:
        """Slope across the faces along an axis, the four slopes along it, their weights.

        The four: at the cell below the face towards lower and upper neighbours along the
        other axis, then the same at the cell above.
        """
        other = 1 - axis
        h, k = self.block.grid.spacing[axis], self.block.grid.spacing[other]
        if axis == 1:
            u = u.T
        across = (u[1:, 1:-1] - u[:-1, 1:-1]) / h
        slopes = (u[:, 1:] - u[:, :-1]) / k
        along = [slopes[:-1, :-1], slopes[:-1, 1:], slopes[1:, :-1], slopes[1:, 1:]]
        if axis == 1:
            across, along = across.T, [part.T for part in along]
        below, above = self.shares[axis]
        weights = np.stack([below / 2, below / 2, above / 2, above / 2])
        return across, along, weights

    def apply(self, u: FloatArray) -> FloatArray:
        """−∇·flux over the block."""
        result = np.zeros(self.block.shape)
        for axis in range(2):
            across, along, weights = self.faces(u, axis)
            mobility = sum(
                w * (across**2 + b**2 + self.shift) ** self.power
                for w, b in zip(weights, along, strict=True)
            )
            result -= np.diff(mobility * across, axis=axis) / self.block.grid.spacing[axis]
        return result

    def derivative(self, u: FloatArray) -> FloatArray:
        """Coefficients of the derivative, ghosts counted as unknowns, ``(9, *shape)``."""
        block = self.block
        result = np.zeros((9, *block.shape))
        number = {tuple(int(i) for i in offset): s for s, offset in enumerate(NINE_POINTS)}
        for axis in range(2):
            h, k = block.grid.spacing[axis], block.grid.spacing[1 - axis]
            across, along, weights = self.faces(u, axis)
            by_across = np.zeros_like(across)
            by_along = []
            for w, b in zip(weights, along, strict=True):
                length = across**2 + b**2 + self.shift
                slope = w * 2.0 * self.power * length ** (self.power - 1.0)
                by_across += w * length**self.power + slope * across**2
                by_along.append(slope * across * b)
            # (cell below or above the face, step along it): derivative of the flux
            cells: dict[tuple[int, int], FloatArray] = {
                (0, 0): -by_across / h + (by_along[0] - by_along[1]) / k,
                (1, 0): by_across / h + (by_along[2] - by_along[3]) / k,
                (0, -1): -by_along[0] / k,
                (0, 1): by_along[1] / k,
                (1, -1): -by_along[2] / k,
                (1, 1): by_along[3] / k,
            }
            lower = tuple(slice(None, -1) if n == axis else slice(None) for n in range(2))
            upper = tuple(slice(1, None) if n == axis else slice(None) for n in range(2))
            for (cell, step), values in cells.items():
                for faces, shift, sign in ((upper, 0, -1.0), (lower, -1, 1.0)):
                    offset = [0, 0]
                    offset[axis], offset[1 - axis] = cell + shift, step
                    result[number[tuple(offset)]] += sign * values[faces] / h
        return result
