"""Training on trajectories: it learns, resumes exactly, and stops with a clear message."""

from __future__ import annotations

import json

import numpy as np
import pytest
import pytorch_lightning as lightning
import torch
from torch import nn

from meshes.errors import InputError
from neural.failures import TrainingFailure
from neural.models import FNO
from neural.models.registry import MODELS
from neural.rollout import FramePredictor
from neural.surrogate import Surrogate
from neural.training import TrajectoryDataModule, TrajectoryModule, WeightAverage
from neural.training.checkpoints import KEY, read_checkpoint
from neural.trajectory_surrogate import TrajectorySurrogate
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.data import generate, open_dataset
from pdesolve.problems.registry import get_family

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*the rollout is an extrapolation"),
]

MODEL = {"name": "fno", "modes": [6], "width": 12, "projection_width": 16, "padding": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Advection with a velocity of its own for each sample: 11 times of 16 points."""
    made = tmp_path_factory.mktemp("trajectories")
    family = get_family("advection1d", num_times=11)
    for split, count in (("train", 8), ("validation", 2), ("test", 3)):
        generate(family, count, shape=16, split=split, out=made / f"{split}.h5", dtype="float32")
    generate(get_family("burgers1d", num_times=11), 2, shape=16, out=made / "burgers.h5")
    return made


def make_module(**options) -> TrajectoryModule:
    torch.manual_seed(0)
    given = {"state": ["concentration"], "static": ["velocity_x"], "frames_in": 2}
    return TrajectoryModule(**{"model": MODEL, **given, **options})


def make_data(folder, **options) -> TrajectoryDataModule:
    names = {name: folder / f"{name}.h5" for name in ("train", "validation", "test")}
    return TrajectoryDataModule(
        **{**names, "frames_in": 2, "frames_out": 3, "batch_size": 8, **options}
    )


def make_trainer(folder, max_epochs: int, **options) -> lightning.Trainer:
    return lightning.Trainer(
        default_root_dir=folder, max_epochs=max_epochs, accelerator="cpu", devices=1,
        deterministic=True, logger=False, enable_progress_bar=False,
        enable_model_summary=False, **{"enable_checkpointing": False, **options},
    )  # fmt: skip


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


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A short training and its checkpoint."""
    where = tmp_path_factory.mktemp("trained")
    module = make_module(learning_rate=1e-2)
    trainer = make_trainer(where, 8)
    trainer.fit(module, datamodule=make_data(folder))
    trainer.save_checkpoint(where / "model.ckpt")
    return module, where / "model.ckpt", dict(trainer.callback_metrics)


class Shift(nn.Module):
    """The last frame, moved by one point: what its channels must be in which order."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.options = {"in_channels": in_channels, "out_channels": out_channels}

    def forward(self, inputs):
        return inputs[:, 1:2].roll(1, -1) + 0 * inputs[:, 2:]


class SpaceTime(nn.Module):
    """Continues at the speed of the two last frames; trains one number."""

    space_time = True

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.options = {"in_channels": in_channels, "out_channels": out_channels}
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, history, num_out):
        assert history.shape[1] == self.in_channels
        state = history[:, : self.out_channels]
        last, speed = state[..., -1:], state[..., -1:] - state[..., -2:-1]
        return last + self.scale * speed * torch.arange(1, num_out + 1)


@pytest.fixture
def registered(monkeypatch):
    for model in (Shift, SpaceTime):
        home = f"{model.__module__}:{model.__qualname__}"
        monkeypatch.setitem(MODELS, model.__name__.lower(), home)
    import importlib
    import sys

    real = importlib.import_module
    here = sys.modules[__name__]
    monkeypatch.setattr(
        "neural.models.registry.importlib.import_module",
        lambda name: here if name == __name__ else real(name),
    )


def test_a_rollout_repeats_the_step() -> None:
    predictor = FramePredictor(Shift(3, 1), num_state=1, num_static=1, frames_in=2)
    frames, static = torch.randn(4, 6, 1, 8), torch.randn(4, 1, 8)
    predictor.fit(lambda: [(frames, static)], {"made by": "hand"})
    found = predictor.rollout(frames[:, :2], static, 3)
    for step in (1, 2, 3):
        torch.testing.assert_close(found[:, step - 1], frames[:, 1].roll(step, -1))


def test_increments_are_added_to_the_last_frame() -> None:
    class Nothing(nn.Module):
        def forward(self, inputs):
            return torch.zeros_like(inputs[:, :2])

    predictor = FramePredictor(Nothing(), 2, 0, frames_in=2, output="increment")
    ramp = torch.arange(6.0).view(1, 6, 1, 1) * torch.tensor([1.0, -3.0]).view(2, 1)
    frames = (ramp + 0.1 * torch.randn(1, 6, 2, 1)) * torch.ones(5, 6, 2, 8)
    static = torch.zeros(5, 0, 8)
    predictor.fit(lambda: [(frames, static)], {"made by": "hand"})
    mean = (frames[:, -1:] - frames[:, :1]) / 5
    found = predictor.rollout(frames[:, 4:], static, 4)
    expected = frames[:, 5:] + torch.arange(1, 5).view(1, 4, 1, 1) * mean
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_the_error_falls(trained) -> None:
    _, _, metrics = trained
    assert float(metrics["train_relative_l2"]) < 0.4
    assert float(metrics["validation_relative_l2"]) < 0.75
    assert {"validation_frame_relative_l2", "validation_last_frame_relative_l2"} <= set(metrics)


@pytest.mark.parametrize(
    "options",
    [
        {"output": "increment", "noise": 0.05},
        {"push_forward": True},
        {"frames_per_step": 2, "unroll": 1},
        {"whole_trajectory": True, "statistics": "none"},
        {"schedule": "cosine", "optimizer": "adamw", "statistics": "point"},
    ],
)
def test_ways_of_training(folder, tmp_path, options) -> None:
    module = make_module(**options)
    trainer = make_trainer(tmp_path, 1)
    trainer.fit(module, datamodule=make_data(folder))
    assert 0 < float(trainer.callback_metrics["train_relative_l2"]) < 2
    rollout = trainer.predict(module, datamodule=make_data(folder))
    assert rollout[0].shape == (3, 9, 1, 16)


@pytest.mark.parametrize("precision", ["64-true", "bf16-mixed"])
def test_other_precisions_train(folder, tmp_path, precision) -> None:
    module = make_module(output="increment", noise=0.05)
    make_trainer(tmp_path, 1, precision=precision).fit(module, datamodule=make_data(folder))
    assert all(bool(torch.isfinite(value).all()) for value in module.state_dict().values())


def test_push_forward_keeps_gradients_out_of_the_past(folder) -> None:
    class Recorded(FNO):
        """Notes whether gradients are on, and whether its input has some."""

        def forward(self, inputs):
            calls.append((torch.is_grad_enabled(), inputs.requires_grad))
            return super().forward(inputs)

    data = make_data(folder, frames_out=4)
    batch = next(iter(data.train_dataloader()))
    for push, expected in (
        (True, [(True, False), (False, False), (False, False), (True, False)]),
        (False, [(True, False), (True, True), (True, True), (True, True)]),
    ):
        calls: list[tuple[bool, bool]] = []
        module = make_module(push_forward=push)
        module.predictor.model = Recorded(3, 1, (4,), 4)
        module.predictor.fit(data.split("train").batches, {"from": "train"})
        found, wanted = module.unrolling.predict(module.predictor, batch, epoch=0)
        assert calls == expected
        assert found.shape == wanted.shape == (8, 2 if push else 4, 1, 16)
        torch.testing.assert_close(wanted[:, -1], batch[2][:, -1])


def test_noise_depends_on_epoch_and_window(folder) -> None:
    unrolling = make_module(noise=0.1).unrolling
    frames, numbers = torch.zeros(2, 2, 1, 400), torch.tensor([5, 9])
    one = unrolling.noise_like(frames, numbers, epoch=1)
    assert torch.equal(one, unrolling.noise_like(frames, numbers, epoch=1))
    assert torch.equal(one[1:], unrolling.noise_like(frames[:1], numbers[1:], epoch=1))
    assert not torch.equal(one, unrolling.noise_like(frames, numbers, epoch=2))
    assert not torch.equal(one[0], one[1])
    assert float(one.std()) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("callbacks", [[], [WeightAverage(0.9)]])
def test_resumed_run_equals_the_unbroken_one(folder, tmp_path, callbacks) -> None:
    options = {"noise": 0.1, "schedule": "one_cycle"}
    whole = make_module(**options)
    make_trainer(tmp_path, 4, callbacks=list(callbacks)).fit(whole, datamodule=make_data(folder))

    path = tmp_path / "broken.ckpt"
    trainer = make_trainer(tmp_path, 4, callbacks=[*callbacks, StopAfter(1, path)])
    trainer.fit(make_module(**options), datamodule=make_data(folder))
    assert trainer.current_epoch == 2
    torch.manual_seed(99)
    resumed = make_module(**options)
    make_trainer(tmp_path, 4, callbacks=list(callbacks)).fit(
        resumed, datamodule=make_data(folder), ckpt_path=path, weights_only=True
    )
    for (name, one), two in zip(
        whole.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        assert torch.equal(one, two), name


def test_gradients_are_clipped(folder, tmp_path) -> None:
    class Norms(lightning.Callback):
        def on_train_batch_end(self, trainer, module, *_) -> None:
            del trainer
            found = [p.grad for p in module.parameters() if p.grad is not None]
            norms.append(float(torch.nn.utils.get_total_norm(found)))

    largest = []
    for options in ({}, {"gradient_clip_val": 0.05}):
        norms: list[float] = []
        trainer = make_trainer(tmp_path, 1, callbacks=[Norms()], **options)
        trainer.fit(make_module(learning_rate=1e-6), datamodule=make_data(folder))
        largest.append(max(norms))
    assert largest[0] > 0.1
    assert 0.0 < largest[1] < 0.0501


def test_a_model_with_an_axis_of_time(folder, tmp_path, registered) -> None:
    module = make_module(model={"name": "spacetime"}, learning_rate=0.05)
    data = make_data(folder, frames_out=4)
    trainer = make_trainer(tmp_path, 3)
    trainer.fit(module, datamodule=data)
    assert module.predictor.frames_per_step == 4
    assert module.predictor.model.scale.item() != 0.5
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    surrogate = TrajectorySurrogate.load(tmp_path / "model.ckpt")
    history, static, *_ = next(iter(data.test_dataloader()))
    found = surrogate.rollout(history.numpy(), 9, static.numpy())
    np.testing.assert_allclose(found, trainer.predict(module, datamodule=data)[0], rtol=1e-5)
    with pytest.raises(InputError, match="push_forward needs a model that steps"):
        make_module(model={"name": "spacetime"}, push_forward=True)


def test_checkpoint_and_rollout(trained, folder, tmp_path) -> None:
    module, path, _ = trained
    described = read_checkpoint(path)[KEY]
    assert json.loads(json.dumps(described)) == described
    assert described["kind"] == "trajectory"
    assert described["data"]["num_trajectories"] == 8
    assert described["time_step"] == pytest.approx(0.1)
    assert described["predictor"]["frames_in"] == 2

    surrogate = TrajectorySurrogate.load(path)
    data = make_data(folder)
    trainer = make_trainer(tmp_path, 1)
    rollouts = trainer.predict(module, datamodule=data)[0]
    history, static, future = (part.numpy() for part in next(iter(data.test_dataloader()))[:3])
    found = surrogate.rollout(history, 9, static)
    np.testing.assert_allclose(found, rollouts, rtol=1e-4, atol=1e-5)
    assert surrogate.rollout(history[:1], 30, static[:1]).shape == (1, 30, 1, 16)

    metrics = trainer.test(module, datamodule=data, verbose=False)[0]
    errors = np.linalg.norm(found - future, axis=-1) / np.linalg.norm(future, axis=-1)
    np.testing.assert_allclose(module.frame_errors, errors.mean((0, 2)), rtol=1e-4)
    assert metrics["test_frame_relative_l2"] == pytest.approx(errors.mean(), rel=1e-4)
    assert metrics["test_last_frame_relative_l2"] == pytest.approx(errors[:, -1].mean(), rel=1e-4)
    surrogate.check(open_dataset(folder / "test.h5").info)


def test_other_resolutions(trained) -> None:
    surrogate = TrajectorySurrogate.load(trained[1])
    static = np.full((1, 1, 32), 0.7)
    points = (np.arange(32) + 0.5) / 32
    history = np.stack([np.sin(2 * np.pi * points)] * 2)[None, :, None]
    fine = surrogate.rollout(history, 3, static)
    coarse = surrogate.rollout(history.reshape(1, 2, 1, 16, 2).mean(-1), 3, static[..., ::2])
    assert np.linalg.norm(fine.reshape(1, 3, 1, 16, 2).mean(-1) - coarse) < 0.1 * np.linalg.norm(
        coarse
    )


def test_rollouts_are_refused(trained, folder) -> None:
    surrogate = TrajectorySurrogate.load(trained[1])
    history, static = np.zeros((1, 2, 1, 16)), np.ones((1, 1, 16))
    for words, message in (
        ((history[:, :1], 3, static), r"history of shape \(1, 1, 1, 16\) does not fit"),
        ((history[0], 3, static), "with 1 axes of space"),
        ((history, 3), r"needs the static channels \['velocity_x'\]"),
        ((history, 3, static[..., :8]), "static fields of shape"),
        ((history, 0, static), "num_frames=0 must be an integer of at least 1"),
        ((history, 2.5, static), "num_frames=2.5 must be an integer"),
        ((history * np.nan, 3, static), "not finite"),
    ):
        with pytest.raises(InputError, match=message):
            surrogate.rollout(*words)
    with pytest.warns(SurrogateWarning, match="'concentration' ranges from 99 to 99"):
        surrogate.rollout(history + 99, 1, static)
    with pytest.raises(CheckpointError, match="has family burgers1d"):
        surrogate.check(open_dataset(folder / "burgers.h5").info)
    with pytest.raises(CheckpointError, match=r"frames are 0\.2 apart"):
        surrogate.check(open_dataset(folder / "test.h5").info, time_step=0.2)


def test_growing_rollouts_name_the_frame(trained) -> None:
    surrogate = TrajectorySurrogate.load(trained[1])

    class Grows(nn.Module):
        def forward(self, inputs):
            return inputs[:, 1:2] * 1e15

    surrogate.predictor.model = Grows()
    with pytest.raises(InputError, match="rollout is not finite from frame 3 of 5 on"):
        surrogate.rollout(np.ones((1, 2, 1, 16)), 5, np.ones((1, 1, 16)))


def test_checkpoints_of_one_kind_are_not_read_as_the_other(trained, tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"with task: trajectory, .*TrajectorySurrogate"):
        Surrogate.load(trained[1])
    content = torch.load(trained[1], weights_only=True)
    content[KEY]["kind"] = "steady"
    torch.save(content, tmp_path / "steady.ckpt")
    with pytest.raises(CheckpointError, match="is incomplete"):
        TrajectorySurrogate.load(tmp_path / "steady.ckpt")
    content[KEY]["kind"] = "spherical"
    torch.save(content, tmp_path / "new.ckpt")
    with pytest.raises(CheckpointError, match="of the kind 'spherical'"):
        TrajectorySurrogate.load(tmp_path / "new.ckpt")


def test_refuses_checkpoints_of_other_configurations(trained, folder, tmp_path) -> None:
    for options, message in (
        ({"model": {**MODEL, "width": 8}}, "the checkpoint's model is not the one"),
        ({"output": "increment"}, "the checkpoint's output is not the one"),
    ):
        with pytest.raises(CheckpointError, match=message):
            make_trainer(tmp_path, 3).test(
                make_module(**options), datamodule=make_data(folder), ckpt_path=trained[1],
                weights_only=True,
            )  # fmt: skip
    with pytest.raises(InputError, match=r"frames of .* are 0\.2 apart, the model"):
        make_trainer(tmp_path, 3).test(
            make_module(), datamodule=make_data(folder, frame_step=2), ckpt_path=trained[1],
            weights_only=True,
        )  # fmt: skip


@pytest.mark.parametrize("where", ["training", "validation"])
def test_what_is_not_finite_names_the_samples(folder, tmp_path, where) -> None:
    class Breaks(FNO):
        """Gives nan for the sample of the largest velocity, where it is told to."""

        def forward(self, inputs):
            outputs = super().forward(inputs)
            bad = inputs[:, 2, 0] == inputs[:, 2, 0].max()
            broken = self.training == (where == "training")
            return torch.where((bad & broken).view(-1, 1, 1), torch.nan, outputs)

    module = make_module()
    module.predictor.model = Breaks(3, 1, (4,), 4)
    message = r"loss is not .* train" if where == "training" else r"from frame 1 of 9 on\) is not"
    with pytest.raises(TrainingFailure, match=message) as it:
        make_trainer(tmp_path, 1, num_sanity_val_steps=0).fit(module, datamodule=make_data(folder))
    assert it.value.samples
    assert all(name.startswith("sample ") for name in it.value.samples)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"state": ["c"]}, {}, r"model.state=\['c'\], but the data module gives"),
        ({"static": []}, {}, r"model.static=\[\], but .*velocity_x"),
        ({"frames_in": 3}, {}, "sees frames_in=3 frames, the data module gives frames_in=2"),
        ({"unroll": 4}, {}, "unroll=4 steps of 1 frames are longer than .* 3 frames"),
    ],
)
def test_rejects_data(folder, tmp_path, options, data, message) -> None:
    with pytest.raises(InputError, match=message):
        make_trainer(tmp_path, 1).fit(make_module(**options), datamodule=make_data(folder, **data))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": {**MODEL, "in_channels": 7}}, "in_channels=7, but 3 follow from frames_in=2"),
        ({"state": []}, "must be a list of different names, at least one"),
        ({"noise": -1.0}, "noise=-1.0 must lie between 0 and 10"),
        ({"output": "states"}, "Did you mean 'state'"),
        ({"unroll": 0}, "unroll=0 must be an integer of at least 1"),
        ({"frames_per_step": 0}, "frames_per_step=0"),
        ({"optimizer": "adm"}, "Did you mean 'adam'"),
        ({"statistics": "points"}, "Did you mean 'point'"),
    ],
)
def test_rejects_options(options, message) -> None:
    with pytest.raises(InputError, match=message):
        make_module(**options)
