"""The data module: splits, order, symmetries, rejected files."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.training import PDEDataModule, TensorFileReader
from operators.failures import DataFileError

pytestmark = pytest.mark.torch


def orders(data: PDEDataModule, epoch: int) -> list[int]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return [int(number) for batch in loader for number in batch[2]]


def test_batches_hold_the_samples_in_their_units(sources) -> None:
    data = PDEDataModule(train="train.h5", validation="validation.h5", test="test.h5", batch_size=5)
    data.setup("fit")
    inputs, outputs, numbers = next(iter(data.test_dataloader()))
    assert inputs.shape == outputs.shape == (4, 1, 12, 12)
    assert inputs.dtype == torch.float32
    np.testing.assert_allclose(outputs, sources["test.h5"].outputs[numbers], rtol=1e-6)
    assert sorted(orders(data, 0)) == list(range(12))
    assert orders(data, 0) == orders(data, 0)
    assert orders(data, 0) != orders(data, 1)
    assert data.split("train").name(3) == "sample 3 of 'train0_12.h5'"


def test_large_sets_are_read_when_asked_for(sources) -> None:
    kept = PDEDataModule(train="train.h5", batch_size=4)
    read = PDEDataModule(train="train.h5", batch_size=4, memory_limit=0)
    before = sources["train.h5"].reads
    for one, two in zip(kept.train_dataloader(), read.train_dataloader(), strict=True):
        for left, right in zip(one, two, strict=True):
            assert torch.equal(left, right)
    assert sources["train.h5"].reads - before == 1 + 3  # the whole set; each batch


def test_several_files_are_joined(sources, memory_source) -> None:
    sources["more.h5"] = memory_source(3, (12, 12), "train", seed=1)
    data = PDEDataModule(train=["train.h5", "more.h5"], num_train=14)
    split = data.split("train")
    assert len(split) == 14
    assert split.name(13) == "sample 1 of 'train1_12.h5'"
    np.testing.assert_allclose(split[13][0], sources["more.h5"].inputs[1])


def test_fractions_split_without_overlap(sources) -> None:
    data = PDEDataModule(train="train.h5", fractions=[0.5, 0.25, 0.25])
    data.setup()
    chosen = [set(data.split(name).chosen[0].tolist()) for name in ("train", "validation", "test")]
    assert [len(part) for part in chosen] == [6, 3, 3]
    assert set.union(*chosen) == set(range(12))


def test_symmetries_keep_samples_exact(sources) -> None:
    data = PDEDataModule(train="train.h5", augment="square symmetries", batch_size=12)
    inputs, outputs, numbers = next(iter(data.train_dataloader()))
    source = sources["train.h5"]
    changed = 0
    for given, answer, number in zip(inputs, outputs, numbers, strict=True):
        same = np.allclose(given, source.inputs[number])
        changed += not same
        assert np.allclose(sorted(answer.ravel()), sorted(source.outputs[number].ravel()))
    assert changed > 3
    # one transformed sample is an exact solution of its transformed coefficient
    from meshes import Field, StructuredGrid
    from pdesolve.problems.darcy import DarcyProblem

    grid = StructuredGrid((12, 12))
    problem = DarcyProblem(Field(grid, inputs[0].double().numpy()))
    system = problem.discretize(grid)
    residual = system.stencil.apply(outputs[0, 0].double().numpy()) - system.right_hand_side
    assert np.abs(residual).max() < 1e-4 * np.abs(system.right_hand_side).max()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no data file"),
        ({"train": "train.h5", "fractions": [0.5, 0.2, 0.2]}, "sum to 1; they sum to 0.9"),
        ({"train": "train.h5", "fractions": [0.0, 0.5, 0.5]}, "train split empty"),
        ({"train": "a", "test": "b", "fractions": [0.5, 0.2, 0.3]}, "give one or the other"),
        ({"test": "b", "fractions": [0.5, 0.2, 0.3]}, "train is missing"),
        ({"train": "train.h5", "batch_size": 0}, "batch_size=0 must be an integer"),
        ({"train": "train.h5", "augment": "square"}, "Did you mean 'square symmetries'"),
        ({"train": "train.h5", "num_workers": -1}, "must be at least 0"),
    ],
)
def test_rejects_options(options, message) -> None:
    with pytest.raises(InputError, match=message):
        PDEDataModule(**options)


def changed(sources, memory_source, **changes):
    sources["other.h5"] = memory_source(
        2, changes.pop("size", (12, 12)), changes.pop("split", "other"), **changes
    )
    return PDEDataModule(train="train.h5", test="other.h5")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "darcy2d_lognormal"}, "differ in family: 'darcy2d' and 'darcy2d_lognormal'"),
        ({"units": {"pressure": "bar"}}, "differ in units"),
        ({"upper": (2.0, 1.0)}, "differ in the upper corner of the box"),
        ({"location": "vertex"}, "differ in where values sit"),
        ({"inputs": ("permeability",)}, "differ in input fields"),
        ({"settings": {"family": {"name": "darcy2d", "source": 2.0}}}, r"options \(source\)"),
        ({"split": "train"}, "overlap: both were generated with seed 0 and split 'train'"),
        ({"sha256": "train-0-(12, 12)-12", "seed": 3}, "hold the same samples"),
    ],
)
def test_rejects_files_that_do_not_fit(sources, memory_source, changes, message) -> None:
    with pytest.raises(InputError, match=message):
        changed(sources, memory_source, **changes).setup()


def test_test_data_may_be_finer_but_not_mixed(sources, memory_source) -> None:
    changed(sources, memory_source, size=(16, 16)).setup()
    with pytest.raises(InputError, match="must be on one grid"):
        PDEDataModule(test=["test.h5", "other.h5"]).setup()


def test_rejects_empty_and_small_splits(sources) -> None:
    sources["test.h5"].valid_indices = np.arange(0)
    with pytest.raises(InputError, match="test split is empty"):
        PDEDataModule(train="train.h5", test="test.h5").setup()
    with pytest.raises(InputError, match="batch_size=20 is larger than the 12 training samples"):
        PDEDataModule(train="train.h5", batch_size=20, drop_last=True).setup()
    with pytest.raises(InputError, match="num_train=13, but there are 12"):
        PDEDataModule(train="train.h5", num_train=13).setup()
    with pytest.raises(InputError, match="there is no test data"):
        PDEDataModule(train="train.h5").test_dataloader()
    sources["validation.h5"].outputs[2, 0, 1, 1] = np.nan
    with pytest.raises(InputError, match=r"sample 2 of 'validation0_12.h5' is not finite \(1 such"):
        PDEDataModule(train="train.h5", validation="validation.h5").setup()


def test_symmetries_need_a_family_that_declares_them(sources) -> None:
    sources["train.h5"].info.family = "my own"
    with pytest.raises(InputError, match="'my own' does not"):
        PDEDataModule(train="train.h5", augment="square symmetries").train_dataloader()


def test_tensor_files(tmp_path) -> None:
    masks = torch.rand(9, 6, 6, generator=torch.Generator().manual_seed(0)) > 0.5
    torch.save({"x": masks[:6], "y": masks[:6].float() + 1}, tmp_path / "a.pt")
    torch.save({"x": masks[5:, None].float(), "y": masks[5:, None].float()}, tmp_path / "b.pt")
    reader = TensorFileReader(tmp_path / "a.pt")
    assert reader.read([1])[0].shape == reader.read([1])[1].shape == (1, 1, 6, 6)
    assert TensorFileReader(tmp_path / "b.pt").info.shape == (6, 6)
    data = PDEDataModule(train=tmp_path / "a.pt")
    assert next(iter(data.train_dataloader()))[0].shape == (6, 1, 6, 6)
    with pytest.raises(InputError, match="overlap: 1 inputs are in both"):
        PDEDataModule(train=tmp_path / "a.pt", test=tmp_path / "b.pt").setup()


class Payload:
    pass


def test_tensor_files_that_are_refused(tmp_path) -> None:
    path = tmp_path / "bad.pt"
    with pytest.raises(InputError, match="there is no file"):
        TensorFileReader(path)
    torch.save({"x": Payload(), "y": torch.ones(2, 3)}, path)
    with pytest.raises(DataFileError, match="hold other objects are refused"):
        TensorFileReader(path)
    torch.save({"a": torch.ones(2, 3)}, path)
    with pytest.raises(DataFileError, match="dictionary with 'x' and 'y'"):
        TensorFileReader(path)
    torch.save({"x": torch.ones(2, 3, 3), "y": torch.ones(3, 3, 3)}, path)
    with pytest.raises(DataFileError, match="do not fit together"):
        TensorFileReader(path)
    path.write_bytes(b"nothing")
    with pytest.raises(DataFileError, match="cannot be read as tensors"):
        TensorFileReader(path)


@pytest.mark.petsc
@pytest.mark.parametrize("memory_limit", [0, 10**9])
def test_workers_read_generated_files(tmp_path, memory_limit) -> None:
    from pdesolve import generate

    for split in ("train", "test"):
        generate("darcy2d", 6, shape=8, split=split, out=tmp_path / f"{split}.h5")
    data = PDEDataModule(
        train=tmp_path / "train.h5",
        test=tmp_path / "test.h5",
        batch_size=4,
        num_workers=1,
        memory_limit=memory_limit,
    )
    alone = PDEDataModule(train=tmp_path / "train.h5", batch_size=4)
    for one, two in zip(data.train_dataloader(), alone.train_dataloader(), strict=True):
        assert all(torch.equal(left, right) for left, right in zip(one, two, strict=True))
    assert sum(len(batch[0]) for batch in data.test_dataloader()) == 6
    generate("darcy2d", 7, shape=8, split="train", out=tmp_path / "again.h5")
    with pytest.raises(InputError, match="overlap: both were generated with seed 0"):
        PDEDataModule(train=tmp_path / "train.h5", test=tmp_path / "again.h5").setup()


def test_public_set_is_read_and_disjoint() -> None:
    folder = os.environ.get("PDESOLVE_EXTERNAL_DATA")
    if not folder:
        pytest.skip("PDESOLVE_EXTERNAL_DATA is not set")
    data = PDEDataModule(
        train=f"{folder}/darcy_train_16.pt", test=f"{folder}/darcy_test_16.pt", num_train=100
    )
    data.setup()
    inputs, outputs, _ = next(iter(data.test_dataloader()))
    assert inputs.shape == outputs.shape == (20, 1, 16, 16)
    assert set(inputs.unique().tolist()) == {0.0, 1.0}
