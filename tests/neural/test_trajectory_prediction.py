"""Trajectories that the solver begins and a surrogate continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from neural.sample_prediction import continue_sample
from neural.training import TrajectoryDataModule, TrajectoryModule
from neural.trajectory_prediction import predict_trajectory
from neural.trajectory_surrogate import TrajectorySurrogate
from operators.failures import CheckpointError
from pdesolve.data import generate, open_dataset
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*the rollout is an extrapolation"),
]
FAMILY = get_family("burgers1d", num_times=9)


def trained(folder: Path, dimension: int = 1, **plan: Any) -> TrajectorySurrogate:
    """A model after one epoch."""
    torch.manual_seed(0)
    data = TrajectoryDataModule(train=folder / "train.h5", frames_out=1, **plan)
    data.setup()
    module = TrajectoryModule(
        {"name": "fno", "modes": [3] * dimension, "width": 6, "padding": 0},
        data.info_of("train").outputs,
        data.split("train").static,
        frames_in=data.plan.frames_in,
    )
    trainer = lightning.Trainer(
        max_epochs=1, default_root_dir=folder, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, accelerator="cpu", devices=1,
    )  # fmt: skip
    trainer.fit(module, datamodule=data)
    trainer.save_checkpoint(folder / "model.ckpt")
    return TrajectorySurrogate.load(folder / "model.ckpt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("burgers")
    for split, count in (("train", 4), ("test", 2)):
        generate(FAMILY, count, shape=32, split=split, out=made / f"{split}.h5")
    return made


def problem_of(number: int) -> EvolutionProblem:
    made = FAMILY.problem(FAMILY.sample(sample_generator(0, "test", number)))
    assert isinstance(made, EvolutionProblem)
    return made


@pytest.mark.parametrize("plan", [{"frames_in": 3}, {"frames_in": 2, "start": 1, "frame_step": 2}])
def test_known_frames_are_those_of_the_solver(folder: Path, plan: dict[str, int]) -> None:
    surrogate, problem = trained(folder, **plan), problem_of(1)
    found = predict_trajectory(surrogate, problem, problem.grid(32))
    with open_dataset(folder / "test.h5") as data:
        states, times = data.read_trajectories([1])[0], data.info.times
    chosen = slice(plan.get("start", 0), None, plan.get("frame_step", 1))
    np.testing.assert_allclose(found.times, times[chosen])
    known = plan["frames_in"]
    np.testing.assert_allclose(
        found.frames[:known], states[chosen][:known], atol=1e-4 * np.abs(states).max()
    )
    np.testing.assert_allclose(
        found.frames[known:],
        surrogate.rollout(found.frames[None, :known], found.num_predicted)[0],
    )
    # a file gives the same, from its own frames
    other, reference = continue_sample(surrogate, folder / "test.h5", 1)
    np.testing.assert_allclose(other.times, found.times)
    np.testing.assert_allclose(other.frames, found.frames, atol=1e-2 * np.abs(states).max())
    np.testing.assert_allclose(reference, states[chosen][known:], rtol=1e-5, atol=1e-6)
    for one in (found, other):
        certificate = one.certificate()
        assert certificate.kind == "estimate"
        assert certificate.upper > 0
    assert other.certificate().upper == pytest.approx(found.certificate().upper, rel=0.05)


def test_an_initial_state_needs_no_solver(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surrogate, problem = trained(folder, frames_in=1), problem_of(0)

    def fails(*_: Any, **__: Any) -> None:
        raise AssertionError("solved")

    monkeypatch.setattr("pdesolve.evolving.evolve", fails)
    found = predict_trajectory(surrogate, problem, problem.grid(32), num_frames=2)
    assert found.frames.shape == (3, 1, 32)
    expected = open_dataset(folder / "test.h5").read_trajectories([0])[0, 0]
    np.testing.assert_allclose(found.frames[0], expected, atol=1e-6 * np.abs(expected).max())


def test_numbers_that_are_channels_must_be_given(tmp_path: Path) -> None:
    family = get_family("taylor_green2d", num_times=4)
    generate(family, 3, shape=8, split="train", out=tmp_path / "train.h5")
    surrogate = trained(tmp_path, 2, frames_in=1, static=["amplitude"])
    parameters = family.sample(sample_generator(5, "test", 0))
    problem = family.problem(parameters)
    assert isinstance(problem, EvolutionProblem)
    grid = problem.grid(8)
    found = predict_trajectory(surrogate, problem, grid, num_frames=1, parameters=parameters)
    fixed = np.full((1, 1, 8, 8), parameters["amplitude"])
    np.testing.assert_array_equal(
        found.frames[1:], surrogate.rollout(found.frames[None, :1], 1, fixed)[0]
    )
    with pytest.raises(InputError, match=r"static channel 'amplitude', .* give parameters="):
        predict_trajectory(surrogate, problem, grid, num_frames=1)


def test_what_does_not_fit_is_refused(folder: Path) -> None:
    surrogate, problem = trained(folder, frames_in=1), problem_of(0)
    other = get_family("advection1d")
    wrong = other.problem(other.sample(sample_generator(0, "test", 0)))
    assert isinstance(wrong, EvolutionProblem)
    with pytest.raises(CheckpointError, match="trained on the family 'burgers1d', the problem is"):
        predict_trajectory(surrogate, wrong, wrong.grid(32))
    with pytest.raises(CheckpointError, match="values at each vertex of a box"):
        predict_trajectory(surrogate, problem, StructuredGrid(32, periodic=True, location="vertex"))
    with pytest.raises(InputError, match="sample 7 is not among the 2 usable samples"):
        continue_sample(surrogate, folder / "test.h5", 7)
