"""The cases at full size: their data are made by the heads, and their entries fit the models."""

from __future__ import annotations

import re
import shlex
import sys
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
