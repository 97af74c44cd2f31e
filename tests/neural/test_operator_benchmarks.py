"""The measurements of operator learning at tiny size: each gives its table."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.torch, pytest.mark.petsc]
pytest.importorskip("benchmarks.operators.training_runs")
SLOW = pytest.mark.slow

CASES = [
    pytest.param(
        "losses", {"seeds": [0], "epochs": 1, "num_train": 8, "num_test": 2}, 9, marks=SLOW
    ),
    ("data_loading", {"shape": (43, 43), "num_samples": 8, "batch_size": 4, "epochs": 1}, None),
    pytest.param(
        "lsm_ablation",
        {"seeds": [0], "num_train": 8, "epochs": 1, "width": 18, "fno_epochs": 1},
        5,
        marks=SLOW,
    ),
    pytest.param(
        "mesh_models",
        {"seeds": [0], "epochs": 1, "num_train": 4, "num_test": 2},
        6,
        marks=[SLOW, pytest.mark.firedrake],
    ),
    pytest.param(
        "burgers",
        {"epochs": 1, "num_train": 20, "num_test": 2, "points": (64, 128), "num_fine": 2},
        2,
    ),
    pytest.param(
        "certificates", {"shape": 20, "num_train": 8, "num_test": 2, "num_epochs": 1}, None,
    ),
    pytest.param(
        "trajectory_training",
        {"seeds": [0], "epochs": 1, "num_train": 4, "num_test": 2, "shape": 16},
        None,
        marks=SLOW,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "num_rows"), CASES)
def test_table(
    name: str,
    settings: dict[str, Any],
    num_rows: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PDESOLVE_BENCHMARK_FOLDER", str(tmp_path))
    table = importlib.import_module(f"benchmarks.operators.{name}").run(**settings)
    assert table.name == name
    assert table.rows
    assert num_rows is None or len(table.rows) == num_rows
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_what_is_kept_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = importlib.import_module("benchmarks.operators.losses")
    monkeypatch.setenv("PDESOLVE_BENCHMARK_FOLDER", str(tmp_path))
    settings: dict[str, Any] = {
        "seeds": [0], "epochs": 1, "num_train": 8, "num_test": 2,
        "losses": ["relative L2"], "kept": tmp_path / "kept.json",
    }  # fmt: skip
    first = losses.run(**settings)
    assert 0.0 < first.rows[0][2] < math.inf

    def never(*arguments: Any) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(losses, "train_on_darcy", never)
    assert losses.run(**settings).rows[0][:-1] == first.rows[0][:-1]


def test_pages_of_models_find_every_case_at_full_size(tmp_path: Path) -> None:
    """Also new ones: each row is on its model's page."""
    cases = importlib.import_module("benchmarks.operators.full_size").CASES
    for device, rows in cases.items():
        contents = {"title": "", "rows": [[one.name, 1, 10, 1.0, 0.01] for one in rows]}
        (tmp_path / f"full_size_{device}.json").write_text(json.dumps(contents))
    tables = importlib.import_module("benchmarks.operators.figures").run(tmp_path).tables
    shown = [row[3] for table in tables for row in table.rows if "full_size" in row[3]]
    expected = [one for rows in cases.values() for one in rows if "Burgers" not in one.name]
    assert len(shown) == len(expected)
