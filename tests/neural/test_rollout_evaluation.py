"""Errors of rollouts on files of trajectories, and how sharp their certificates are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from meshes.errors import InputError
from neural.certificates import certify_trajectory
from neural.evaluation import evaluate, metrics
from neural.restoring import load_surrogate
from neural.training import TrajectoryDataModule, TrajectoryModule
from neural.trajectory_surrogate import TrajectorySurrogate
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.data import generate, open_dataset
from pdesolve.problems.registry import get_family

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*the rollout is an extrapolation"),
]


def train(
    folder: Path, name: str, data: TrajectoryDataModule, dimension: int = 2, **options: Any
) -> Path:
    """A checkpoint after a short training."""
    torch.manual_seed(0)
    modes = [4] * dimension
    model = {"name": "fno", "modes": modes, "width": 8, "num_layers": 2, "padding": 0}
    module = TrajectoryModule(model, learning_rate=1e-2, **options)
    trainer = lightning.Trainer(
        default_root_dir=folder, max_epochs=6, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(folder / name)
    return folder / name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Flows that decay, and a checkpoint: 2 frames, every second time from number 1 on."""
    made: Path = tmp_path_factory.mktemp("rollouts")
    family = get_family("navier_stokes2d", final_time=2.0, num_times=12)
    for split, count in (("train", 8), ("test", 3)):
        generate(family, count, shape=12, split=split, out=made / f"{split}.h5")
    other = get_family("navier_stokes2d", final_time=2.0, num_times=12, viscosity=5e-3)
    generate(other, 2, shape=12, split="test", out=made / "viscous.h5")
    data = TrajectoryDataModule(
        train=made / "train.h5", frames_in=2, frames_out=2, start=1, frame_step=2, batch_size=8
    )
    train(made, "best.ckpt", data, state=["vorticity"], frames_in=2, output="increment")
    return made


def test_errors_are_those_of_rollouts(folder: Path) -> None:
    report = evaluate(folder / "best.ckpt", folder / "test.h5", num_timed_solves=0)
    entry = report.datasets[0]
    surrogate = TrajectorySurrogate.load(folder / "best.ckpt")
    states = open_dataset(folder / "test.h5").read_trajectories()[:, 1::2]
    assert states.shape[1] == 6
    predicted = surrogate.rollout(states[:, :2], 4)
    for name, expected in (
        ("relative_l2", metrics.relative_l2(predicted, states[:, 2:])),
        ("first_frame", metrics.relative_l2(predicted[:, 0], states[:, 2])),
        ("last_frame", metrics.relative_l2(predicted[:, -1], states[:, 5])),
    ):
        assert entry.mean[name] == pytest.approx(expected.mean(), rel=1e-3)
        assert entry.worst[name] == pytest.approx(expected.max(), rel=1e-3)
    assert len(entry.frames) == 4
    assert entry.mean["mean_frame"] == pytest.approx(np.mean(entry.frames))
    assert entry.mean["first_frame"] == pytest.approx(entry.frames[0])
    assert entry.num_samples == 3
    assert "rollouts of 4 frames" in entry.remarks[-1]
    labels = [row[0] for row in report.rows()]
    assert {"first frame", "last frame", "mean over frames", "certified error, mean"} <= set(labels)


def test_the_effectivity_is_that_of_each_certificate(folder: Path) -> None:
    report = evaluate(folder / "best.ckpt", folder / "test.h5", num_timed_solves=0)
    certified = report.datasets[0].certified
    assert certified is not None
    assert certified.kind == "estimate"
    assert certified.num_samples == 3
    # equivalent to the error up to a constant near one, for a flow of this viscosity
    assert 0.3 < certified.least_effectivity <= certified.largest_effectivity < 3.0
    info = open_dataset(folder / "test.h5").info
    family = get_family("navier_stokes2d", final_time=2.0, num_times=12)
    states = open_dataset(folder / "test.h5").read_trajectories()[:, 1::2]
    predicted = TrajectorySurrogate.load(folder / "best.ckpt").rollout(states[:, :2], 4)
    from pdesolve.random_streams import sample_generator

    bounds = []
    for number in range(3):
        problem = family.problem(family.sample(sample_generator(info.seed, "test", number)))
        frames = np.concatenate([states[number, :2], predicted[number]])
        found = certify_trajectory(problem, problem.grid(12), info.times[1::2], frames, 2)
        bounds.append(found.upper)
    assert certified.mean_bound == pytest.approx(np.mean(bounds), rel=1e-3)


def test_shorter_rollouts_and_the_time_of_the_solver(folder: Path) -> None:
    report = evaluate(folder / "best.ckpt", folder / "test.h5", num_timed_solves=1, num_frames=2)
    entry = report.datasets[0]
    assert len(entry.frames) == 2
    assert entry.solver_seconds is not None
    assert entry.break_even is not None
    with pytest.raises(InputError, match=r"2 \+ 9 frames .* do not fit"):
        evaluate(folder / "best.ckpt", folder / "test.h5", num_frames=9)


def test_files_that_do_not_fit(folder: Path, tmp_path: Path) -> None:
    with pytest.warns(SurrogateWarning, match="holds training data"):
        evaluate(folder / "best.ckpt", folder / "train.h5", num_timed_solves=0)
    with pytest.warns(SurrogateWarning, match=r"viscosity=0\.005, the training data viscosity"):
        evaluate(folder / "best.ckpt", folder / "viscous.h5", num_timed_solves=0)
    generate("poisson2d", 2, shape=8, out=tmp_path / "steady.h5")
    with pytest.raises(InputError, match="holds no trajectories, which a model trained with task"):
        evaluate(folder / "best.ckpt", tmp_path / "steady.h5")
    family = get_family("navier_stokes2d", final_time=4.0, num_times=12)
    generate(family, 2, shape=12, out=tmp_path / "slow.h5")
    with pytest.raises(CheckpointError, match=r"frames are .* apart, the surrogate was trained"):
        evaluate(folder / "best.ckpt", tmp_path / "slow.h5")


def test_one_function_loads_both_kinds(folder: Path) -> None:
    assert isinstance(load_surrogate(folder / "best.ckpt"), TrajectorySurrogate)
    with pytest.raises(InputError, match="there is no checkpoint"):
        load_surrogate(folder / "none.ckpt")


def test_equations_without_fourier_modes_have_no_certificate(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        family = get_family("burgers1d_inviscid", num_times=5)
        generate(family, count, shape=16, split=split, out=tmp_path / f"{split}.h5")
    data = TrajectoryDataModule(train=tmp_path / "train.h5", frames_in=1, frames_out=1)
    data.setup()
    names = {"state": data.info_of("train").outputs, "static": data.split("train").static}
    path = train(tmp_path, "shock.ckpt", data, 1, **names)
    entry = evaluate(path, tmp_path / "test.h5", num_timed_solves=0).datasets[0]
    assert entry.certified is None
    assert any("in Fourier modes" in remark for remark in entry.remarks)
