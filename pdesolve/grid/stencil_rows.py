"""The part of a linear system on a grid that one process makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.stencil import Stencil

if TYPE_CHECKING:
    from pdesolve.problems.base import LinearSystem


@dataclass(frozen=True, eq=False)
class StencilRows:
    """The rows of A u = b that belong to a block.

    (A u)[i] = Σ_s coefficients[s, i] · u[i + offsets[s]], as in
    :class:`operators.Stencil`, for the cells i of the block only; neighbours may lie in
    other blocks.

    Parameters
    ----------
    block
        The part of the grid.
    offsets
        Shape ``(S, dimension)``; at most one ghost layer away.
    coefficients
        Shape ``(S, *block.shape)``; zero where the neighbour lies beyond the box.
    right_hand_side
        b, shape ``block.shape``, boundary data included.
    symmetric
        Whether A is symmetric.
    constant_null_space
        Whether constants solve A u = 0. The sum of b over all blocks need not be zero:
        it is looked at where the blocks come together.
    notes
        Remarks for the record of the solve.

    Raises
    ------
    InputError
        If shapes do not fit, the grid is smaller than the stencil, or a value is not
        finite.

    Examples
    --------
    >>> block = GridBlock(StructuredGrid((4,)), (0,), (2,))
    >>> rows = StencilRows(block, np.array([[0]]), 2 * np.ones((1, 2)), np.ones(2))
    >>> rows.coefficients.shape
    (1, 2)
    """

    block: GridBlock
    offsets: npt.NDArray[np.int64]
    coefficients: FloatArray
    right_hand_side: FloatArray
    symmetric: bool = False
    constant_null_space: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        grid = self.block.grid
        reach = np.abs(self.offsets).max(axis=0)
        if (reach >= np.array(grid.shape)).any():
            raise InputError(
                f"the stencil reaches {reach.tolist()} cells along each axis; the grid has only "
                f"{grid.shape}. Use a larger grid."
            )
        expected = (len(self.offsets), *self.block.shape)
        if self.coefficients.shape != expected:
            raise InputError(
                f"coefficients of shape {self.coefficients.shape} must have shape {expected}"
            )
        if self.right_hand_side.shape != self.block.shape:
            raise InputError(
                f"right-hand side of shape {self.right_hand_side.shape} does not fit the block's "
                f"shape {self.block.shape}"
            )
        for name, values in (
            ("a coefficient of the matrix", self.coefficients),
            ("the right-hand side", self.right_hand_side),
        ):
            where = first_not_finite(values)
            if where is not None:
                index = np.add(where[-grid.dimension :], self.block.start)
                raise InputError(f"{name} is not finite at index {tuple(index.tolist())}")

    def linear_system(self) -> LinearSystem:
        """The system of a block that is the whole grid.

        Raises
        ------
        InputError
            If the block is not the whole grid, or b does not balance.
        """
        from pdesolve.problems.base import LinearSystem

        grid = self.block.grid
        if self.block.shape != grid.shape:
            raise InputError("the block is a part of its grid; gather the blocks in a solver")
        right, notes = self.right_hand_side, self.notes
        if self.constant_null_space:
            shift, more = balance(grid, float(right.sum()), float(np.abs(right).sum()))
            right, notes = right - shift, notes + more
        return LinearSystem(
            Stencil(grid, self.offsets, self.coefficients),
            right,
            self.symmetric,
            self.constant_null_space,
            notes,
        )


def first_not_finite(values: FloatArray) -> tuple[int, ...] | None:
    """Index of the first value that is not finite, or None, in one pass where all are."""
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(values.sum()):
            return None
    wrong = np.argwhere(~np.isfinite(values))
    return tuple(int(i) for i in wrong[0]) if len(wrong) else None


def balance(grid: StructuredGrid, total: float, size: float) -> tuple[float, tuple[str, ...]]:
    """What to subtract from b where constants solve A u = 0, so that it sums to zero.

    Parameters
    ----------
    grid
        The grid.
    total, size
        Sums of b and of |b| over the grid.

    Returns
    -------
    tuple
        The mean of b, and remarks for the record.

    Raises
    ------
    InputError
        If the mean is more than the error of the quadrature.
    """
    mean, typical = total / grid.num_points, size / grid.num_points
    # the midpoint rule's error for data that vary over a third of the box or more
    coarsest = max(h / length for h, length in zip(grid.spacing, grid.extent, strict=True))
    allowed = min(4.0 * coarsest**2, 0.5)
    if typical > 0 and abs(mean) / typical > max(allowed, 1e-8):
        raise InputError(
            "no side fixes u, so sources and fluxes must balance, ∫f + ∮flux = 0; here they leave "
            f"{mean * np.prod(grid.extent):.3g} ({abs(mean) / typical:.1%} of their size). Change "
            "f or a flux, or give one side Dirichlet or Robin"
        )
    notes = (
        ("sources and fluxes balance up to the quadrature error, which was spread evenly",)
        if abs(mean) > 1e-12 * typical
        else ()
    )
    return mean, notes
