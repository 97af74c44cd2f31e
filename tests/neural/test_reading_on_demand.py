"""What is read from the files, and when."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from meshes.errors import InputError
from neural.training import PDEDataModule, TrajectoryDataModule, samples, stored_fields
from neural.training.layouts import open_samples
from neural.training.normalizers import GaussianNormalizer
from neural.training.stored_fields import StoredField
from pdesolve.data import DatasetReader, generate
from pdesolve.problems.registry import get_family

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    family = get_family("advection1d", num_times=9)
    return generate(family, 5, shape=16, out=tmp_path_factory.mktemp("set") / "set.h5").path


def test_a_window_on_demand_reads_its_frames_alone(file, monkeypatch) -> None:
    read = []
    original = DatasetReader._fields

    def counted(self, names, wanted, time=None):
        if names == self.info.outputs and time is not None:
            read.append(time)
        return original(self, names, wanted, time)

    monkeypatch.setattr(DatasetReader, "_fields", counted)
    options = {"frames_in": 2, "frames_out": 1, "start": 1, "frame_step": 2, "batch_size": 2}
    data = TrajectoryDataModule(train=file, memory_limit=0, **options)
    held = TrajectoryDataModule(train=file, **options)
    for index in range(len(data.split("train"))):
        read.clear()
        window = data.split("train")[index]
        first = 1 + 2 * (index % len(data.split("train").beginnings))
        assert read == [first, first + 2, first + 4]
        for one, two in zip(window, held.split("train")[index], strict=True):
            np.testing.assert_array_equal(one, two)


def test_windows_of_other_layouts_on_demand(tmp_path) -> None:
    rng = np.random.default_rng(0)
    states = rng.random((4, 6, 5, 7))  # sample, x, y, time
    old, new = tmp_path / "old.mat", tmp_path / "new.mat"
    scipy.io.savemat(old, {"a": states[..., 0], "u": states})
    with h5py.File(new, "w", userblock_size=512) as handle:
        handle["a"], handle["u"] = states[..., 0].T, states.T
    for path in (old, new):
        data = TrajectoryDataModule(
            train=path, frames_in=1, frames_out=2, frame_step=2, memory_limit=0, static=[]
        )
        history, _, future, _ = data.split("train")[3]  # window 1 of sample 1, or 0 of sample 3
        sample, begin = divmod(3, len(data.split("train").beginnings))
        expected = np.moveaxis(states[sample], -1, 0)[::2][begin : begin + 3].astype(np.float32)
        np.testing.assert_array_equal(np.concatenate([history, future])[:, 0], expected)


def test_interleaved_samples_are_not_read_all_at_once(tmp_path, monkeypatch) -> None:
    values = np.random.default_rng(0).random((40, 8))
    with h5py.File(tmp_path / "new.mat", "w", userblock_size=512) as handle:
        handle["a"], handle["u"] = values.T, -values.T
    monkeypatch.setattr(stored_fields, "BLOCK_BYTES", 5 * 8 * 8)
    blocks = []
    original = StoredField._part

    def counted(self, stored, path, samples, *others):
        blocks.append(samples.stop - samples.start)
        return original(self, stored, path, samples, *others)

    monkeypatch.setattr(StoredField, "_part", counted)
    wanted = [39, 0, 17, 3, 18, 17]
    inputs, outputs = open_samples(tmp_path / "new.mat").read(wanted)
    np.testing.assert_array_equal(inputs[:, 0], values[wanted])
    np.testing.assert_array_equal(outputs[:, 0], -values[wanted])
    assert max(blocks) <= 5


def test_sets_in_memory_are_read_in_parts(file, monkeypatch) -> None:
    whole = PDEDataModule(train=file).split("train")
    sizes = []
    original = DatasetReader.read

    def counted(self, indices=None):
        sizes.append(len(indices))
        return original(self, indices)

    monkeypatch.setattr(DatasetReader, "read", counted)
    monkeypatch.setattr(samples, "READ_BYTES", 2 * 8 * samples.values_of(whole.sources[0].info))
    parts = PDEDataModule(train=file).split("train")
    assert sizes == [2, 2, 1]
    for index in range(5):
        for one, two in zip(whole[index], parts[index], strict=True):
            np.testing.assert_array_equal(one, two)


def test_values_too_large_for_the_type_of_training_are_refused(tmp_path) -> None:
    values = torch.rand(6, 1, 8, dtype=torch.float64)
    torch.save({"x": values * 1e300, "y": values}, tmp_path / "large.pt")
    with pytest.raises(InputError, match=r"too large for torch\.float32"):
        PDEDataModule(train=tmp_path / "large.pt").split("train")


@pytest.mark.parametrize(
    "options",
    [{"fractions": ["a", 0, 1]}, {"fractions": [float("nan"), 0.5, 0.5]}, {"fractions": [0.5, 0.5]},
     {"num_workers": 1.5}, {"memory_limit": "2 GiB"}, {"seed": "a"}, {"seed": True}],
)  # fmt: skip
def test_options_of_other_types_are_refused(options) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        PDEDataModule(train="train.h5", **options)


def test_what_rounding_makes_of_a_constant_has_no_variance() -> None:
    constant = torch.full((4, 1, 8), 0.1)
    constant[0, 0, 0] = torch.nextafter(constant[0, 0, 0], torch.tensor(1.0))
    with pytest.raises(InputError, match="zero variance"):
        GaussianNormalizer(1).fit([constant], {"family": "constant"})
    normalizer = GaussianNormalizer(1)
    normalizer.fit([constant.double() + 1e-9 * torch.rand(4, 1, 8)], {"family": "double"})
    assert 0 < float(normalizer.deviation) < 1e-8
