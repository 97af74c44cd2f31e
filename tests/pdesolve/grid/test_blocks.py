"""Each process evaluates and assembles its own block of a linear system."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from meshes.block import GridBlock
from operators.random_fields import GaussianRandomField
from operators.spatial import as_spatial_function
from pdesolve import DarcyProblem, Dirichlet, Neumann, Periodic, get_family, sample_generator
from pdesolve.grid.block_data import on_block
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.problems.boundary import Robin
from pdesolve.problems.convection_diffusion import ConvectionDiffusionProblem
from pdesolve.problems.poisson import PoissonProblem
from tests.mpi import run_parallel

PROGRAM = Path(__file__).with_name("check_blocks.py")


def blocks(grid: StructuredGrid, parts: int = 2) -> list[GridBlock]:
    """The grid cut into `parts` along each axis."""
    cuts = [np.linspace(0, size, parts + 1).astype(int) for size in grid.shape]
    ranges = [list(itertools.pairwise(cut.tolist())) for cut in cuts]
    return [
        GridBlock(grid, tuple(a for a, _ in chosen), tuple(b for _, b in chosen))
        for chosen in itertools.product(*ranges)
    ]


def wave(x):
    return 2 + np.sin(3 * x[0]) * np.cos(2 * x[-1])


PROBLEMS = {
    "1d": DarcyProblem(wave, wave, dimension=1),
    "2d": DarcyProblem(
        wave,
        wave,
        {
            "x_lower": Robin(wave, wave),
            "x_upper": Neumann(wave),
            "y_lower": Dirichlet(wave),
            "y_upper": Robin(1.0, 2.0),
        },
    ),
    "2d, periodic": DarcyProblem(
        wave,
        wave,
        {
            "x_lower": Periodic(), "x_upper": Periodic(),
            "y_lower": Dirichlet(wave), "y_upper": Neumann(wave),
        },
    ),
    "3d": PoissonProblem(wave, {"all": Robin(1.0, wave)}, 3),
    "convection, upwind": ConvectionDiffusionProblem(
        wave, (wave, lambda x: x[0] - 0.4), wave, scheme="upwind"
    ),
    "convection, exponential": ConvectionDiffusionProblem(
        0.01,
        (wave, lambda x: x[0] - 0.4),
        wave,
        {
            "x_lower": Periodic(), "x_upper": Periodic(),
            "y_lower": Dirichlet(wave), "y_upper": Neumann(wave),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PROBLEMS)
def test_blocks_are_the_rows_of_the_whole(name):
    problem = PROBLEMS[name]
    grid = problem.grid((9, 8, 5)[: problem.dimension])
    system = problem.discretize(grid)
    size = np.abs(system.stencil.coefficients).max()
    for block in blocks(grid):
        rows = problem.discretize_block(block)
        window = (slice(None), *block.window)
        np.testing.assert_allclose(
            rows.coefficients, system.stencil.coefficients[window], rtol=0, atol=1e-14 * size
        )
        np.testing.assert_allclose(
            rows.right_hand_side,
            system.right_hand_side[block.window],
            rtol=0,
            atol=1e-14 * np.abs(system.right_hand_side).max(),
        )
        assert rows.symmetric == system.symmetric
        assert rows.constant_null_space == system.constant_null_space


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_draws_are_the_same_on_blocks(dimension):
    grid = StructuredGrid((24, 20, 10)[:dimension])
    gaussian = GaussianRandomField(dimension, num_modes=12).sample(np.random.default_rng(0))
    whole = gaussian.on(grid)
    family = get_family(f"darcy{dimension}d", num_modes=12)
    threshold = family.sample(sample_generator(0, "test", 0))["coefficient"]
    for block in blocks(grid):
        found = on_block(gaussian, block)
        np.testing.assert_allclose(found, whole[block.window], rtol=0, atol=1e-14 * whole.max())
        np.testing.assert_array_equal(on_block(threshold, block), threshold.on(grid)[block.window])


def test_fields_numbers_and_formulas_on_blocks():
    grid = StructuredGrid((6, 4), upper=(3.0, 1.0))
    values = np.arange(24.0).reshape(6, 4)
    coarse = Field(StructuredGrid((3, 2), upper=(3.0, 1.0)), np.arange(6.0).reshape(3, 2))
    for given in (Field(grid, values), coarse, 2.5, wave, lambda _: 3.0):
        function = as_spatial_function(given)
        for block in blocks(grid):
            np.testing.assert_array_equal(
                on_block(function, block), function.on(grid)[block.window]
            )


def test_what_rows_are_refused():
    block = GridBlock(StructuredGrid((4, 4)), (0, 2), (4, 4))
    offsets, good = np.array([[0, 0]]), np.ones((1, 4, 2))
    with pytest.raises(InputError, match=r"coefficients of shape \(1, 4, 4\) must have shape"):
        StencilRows(block, offsets, np.ones((1, 4, 4)), np.ones((4, 2)))
    with pytest.raises(InputError, match=r"right-hand side of shape \(4, 4\) does not fit"):
        StencilRows(block, offsets, good, np.ones((4, 4)))
    bad = np.ones((4, 2))
    bad[1, 0] = np.inf
    with pytest.raises(InputError, match=r"right-hand side is not finite at index \(1, 2\)"):
        StencilRows(block, offsets, good, bad)
    with pytest.raises(InputError, match="Use a larger grid"):
        StencilRows(block, np.array([[4, 0]]), good, np.ones((4, 2)))
    with pytest.raises(InputError, match="a part of its grid"):
        StencilRows(block, offsets, good, np.ones((4, 2))).linear_system()


def test_the_place_of_a_bad_coefficient_is_that_in_the_grid():
    problem = DarcyProblem(lambda x: np.where((x[0] > 0.8) & (x[1] > 0.8), -1.0, 1.0))
    block = GridBlock(problem.grid(8), (4, 4), (8, 8))
    with pytest.raises(InputError, match=r"it is -1.0 at index \(6, 6\)"):
        problem.discretize_block(block)


@pytest.mark.petsc
def test_symmetry_is_tested_by_products():
    from pdesolve.grid._petsc_solver import GridSolver

    grid = StructuredGrid((8, 8))
    rows = DarcyProblem(wave).discretize_block(GridBlock.whole(grid))
    GridSolver(grid).solve(rows)
    coefficients = rows.coefficients.copy()
    coefficients[1, 4, 4] *= 1.001
    wrong = StencilRows(
        rows.block, rows.offsets, coefficients, rows.right_hand_side, symmetric=True
    )
    with pytest.raises(InputError, match="needs a symmetric operator, and this one is not"):
        GridSolver(grid).solve(wrong)


@pytest.mark.petsc
@pytest.mark.parallel
def test_the_same_answers_on_three_processes():
    one, three = (
        json.loads(run_parallel(PROGRAM, ranks).partition("RESULT")[2]) for ranks in (1, 3)
    )
    assert len(one) > 10
    for name, values in one.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(three[name], values, rtol=0, atol=1e-10 * scale, err_msg=name)


@pytest.mark.petsc
@pytest.mark.parallel
def test_bad_data_in_one_block_ends_all_processes():
    everywhere = json.loads(run_parallel(PROGRAM, 3, "fail", timeout=90).partition("RESULT")[2])
    assert [len(caught) for caught in everywhere] == [3, 3, 3]
    for caught in everywhere:
        for text, message in zip(
            caught,
            ("the coefficient must be positive", "must not be negative", "is not finite at index"),
            strict=True,
        ):
            assert text.startswith("InputError")
            assert message in text
