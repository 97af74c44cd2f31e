"""Conformance of every linear operator, each against a dense twin."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import StructuredGrid
from operators import (
    DiagonalOperator,
    InputError,
    LinearOperator,
    MatrixOperator,
    Space,
    identity,
)
from operators.fourier import FourierMultiplier, wavenumbers
from tests.operators.stencils import CASES, dense, make_stencil

RNG = np.random.default_rng(5)
GRID = StructuredGrid((7, 9))
SPACE = Space((7, 9), GRID)
RECTANGLE = RNG.standard_normal((6, 63))
SQUARE = RNG.standard_normal((63, 63))
DIAGONAL = RNG.standard_normal((7, 9))


def laplacian() -> LinearOperator:
    return make_stencil("2d")


def tall() -> LinearOperator:
    return MatrixOperator(RECTANGLE, source=SPACE, range=Space((2, 3)))


def heat() -> tuple[LinearOperator, np.ndarray]:
    """exp(-0.01 |k|²) and its matrix, built column by column from the full transform."""
    grid = StructuredGrid((5, 6), upper=(1.0, 2.0), periodic=True)
    operator = FourierMultiplier(grid, np.exp(-0.01 * sum(k**2 for k in wavenumbers(grid))))
    k = [2 * np.pi * np.fft.fftfreq(n, h) for n, h in zip(grid.shape, grid.spacing, strict=True)]
    symbol = np.exp(-0.01 * (k[0][:, None] ** 2 + k[1][None, :] ** 2))
    columns = [
        np.fft.ifftn(symbol * np.fft.fftn(unit.reshape(5, 6))).real.ravel() for unit in np.eye(30)
    ]
    return operator, np.stack(columns, axis=1)


# name: (operator, dense twin)
OPERATORS: dict[str, tuple[LinearOperator, np.ndarray]] = {
    **{f"stencil-{name}": (make_stencil(name), dense(make_stencil(name))) for name in CASES},
    "stencil-transpose": (make_stencil("2d-one-sided").transpose(),
                          dense(make_stencil("2d-one-sided")).T),
    "matrix": (MatrixOperator(SQUARE, SPACE, SPACE), SQUARE),
    "matrix-rectangular": (tall(), RECTANGLE),
    "diagonal": (DiagonalOperator(DIAGONAL, SPACE), np.diag(DIAGONAL.ravel())),
    "identity": (identity(SPACE), np.eye(63)),
    "fourier": heat(),
    "sum": (laplacian() + MatrixOperator(SQUARE, SPACE, SPACE), dense(laplacian()) + SQUARE),
    "difference": (identity(SPACE) - laplacian(), np.eye(63) - dense(laplacian())),
    "scaled": (-2.5 * laplacian(), -2.5 * dense(laplacian())),
    "negative": (-laplacian(), -dense(laplacian())),
    "product": (tall() @ laplacian(), RECTANGLE @ dense(laplacian())),
    "transposed": (tall().T, RECTANGLE.T),
    "normal": (tall().T @ tall() + 0.5 * identity(SPACE), RECTANGLE.T @ RECTANGLE + np.eye(63) / 2),
}  # fmt: skip


@pytest.fixture(params=OPERATORS, ids=str)
def case(request):
    return OPERATORS[request.param]


def draw(space: Space, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(space.shape)


# tolerances: rounding of sums over at most 63 terms of size up to about 60
CLOSE = {"rtol": 1e-12, "atol": 1e-11}


def test_shapes_and_matrix(case):
    operator, twin = case
    assert twin.shape == (operator.range.size, operator.source.size)
    matrix = operator.to_csr()
    assert matrix.shape == twin.shape
    np.testing.assert_allclose(matrix.toarray(), twin, **CLOSE)


def test_apply_agrees_with_the_matrix(case):
    operator, twin = case
    x = draw(operator.source, 1)
    kept = x.copy()
    result = operator.apply(x)
    assert result.shape == operator.range.shape
    assert result.dtype == np.float64
    np.testing.assert_allclose(result.ravel(), twin @ x.ravel(), **CLOSE)
    np.testing.assert_array_equal(x, kept)  # the argument is left alone


def test_linearity(case):
    operator, _ = case
    x, y = draw(operator.source, 1), draw(operator.source, 2)
    combined = operator.apply(3.0 * x - 0.5 * y)
    np.testing.assert_allclose(combined, 3.0 * operator.apply(x) - 0.5 * operator.apply(y), **CLOSE)


def test_transpose_is_the_adjoint(case):
    operator, twin = case
    x, y = draw(operator.source, 3), draw(operator.range, 4)
    left = np.vdot(operator.apply(x), y)
    right = np.vdot(x, operator.apply_transpose(y))
    assert left == pytest.approx(right, rel=1e-11, abs=1e-10)
    np.testing.assert_allclose(operator.T.apply(y), operator.apply_transpose(y), **CLOSE)
    np.testing.assert_allclose(operator.T.to_csr().toarray(), twin.T, **CLOSE)
    assert operator.T.source == operator.range
    assert operator.T.range == operator.source
    np.testing.assert_allclose(operator.T.T.apply(x), operator.apply(x), **CLOSE)


def test_symmetry_is_found(case):
    operator, twin = case
    square = operator.source.fits(operator.range)
    assert operator.is_square == square
    expected = square and bool(np.abs(twin - twin.T).max() <= 1e-12 * np.abs(twin).max())
    assert operator.is_symmetric() == expected
    if square:
        assert (operator + operator.T).is_symmetric()


def test_wrong_arrays_are_refused(case):
    operator, _ = case
    with pytest.raises(InputError, match=r"apply: array of shape \(3, 1, 4\) given, shape"):
        operator.apply(np.zeros((3, 1, 4)))
    with pytest.raises(InputError, match="apply_transpose: array of shape"):
        operator.apply_transpose(np.zeros((3, 1, 4)))
    with pytest.raises(InputError, match="complex array given"):
        operator.apply(np.zeros(operator.source.shape, dtype=complex))


def test_numpy_scalars_scale_and_arrays_do_not_multiply():
    operator, twin = OPERATORS["matrix"]
    for scaled in (np.float64(2.0) * operator, operator * np.float32(2.0), 2 * operator):
        assert isinstance(scaled, LinearOperator)
        np.testing.assert_allclose(scaled.to_csr().toarray(), 2 * twin)
    for wrong in (lambda: operator @ np.ones((7, 9)), lambda: np.ones((7, 9)) * operator,
                  lambda: operator + 1.0, lambda: operator * operator):  # fmt: skip
        with pytest.raises(TypeError):
            wrong()


def test_spaces_that_do_not_fit_are_printed():
    vector = MatrixOperator(np.ones((4, 63)))
    with pytest.raises(InputError) as caught:
        laplacian() @ vector
    assert "the inner operator gives shape (4,), the outer takes shape (7, 9) on" in str(
        caught.value
    )
    with pytest.raises(
        InputError, match=r"cannot add operators: shape \(7, 9\) on .* → .*\(2, 3\)"
    ):
        laplacian() + tall()
    # same shape on another box
    elsewhere = identity(Space((7, 9), StructuredGrid((7, 9), upper=2.0)))
    with pytest.raises(InputError, match=r"upper=\(2.0, 2.0\)"):
        laplacian() @ elsewhere
    # a space without a mesh fits by its shape
    assert (laplacian() @ identity(Space((7, 9)))).is_square


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: MatrixOperator(np.ones((2, 3)), Space((2,))), "a 2 × 3 matrix does not map"),
        (lambda: MatrixOperator([[np.nan]]), "entries that are not finite"),
        (lambda: MatrixOperator(np.array([[1j]])), "the matrix is complex"),
        (lambda: DiagonalOperator([1.0, np.inf]), "entries that are not finite"),
        (lambda: DiagonalOperator(np.array([1j])), "the diagonal is complex"),
        (lambda: DiagonalOperator([1.0], Space((2,))), "does not act on shape (2,)"),
        (lambda: laplacian() * float("nan"), "cannot scale an operator by nan"),
    ],
)
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)
