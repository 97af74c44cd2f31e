"""The growing least-squares problem, against NumPy's."""

from __future__ import annotations

import numpy as np

from pdesolve.ksp.least_squares import HessenbergLeastSquares


def test_norm_and_solution_after_each_column():
    size = 12
    matrix = np.triu(np.random.default_rng(0).standard_normal((size + 1, size)), -1)
    problem = HessenbergLeastSquares(3.0, size)
    for j in range(size):
        assert problem.add(matrix[: j + 2, j].tolist())
        part, target = matrix[: j + 2, : j + 1], 3.0 * np.eye(j + 2)[0]
        expected = np.linalg.lstsq(part, target, rcond=None)[0]
        np.testing.assert_allclose(problem.solution(), expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(problem.norm, np.linalg.norm(target - part @ expected))


def test_a_dependent_column_is_refused():
    problem = HessenbergLeastSquares(1.0, 3)
    assert problem.add([1.0, 1.0])
    assert not problem.add([2.0, 2.0, 0.0])
    assert problem.num_columns == 1
    np.testing.assert_allclose(problem.solution(), [0.5])
