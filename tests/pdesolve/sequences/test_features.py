"""Features: coefficients that keep distances, and their scaling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import dctn

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve import get_family, sample_generator
from pdesolve.data.samples import SampleTask
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.registry import FAMILIES
from pdesolve.sequences import feature_matrix, features_of, standardize, truncated_cosine

GRIDS = [
    StructuredGrid((9,), upper=2.0),
    StructuredGrid((8, 5), upper=(1.0, 3.0)),
    StructuredGrid((8, 5), periodic=True),
    StructuredGrid((8, 7), periodic=(True, False), location="vertex"),
    StructuredGrid((6, 5), location="vertex"),
    StructuredGrid((4, 5, 3), periodic=(False, True, False)),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_all_coefficients_keep_the_norm_and_some_never_exceed_it(grid):
    rng = np.random.default_rng(1)
    fields = rng.standard_normal((2, *grid.shape))
    squared = (grid.quadrature_weights() * (fields[0] - fields[1]) ** 2).sum()
    every = truncated_cosine(fields, grid, modes=max(grid.shape))
    assert every.shape == (2, grid.num_points)
    assert ((every[0] - every[1]) ** 2).sum() == pytest.approx(squared, rel=1e-12)
    few = truncated_cosine(fields, grid, modes=3)
    assert ((few[0] - few[1]) ** 2).sum() < squared


def test_cosine_coefficients_are_those_of_scipy():
    grid = StructuredGrid((16, 12))
    field = np.random.default_rng(2).standard_normal(grid.shape)
    expected = dctn(field, norm="ortho")[:4, :4] * np.sqrt(grid.cell_volume)
    assert truncated_cosine(field, grid, 4).reshape(4, 4) == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("location", ["cell", "vertex"])
def test_coefficients_of_a_smooth_function_do_not_depend_on_the_grid(periodic, location):
    found = []
    for size in (16, 64):
        grid = StructuredGrid((size + (location == "vertex"),), 0.0, 1.0, periodic, location)
        x = grid.axes()[0]
        wave = 2 * np.pi * x if periodic else np.pi * x
        found.append(truncated_cosine(1.0 + np.cos(wave) - 0.5 * np.cos(2 * wave), grid, 6))
    assert found[0] == pytest.approx(found[1], abs=1e-12)


def test_features_do_not_depend_on_the_grid_that_is_solved_on():
    family = get_family("darcy2d_lognormal")
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    coarse = features_of(problem, problem.grid(32))
    assert np.array_equal(coarse, features_of(problem, problem.grid(96)))
    exact = truncated_cosine(problem.input_fields(problem.grid(256)).values, problem.grid(256))
    # what is cut off folds back a little
    assert np.linalg.norm(coarse - exact[0]) < 0.02 * np.linalg.norm(exact)


def test_every_channel_and_scalar_weighs_the_same():
    rng = np.random.default_rng(3)
    tasks = [
        SampleTask(i, DarcyProblem(1e6 * (1.5 + rng.random())), {"a": rng.random(), "b": 7.0})
        for i in range(20)
    ]
    matrix = feature_matrix(tasks, tasks[0].problem.grid(16))
    # the field is constant in space, b in the samples: one coefficient and a are left
    assert matrix.shape == (20, 2)
    assert (matrix**2).mean(axis=0) == pytest.approx([1.0, 1.0])
    assert np.abs(matrix.mean(axis=0)).max() < 1e-12


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_features(name):
    family = get_family(name)
    tasks = []
    for index in range(3):
        parameters = family.sample(sample_generator(0, "train", index))
        scalars = {key: value for key, value in parameters.items() if isinstance(value, float)}
        tasks.append(SampleTask(index, family.problem(parameters), scalars))
    matrix = feature_matrix(tasks, tasks[0].problem.grid(family.default_shape))
    assert np.isfinite(matrix).all()
    assert min(np.linalg.norm(matrix[i] - matrix[j]) for i, j in ((0, 1), (0, 2), (1, 2))) > 1e-3


def test_a_scalar_that_is_a_channel_counts_once():
    problem = DarcyProblem(2.0)
    assert problem.input_fields(problem.grid(4)).names == ("coefficient",)
    found = features_of(problem, problem.grid(16), {"coefficient": 2.0, "other": 3.0}, modes=1)
    assert found == pytest.approx([2.0, 3.0])


def test_samples_without_fields_are_sorted_by_their_scalars():
    tasks = [SampleTask(i, object(), {"a": float(i)}) for i in range(4)]
    assert feature_matrix(tasks, None).shape == (4, 1)
    assert feature_matrix([], None).shape == (0, 0)
    same = [SampleTask(i, object(), {"a": 1.0}) for i in range(4)]
    assert feature_matrix(same, None).shape == (4, 0)


def test_problem_that_knows_its_own_grid_only():
    grid = StructuredGrid((40, 40))

    class Fixed(DarcyProblem):
        def input_fields(self, where):
            if where != grid:
                raise InputError("data are known on one grid")
            return super().input_fields(where)

    values = features_of(Fixed(lambda x: 1 + x[0]), grid)
    assert values == pytest.approx(features_of(DarcyProblem(lambda x: 1 + x[0]), grid), abs=1e-3)


def test_groups_keep_proportions():
    matrix = standardize(np.array([[0.0, 0.0, 5.0], [4.0, 2.0, 5.0]]), np.array([0, 0, 1]))
    assert matrix.shape == (2, 2)
    assert matrix[1, 0] / matrix[1, 1] == pytest.approx(2.0)
    assert (matrix**2).sum(axis=1) == pytest.approx([1.0, 1.0])


def test_messages():
    grid = StructuredGrid((4, 4))
    with pytest.raises(InputError, match=r"modes=0 must be a positive integer"):
        truncated_cosine(np.zeros((4, 4)), grid, 0)
    with pytest.raises(InputError, match=r"values of shape \(5,\) do not fit \(4, 4\)"):
        truncated_cosine(np.zeros(5), grid)
    with pytest.raises(InputError, match=r"samples 1, 2 are not finite"):
        standardize(np.array([[0.0], [np.nan], [np.inf]]))
    with pytest.raises(InputError, match=r"groups of shape \(1,\) do not fit 2 columns"):
        standardize(np.zeros((3, 2)), np.array([0]))
    good = SampleTask(0, DarcyProblem(1.0), {})
    bad = SampleTask(8, DarcyProblem(lambda x: np.where(x[0] > 0.5, np.nan, 1.0)), {})
    with pytest.raises(InputError, match="sample 8 cannot be sorted"):
        feature_matrix([good, bad], grid)
    with pytest.raises(InputError, match="sample 3 has 17 features"):
        feature_matrix([good, SampleTask(3, DarcyProblem(1.0), {"a": 1.0})], grid)
