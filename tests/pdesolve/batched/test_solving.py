"""Answers of batched solves, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import StructuredGrid
from pdesolve import get_family, sample_generator
from pdesolve.batched import BatchedSolver, StackedStencils, solve_batched
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.problems.boundary import Dirichlet
from tests.pdesolve.batched.systems import batch, diffusion, direct

CASES = [
    ((100,), {}),
    ((37,), {"sides": "mixed"}),
    ((33,), {"periodic": True}),
    ((32,), {"sides": "neumann"}),
    ((32, 32), {}),
    ((17, 40), {"coefficient": "lognormal"}),
    ((40, 5), {"sides": "mixed"}),
    ((24, 3), {"periodic": (False, True)}),
    ((21, 32), {"sides": "neumann"}),
    ((24, 20), {"periodic": True}),
    ((21, 19), {"periodic": True, "coefficient": "lognormal"}),
    ((25, 16), {"periodic": (True, False)}),
    ((33, 30), {"contrast": 1e4}),
    ((8, 12, 9), {}),
    ((7, 7, 7), {"sides": "neumann", "coefficient": "lognormal"}),
    ((6, 5, 8), {"periodic": (True, True, False), "sides": "mixed"}),
    ((9, 10, 8), {"contrast": 1e4, "sides": "mixed"}),
]


@pytest.mark.parametrize(("shape", "options"), CASES)
def test_each_sample_is_the_direct_solution(shape, options) -> None:
    systems = diffusion(shape, **options)
    stencils, right = batch(systems)
    result = solve_batched(stencils, right, rtol=1e-10)
    assert result.reasons == ("CONVERGED_RTOL",) * 3
    for system, values, reported in zip(
        systems, result.values, result.relative_residuals, strict=True
    ):
        b = system.right_hand_side
        residual = np.linalg.norm(b - system.stencil.apply(values)) / np.linalg.norm(b)
        assert residual <= 1.01e-10
        assert reported <= 1e-10
        exact = direct(system)
        assert np.linalg.norm(values - exact) <= 1e-7 * np.linalg.norm(exact)


@pytest.mark.parametrize("name", ["darcy2d", "darcy2d_lognormal"])
def test_iterations_do_not_grow_with_the_grid(name) -> None:
    family = get_family(name)
    if name.endswith("lognormal"):
        family = family.with_options(standard_deviation=2.0)
    problems = [family.problem(family.sample(sample_generator(0, "train", i))) for i in range(2)]
    for size in (16, 32, 64, 128):
        stencils, right = batch([problem.discretize(problem.grid(size)) for problem in problems])
        result = solve_batched(stencils, right)
        assert result.converged.all()
        assert result.iterations.max() <= 11


@pytest.mark.parametrize("length", [3.0, 10.0, 100.0])
def test_iterations_do_not_grow_where_spacings_differ(length) -> None:
    for shape, upper in (((64, 64), (1.0, length)), ((16, 16, 16), (length, 1.0, 2.0))):
        stencils, right = batch(diffusion(shape, upper=upper, num=2))
        result = solve_batched(stencils, right)
        assert result.converged.all()
        assert result.iterations.max() <= 14


@pytest.mark.parametrize("contrast", [1e4, 1e6])
def test_float32_inside_reaches_the_tolerance_at_high_contrast(contrast) -> None:
    stencils, right = batch(diffusion((64, 48), contrast=contrast))
    result = solve_batched(stencils, right, retry=False)
    assert result.converged.all()
    assert result.iterations.max() <= 16


def test_samples_that_float32_does_not_solve_go_on_in_float64() -> None:
    rng = np.random.default_rng(0)
    grid = StructuredGrid((32, 32))
    sides = dict.fromkeys(grid.side_names, Dirichlet(0.0))
    # every cell by itself one of two phases: the contrast is everywhere
    noisy = np.where(rng.random((32, 32)) < 0.5, 1e5, 1.0)
    hard = diffusion_system(grid, noisy, rng.normal(size=(32, 32)), sides)
    stencils, right = batch([*diffusion((32, 32), num=2), hard])
    alone = solve_batched(stencils, right, retry=False, max_iterations=25)
    assert alone.converged.tolist() == [True, True, False]
    result = solve_batched(stencils, right, max_iterations=400)
    assert result.converged.all()
    assert result.iterations[2] > 25
    np.testing.assert_array_equal(result.values[:2], alone.values[:2])
    exact = direct(hard)
    assert np.linalg.norm(result.values[2] - exact) <= 1e-5 * np.linalg.norm(exact)


def test_an_answer_depends_on_its_own_sample_alone() -> None:
    stencils, right = batch(diffusion((31, 24), num=7))
    whole = solve_batched(stencils, right)
    for options in ({"chunk": 2}, {"chunk": 3, "workers": 2}):
        other = solve_batched(stencils, right, **options)
        np.testing.assert_allclose(other.values, whole.values, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(other.iterations, whole.iterations)


def test_a_first_guess_saves_iterations() -> None:
    stencils, right = batch(diffusion((32, 32)))
    first = solve_batched(stencils, right, rtol=1e-4)
    further = solve_batched(stencils, right, initial=first.values)
    assert further.converged.all()
    assert further.iterations.max() < solve_batched(stencils, right).iterations.min()
    exact = solve_batched(stencils, right, initial=further.values)
    assert exact.iterations.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(exact.values, further.values)


def test_zero_right_hand_sides_have_zero_answers() -> None:
    stencils, right = batch(diffusion((12, 12)))
    right[1] = 0.0
    result = solve_batched(stencils, right)
    assert result.converged.all()
    assert result.iterations[1] == 0
    assert not result.values[1].any()


def test_answers_with_a_free_constant_have_mean_zero() -> None:
    fixed, free = diffusion((16, 16), num=1), diffusion((16, 16), num=1, sides="neumann")
    stencils, right = batch([*fixed, *free])
    result = solve_batched(stencils, right)
    assert result.converged.all()
    assert abs(result.values[1].mean()) <= 1e-12
    assert abs(result.values[0].mean()) > 1e-3


def test_float64_inside_and_no_refinement() -> None:
    stencils, right = batch(diffusion((32, 24)))
    result = solve_batched(stencils, right, inner_dtype="float64", refinement=False)
    assert result.converged.all()
    assert result.refinements.tolist() == [1, 1, 1]
    single = solve_batched(stencils, right, refinement=False, retry=False, max_iterations=20)
    assert not single.converged.any()  # float32 by itself does not reach 1e-8
    assert single.relative_residuals.max() < 1e-2


@pytest.mark.torch
@pytest.mark.parametrize(("shape", "options"), [CASES[0], CASES[5], CASES[10], CASES[14]])
def test_torch_gives_the_same(shape, options) -> None:
    import torch

    torch.set_num_threads(1)
    systems = diffusion(shape, **options)
    stencils, right = batch(systems)
    here = solve_batched(stencils, right, rtol=1e-11)
    there = solve_batched(
        StackedStencils.of(systems, xp=torch), torch.asarray(right), rtol=1e-11, chunk=2
    )
    assert isinstance(there.values, torch.Tensor)
    assert there.converged.all()
    size = np.abs(here.values).max()
    np.testing.assert_allclose(there.values.numpy(), here.values, rtol=0, atol=1e-9 * size)
    assert np.abs(there.iterations - here.iterations).max() <= 1


@pytest.mark.torch
@pytest.mark.gpu
def test_a_gpu_gives_the_same() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    systems = diffusion((48, 33), num=20)
    stencils, right = batch(systems)
    there = solve_batched(
        StackedStencils.of(systems, xp=torch, device="cuda"),
        torch.asarray(right, device="cuda"),
        rtol=1e-11,
    )
    assert there.values.device.type == "cuda"
    assert there.converged.all()
    here = solve_batched(stencils, right, rtol=1e-11).values
    np.testing.assert_allclose(
        there.values.cpu().numpy(), here, rtol=0, atol=1e-9 * np.abs(here).max()
    )


def test_a_solver_is_used_again_with_other_samples_and_grids() -> None:
    solver = BatchedSolver()
    for seed, shape, num in ((0, (16, 16), 3), (1, (16, 16), 3), (2, (9, 20), 2), (3, (16, 16), 5)):
        stencils, right = batch(diffusion(shape, num=num, seed=seed))
        found = solver.solve(stencils, right)
        assert found.converged.all()
        np.testing.assert_array_equal(found.values, solve_batched(stencils, right).values)


def test_what_a_bad_sample_leaves_does_not_reach_the_next_batch() -> None:
    solver = BatchedSolver(chunk=3)
    stencils, right = batch(diffusion((16, 16)))
    coefficients = stencils.coefficients.copy()
    coefficients[1, 0] -= 100.0
    bad = StackedStencils(stencils.grid, stencils.offsets, coefficients)
    assert solver.solve(bad, right).converged.tolist() == [True, False, True]
    np.testing.assert_array_equal(
        solver.solve(stencils, right).values, solve_batched(stencils, right).values
    )
