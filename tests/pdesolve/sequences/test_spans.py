"""Right-hand sides that are combinations of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.sequences.spans import SolvedSpan


def system(size: int = 60) -> Any:
    rng = np.random.default_rng(0)
    return rng, rng.standard_normal((size, size)) + size * np.eye(size)


def solved(span: SolvedSpan, matrix: Any, rights: Any) -> tuple[Any, int]:
    found = span.express(rights)
    if found.new.shape[1]:
        found.solutions[...] = np.linalg.solve(matrix, found.new)
    return span.combine(found), found.new.shape[1]


def residuals(matrix: Any, rights: Any, answers: Any) -> Any:
    return np.linalg.norm(rights - matrix @ answers, axis=0) / np.linalg.norm(rights, axis=0)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-9])
def test_as_many_solves_as_the_data_have_degrees_of_freedom(tolerance: float) -> None:
    rng, matrix = system()
    data = np.zeros((60, 11))
    data[[3, 17, 4, 40, 41, 59]] = rng.standard_normal((6, 11))  # rank 6
    span, count = SolvedSpan(tolerance, 60), 0
    for size in (4, 1, 8, 8, 8):
        rights = data @ rng.standard_normal((11, size))
        answers, new = solved(span, matrix, rights)
        count += new
        assert residuals(matrix, rights, answers).max() <= 1e-12
    assert count == len(span) == 6


def test_what_is_left_out_is_below_the_tolerance() -> None:
    rng, matrix = system()
    modes = np.linalg.qr(rng.standard_normal((60, 30)))[0] * 10.0 ** -np.arange(30)
    span, count, largest = SolvedSpan(1e-6, 60), 0, 0.0
    for _ in range(10):
        rights = modes @ rng.standard_normal((30, 5))
        answers, new = solved(span, matrix, rights)
        count += new
        largest = max(largest, residuals(matrix, rights, answers).max())
    assert 1e-12 < largest <= 1e-6
    assert 6 <= count <= 12


def test_data_with_too_many_degrees_of_freedom_are_given_up() -> None:
    rng, matrix = system()
    span = SolvedSpan(1e-8, 60, most=12)
    for number in range(4):
        rights = rng.standard_normal((60, 5))
        answers, new = solved(span, matrix, rights)
        assert new == 5
        assert residuals(matrix, rights, answers).max() <= 1e-12
        assert span.useless == (number >= 2)
    assert len(span) == 10


def test_a_full_span_still_serves_those_inside() -> None:
    rng, matrix = system()
    inside = rng.standard_normal((60, 4))
    span = SolvedSpan(1e-8, 60, most=4)
    solved(span, matrix, inside)
    rights = np.column_stack([inside @ rng.standard_normal((4, 3)), rng.standard_normal((60, 2))])
    answers, new = solved(span, matrix, rights)
    assert (new, len(span), span.useless) == (2, 4, False)
    assert residuals(matrix, rights, answers).max() <= 1e-12


def test_zeros_and_values_that_are_not_finite_spoil_nothing_else() -> None:
    rng, matrix = system()
    rights = rng.standard_normal((60, 4))
    rights[:, 1], rights[7, 2] = 0.0, np.nan
    answers, new = solved(SolvedSpan(1e-8, 60), matrix, rights)
    assert new == 2
    assert not answers[:, 1].any()
    assert np.isnan(answers[:, 2]).all()
    assert residuals(matrix, rights[:, [0, 3]], answers[:, [0, 3]]).max() <= 1e-12


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_is_not_positive(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        SolvedSpan(tolerance, 4)
