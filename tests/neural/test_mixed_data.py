"""Training data on several grids and of several families."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from meshes.errors import InputError
from neural.training import PDEDataModule, SurrogateModule
from neural.training.batches import EpochBatches
from neural.training.layouts import open_samples
from neural.training.splits import SPLITS

pytestmark = pytest.mark.torch
FNO = {"name": "fno", "modes": [3, 3], "width": 6, "num_layers": 2}


@pytest.fixture
def mixed(sources, memory_source):
    """The files of `sources`, some on a finer grid, and one of another family."""
    sources["fine.h5"] = memory_source(5, (16, 18), "train")  # the same functions, finer
    sources["fine_test.h5"] = memory_source(3, (16, 18), "test", seed=1)
    sources["other.h5"] = memory_source(
        7, (12, 12), "train", family="other", settings={"family": {"name": "other"}}, upper=(2.0, 1)
    )
    return sources


def trainer(folder, epochs: int = 2) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, default_root_dir=folder,
    )  # fmt: skip


def contents(data: PDEDataModule, epoch: int) -> list[list[int]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return [batch[2].tolist() for batch in loader]


def test_fractions_keep_a_function_in_one_part_on_all_its_grids(mixed) -> None:
    # sample i of both files is the same function: it must not be trained on and tested on
    data = PDEDataModule(
        train=["train.h5", "fine.h5"], fractions=[0.5, 0.25, 0.25], mixing="proportional"
    )
    coarse, fine = ({name: set(data.split(name).chosen[file].tolist()) for name in SPLITS}
                    for file in (0, 1))  # fmt: skip
    assert set.union(*coarse.values()) == set(range(12))
    assert set.union(*fine.values()) == set(range(5))
    for name in SPLITS:
        assert fine[name] == {number for number in coarse[name] if number < 5}


def test_a_batch_has_one_grid_and_every_sample_comes_once(mixed) -> None:
    data = PDEDataModule(train=["train.h5", "fine.h5"], batch_size=4, mixing="proportional")
    shapes = []
    for inputs, outputs, numbers in data.train_dataloader():
        shapes.append(tuple(inputs.shape[2:]))
        for row, number in enumerate(numbers.tolist()):
            name, index = ("train.h5", number) if number < 12 else ("fine.h5", number - 12)
            np.testing.assert_allclose(inputs[row], mixed[name].inputs[index], rtol=1e-6)
            np.testing.assert_allclose(outputs[row], mixed[name].outputs[index], rtol=1e-6)
    assert sorted(shapes) == [(12, 12)] * 3 + [(16, 18)] * 2
    batches = contents(data, 0)
    assert sorted(number for batch in batches for number in batch) == list(range(17))
    assert batches == contents(data, 0)
    assert batches != contents(data, 1)
    later = [shape for epoch in range(6) for shape in [contents(data, epoch)[0][0] < 12]]
    assert len(set(later)) == 2  # the coarse grid is not always first


def test_alternating_batches_repeat_the_smaller_group(mixed) -> None:
    data = PDEDataModule(train=["train.h5", "fine.h5"], batch_size=2, mixing="alternating")
    batches = contents(data, 3)
    assert [batch[0] >= 12 for batch in batches] == [False, True] * 6
    fine = [number for batch in batches if batch[0] >= 12 for number in batch]
    assert set(fine) == set(range(12, 17))
    assert sorted(fine[:5]) == list(range(12, 17))  # a whole pass before the next begins
    assert batches == contents(data, 3)


def test_each_process_gets_its_part(mixed) -> None:
    groups = [np.arange(12), np.arange(12, 17)]
    parts = [
        EpochBatches(groups, 2, mixing="proportional", num_replicas=2, rank=rank)
        for rank in range(2)
    ]
    whole = EpochBatches(groups, 2, mixing="proportional")
    assert len(whole) == 9
    assert [len(list(part)) for part in parts] == [len(part) for part in parts] == [5, 5]
    one, two = (list(part) for part in parts)
    assert [batch for pair in zip(one, two, strict=True) for batch in pair][:9] == list(whole)
    with pytest.raises(InputError, match="drop_last leaves out all batches"):
        EpochBatches(groups, 13, drop_last=True)
    with pytest.raises(InputError, match="Did you mean 'alternating'"):
        EpochBatches(groups, 2, mixing="alternate")  # type: ignore[arg-type]


def test_symmetries_fit_each_grid(mixed) -> None:
    data = PDEDataModule(
        train=["train.h5", "fine.h5"], batch_size=17, mixing="proportional",
        augment="square symmetries",
    )  # fmt: skip
    for inputs, outputs, numbers in data.train_dataloader():
        name, start = ("train.h5", 0) if inputs.shape[2] == 12 else ("fine.h5", 12)
        for row, number in enumerate(numbers.tolist()):
            given, answer = mixed[name].inputs, mixed[name].outputs
            for found, expected in ((inputs[row], given), (outputs[row], answer)):
                values = expected[number - start].ravel()
                np.testing.assert_allclose(np.sort(found.ravel()), np.sort(values), rtol=1e-6)


def test_errors_are_given_for_each_file_and_over_all(mixed, tmp_path) -> None:
    data = PDEDataModule(
        train=["train.h5", "fine.h5"], validation=["validation.h5", "fine_test.h5"],
        test=["validation.h5", "fine_test.h5"], batch_size=4, mixing="alternating",
    )  # fmt: skip
    data.paths["test"] = []
    module = SurrogateModule(FNO, ["coefficient"], ["pressure"])
    fitted = trainer(tmp_path)
    fitted.fit(module, datamodule=data)
    found = {name: float(value) for name, value in fitted.callback_metrics.items()}
    coarse = found["validation_validation0_12_relative_l2"]
    fine = found["validation_test1_16_relative_l2"]
    assert found["validation_relative_l2"] == pytest.approx((4 * coarse + 3 * fine) / 7, rel=1e-5)
    assert coarse != fine
    # by hand
    module.eval()
    with torch.inference_mode():
        source = mixed["fine_test.h5"]
        predictions = module(torch.tensor(source.inputs, dtype=torch.float32)).numpy()
    axes = (1, 2, 3)
    error = ((predictions - source.outputs) ** 2).sum(axes) / (source.outputs**2).sum(axes)
    assert fine == pytest.approx(float(np.sqrt(error).mean()), rel=1e-4)


def test_statistics_are_those_of_all_grids(mixed, tmp_path) -> None:
    data = PDEDataModule(train=["train.h5", "fine.h5"], batch_size=4, mixing="proportional")
    module = SurrogateModule(FNO, ["coefficient"], ["pressure"])
    trainer(tmp_path, 1).fit(module, datamodule=data)
    values = [mixed[name].outputs.ravel() for name in ("train.h5", "fine.h5")]
    expected = np.concatenate(values)
    assert float(module.output_normalizer.mean) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(module.output_normalizer.deviation) == pytest.approx(expected.std(), rel=1e-5)


def test_what_is_tied_to_one_grid_is_refused(mixed, tmp_path) -> None:
    with pytest.raises(InputError, match="must be on one grid, unless mixing is set"):
        PDEDataModule(train=["train.h5", "fine.h5"]).setup()
    data = PDEDataModule(train=["train.h5", "fine.h5"], mixing="proportional")
    module = SurrogateModule(FNO, ["coefficient"], ["pressure"], statistics="point")
    with pytest.raises(InputError, match="statistics='point' belong to one grid"):
        trainer(tmp_path).fit(module, datamodule=data)
    module = SurrogateModule(FNO, ["coefficient"], ["pressure"])
    module.model.resolution_invariant = False  # type: ignore[assignment]
    with pytest.raises(InputError, match=r"\(12, 12\), \(16, 18\), and a .* has one resolution"):
        trainer(tmp_path).fit(module, datamodule=data)
    twice = PDEDataModule(test=["test.h5", "fine_test.h5"], mixing="alternating")
    with pytest.raises(InputError, match="predictions are for the test data of one file"):
        twice.predict_dataloader()


def test_several_families(mixed, tmp_path) -> None:
    files = {"train": ["train.h5", "other.h5"], "batch_size": 4}
    with pytest.raises(InputError, match="differ in family"):
        PDEDataModule(**files, mixing="proportional").setup()
    with pytest.raises(InputError, match="set mixing to 'proportional'"):
        PDEDataModule(**files, families="several")
    data = PDEDataModule(**files, mixing="proportional", families="several")
    for batch in contents(data, 0):
        assert len({number < 12 for number in batch}) == 1  # one family, though of one grid
    labelled = PDEDataModule(
        **files, validation="validation.h5", mixing="alternating", families="labelled"
    )
    inputs, _, numbers = next(iter(labelled.train_dataloader()))
    own = (numbers < 12).float()[:, None, None].expand(-1, 12, 12)
    assert torch.equal(inputs[:, 1], own)
    assert torch.equal(inputs[:, 2], 1 - own)
    names = ["coefficient", "family_darcy2d", "family_other"]
    module = SurrogateModule(FNO, names, ["pressure"])
    fitted = trainer(tmp_path, 1)
    fitted.fit(module, datamodule=labelled)
    assert torch.isfinite(fitted.callback_metrics["validation_relative_l2"])
    assert module.metadata()["data"]["families"] == ["darcy2d", "other"]
    mixed["other.h5"].info.outputs = ("head",)
    with pytest.raises(InputError, match="needs the same channels for all families"):
        PDEDataModule(**files, mixing="alternating", families="several").setup()


def test_samples_per_file(mixed) -> None:
    files = ["train.h5", "fine.h5"]
    data = PDEDataModule(train=files, mixing="proportional", num_train=5)
    assert [len(numbers) for numbers in data.split("train").chosen] == [5, 5]
    with pytest.raises(InputError, match="there are 5 training samples in the smallest file"):
        PDEDataModule(train=files, mixing="proportional", num_train=6).setup()


def test_the_same_functions_in_two_splits_are_refused_on_any_grid(mixed) -> None:
    data = PDEDataModule(train="train.h5", test="fine.h5", mixing="proportional")
    with pytest.raises(InputError, match="overlap: both were generated with seed 0"):
        data.setup()


def test_training_on_a_public_file(tmp_path) -> None:
    import scipy.io

    rng = np.random.default_rng(0)
    points = np.linspace(0, 1, 17)
    shape = np.sin(np.pi * points)[:, None] * np.sin(2 * np.pi * points)[None]
    heights = rng.uniform(1, 2, (12, 1, 1))
    scipy.io.savemat(tmp_path / "d.mat", {"coeff": heights * shape + 1, "sol": shape / heights})
    data = PDEDataModule(
        train=tmp_path / "d.mat", fractions=[0.75, 0.25, 0], batch_size=3, subsampling=2
    )
    assert data.info.shape == (9, 9)
    torch.manual_seed(0)
    module = SurrogateModule(FNO, ["coeff"], ["sol"], learning_rate=1e-2)
    fitted = trainer(tmp_path, 80)
    fitted.fit(module, datamodule=data)
    # the mean of the solutions is wrong by 0.2
    assert float(fitted.callback_metrics["validation_relative_l2"]) < 0.1
    assert module.metadata()["data"]["reading"] == {"subsampling": 2}
    assert open_samples(tmp_path / "d.mat").info.shape == (17, 17)
    with pytest.raises(InputError, match="must be a list of names, such as"):
        PDEDataModule(train="d.mat", input_fields="coeff")
