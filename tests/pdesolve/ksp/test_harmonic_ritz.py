"""The small eigenproblems, against dense ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag, eig

from pdesolve.ksp.harmonic_ritz import harmonic_ritz_space


def arnoldi(matrix, start, steps):
    basis = np.zeros((len(start), steps + 1))
    hessenberg = np.zeros((steps + 1, steps))
    basis[:, 0] = start / np.linalg.norm(start)
    for j in range(steps):
        w = matrix @ basis[:, j]
        for _ in range(2):
            part = basis[:, : j + 1].T @ w
            hessenberg[: j + 1, j] += part
            w -= basis[:, : j + 1] @ part
        hessenberg[j + 1, j] = np.linalg.norm(w)
        basis[:, j + 1] = w / hessenberg[j + 1, j]
    return basis, hessenberg


def by_magnitude(values):
    values = np.asarray(values)
    return values[np.lexsort((values.imag, np.abs(values).round(8)))]


@pytest.mark.parametrize("symmetric", [False, True])
def test_values_are_those_of_the_textbook_matrix(symmetric):
    generator = np.random.default_rng(3)
    matrix = generator.standard_normal((40, 40))
    if symmetric:
        matrix = matrix @ matrix.T
    steps, wanted = 14, 6
    basis, hessenberg = arnoldi(matrix, generator.standard_normal(40), steps)
    square, last = hessenberg[:steps], hessenberg[steps, steps - 1]
    unit = np.eye(steps)[:, -1]
    textbook = square + last**2 * np.outer(np.linalg.solve(square.T, unit), unit)
    expected = by_magnitude(np.linalg.eigvals(textbook))
    space = harmonic_ritz_space(hessenberg, np.eye(steps + 1, steps), wanted)
    count = len(space.values)
    assert wanted - 1 <= count <= wanted
    np.testing.assert_allclose(np.sort(np.abs(space.values)), np.abs(expected)[:count], rtol=1e-9)
    u, c = basis[:, :steps] @ space.source, basis @ space.image
    np.testing.assert_allclose(matrix @ u, c, atol=1e-11)
    np.testing.assert_allclose(c.T @ c, np.eye(count), atol=1e-12)


def test_vectors_solve_the_dense_generalised_problem():
    generator = np.random.default_rng(4)
    size, wanted = 9, 4
    # op V = W G with V neither orthonormal nor a part of W
    matrix = generator.standard_normal((size + 5, size + 5))
    v = generator.standard_normal((size + 5, size))
    w, _ = np.linalg.qr(np.column_stack([matrix @ v, generator.standard_normal(size + 5)]))
    projected, inner = w.T @ matrix @ v, w.T @ v
    space = harmonic_ritz_space(projected, inner, wanted)
    values, vectors = eig(projected.T @ projected, projected.T @ inner)
    order = np.argsort(np.abs(values))[: len(space.values)]
    # each wanted vector lies in the span of the source
    chosen = vectors[:, order]
    rest = chosen - space.source @ np.linalg.lstsq(space.source, chosen, rcond=None)[0]
    assert np.abs(rest).max() < 1e-9 * np.abs(chosen).max()
    np.testing.assert_allclose(by_magnitude(space.values), by_magnitude(values[order]), rtol=1e-8)
    np.testing.assert_allclose(projected @ space.source, space.image, atol=1e-12)


def rotations(*angles_and_sizes):
    blocks = [
        size * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        for a, size in angles_and_sizes
    ]
    matrix = block_diag(*blocks)
    return np.vstack([matrix, np.zeros(len(matrix))]), np.eye(len(matrix) + 1, len(matrix))


@pytest.mark.parametrize(("wanted", "given"), [(1, 2), (2, 2), (3, 2), (4, 4), (5, 4), (6, 6)])
def test_conjugate_pairs_stay_whole(wanted, given):
    projected, inner = rotations((1.0, 1.0), (0.5, 3.0), (2.0, 9.0))
    space = harmonic_ritz_space(projected, inner, wanted)
    assert space.source.shape == (6, given)
    assert space.source.dtype == np.float64
    np.testing.assert_allclose(sorted(np.abs(space.values)), [1, 1, 3, 3, 9, 9][:given])
    np.testing.assert_allclose(space.values.imag.sum(), 0, atol=1e-12)
    # the least rotation's plane is in the span
    assert np.linalg.matrix_rank(space.source[:2]) == 2


def test_a_singular_projection_gives_fewer_and_finite_vectors():
    projected = np.vstack([np.diag([2.0, 1.0, 0.0, 0.0]), np.zeros(4)])
    space = harmonic_ritz_space(projected, np.eye(5, 4), 3)
    assert space.source.shape == (4, 2)
    assert np.isfinite(space.source).all()
    np.testing.assert_allclose(sorted(space.values.real), [1, 2])
    np.testing.assert_allclose(projected @ space.source, space.image, atol=1e-14)


def test_nothing_wanted_or_nothing_there():
    assert harmonic_ritz_space(np.eye(4, 3), np.eye(4, 3), 0).source.shape == (3, 0)
    assert harmonic_ritz_space(np.zeros((4, 3)), np.eye(4, 3), 2).image.shape == (4, 0)
    assert harmonic_ritz_space(np.eye(4, 3), np.eye(4, 3), 8).source.shape == (3, 3)
