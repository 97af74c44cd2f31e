"""Operator action at a size of seconds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "data_strategies"))

pytestmark = pytest.mark.petsc


def test_residuals_and_growth_of_the_source(tmp_path: Path) -> None:
    import operator_action as example

    sizes = example.Sizes(output=tmp_path, cells=16, num_samples=12, basis=8, weights=4)
    found = example.run(sizes)
    # nothing was solved to a tolerance
    assert found["largest residual"] < 1e-12
    # concentrated along lines of the width of a cell: mean square like 1/h, 2^(1/2) = 1.41
    growth = found["the same, cells half as wide"] / found["root mean square of f"]
    assert 1.15 < growth < 1.7
    assert found["largest |f|"] > 5
    assert (tmp_path / "darcy2d_operator_action.png").stat().st_size > 10_000
    card = (tmp_path / "darcy2d_action_16.h5.md").read_text()
    assert "**Not the family's distribution: made by operator action" in card
