import numpy as np
import pytest

from meshes.structured import StructuredGrid
from pdesolve.data.error_estimate import (
    CoarseGridEstimator,
    average,
    averaging_matrix,
    coarse_grid,
    relative_error_estimate,
)
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator


@pytest.mark.parametrize(("fine", "coarse"), [(8, 4), (7, 4), (43, 22), (5, 5), (9, 2)])
def test_averages_keep_constants_and_integrals(fine, coarse):
    matrix = averaging_matrix(fine, coarse)
    values = np.random.default_rng(0).random(fine)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(coarse))
    assert (matrix @ values).mean() == pytest.approx(values.mean())


def test_averages_along_every_axis():
    values = np.random.default_rng(0).random((6, 8, 5))
    blocks = average(values, (3, 4, 3))
    assert blocks.shape == (3, 4, 3)
    assert blocks.mean() == pytest.approx(values.mean())
    nested = average(values, (3, 4, 5))
    assert nested == pytest.approx(values.reshape(3, 2, 4, 2, 5).mean(axis=(1, 3)))


def test_richardson_formula_is_exact_for_a_pure_power():
    # u_h = u (1 + h), u_H = u (1 + 2 h): the relative error of u_h is h (1 + O(h))
    exact = np.linspace(1.0, 2.0, 10)
    h = 1e-4
    estimate = relative_error_estimate(exact * (1 + h), exact * h, 1.0)
    assert estimate == pytest.approx(h, rel=1e-3)


def test_too_small_grids_have_no_estimate():
    assert coarse_grid(StructuredGrid((3, 8))) is None
    assert coarse_grid(StructuredGrid((8,), location="vertex")) is None
    estimator = CoarseGridEstimator(StructuredGrid((3, 8)), None)
    assert np.isnan(estimator.estimate(None, np.ones((3, 8))))


@pytest.mark.petsc
@pytest.mark.parametrize(
    ("name", "size", "finer"),
    [
        ("darcy2d", 48, 192),
        ("darcy2d_lognormal", 48, 192),
        ("darcy2d", 43, 172),
        ("darcy2d_lognormal", 43, 172),
    ],
)
def test_estimates_against_the_true_error(name, size, finer):
    """Between the half and the sixfold of the error against a four times finer grid."""
    from pdesolve._petsc_comm import own_communicator
    from pdesolve.grid._petsc_solver import GridSolver

    family, comm = get_family(name), own_communicator()
    problems = [family.problem(family.sample(sample_generator(7, "e", i))) for i in range(4)]
    grid, fine_grid = problems[0].grid(size), problems[0].grid(finer)
    solver = GridSolver(grid, comm=comm)
    fine_solver = GridSolver(fine_grid, comm=comm)
    estimator = CoarseGridEstimator(grid, comm)
    for problem in problems:
        values = np.array(solver.solve(problem.discretize(grid))[0].array_r).reshape(grid.shape)
        fine = fine_solver.solve(problem.discretize(fine_grid))[0]
        truth = average(np.array(fine.array_r).reshape(fine_grid.shape), (size * 2,) * 2)
        truth = average(truth, grid.shape)
        error = np.linalg.norm(values - truth) / np.linalg.norm(truth)
        assert 0.5 * error < estimator.estimate(problem, values) < 6.0 * error
    estimator.close()


@pytest.mark.petsc
def test_estimates_shrink_with_the_grid():
    from pdesolve._petsc_comm import own_communicator
    from pdesolve.grid._petsc_solver import GridSolver

    family, comm = get_family("darcy2d_lognormal"), own_communicator()
    problem = family.problem(family.sample(sample_generator(1, "e", 0)))
    estimates = []
    for size in (16, 32, 64):
        grid = problem.grid(size)
        vector = GridSolver(grid, comm=comm).solve(problem.discretize(grid))[0]
        values = np.array(vector.array_r).reshape(grid.shape)
        estimates.append(CoarseGridEstimator(grid, comm).estimate(problem, values))
    assert estimates[0] > 1.5 * estimates[1] > 2.25 * estimates[2]
