"""Training on two processes equals training on one with batches twice as large."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from neural.training.checkpoints import read_checkpoint
from pdesolve.data import generate
from pdesolve.problems.registry import get_family

pytestmark = [pytest.mark.torch, pytest.mark.slow]

COMMON = [
    "--model.model.name", "fno", "--model.model.width", "4", "--model.model.projection_width", "8",
    "--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--data.batch_size",
]  # fmt: skip


def train(folder, words, devices: int, batch_size: int):
    out = folder / f"out{devices}"
    several = ["--trainer.strategy", "ddp"] if devices > 1 else []
    command = [
        sys.executable, "-m", "pdesolve.command_line.main", "train", "fit",
        *COMMON, str(batch_size), *words,
        "--trainer.devices", str(devices), *several, "--out", str(out),
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return read_checkpoint(out / "last.ckpt")["state_dict"]


@pytest.mark.parametrize("task", ["steady", "trajectory"])
def test_two_processes_equal_one(tmp_path, task) -> None:
    if task == "steady":
        values = torch.rand(12, 10, 10, generator=torch.Generator().manual_seed(0))
        torch.save({"x": values, "y": values.cumsum(1) + 1}, tmp_path / "train.pt")
        words = ["--model.inputs", "[x]", "--model.outputs", "[y]", "--data.train", "train.pt",
                 "--model.model.modes", "[3, 3]"]  # fmt: skip
    else:
        family = get_family("advection1d", num_times=6)
        generate(family, 4, shape=12, out=tmp_path / "train.h5", estimate_error=False)
        words = ["--task", "trajectory", "--model.state", "[concentration]", "--model.static",
                 "[velocity_x]", "--model.frames_in", "2", "--data.frames_in", "2",
                 "--data.frames_out", "2", "--data.train", "train.h5", "--model.noise", "0.1",
                 "--model.model.modes", "[3]"]  # fmt: skip
    one, two = train(tmp_path, words, 1, 4), train(tmp_path, words, 2, 2)
    assert one.keys() == two.keys()
    for name, value in one.items():
        scale = float(value.abs().max())
        np.testing.assert_allclose(two[name], value, atol=2e-5 * scale + 1e-9, err_msg=name)
