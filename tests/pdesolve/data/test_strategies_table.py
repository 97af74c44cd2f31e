"""The table of strategies at tiny size: what is compared, and what is kept from run to run."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.petsc
strategies = pytest.importorskip("benchmarks.data.strategies")
columns = pytest.importorskip("benchmarks.data.columns")


def seconds(**times: float) -> dict[str, Any]:
    return {
        name: {"seconds": value, "samples": 9, "missed": 0, "iterations": 1.0, "note": ""}
        for name, value in times.items()
    }


def test_finalists() -> None:
    values = seconds(AMG=1.0, MUMPS=2.4, batched=0.5, downstream=0.6, skr=0.7, lag=3.0, direct=4.0)
    found = strategies.close_to_best(values, repeated=False)
    assert set(found) == {"AMG", "MUMPS", "batched", "downstream", "auto"}
    assert found[-1] == "auto"
    # where operators repeat, those that keep what they have are there however slow they are
    found = strategies.close_to_best(values, repeated=True)
    assert {"lag", "direct"} <= set(found)
    values["AMG"]["missed"] = 1
    assert "AMG" not in strategies.close_to_best(values, repeated=False)


def test_rounds_go_on_until_times_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "auto": iter([3.0, 2.0, 1.98, 1.0]),
        "batched": iter([2.0, 1.9, 1.9, 1.9]),
        "AMG": iter([9.0, 7.0, 5.0, 3.0]),
    }
    monkeypatch.setattr(
        columns,
        "_measure_named",
        lambda request, tasks, name, limit: columns.Measured(next(answers[name]), 9),  # noqa: ARG005
    )
    found = columns.measure_again(None, range(9), list(answers), 1.0, 1)
    # the third round settled auto and the best column; the slow one needs no certainty
    assert {name: one.seconds for name, one in found.items()} == {
        "auto": 1.98,
        "batched": 1.9,
        "AMG": 5.0,
    }


def test_pairs_change_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def measure(request: Any, tasks: Any, name: str, limit: float) -> Any:
        seen.append(name)
        return columns.Measured({"auto": 3.0, "AMG": 2.0}[name], 9)

    monkeypatch.setattr(columns, "_measure_named", measure)
    monkeypatch.setattr(columns, "PAIRS_SECONDS", 0.0)
    assert columns.measure_pairs(None, range(9), "AMG", 1.0) == [1.5] * columns.FEWEST_PAIRS
    assert seen[:4] == ["auto", "AMG", "AMG", "auto"]


def test_table_of_two_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "PAIRS_SECONDS", 0.0)
    monkeypatch.setattr(columns, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(strategies, "_warm_up", lambda: None)
    rows = [strategies.Row("darcy2d", (12, 12)), strategies.Row("poisson2d", (12, 12))]
    kept = tmp_path / "kept.json"

    def tables() -> Any:
        return strategies.run(rows, [1e-6], 24, 0.01, kept, 0.01, 1)

    first = tables()
    summary = first.tables[0]
    assert [row[0] for row in summary.rows] == ["darcy2d 12×12", "poisson2d 12×12"]
    ratio, gain = (summary.columns.index(name) for name in summary.columns[-2:])
    for row in summary.rows:
        assert 0.0 < float(row[ratio]) < math.inf
        assert 0.0 < float(row[gain]) < math.inf
    assert any("direct (factors kept)" in note for note in summary.notes)
    found = json.loads(kept.read_text())
    for values in found.values():
        for name in ("AMG", "MUMPS", "direct", "auto"):
            assert values[name]["missed"] == 0
        assert len(values["auto"]["pairs"]) == columns.FEWEST_PAIRS

    def never(*arguments: Any, **options: Any) -> None:
        raise AssertionError((arguments, options))

    for name in ("measure_row", "measure_again", "measure_pairs"):
        monkeypatch.setattr(strategies, name, never)
    again = tables()
    assert again.tables[0].rows == summary.rows
