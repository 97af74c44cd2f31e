"""Every example in a docstring runs and gives what it shows."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from meshes.errors import MissingDependencyError

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("meshes", "operators", "pdesolve", "neural")


def modules() -> list[str]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(ROOT).with_suffix("").parts
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


@pytest.mark.parametrize("name", modules())
def test_examples(name, tmp_path, monkeypatch):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name and error.name.partition(".")[0] in (*PACKAGES, "numpy", "scipy"):
            raise
        pytest.skip(f"needs {error.name or error}")
    monkeypatch.chdir(tmp_path)  # examples may write files
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    examples = [test for test in finder.find(module, name) if test.examples]
    assert examples, f"{name} shows examples that doctest does not find"
    text: list[str] = []
    for test in examples:
        runner.run(test, out=text.append, clear_globs=True)
    report = "".join(text)
    if MissingDependencyError.__name__ in report:
        pytest.skip(f"needs an optional part: {report.strip().splitlines()[-1]}")
    assert runner.summarize(verbose=False).failed == 0, report
