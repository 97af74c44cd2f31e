"""Windows over trajectories, from files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.training import TrajectoryDataModule
from neural.training.samples import EpochSampler
from neural.training.windows import WindowPlan
from pdesolve.data import generate, open_dataset
from pdesolve.problems.registry import get_family

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Advection with a velocity of its own for each sample: 9 times of 16 points."""
    made = tmp_path_factory.mktemp("trajectories")
    family = get_family("advection1d", num_times=9)
    for split, count in (("train", 5), ("test", 2)):
        generate(family, count, shape=16, split=split, out=made / f"{split}.h5", dtype="float32")
    viscous = get_family("burgers1d", num_times=3, final_time=0.1)
    generate(viscous, 2, shape=16, out=made / "burgers.h5")
    return made


def make(folder, **options) -> TrajectoryDataModule:
    given = {"train": folder / "train.h5", "test": folder / "test.h5", **options}
    return TrajectoryDataModule(**given)


def test_windows_are_those_of_the_file(folder) -> None:
    data = make(folder, frames_in=2, frames_out=3, stride=2, start=1, batch_size=20)
    reader = open_dataset(folder / "train.h5")
    states, fields = reader.read_trajectories(), reader.read()[0]
    windows = data.split("train")
    assert len(windows) == 5 * 2
    history, static, future, number = windows[3]
    assert number == 3
    np.testing.assert_array_equal(history, states[1, 3:5].astype(np.float32))
    np.testing.assert_array_equal(future, states[1, 5:8].astype(np.float32))
    np.testing.assert_array_equal(static, fields[1, 1:].astype(np.float32))
    assert windows.static == ("velocity_x",)
    assert windows.name(3) == f"sample 1 of '{folder / 'train.h5'}' from time number 3 on"
    batch = next(iter(data.train_dataloader()))
    assert [tuple(part.shape) for part in batch] == [
        (10, 2, 1, 16),
        (10, 1, 16),
        (10, 3, 1, 16),
        (10,),
    ]
    assert sorted(batch[3].tolist()) == list(range(10))


def test_test_windows_hold_the_rest_of_the_trajectory(folder) -> None:
    data = make(folder, frames_in=2, frames_out=1, frame_step=2)
    history, _, future, _ = data.split("test")[1]
    states = open_dataset(folder / "test.h5").read_trajectories()[1].astype(np.float32)
    np.testing.assert_array_equal(history, states[[0, 2]])
    np.testing.assert_array_equal(future, states[[4, 6, 8]])
    assert data.time_step("test") == pytest.approx(0.25)
    assert len(make(folder, test_frames=4).split("test")[0][2]) == 4
    assert len(make(folder, frames_out=None, frames_in=3).split("train")[0][2]) == 6
    assert len(make(folder, stride=0).split("train")) == 5


@pytest.mark.parametrize("num_workers", [0, 1])
def test_on_demand_gives_the_same_batches(folder, num_workers) -> None:
    held = make(folder, frames_in=2, frames_out=2, batch_size=7)
    read = make(
        folder, frames_in=2, frames_out=2, batch_size=7, memory_limit=0, num_workers=num_workers
    )
    assert held.split("train")._held is not None
    assert read.split("train")._held is None
    for one, two in zip(held.train_dataloader(), read.train_dataloader(), strict=True):
        for a, b in zip(one, two, strict=True):
            assert torch.equal(a, b)


def test_static_channels_are_chosen(folder) -> None:
    assert make(folder, static=[]).split("train")[0][1].shape == (0, 16)
    data = TrajectoryDataModule(train=folder / "burgers.h5", static=["viscosity"])
    values = open_dataset(folder / "burgers.h5").read_parameters()["viscosity"]
    static = data.split("train")[2][1]
    assert torch.equal(static, torch.full((1, 16), float(values[1])))
    assert TrajectoryDataModule(train=folder / "burgers.h5").split("train").static == ()


def test_fractions_divide_trajectories(folder) -> None:
    data = TrajectoryDataModule(
        train=folder / "train.h5", fractions=[0.6, 0.2, 0.2], frames_in=2, frames_out=2
    )
    splits = {name: data.split(name) for name in ("train", "validation", "test")}
    assert [split.num_trajectories for split in splits.values()] == [3, 1, 1]
    numbers = np.concatenate([split.chosen[0] for split in splits.values()])
    assert sorted(numbers) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frames_in": 5, "frames_out": 5}, r"windows of 5 \+ 5 frames .* have 9 frames"),
        ({"frames_in": 9, "frames_out": None}, "the future may have at most 0"),
        ({"frames_in": 2, "test_frames": 8}, "test.h5', whose trajectories are of 9 times"),
        ({"frame_step": 4, "frames_out": 3}, "which have 3 frames with start=0 and frame_step=4"),
        ({"frames_in": 0}, "frames_in=0 must be an integer of at least 1"),
        ({"stride": -1}, "stride=-1 must be an integer of at least 0"),
        ({"static": ["velocity"]}, "static channel 'velocity' .* Did you mean 'velocity_x'"),
        ({"static": "velocity_x"}, "must be a list of names"),
        ({"batch_size": 100, "drop_last": True}, "larger than the 40 training windows"),
        ({"test": "none.h5"}, "none.h5"),
        ({"test": None, "train": None}, "no data file"),
        ({"memory_limit": -1}, "memory_limit=-1 must be at least 0"),
    ],
)
def test_refusals(folder, options, message) -> None:
    with pytest.raises(InputError, match=message):
        make(folder, **options).setup()


def test_steady_sets_hold_no_trajectories(tmp_path) -> None:
    torch.save({"x": torch.rand(3, 8, 8), "y": torch.rand(3, 8, 8)}, tmp_path / "set.pt")
    with pytest.raises(InputError, match="holds no trajectories but states at one time"):
        TrajectoryDataModule(train=tmp_path / "set.pt").setup()


def test_uneven_times_are_refused() -> None:
    plan = WindowPlan()
    with pytest.raises(InputError, match="not equally spaced: steps from 1 to 2"):
        plan.step([0.0, 1.0, 3.0])
    assert WindowPlan(start=1).step([0.0, 1.0, 3.0, 5.0]) == 2.0


def test_processes_share_out_one_order() -> None:
    whole = list(EpochSampler(10, seed=3))
    parts = [EpochSampler(10, seed=3, num_replicas=2, rank=rank) for rank in (0, 1)]
    for epoch in (0, 1):
        together = EpochSampler(10, seed=3)
        together.set_epoch(epoch)
        for part in parts:
            part.set_epoch(epoch)
        one, two = (list(part) for part in parts)
        # batches of 2 on each of two processes are batches of 4 on one
        assert sorted(one[2:4] + two[2:4]) == sorted(list(together)[4:8])
    assert list(together) != whole
    uneven = [list(EpochSampler(5, seed=0, num_replicas=2, rank=rank)) for rank in (0, 1)]
    assert [len(part) for part in uneven] == [3, 3]
    assert set(uneven[0] + uneven[1]) == set(range(5))
