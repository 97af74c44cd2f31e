"""Stencils as PETSc matrices agree with the SciPy ones, on 1, 2 and 3 processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from tests.mpi import run_parallel
from tests.operators.stencils import CASES

pytestmark = pytest.mark.petsc
PROGRAM = Path(__file__).with_name("check_petsc_stencils.py")


@pytest.mark.parallel
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_products_agree(ranks):
    out = run_parallel(PROGRAM, ranks)
    everywhere = json.loads(out.partition("RESULT")[2])
    assert len(everywhere) == ranks
    for here, refused in everywhere:
        assert set(here) == set(CASES)
        for name, worst in here.items():
            for what, difference in worst.items():
                # entries are below 5 in size and rows hold at most 27 of them
                assert difference <= 1e-12, (name, what)
        assert len(refused) == 2
        assert all("the matrix was made for" in text for text in refused)


def test_too_many_unknowns_for_the_indices():
    from petsc4py import PETSc

    from operators import StencilMatrix

    if np.dtype(PETSc.IntType).itemsize > 4:
        pytest.skip("this PETSc has 64-bit indices")
    with pytest.raises(InputError, match="2500000000 unknowns overflow this PETSc's int32 indices"):
        StencilMatrix(StructuredGrid((50_000, 50_000)), np.array([[0, 0]]))


def test_blocks_have_little_surface_and_hold_the_stencil():
    from operators._petsc_stencil import process_grid

    assert process_grid(StructuredGrid((64, 64)), 1, 4) == (2, 2)
    assert process_grid(StructuredGrid((64, 8)), 1, 4) == (4, 1)
    assert process_grid(StructuredGrid((8, 64)), 1, 4) == (1, 4)
    assert process_grid(StructuredGrid((32, 32, 32)), 1, 8) == (2, 2, 2)
    assert process_grid(StructuredGrid((1, 64)), 1, 3) == (1, 3)
    assert process_grid(StructuredGrid((5, 4)), 2, 4) == (2, 2)
    with pytest.raises(InputError, match="reaches 2 cells cannot be spread over 5 processes"):
        process_grid(StructuredGrid((5, 4)), 2, 5)


@pytest.mark.parallel
def test_grid_too_small_for_the_processes():
    program = """
import numpy as np
from meshes import InputError, StructuredGrid
from operators import StencilMatrix
for shape, offsets in (((4,), [[-2], [0], [2]]), ((2,), [[0]])):
    try:
        StencilMatrix(StructuredGrid(shape), np.array(offsets))
    except InputError as error:
        print("REFUSED", error)
"""
    out = run_parallel(program, 3, timeout=60)
    assert out.count("REFUSED") == 6
    assert "a stencil that reaches 2 cells cannot be spread over 3 processes" in out
    assert "use a larger grid or fewer processes" in out
