"""The examples of operator learning at a size of seconds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "operators"))

pytestmark = [pytest.mark.petsc, pytest.mark.torch]


def words(**sizes: object) -> list[str]:
    return [str(part) for name, value in sizes.items() for part in (f"--{name}", value)]


def test_burgers_at_resolutions_that_were_not_seen(tmp_path: Path) -> None:
    sizes = {"points": 32, "num-train": 160, "num-test": 10, "epochs": 40, "width": 16}
    main = importlib.import_module("burgers_fno").main
    errors = main([*words(output=tmp_path, modes=8, **sizes), "--learning-rate", "4e-3"])
    assert sorted(errors) == [32, 64, 128]
    assert errors[32] < 0.05
    assert errors[128] < 1.2 * errors[32]
    assert (tmp_path / "burgers_fno.png").stat().st_size > 10_000


def test_darcy_error_falls_with_samples_and_is_flat_in_resolution(tmp_path: Path) -> None:
    sizes = {"cells": 16, "num-test": 20, "steps": 150, "width": 12, "modes": 6}
    main = importlib.import_module("darcy_samples_and_resolution").main
    found = main([*words(output=tmp_path, **sizes), "--num-train", "8", "120"])
    assert found[120][0] < 0.8 * found[8][0]
    assert found[120][0] < 0.15
    assert found[120][1] < 1.4 * found[120][0]
    assert (tmp_path / "darcy_samples_and_resolution.png").stat().st_size > 10_000
