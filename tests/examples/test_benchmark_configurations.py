"""The configurations of the benchmarks: the commands in their heads, and one epoch each."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pdesolve.command_line.main import main

pytestmark = [pytest.mark.torch, pytest.mark.petsc]

FOLDER = Path(__file__).parents[2] / "examples" / "benchmarks"
ALL = sorted(path.name for path in FOLDER.glob("*.yaml"))
FAST = [name for name in ALL if name.endswith("_fast.yaml")]
LONG = ("mcwilliams", "forced", "1e-3", "1e-4", "elasticity", "pipe")
"""Data that take some ten seconds to make."""


def commands(name: str) -> list[list[str]]:
    """The lines of the head that are commands, as words."""
    lines = (FOLDER / name).read_text().splitlines()
    return [shlex.split(line[1:]) for line in lines if re.match(r"#\s+(pdesolve|python) ", line)]


def make_data(words: list[str], count: str) -> None:
    """Carry out a command that makes data, with fewer samples."""
    place = words.index("--num-samples") + 1
    words = [*words[:place], count, *words[place + 1 :]]
    if words[0] == "pdesolve":
        assert main(words[1:]) == 0
    else:
        script = FOLDER.parents[1] / words[1]
        subprocess.run([sys.executable, str(script), *words[2:]], check=True)


@pytest.mark.parametrize("name", [name for name in ALL if name not in FAST])
def test_every_benchmark_has_a_fast_variant_of_the_same_model(name: str) -> None:
    fast = name.replace(".yaml", "_fast.yaml")
    assert fast in FAST
    contents = [yaml.safe_load((FOLDER / file).read_text()) for file in (name, fast)]
    assert len({content["model"]["model"]["name"] for content in contents}) == 1
    assert len({content.get("task", "steady") for content in contents}) == 1
    assert contents[1]["trainer"]["max_epochs"] <= contents[0]["trainer"]["max_epochs"]


@pytest.mark.parametrize("name", ALL)
def test_the_head_ends_with_the_training_of_this_file(name: str) -> None:
    last = commands(name)[-1] if commands(name) else []
    assert last[:3] == ["pdesolve", "train", "fit"]
    assert last[-1].endswith(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if any(x in name for x in LONG) else [])
        for name in FAST
    ],
)
def test_the_head_and_one_epoch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = name.replace("_published", "")  # which trains on the same files
    for words in commands(source)[:-1]:
        make_data(words, "16" if "published" in name else "4")  # statistics of points need more
    training = ["train", "fit", "--config", str(FOLDER / name), "--trainer.max_epochs", "1"]
    assert main([*training, "--data.batch_size", "2"]) == 0
    assert (tmp_path / "training" / "last.ckpt").exists()
