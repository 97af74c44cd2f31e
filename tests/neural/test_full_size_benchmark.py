"""The cases at full size: their data are made by the heads, and their entries fit the models."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from neural.models.registry import build_model

pytestmark = pytest.mark.torch
full_size = pytest.importorskip("benchmarks.operators.full_size")
CASES = [case for cases in full_size.CASES.values() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_heads_make_the_files(case: Any) -> None:
    folder = full_size.ROOT / "examples" / "benchmarks"
    text = (folder / f"{case.configuration}.yaml").read_text()
    head = (folder / f"{case.configuration.replace('_published', '')}.yaml").read_text()
    words = [shlex.split(line) for line in re.findall(r"^#\s+(pdesolve generate .*)$", head, re.M)]
    content = yaml.safe_load(text)
    made = {line[line.index("--out") + 1] for line in words}
    assert made == {content["data"]["train"], content["data"]["test"]}
    model = {**content["model"], **case.changes.get("model", {})}["model"]
    options = {key: value for key, value in model.items() if key != "name"}
    assert build_model(model["name"], {**options, "in_channels": 1, "out_channels": 1})


def test_cases_that_are_none(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["full_size", "--cases", "Stokes"])
    with pytest.raises(SystemExit):
        full_size.main()
    assert "--cases Stokes names no case of --device cpu" in capsys.readouterr().err


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    begin = full_size._resumed_or_anew
    assert begin(out, "case") == ["--overwrite"]
    assert begin(out, "case") == ["--overwrite"]  # no checkpoint yet
    (out / "last.ckpt").write_bytes(b"")
    assert begin(out, "case") == ["--ckpt_path", str(out / "last.ckpt")]
    assert begin(out, "another case") == ["--overwrite"]
    assert begin(out, "case") == ["--overwrite"]


def test_data_that_are_named_are_not_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[str] = []

    def stop(words: Any) -> None:
        raise KeyboardInterrupt(words)

    monkeypatch.setattr(full_size, "make_data", lambda words: made.append(words[0]))
    monkeypatch.setattr(full_size, "train", stop)
    named = {"train": "a.h5", "test": "b.h5"}
    for changes, times in (({}, 2), ({"data": named}, 0)):
        case = full_size.Case("x", "elasticity_transolver_fast", 0.0, 0.0, changes)
        made.clear()
        with pytest.raises(KeyboardInterrupt):
            full_size.train_once(case, 0, tmp_path)
        assert len(made) == times
