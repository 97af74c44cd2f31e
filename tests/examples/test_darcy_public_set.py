"""Pressures that other people computed, from their coefficients."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

pytestmark = [pytest.mark.petsc, pytest.mark.torch]


@pytest.fixture
def folder() -> Path:
    named = os.environ.get("PDESOLVE_EXTERNAL_DATA")
    if not named:
        pytest.skip("PDESOLVE_EXTERNAL_DATA does not name a folder with darcy_test_16.pt")
    if not (Path(named) / "darcy_test_16.pt").exists():
        pytest.skip(f"PDESOLVE_EXTERNAL_DATA={named} holds no darcy_test_16.pt")
    return Path(named)


def test_pressures_agree_as_far_as_the_coefficient_is_known(folder: Path) -> None:
    import darcy_public_set as example

    found = example.run(folder, num_fit=12, cells=64)
    # contrast 19 and 6.4 % with all samples and 128² cells
    assert 17 <= found["contrast"] <= 21
    assert found["mean relative L2 distance"] < 0.075
    # our own problems, subsampled in the same way, are as far from themselves
    ratio = found["mean relative L2 distance"] / found["distance by subsampling alone"]
    assert 0.8 < ratio < 1.25


def test_wrong_contrast_is_noticed(folder: Path) -> None:
    import darcy_public_set as example

    masks, given = example.load(folder, "test")
    computed = example.pressures(masks[:6], 4.0, 64)
    factor = float((computed * given[:6]).sum() / (computed**2).sum())
    assert example.relative_errors(factor * computed, given[:6]).mean() > 0.2
