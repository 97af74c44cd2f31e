"""Stencils: construction, exactness, rejections."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import StructuredGrid
from operators import InputError, Stencil
from tests.operators.stencils import CASES, make_stencil

GRID = StructuredGrid((4, 5))


def test_uniform_coefficients_stop_at_the_boundary():
    stencil = Stencil(GRID, [[0, 0], [1, 0], [0, -1]], [2.0, -1.0, -3.0])
    assert (stencil.coefficients[1][-1] == 0).all()
    assert (stencil.coefficients[1][:-1] == -1).all()
    assert (stencil.coefficients[2][:, 0] == 0).all()
    wrapped = Stencil(StructuredGrid((4, 5), periodic=True), [[1, 0]], [1.0])
    assert (wrapped.coefficients == 1).all()


def test_second_difference_is_exact_for_quadratics():
    grid = StructuredGrid((8,), 0.0, 2.0)
    (x,) = grid.axes()
    h = grid.spacing[0]
    stencil = Stencil(grid, [-1, 0, 1], np.array([1.0, -2.0, 1.0]) / h**2)
    np.testing.assert_allclose(stencil.apply(x**2)[1:-1], 2.0, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_transpose_and_diagonal(name):
    stencil = make_stencil(name)
    matrix = stencil.to_csr().toarray()
    np.testing.assert_array_equal(stencil.transpose().to_csr().toarray(), matrix.T)
    np.testing.assert_array_equal(stencil.diagonal().ravel(), np.diag(matrix))
    columns = stencil.column_indices()
    assert columns.min() >= -1
    assert columns.max() < stencil.grid.num_points
    assert (stencil.coefficients[columns < 0] == 0).all()


def test_two_points_on_a_periodic_axis():
    # both neighbours are the same point: their coefficients add up
    stencil = Stencil(StructuredGrid((2,), periodic=True), [[-1], [0], [1]], [-1.0, 4.0, -2.0])
    np.testing.assert_array_equal(stencil.to_csr().toarray(), [[4.0, -3.0], [-3.0, 4.0]])
    np.testing.assert_array_equal(stencil.apply([1.0, 0.0]), [4.0, -3.0])
    assert stencil.is_symmetric()


def test_no_centre_has_zero_diagonal():
    stencil = Stencil(GRID, [[1, 0]], [1.0])
    assert (stencil.diagonal() == 0).all()
    assert not stencil.is_symmetric()


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Stencil(GRID, [[0], [1]], [1.0, 1.0]), "must have shape (S, 2)"),
        (lambda: Stencil(GRID, [0, 1], [1.0]), "offsets of shape (2,) must have shape (S, 2)"),
        (lambda: Stencil(GRID, np.zeros((0, 2), int), []), "must have shape (S, 2)"),
        (lambda: Stencil(GRID, [[0.5, 0.0]], [1.0]), "offsets must be integers"),
        (lambda: Stencil(GRID, [[0, 0], [0, 0]], [1.0, 1.0]), "offsets repeat"),
        (lambda: Stencil(GRID, [[4, 0]], [1.0]), "reaches [4, 0] cells along each axis; the grid"),
        (lambda: Stencil(GRID, [[0, 0]], np.ones((4, 5))), "coefficients of shape (4, 5) must"),
        (lambda: Stencil(GRID, [[0, 0]], [1.0, 2.0]), "must have shape (1, 4, 5)"),
        (lambda: Stencil(GRID, [[0, 1]], np.full((1, 4, 5), np.nan)), "[0, 1] is not finite"),
        (lambda: Stencil(GRID, [[0, 0]], np.array([1j])), "is complex"),
        (lambda: Stencil(GRID, [[0, 1]], np.ones((1, 4, 5))),
         "not zero where that neighbour is outside the grid; move boundary terms"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)
