"""The configurations of the space-time operator fit the command line, the data and the model."""

from __future__ import annotations

import contextlib
import importlib
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from neural.command_line import main as train
from neural.training import TrajectoryDataModule, TrajectoryModule
from pdesolve import generate, get_family

pytestmark = pytest.mark.torch

FOLDER = Path(__file__).parents[2] / "examples" / "benchmarks"
SIZES = {
    "spectral_refiner_forced": 9_250_333,
    "spectral_refiner_mcwilliams": 16_469_791,
    "spectral_refiner_forced_fast": None,
    "spectral_refiner_mcwilliams_fast": None,
}


def commands(text: str) -> list[list[str]]:
    return [
        shlex.split(line[1:])
        for line in text.splitlines()
        if line.startswith("#   pdesolve generate")
    ]


def value_of(word: str) -> object:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(word)
    return word


@pytest.mark.parametrize("name", SIZES)
def test_configuration(name: str) -> None:
    """Published sizes; windows fit the trajectories that the commands make."""
    text = (FOLDER / f"{name}.yaml").read_text()
    configuration = yaml.safe_load(text)
    options = configuration["model"]
    home, _, attribute = options["loss"]["class_path"].rpartition(".")
    loss = getattr(importlib.import_module(home), attribute)(**options["loss"]["init_args"])
    assert (loss.order, loss.alpha) == (1.0, 0.1)
    module = TrajectoryModule(**{**options, "loss": loss})
    size = sum(parameter.numel() for parameter in module.predictor.model.parameters())
    assert SIZES[name] in (None, size)
    data = TrajectoryDataModule(**configuration["data"])
    made = []
    for words in commands(text):
        settings = dict(word.split("=") for word in words if "=" in word)
        family: Any = get_family(
            words[2], **{key: value_of(text) for key, text in settings.items()}
        )
        assert data.plan.horizon(len(family.times)) == data.plan.frames_out
        assert data.plan.step(family.times) == pytest.approx(0.2 if "forced" in name else 0.055)
        made.append(words[words.index("--out") + 1])
    assert made == [configuration["data"]["train"], configuration["data"]["validation"]]


def test_trains_from_the_command_line(tmp_path: Path) -> None:
    files = {}
    for split, count in (("train", 6), ("test", 2)):
        files[split] = tmp_path / f"{split}.h5"
        generate(
            get_family("navier_stokes2d", final_time=2.0, num_times=21),
            count,
            shape=(24, 24),
            split=split,
            out=files[split],
        )
    words = [
        "fit", "--config", str(FOLDER / "spectral_refiner_forced_fast.yaml"),
        "--data.train", str(files["train"]), "--data.validation", str(files["test"]),
        "--data.start", "1", "--data.frames_in", "5", "--model.frames_in", "5",
        "--data.frames_out", "15", "--data.test_frames", "15",
        "--trainer.max_epochs", "2", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    train(words)
    rows = (tmp_path / "out" / "metrics.csv").read_text()
    assert "validation" in rows
    assert (tmp_path / "out" / "last.ckpt").exists()
