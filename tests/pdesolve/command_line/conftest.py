"""A command run in this process, and what verbs need to work on."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

TRAINING = """\
model:
  model: {name: fno, modes: [3, 3], width: 4, num_layers: 1}
  inputs: [coefficient]
  outputs: [pressure]
data: {train: darcy.h5, validation: validation.h5, test: darcy_test.h5, batch_size: 4}
trainer: {max_epochs: 1}
out: training
"""

MESH = """\
$MeshFormat
2.2 0 8
$EndMeshFormat
$Nodes
5
1 0 0 0
2 1 0 0
3 1 1 0
4 0 1 0
5 0.5 0.5 0
$EndNodes
$Elements
8
1 1 2 1 1 1 2
2 1 2 1 1 2 3
3 1 2 1 1 3 4
4 1 2 1 1 4 1
5 2 2 2 1 1 2 5
6 2 2 2 1 2 3 5
7 2 2 2 1 3 4 5
8 2 2 2 1 4 1 5
$EndElements
"""


@dataclass(frozen=True)
class Outcome:
    """Exit code and the two streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(capfd, tmp_path, monkeypatch):
    """Run ``pdesolve`` with words in a folder of its own."""
    from pdesolve.command_line.main import main

    monkeypatch.chdir(tmp_path)

    def call(words: str | list[str]) -> Outcome:
        capfd.readouterr()
        code = main(words.split() if isinstance(words, str) else words)
        return Outcome(code, *capfd.readouterr())

    return call


@pytest.fixture
def refused(command):
    """Run a command that must end with code 2 and one line on the error stream."""

    def call(words: str | list[str]) -> str:
        outcome = command(words)
        assert outcome.code == 2, outcome
        assert "Traceback" not in outcome.err
        assert outcome.err.count("\n") == 1
        assert outcome.err.startswith("pdesolve")
        return outcome.err

    return call


@pytest.fixture
def gmsh_file(tmp_path):
    """The unit square in four triangles."""
    path = tmp_path / "domain.msh"
    path.write_text(MESH)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with three data sets and the checkpoint of a tiny surrogate."""
    from pdesolve.command_line.main import main

    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, split, count in (
            ("darcy", "train", 8),
            ("validation", "validation", 4),
            ("darcy_test", "test", 4),
        ):
            words = f"generate darcy2d --num-samples {count} --shape 8 --split {split}"
            assert main([*words.split(), "--out", f"{name}.h5"]) == 0
        (folder / "run.yaml").write_text(TRAINING)
        assert main(["train", "fit", "--config", "run.yaml"]) == 0
    return folder


@pytest.fixture
def checkpoint(trained):
    return trained / "training" / "best.ckpt"
