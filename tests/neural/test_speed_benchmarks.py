"""Measurements of speed: public code beside ours, and predictions beside solves."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.torch
peers = pytest.importorskip("benchmarks.operators.peers")
peer_code = pytest.importorskip("benchmarks.operators.peer_code")

SMALL = peers.Sizes(
    points=16, batch=2, transolver_batch=1, lsm_width=8, transolver_width=16, transolver_layers=1
)
LSM = """
import torch
class Model(torch.nn.Module):
    def __init__(self, args):
        super().__init__()
        self.scale = torch.ones(1).cuda()
        self.map = torch.nn.Linear(args.in_dim, args.out_dim)
    def forward(self, x):
        return self.map(x) * self.scale
"""
TRANSOLVER = """
import torch
from timm.models.layers import trunc_normal_
from model.Embedding import factor
class Model(torch.nn.Module):
    def __init__(self, space_dim, fun_dim, out_dim, H=0, W=0, **options):
        super().__init__()
        self.map = torch.nn.Linear(space_dim + fun_dim, out_dim)
        trunc_normal_(self.map.weight, std=0.02)
    def forward(self, x, fx):
        return factor * self.map(torch.cat([x, fx], -1))
"""


def folders(place: Path) -> Any:
    return peer_code.PeerFolders(
        packages=place / "packages", lsm=place / "lsm", transolver=place / "transolver"
    )


def test_public_code_is_measured_beside_ours(tmp_path: Path) -> None:
    models = "transolver/PDE-Solving-StandardBenchmark/model"
    files = {
        "lsm/models/LSM_2D.py": LSM,
        f"{models}/Transolver_Structured_Mesh_2D.py": TRANSOLVER,
        f"{models}/Transolver_Irregular_Mesh.py": TRANSOLVER,
        f"{models}/Embedding.py": "factor = 2.0",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = list(sys.path)
    for only, parameters in (("LSM", "2"), ("Transolver 16²", "4"), ("Transolver, ", "4")):
        table = peers.run(folders(tmp_path), SMALL, repeats=2, only=only)
        (row,) = table.rows
        assert row[2] == parameters
        assert int(row[1].replace(" ", "")) > 100
        assert min(row[3:6]) > 0
    assert sys.path == path
    assert not {"model", "timm"} & {name.partition(".")[0] for name in sys.modules}


def test_absent_code_is_left_out_with_a_message(tmp_path: Path) -> None:
    table = peers.run(folders(tmp_path), SMALL, repeats=2, only="LSM")
    assert not table.rows
    assert "thuml/Latent-Spectral-Models" in table.notes[0]
    assert "benchmarks.operators.peers --install" in table.notes[0]


def test_turns_change_and_the_first_do_not_count() -> None:
    calls: list[str] = []

    def called(name: str) -> float:
        calls.append(name)
        return float(len(calls))

    first, second = peers.interleaved(lambda: called("a"), lambda: called("b"), 3)
    assert "".join(calls) == "baabbaabba"
    assert (first, second) == ([6.0, 7.0, 10.0], [5.0, 8.0, 9.0])


@pytest.mark.petsc
def test_equal_error_is_equal_and_costs_are_compared() -> None:
    inference = pytest.importorskip("benchmarks.operators.inference")
    table = inference.run(cells=(24,), num_train=8, epochs=1)
    rows = {row[0].removeprefix("24², "): row[1:] for row in table.rows}
    network = rows["FNO, batches of 20"]
    assert rows["FNO, one at a time"][1] == pytest.approx(network[1], rel=1e-4)
    assert rows["default solver"][2] < 1e-5
    assert rows["batched solver"][2] < 1e-5
    assert 0.1 < rows["default solver"][1] < 5
    equal = [values for label, values in rows.items() if "equal error" in label]
    assert len(equal) == 4
    assert all(values[1] <= network[1] for values in equal)
    for values in rows.values():
        if values[3] and values is not network:
            assert (values[3] == "never") == (values[0] <= network[0])


def test_break_even_counts() -> None:
    inference = pytest.importorskip("benchmarks.operators.inference")
    assert inference.break_even(100.0, 0.03, 0.01) == pytest.approx(5000.0)
    assert inference.break_even(100.0, 0.01, 0.03) == math.inf
    assert inference.shown(4999.2) == "5 000"
    assert inference.shown(math.inf) == "never"


def test_coarse_values_are_interpolated_linearly() -> None:
    answers = pytest.importorskip("benchmarks.operators.timed_answers")
    matrix = answers.interpolation(4, 12)
    coarse, fine = (np.arange(4) + 0.5) / 4, (np.arange(12) + 0.5) / 12
    inside = (fine > coarse[0]) & (fine < coarse[-1])
    assert np.allclose((matrix @ coarse)[inside], fine[inside])
    assert np.allclose((matrix @ np.ones(4))[0], fine[0] / coarse[0])
