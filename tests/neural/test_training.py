"""Training: it learns, resumes exactly, and stops with a clear message."""

from __future__ import annotations

import json

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch

from meshes.errors import InputError
from neural.failures import TrainingFailure
from neural.models import FNO
from neural.training import PDEDataModule, RelativeH1, SurrogateModule
from neural.training.checkpoints import KEY, read_checkpoint
from operators.failures import CheckpointError

pytestmark = pytest.mark.torch

MODEL = {"name": "fno", "modes": [3, 3], "width": 6, "projection_width": 8, "num_layers": 2}


def make_module(**options) -> SurrogateModule:
    torch.manual_seed(0)
    given = {"model": MODEL, "inputs": ["coefficient"], "outputs": ["pressure"], **options}
    return SurrogateModule(**given)


def make_data(**options) -> PDEDataModule:
    names = {"train": "train.h5", "validation": "validation.h5", "test": "test.h5"}
    return PDEDataModule(**{**names, "batch_size": 4, "augment": "square symmetries", **options})


def make_trainer(folder, max_epochs: int, **options) -> lightning.Trainer:
    return lightning.Trainer(
        default_root_dir=folder,
        max_epochs=max_epochs,
        accelerator="cpu",
        devices=1,
        deterministic=True,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"enable_checkpointing": False, **options},
    )


class StopAfter(lightning.Callback):
    """An interruption at the end of an epoch."""

    def __init__(self, epoch: int, path) -> None:
        self.epoch, self.path = epoch, path

    def on_validation_end(self, trainer, _) -> None:
        if trainer.current_epoch == self.epoch and not trainer.sanity_checking:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer, _) -> None:
        if trainer.current_epoch == self.epoch:
            trainer.save_checkpoint(self.path)


@pytest.fixture
def trained(sources, tmp_path):
    """A short training and its checkpoint."""
    module, data = make_module(), make_data()
    trainer = make_trainer(tmp_path, 3)
    trainer.fit(module, datamodule=data)
    path = tmp_path / "model.ckpt"
    trainer.save_checkpoint(path)
    return module, data, path


def test_the_error_falls(sources, tmp_path) -> None:
    module = make_module(learning_rate=1e-2, loss=RelativeH1())
    trainer = make_trainer(tmp_path, 25)
    trainer.fit(module, datamodule=make_data())
    assert float(trainer.callback_metrics["train_relative_l2"]) < 0.35
    assert float(trainer.callback_metrics["validation_relative_l2"]) < 0.45
    found = trainer.test(module, datamodule=make_data(), verbose=False)[0]["test_relative_l2"]
    assert found < 0.45


@pytest.mark.parametrize("schedule", ["one_cycle", "step"])
def test_resumed_run_equals_the_unbroken_one(sources, tmp_path, schedule) -> None:
    options = {"schedule": schedule, "step_epochs": 2}
    whole = make_module(**options)
    make_trainer(tmp_path, 4).fit(whole, datamodule=make_data())

    path = tmp_path / "broken.ckpt"
    broken = make_module(**options)
    trainer = make_trainer(tmp_path, 4, callbacks=[StopAfter(1, path)])
    trainer.fit(broken, datamodule=make_data())
    assert trainer.current_epoch == 2
    torch.manual_seed(99)
    resumed = make_module(**options)
    make_trainer(tmp_path, 4).fit(
        resumed, datamodule=make_data(), ckpt_path=path, weights_only=True
    )
    for (name, one), two in zip(
        whole.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two), name
    assert resumed.training_seconds > broken.training_seconds


def test_checkpoint_holds_tensors_and_plain_values(trained) -> None:
    module, _, path = trained
    content = read_checkpoint(path)
    described = content[KEY]
    assert json.loads(json.dumps(described)) == described
    assert described["family"] == "darcy2d"
    assert described["model"]["options"]["modes"] == [3, 3]
    assert described["parameter_ranges"] == {"coefficient": [3.0, 12.0]}
    assert described["data"]["num_train"] == 12
    assert described["shape"] == [12, 12]
    assert 0 < described["training_seconds"] < 60
    assert described["num_parameters"] == sum(p.numel() for p in module.model.parameters())


def test_statistics_are_those_of_the_training_split(trained, sources) -> None:
    module, _, _ = trained
    values = sources["train.h5"].outputs
    assert float(module.output_normalizer.mean) == pytest.approx(values.mean(), rel=1e-5)
    assert float(module.output_normalizer.deviation) == pytest.approx(values.std(), rel=1e-5)


def test_refuses_checkpoints_of_other_models_and_data(trained, sources, memory_source, tmp_path):
    _, data, path = trained
    other = make_module(model={**MODEL, "width": 8})
    with pytest.raises(CheckpointError, match="the checkpoint's model is not the one asked for"):
        make_trainer(tmp_path, 3).test(other, datamodule=data, ckpt_path=path, weights_only=True)
    sources["train.h5"] = memory_source(12, (12, 12), "train", seed=5)
    with pytest.raises(CheckpointError, match="normalisers fitted, on other data"):
        make_trainer(tmp_path, 4).fit(
            make_module(), datamodule=make_data(), ckpt_path=path, weights_only=True
        )


def test_refuses_to_stretch_a_one_cycle_schedule(trained, tmp_path) -> None:
    _, data, path = trained
    with pytest.raises(InputError, match="schedule is for 9 steps, this run has 15"):
        make_trainer(tmp_path, 5).fit(make_module(), datamodule=data, ckpt_path=path)


def test_test_data_of_another_family_are_refused(trained, sources, memory_source, tmp_path) -> None:
    module, _, _ = trained
    sources["else.h5"] = memory_source(2, (12, 12), "else", family="darcy2d_lognormal")
    with pytest.raises(InputError, match="has family darcy2d_lognormal, the model was trained"):
        make_trainer(tmp_path, 1).test(
            module, datamodule=PDEDataModule(test="else.h5"), verbose=False
        )


def test_a_loss_that_is_not_finite_names_the_samples(sources, tmp_path) -> None:
    class Breaks(FNO):
        """Gives nan for one sample, found by its first value."""

        def forward(self, inputs):
            outputs = super().forward(inputs)
            bad = inputs.flatten(1).sum(1) == inputs.flatten(1).sum(1).max()
            return torch.where(bad.view(-1, 1, 1, 1), torch.nan, outputs)

    module = make_module()
    module.model = Breaks(1, 1, (3, 3), 6)
    with pytest.raises(TrainingFailure, match=r"epoch 0, batch 0, for sample \d+ of 'train0") as it:
        make_trainer(tmp_path, 1, num_sanity_val_steps=0).fit(
            module, datamodule=make_data(augment="none")
        )
    assert len(it.value.samples) == 1


def test_zero_targets_are_refused(sources, tmp_path) -> None:
    sources["train.h5"].outputs[5] = 0.0
    with pytest.raises(InputError, match="the target is zero"):
        make_trainer(tmp_path, 1).fit(make_module(), datamodule=make_data())


@pytest.mark.parametrize("precision", ["16-true", "bf16-true"])
def test_refuses_half_precision_weights(sources, tmp_path, precision) -> None:
    trainer = make_trainer(tmp_path, 1, precision=precision)
    with pytest.raises(InputError, match=f"precision '{precision}' is not supported"):
        trainer.fit(make_module(), datamodule=make_data())


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions_train(sources, tmp_path, precision) -> None:
    module = make_module()
    make_trainer(tmp_path, 1, precision=precision).fit(module, datamodule=make_data())
    assert all(bool(torch.isfinite(value).all()) for value in module.state_dict().values())


def test_pointwise_statistics_train(sources, tmp_path) -> None:
    module = make_module(statistics="point")
    make_trainer(tmp_path, 1).fit(module, datamodule=make_data())
    assert module.output_normalizer.mean.shape == (1, 12, 12)


def test_needs_the_data_module(sources, tmp_path) -> None:
    loader = make_data().train_dataloader()
    with pytest.raises(InputError, match="give the trainer a PDEDataModule"):
        make_trainer(tmp_path, 1).fit(make_module(), loader)


def test_channels_must_be_those_of_the_file(sources, tmp_path) -> None:
    with pytest.raises(
        InputError, match=r"outputs=\['head'\], but the fields of .* \['pressure'\]"
    ):
        make_trainer(tmp_path, 1).fit(make_module(outputs=["head"]), datamodule=make_data())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": {"modes": [3, 3]}}, "needs a 'name'"),
        ({"model": {**MODEL, "in_channels": 3}}, "in_channels=3, but 1 channels are named"),
        ({"model": torch.nn.Identity()}, "a Identity is not in the registry"),
        ({"inputs": "coefficient"}, "must be a list of different names"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"schedule": "linear"}, "schedule='linear' is unknown"),
        ({"learning_rate": 0.0}, "learning_rate=0.0 must lie between 0 and 10"),
        ({"learning_rate": float("nan")}, "learning_rate=nan must lie"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0 must lie between 0 and 10"),
        ({"step_epochs": 0}, "step_epochs=0 must be at least 1"),
    ],
)
def test_rejects_options(options, message) -> None:
    with pytest.raises(InputError, match=message):
        make_module(**options)


def test_trains_on_a_tensor_file(tmp_path) -> None:
    rng = np.random.default_rng(0)
    masks = torch.as_tensor(rng.random((8, 10, 10)) > 0.5)
    torch.save({"x": masks, "y": masks.float().cumsum(1) + 1}, tmp_path / "set.pt")
    module = make_module(inputs=["x"], outputs=["y"])
    data = PDEDataModule(train=tmp_path / "set.pt", fractions=[0.5, 0.25, 0.25], batch_size=4)
    make_trainer(tmp_path, 1).fit(module, datamodule=data)
    assert module.metadata()["family"] == "tensor-file"
