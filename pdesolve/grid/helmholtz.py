"""Second differences for the Helmholtz equation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meshes.block import GridBlock
from meshes.structured import AXIS_NAMES, FloatArray
from pdesolve.grid.finite_volume import diffusion_offsets
from pdesolve.grid.ghost_sides import (
    GhostSide,
    fold_ghosts,
    ghost_sides,
    laplacian_coefficients,
)
from pdesolve.grid.systems import BlockLinearSystem
from pdesolve.problems.boundary import Absorbing, Condition, Neumann


def helmholtz_system(
    block: GridBlock,
    wavenumber: FloatArray,
    sources: tuple[FloatArray, ...],
    conditions: tuple[Mapping[str, Condition], ...],
    names: tuple[str, ...],
    *,
    shift: float = 0.0,
    **details: Any,
) -> BlockLinearSystem:
    """−Δu − k² u = f by second differences on a cell-centred grid.

    A complex u = v + i w is two unknowns; with K = −Δ − k² and the coupling B of the
    absorbing sides the equations are K v + B w = Re f and B v − K w = −Im f, a symmetric
    system (the second equation has changed its sign). At an absorbing side with
    c = k h / 2 the ghost is (1 + i c) / (1 − i c) times its neighbour: ∂u/∂n = i k u with
    value and slope at the face to second order.

    Parameters
    ----------
    block
        With one ghost layer.
    wavenumber
        k over the block.
    sources, conditions
        Real part, and imaginary part where u is complex.
    names
        Of the unknowns, as many.
    shift
        β of the matrix −Δ − (1 + i β) k² from which the preconditioner is made (complex
        u only); the equation itself where it is zero.
    details
        Further fields of the system.

    References
    ----------
    Erlangga, Oosterlee, Vuik (2006), A novel multigrid based preconditioner for
    heterogeneous Helmholtz problems, SIAM Journal on Scientific Computing 27(4),
    doi:10.1137/040615195.
    """
    size = len(names)
    offsets = diffusion_offsets(block.dimension)
    coefficients = np.zeros((len(offsets), size, size, *block.shape))
    right = np.stack(sources)
    absorbing = _absorbing(block, conditions[0])
    for part in range(size):
        plain = {
            side: Neumann(0.0) if isinstance(condition, Absorbing) else condition
            for side, condition in conditions[part].items()
        }
        sides = ghost_sides(block, plain)
        own = laplacian_coefficients(block)
        fold_ghosts(offsets, own, sides)
        own[0] -= wavenumber**2
        coefficients[:, part, part] = own
        for side in sides:
            row, data = _next_to(block, side)
            right[part][row] += data / block.grid.spacing[side.axis] ** 2
    for axis, row in absorbing:
        h = block.grid.spacing[axis]
        c = 0.5 * wavenumber[row] * h
        real, imaginary = (1 - c**2) / (1 + c**2), 2 * c / (1 + c**2)
        for part in range(2):
            coefficients[0, part, part][row] += (1.0 - real) / h**2
        coefficients[0, 0, 1][row] += imaginary / h**2
        coefficients[0, 1, 0][row] += imaginary / h**2
    couplings = tuple((s, c, c) for s in range(len(offsets)) for c in range(size))
    shifted = None
    if size == 2:
        coefficients[:, 1, 1] *= -1.0
        right[1] *= -1.0
        couplings = (*couplings, (0, 0, 1), (0, 1, 0))
        if shift:
            shifted = coefficients.copy()
            shifted[0, 0, 1] += shift * wavenumber**2
            shifted[0, 1, 0] += shift * wavenumber**2
    return BlockLinearSystem(
        names,
        coefficients,
        right,
        offsets,
        symmetric=True,
        couplings=couplings,
        preconditioner=shifted,
        **details,
    )


def _next_to(block: GridBlock, side: GhostSide) -> tuple[tuple[slice, ...], FloatArray]:
    """Cells of the block along a side, and the side's data there."""
    row = [slice(None)] * block.dimension
    row[side.axis] = slice(0, 1) if side.end == "lower" else slice(-1, None)
    inner = tuple(slice(None) if k == side.axis else part for k, part in enumerate(block.inner))
    return tuple(row), side.data[inner]


def _absorbing(
    block: GridBlock, conditions: Mapping[str, Condition]
) -> list[tuple[int, tuple[slice, ...]]]:
    """Axis and cells of each absorbing side that the block touches."""
    found = []
    for axis in range(block.dimension):
        for end in ("lower", "upper"):
            name = f"{AXIS_NAMES[axis]}_{end}"
            if block.touches(axis, end) and isinstance(conditions[name], Absorbing):
                row = [slice(None)] * block.dimension
                row[axis] = slice(0, 1) if end == "lower" else slice(-1, None)
                found.append((axis, tuple(row)))
    return found
