"""The measurement of training steps: what it counts, and why a case is not possible."""

from __future__ import annotations

import queue
from typing import Any

import pytest

from neural.models.registry import MODELS, build_model

pytestmark = pytest.mark.torch
model_steps = pytest.importorskip("benchmarks.operators.model_steps")


@pytest.mark.parametrize("way", ["float32", "bfloat16"])
def test_counts_parameters_and_takes_time(way: str) -> None:
    found = model_steps.measure("deeponet", way, size=12, batch=2, repeats=1)
    model = build_model("deeponet", {"in_channels": 1, "out_channels": 1})
    assert found["parameters"] == sum(weights.numel() for weights in model.parameters())
    assert found["milliseconds"] > 0
    assert found["mebibytes"] >= 0


def test_says_why_a_case_is_not_possible() -> None:
    answers: queue.Queue[dict[str, Any]] = queue.Queue()
    model_steps._answer(answers, "fno", "float32", 6, 2, 1)
    assert "is more than a grid of 7 points resolves" in answers.get_nowait()["refused"]


def test_models_of_grids_are_measured() -> None:
    names = model_steps.grid_models()
    assert {"fno", "factorized-fno", "unet", "deeponet"} <= set(names) <= set(MODELS)
