"""The measurements of data generation at tiny size: each gives its table."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

pytestmark = pytest.mark.petsc
strategies = pytest.importorskip("benchmarks.data.strategies")

TINY_ROWS = [strategies.Row("darcy2d", (12, 12)), strategies.Row("poisson2d", (12, 12))]
SLOW = pytest.mark.slow
CASES = [
    ("skr_reproduction", {"number": 3}, 6),
    ("orders", {"size": 8, "num_samples": 6, "many": 20}, 12),
    ("roofline", {"rows": TINY_ROWS, "rtol": 1e-6, "systems": 3, "repeats": 1}, 2),
    ("large_set", {"num_samples": 40, "size": 12, "card": None}, 1),
    pytest.param("skr_sorting", {"number": 3, "pool": 6}, 7, marks=SLOW),
    pytest.param("skr_table", {"number": 2}, 21, marks=SLOW),
    pytest.param("skr_helmholtz", {"number": 3, "num_baseline": 2}, 21, marks=SLOW),
    pytest.param("batched", {"sizes": (32,), "num_samples": 4}, 7, marks=SLOW),
]


@pytest.mark.parametrize(("name", "settings", "num_rows"), CASES)
def test_table(name: str, settings: dict[str, Any], num_rows: int) -> None:
    table = importlib.import_module(f"benchmarks.data.{name}").run(**settings)
    assert table.name == name
    assert len(table.rows) == num_rows
    assert all(len(row) == len(table.columns) for row in table.rows)
    text = table.markdown()
    assert "nan" not in text.lower().split("\n- ")[0]


def test_published_order_of_methods() -> None:
    """On the released matrices recycling needs far fewer iterations, with few systems too."""
    table = importlib.import_module("benchmarks.data.skr_reproduction").run(3)
    ratio = table.columns.index("GMRES(40) / SKR")
    ratios = {(row[0], row[1]): row[ratio] for row in table.rows}
    assert ratios["as released", "none"] > 5.0
    assert ratios["released, without the shift", "none"] < ratios["as released", "none"]
