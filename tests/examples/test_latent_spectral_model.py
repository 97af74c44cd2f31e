"""The example of latent spectral models at a size of seconds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "operators"))


@pytest.mark.petsc
@pytest.mark.torch
def test_both_models_learn(tmp_path: Path) -> None:
    sizes = {"--cells": 16, "--num-train": 60, "--num-test": 10, "--epochs": 20, "--width": 8}
    given = [str(part) for pair in sizes.items() for part in pair]
    found = importlib.import_module("latent_spectral_model").main(
        ["--output", str(tmp_path), *given]
    )
    # the mean field of the training set is 55 % off
    assert found["lsm"] < 0.15
    assert found["unet"] < 0.15
    assert found["unet, parameters"] < found["lsm, parameters"] < 1.2 * found["unet, parameters"]
    assert (tmp_path / "latent_spectral_model.png").stat().st_size > 10_000
