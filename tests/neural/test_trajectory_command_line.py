"""``pdesolve train`` with ``task: trajectory``, by the example's configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from meshes.errors import InputError
from neural.command_line import TASKS, explain, main, task_of
from neural.trajectory_surrogate import TrajectorySurrogate
from operators.failures import CheckpointError
from pdesolve.data import generate, open_dataset
from pdesolve.problems.registry import get_family

pytestmark = pytest.mark.torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "operators" / "navier_stokes_fno.yaml"
SMALL = [
    "--model.model.modes", "[4, 4]", "--model.model.width", "6", "--model.frames_in", "3",
    "--data.frames_in", "3", "--data.frames_out", "3", "--data.batch_size", "4",
    "--model.learning_rate", "0.01", "--trainer.accelerator", "cpu", "--trainer.devices", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The example's data, smaller."""
    made = tmp_path_factory.mktemp("flow")
    family = get_family("navier_stokes2d", final_time=8.0, num_times=9)
    for split, count in (("train", 12), ("validation", 3), ("test", 3)):
        generate(
            family, count, shape=12, split=split, out=made / f"flow_{split}.h5",
            estimate_error=False,
        )  # fmt: skip
    return made


def test_the_example_trains_tests_predicts_and_resumes(folder, monkeypatch, capsys) -> None:
    monkeypatch.chdir(folder)
    fit = ["fit", "--config", str(EXAMPLE), *SMALL]
    assert main([*fit, "--trainer.max_epochs", "4", "--model.model.projection_width", "16"]) == 0
    assert "wrote best.ckpt and last.ckpt in flow" in capsys.readouterr().out
    kept = yaml.safe_load(Path("flow/config.yaml").read_text())
    assert kept["task"] == "trajectory"
    again = ["--config", "flow/config.yaml", "--ckpt_path", "flow/best.ckpt"]
    assert main(["test", *again]) == 0
    assert "test_last_frame_relative_l2" in capsys.readouterr().out
    lines = Path("flow/frame_errors.csv").read_text().splitlines()
    assert lines[0] == "frame,time_after_history,relative_l2"
    rows = np.array([line.split(",") for line in lines[1:]], dtype=float)
    np.testing.assert_array_equal(rows[:, 0], [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(rows[:, 1], rows[:, 0])
    assert rows[:, 2].max() < 0.3
    assert main(["predict", *again]) == 0
    predictions = np.load("flow/predictions.npy")
    states = open_dataset("flow_test.h5").read_trajectories()
    surrogate = TrajectorySurrogate.load("flow/best.ckpt")
    expected = surrogate.rollout(states[:, 1:4], 5)
    np.testing.assert_allclose(predictions, expected, rtol=1e-4, atol=1e-6)
    last = ["--config", "flow/config.yaml", "--ckpt_path", "flow/last.ckpt"]
    assert main(["fit", *last]) == 0
    assert Path("flow/metrics_before_resume_1.csv").exists()
    torch.save({"x": torch.rand(4, 8, 8), "y": torch.rand(4, 8, 8)}, "set.pt")
    with pytest.raises(CheckpointError, match="trained with task: trajectory"):
        main(
            ["test", "--ckpt_path", "flow/best.ckpt", "--model.model.name", "fno",
             "--model.inputs", "[x]", "--model.outputs", "[y]", "--data.test", "set.pt"]
        )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task", "steedy"], "there is no task 'steedy'. Did you mean 'steady'"),
        (["--data.frames_inn", "3"], r"Did you mean 'data\.frames_in'"),
        (["--data.augment", "none"], "there is with task: steady. Write 'task: steady'"),
        (["--model.noise", "loud"], "model.noise: 'loud' was given, expected is a number"),
        (["--model.frames_in", "4"], "sees frames_in=4 frames, the data module gives frames_in=3"),
        (["--data.frames_out", "6"], r"windows of 3 \+ 6 frames .* have 8 frames"),
        (["--data.static", "[viscosity]"], "static channel 'viscosity' is neither"),
        (["--data.train", "set.pt"], "differ in family: 'tensor-file' and 'navier_stokes2d'"),
    ],
)
def test_messages(folder, monkeypatch, tmp_path, words, message) -> None:
    monkeypatch.chdir(folder)
    torch.save({"x": torch.rand(4, 8, 8), "y": torch.rand(4, 8, 8)}, folder / "set.pt")
    with pytest.raises(InputError, match=message):
        main(["fit", "--config", str(EXAMPLE), *SMALL, "--out", str(tmp_path), *words])


def test_keys_of_trajectories_in_a_steady_configuration() -> None:
    found = explain("unrecognized arguments: --data.frames_in 3")
    assert found.startswith("there is no option 'data.frames_in' with task: steady, but there is")


def test_every_task_is_known_to_the_parser() -> None:
    for task in TASKS:
        with pytest.raises(InputError, match="no data file"):
            main(
                ["fit", "--task", task, "--model.model.name", "fno", "--model.state", "[u]"]
                if task == "trajectory"
                else ["fit", "--task", task, "--model.model.name", "fno", "--model.inputs", "[x]",
                      "--model.outputs", "[y]"]
            )  # fmt: skip


def test_the_last_task_counts(tmp_path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("task: trajectory\n")
    two.write_text("out: a\n")
    assert task_of(["fit", "--config", str(one), "--config", str(two)]) == "trajectory"
    assert task_of(["fit", f"--config={one}", "--task=steady"]) == "steady"
    assert task_of(["fit", "--config", str(two)]) == "steady"
