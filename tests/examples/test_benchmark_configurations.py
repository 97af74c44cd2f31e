"""The configurations of the benchmarks: the commands in their heads, and one epoch each."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from pdesolve.command_line.main import main

pytestmark = [pytest.mark.torch, pytest.mark.petsc]

FOLDER = Path(__file__).parents[2] / "examples" / "benchmarks"
ALL = sorted(path.name for path in FOLDER.glob("*.yaml"))
FAST = [name for name in ALL if name.endswith("_fast.yaml")]
LONG = ("mcwilliams", "forced", "1e-3", "1e-4")
"""Trajectories that take some ten seconds to make."""


def commands(name: str) -> list[list[str]]:
    lines = (FOLDER / name).read_text().splitlines()
    return [shlex.split(line[1:])[1:] for line in lines if re.match(r"#\s+pdesolve ", line)]


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
    assert last[:2] == ["train", "fit"]
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
    own = commands(name)
    generating = [words for words in own if words[0] == "generate"]
    if not generating:  # it trains on the files of the same model's usual recipe
        source = name.replace("_published", "")
        generating = [words for words in commands(source) if words[0] == "generate"]
    count = "16" if "published" in name else "4"  # statistics of points need some more
    for words in generating:
        place = words.index("--num-samples") + 1
        assert main([*words[:place], count, *words[place + 1 :]]) == 0
    training = ["train", "fit", "--config", str(FOLDER / name), "--trainer.max_epochs", "1"]
    assert main([*training, "--data.batch_size", "2"]) == 0
    assert (tmp_path / "training" / "last.ckpt").exists()
