"""Right-hand sides that are combinations of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.sequences import spans
from pdesolve.sequences.spans import SolvedSpan

SIZE = 300
ROWS = np.arange(5, 290, 12)  # few enough to be looked at at once


def system() -> Any:
    rng = np.random.default_rng(0)
    return rng, rng.standard_normal((SIZE, SIZE)) + SIZE * np.eye(SIZE)


def on_rows(values: Any) -> Any:
    found = np.zeros((SIZE, values.shape[1]))
    found[ROWS[: len(values)]] = values
    return found


def solved(span: SolvedSpan, matrix: Any, rights: Any) -> tuple[Any, int | None]:
    found = span.express(rights)
    if found is None:
        return np.linalg.solve(matrix, rights), None
    if found.new.shape[1]:
        found.solutions[...] = np.linalg.solve(matrix, found.new)
    return span.combine(found), found.new.shape[1]


def residuals(matrix: Any, rights: Any, answers: Any) -> Any:
    return np.linalg.norm(rights - matrix @ answers, axis=0) / np.linalg.norm(rights, axis=0)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-9])
def test_as_many_solves_as_the_data_have_degrees_of_freedom(tolerance: float) -> None:
    rng, matrix = system()
    data = on_rows(rng.standard_normal((6, 11)))  # rank 6
    span, count = SolvedSpan(tolerance, SIZE), 0
    for size in (4, 1, 8, 8, 8):
        rights = data @ rng.standard_normal((11, size))
        answers, new = solved(span, matrix, rights)
        count += new or 0
        assert residuals(matrix, rights, answers).max() <= 1e-12
    assert count == len(span) == 6


def test_what_is_left_out_is_below_the_tolerance() -> None:
    rng, matrix = system()
    modes = on_rows(np.linalg.qr(rng.standard_normal((24, 24)))[0] * 10.0 ** -np.arange(24))
    span, count, largest = SolvedSpan(1e-6, SIZE), 0, 0.0
    for _ in range(10):
        rights = modes @ rng.standard_normal((24, 5))
        answers, new = solved(span, matrix, rights)
        count += new or 0
        largest = max(largest, residuals(matrix, rights, answers).max())
    assert 1e-12 < largest <= 1e-6
    assert 6 <= count <= 12


def test_directions_that_were_nearly_there_before_come_once() -> None:
    rng, matrix = system()
    few = on_rows(np.eye(24)[:, :4])
    many = on_rows(np.linalg.qr(rng.standard_normal((24, 24)))[0] * 10.0 ** (-0.5 * np.arange(24)))
    span, counts = SolvedSpan(1e-11, SIZE), []
    for number in range(8):
        rights = few @ rng.standard_normal((4, 30))
        if number:
            rights += 1e-3 * many @ rng.standard_normal((24, 30))
        answers, new = solved(span, matrix, rights)
        counts.append(new)
        assert residuals(matrix, rights, answers).max() <= 1e-11
        kept = span._directions
        assert np.abs(kept.T @ kept - np.eye(len(span))).max() < 1e-10
    assert counts[0] == 4
    assert sum(counts) <= 24
    assert counts[2:] == [0] * 6


def test_data_with_too_many_degrees_of_freedom_are_given_up() -> None:
    rng, matrix = system()
    span = SolvedSpan(1e-8, SIZE, most=12)
    for number in range(5):
        rights = on_rows(rng.standard_normal((24, 5)))
        rights[:, 4] *= number % 2  # zeros answer themselves
        answers, new = solved(span, matrix, rights)
        assert np.linalg.norm(rights - matrix @ answers) <= 1e-12 * np.linalg.norm(rights)
        assert span.useless == (number >= 2)
        assert (new is None) == (number >= 3)
    assert len(span) == 0  # nothing is kept for nothing


def test_a_full_span_still_serves_those_inside() -> None:
    rng, matrix = system()
    inside = on_rows(rng.standard_normal((24, 4)))
    span = SolvedSpan(1e-8, SIZE, most=4)
    solved(span, matrix, inside)
    one = on_rows(rng.standard_normal((24, 1)))
    rights = inside @ rng.standard_normal((4, 5)) + one @ rng.standard_normal((1, 5))
    answers, new = solved(span, matrix, rights)
    assert (new, len(span), span.useless) == (1, 4, False)
    assert residuals(matrix, rights, answers).max() <= 1e-12


def test_zeros_and_values_that_are_not_finite_spoil_nothing_else() -> None:
    rng, matrix = system()
    rights = on_rows(rng.standard_normal((24, 4)))
    rights[:, 1], rights[ROWS[7], 2] = 0.0, np.nan
    answers, new = solved(SolvedSpan(1e-8, SIZE), matrix, rights)
    assert new == 2
    assert not answers[:, 1].any()
    assert np.isnan(answers[:, 2]).all()
    assert residuals(matrix, rights[:, [0, 3]], answers[:, [0, 3]]).max() <= 1e-12


def test_entries_everywhere_are_watched_before_anything_is_kept() -> None:
    rng, matrix = system()
    modes, span, found = rng.standard_normal((SIZE, 5)), SolvedSpan(1e-9, SIZE), []
    for _ in range(4):
        rights = modes @ rng.standard_normal((5, 8))
        answers, new = solved(span, matrix, rights)
        found.append(new)
        assert residuals(matrix, rights, answers).max() <= 1e-12
    assert found == [None, 5, 0, 0]


def test_entries_everywhere_with_many_degrees_of_freedom_cost_no_directions() -> None:
    rng, matrix = system()
    span = SolvedSpan(1e-9, SIZE)
    for number in range(5):
        rights = rng.standard_normal((SIZE, 32))
        assert solved(span, matrix, rights)[1] is None
        assert span.useless == (number >= 3)
    assert len(span) == 0


def test_memory_bounds_the_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MOST_BYTES", 16 * SIZE * 3)
    assert SolvedSpan(1e-9, SIZE).most == 3
    monkeypatch.setattr(spans, "MOST_BYTES", 0)
    rng, matrix = system()
    assert solved(SolvedSpan(1e-9, SIZE), matrix, on_rows(rng.standard_normal((3, 2))))[1] is None


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_is_not_positive(tolerance: float) -> None:
    with pytest.raises(InputError, match="tolerance"):
        SolvedSpan(tolerance, 4)
