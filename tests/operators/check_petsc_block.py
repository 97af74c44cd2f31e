"""Run on several processes: distributed grids and block matrices against arrays."""

import sys

import numpy as np

from meshes.structured import StructuredGrid
from operators._petsc_block import BlockMatrix, DistributedGrid
from operators.stencil import Stencil


def check(grid: StructuredGrid, num_components: int) -> None:
    rng = np.random.default_rng(1)
    offsets = np.array(
        [[0] * grid.dimension]
        + [
            [sign * (k == axis) for k in range(grid.dimension)]
            for axis in range(grid.dimension)
            for sign in (-1, 1)
        ]
    )
    shape = (len(offsets), num_components, num_components, *grid.shape)
    coefficients = rng.normal(size=shape)
    for s, offset in enumerate(offsets):
        for axis, step in enumerate(offset):
            if step and not grid.periodic[axis]:
                window = [slice(None)] * grid.dimension
                window[axis] = slice(-1, None) if step > 0 else slice(0, 1)
                coefficients[(s, slice(None), slice(None), *window)] = 0.0
    u = rng.normal(size=(num_components, *grid.shape))
    expected = np.zeros_like(u)
    for r in range(num_components):
        for c in range(num_components):
            expected[r] += Stencil(grid, offsets, coefficients[:, r, c]).apply(u[c])
    distributed = DistributedGrid(grid, num_components)
    window = (slice(None), *distributed.block.window)
    vector = distributed.vector(u[window])
    assert np.array_equal(distributed.values(vector), u[window])
    assert np.array_equal(distributed.gather(vector), u)
    ghosted = distributed.ghosted(vector)
    for axis in range(grid.dimension):
        for step in (-1, 1):
            moved = np.roll(u, -step, axis=1 + axis)[window].copy()
            end = "upper" if step > 0 else "lower"
            if distributed.block.touches(axis, end):
                edge = [slice(None)] * (1 + grid.dimension)
                edge[1 + axis] = slice(-1, None) if step > 0 else slice(0, 1)
                moved[tuple(edge)] = 0.0
            assert np.array_equal(
                ghosted[(slice(None), *distributed.block.shifted(axis, step))], moved
            )
    matrix = BlockMatrix(distributed, offsets)
    for _ in range(2):  # the pattern is kept
        matrix.set_values(coefficients[(slice(None),) * 3 + distributed.block.window])
    product = vector.duplicate()
    matrix.mat.mult(vector, product)
    difference = np.abs(distributed.gather(product) - expected).max()
    assert difference < 1e-12, difference


for case in (
    (StructuredGrid((12,), periodic=(True,)), 1),
    (StructuredGrid((9, 8)), 2),
    (StructuredGrid((9, 8), periodic=(False, True)), 3),
    (StructuredGrid((6, 5, 7), periodic=(True, False, False)), 2),
):
    check(*case)
print("fine")
sys.stdout.flush()
