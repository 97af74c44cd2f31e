"""Vectors and matrices with several unknowns a cell."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import StructuredGrid
from tests.mpi import start_parallel

PROGRAM = Path(__file__).with_name("check_petsc_block.py")


@pytest.mark.petsc
def test_against_arrays_on_one_process() -> None:
    done = subprocess.run([sys.executable, PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "fine"


@pytest.mark.petsc
@pytest.mark.parallel
def test_against_arrays_on_three_processes() -> None:
    done = start_parallel(PROGRAM, 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("fine") == 3


def test_points_of_blocks_are_those_of_the_grid() -> None:
    grid = StructuredGrid((6, 4), (1.0, -1.0), (2.0, 1.0))
    block = GridBlock(grid, (2, 0), (5, 3), 2)
    assert np.array_equal(block.points(), grid.points()[:, 2:5, 0:3])
    ghosted = block.points(ghosted=True)
    assert np.allclose(ghosted[:, 2:-2, 2:-2], block.points(), rtol=0, atol=1e-15)
    assert block.sides == ("y_lower",)
    assert block.side_points(1, "lower").shape == (2, 3)
    assert np.all(block.side_points(1, "lower")[1] == -1.0)
    assert np.allclose(block.own_grid().points(), block.points(), rtol=0, atol=1e-15)


def test_blocks_outside_the_grid_are_refused() -> None:
    grid = StructuredGrid((6, 4))
    with pytest.raises(InputError, match="is not a part of a grid"):
        GridBlock(grid, (0, 0), (7, 4))
    with pytest.raises(InputError, match="does not touch x_upper"):
        GridBlock(grid, (0, 0), (3, 4)).side_points(0, "upper")
