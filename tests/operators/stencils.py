"""Stencils of many kinds, for the tests of every rendering."""

from __future__ import annotations

import numpy as np

from meshes import StructuredGrid
from operators import Stencil

STAR_1D = [[-1], [0], [1]]
WIDE_1D = [[-2], [-1], [0], [1], [2]]
STAR_2D = [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]
BOX_2D = [[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)]
UPWIND_2D = [[0, 0], [-1, 0], [-2, 0], [0, -1], [1, -1]]
STAR_3D = [[0, 0, 0], *(np.array(s) * e for e in np.eye(3, dtype=int) for s in (-1, 1))]
BOX_3D = [[i, j, k] for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]

# name: (shape, periodic, offsets)
CASES = {
    "1d": ((11,), False, STAR_1D),
    "1d-periodic": ((11,), True, STAR_1D),
    "1d-wide": ((12,), False, WIDE_1D),
    "1d-wide-periodic": ((12,), True, WIDE_1D),
    "2d": ((7, 9), False, STAR_2D),
    "2d-periodic": ((7, 9), True, STAR_2D),
    "2d-periodic-in-x": ((7, 8), (True, False), STAR_2D),
    "2d-box": ((8, 7), False, BOX_2D),
    "2d-box-periodic-in-y": ((8, 7), (False, True), BOX_2D),
    "2d-box-periodic": ((8, 7), True, BOX_2D),
    "2d-one-sided": ((9, 8), (True, False), UPWIND_2D),
    "2d-thin": ((12, 2), False, STAR_2D),
    "3d": ((5, 6, 7), False, STAR_3D),
    "3d-periodic": ((5, 6, 7), (True, False, True), STAR_3D),
    "3d-box": ((4, 6, 5), (False, True, False), BOX_3D),
}


def make_stencil(name: str, seed: int = 0) -> Stencil:
    """A stencil with random coefficients, zero where it would reach out of the grid."""
    shape, periodic, offsets = CASES[name]
    grid = StructuredGrid(shape, periodic=periodic)
    offsets = np.array(offsets)
    coefficients = np.random.default_rng(seed).standard_normal((len(offsets), *shape))
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    for s, offset in enumerate(offsets):
        for axis, wraps in enumerate(grid.periodic):
            neighbour = index[axis] + offset[axis]
            if not wraps:
                coefficients[s][(neighbour < 0) | (neighbour >= shape[axis])] = 0.0
    return Stencil(grid, offsets, coefficients)


def dense(stencil: Stencil) -> np.ndarray:
    """The matrix by its definition, entry after entry."""
    shape = stencil.grid.shape
    matrix = np.zeros((stencil.grid.num_points,) * 2)
    for point in np.ndindex(*shape):
        row = np.ravel_multi_index(point, shape)
        for s, offset in enumerate(stencil.offsets):
            value = stencil.coefficients[(s, *point)]
            if value != 0.0:
                neighbour = np.add(point, offset)
                wrapped = tuple(n % size for n, size in zip(neighbour, shape, strict=True))
                for axis, wraps in enumerate(stencil.grid.periodic):
                    assert wraps or wrapped[axis] == neighbour[axis]
                matrix[row, np.ravel_multi_index(wrapped, shape)] += value
    return matrix
