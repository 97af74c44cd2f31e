"""Averages of weights: their formula, what is validated and saved, resuming."""

from __future__ import annotations

import pytest
import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from meshes.errors import InputError
from neural.training import WeightAverage

pytestmark = pytest.mark.torch


class Line(lightning.LightningModule):
    """A linear map, which remembers what it was after each step and when validated."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.map = torch.nn.Linear(2, 1)
        self.trace: list[torch.Tensor] = []
        self.validated: list[torch.Tensor] = []

    def training_step(self, batch):
        return (self.map(batch[0]) - 1).square().mean()

    def on_train_batch_end(self, *_) -> None:
        self.trace.append(self.map.weight.detach().clone())

    def validation_step(self, _) -> None:
        self.validated.append(self.map.weight.detach().clone())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)


def loader() -> DataLoader:
    values = torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(values), batch_size=2)


def train(folder, callback, max_epochs=2, module=None, **options):
    module = module or Line()
    fit = {key: options.pop(key) for key in ("ckpt_path",) if key in options}
    trainer = lightning.Trainer(
        default_root_dir=folder, max_epochs=max_epochs, accelerator="cpu", devices=1,
        logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, enable_checkpointing=False,
        **{"callbacks": [callback], **options},
    )  # fmt: skip
    trainer.fit(module, loader(), loader(), weights_only=True, **fit)
    return module, trainer


def averaged(trace, decay, start):
    """The formula, with the weights after each step."""
    average, count = Line().map.weight.detach(), 0
    for step, value in enumerate(trace, start=1):
        weight = min(decay, (1 + count) / (10 + count)) if step > start else 0.0
        count += step > start
        average = weight * average + (1 - weight) * value
    return average


@pytest.mark.parametrize(("decay", "start"), [(0.9, 0), (0.2, 0), (0.5, 3)])
def test_follows_its_formula_and_ends_in_the_model(tmp_path, decay, start) -> None:
    module, _ = train(tmp_path, WeightAverage(decay, start))
    expected = averaged(module.trace, decay, start)
    torch.testing.assert_close(module.map.weight.detach(), expected)
    torch.testing.assert_close(module.validated[-1], expected)
    assert not torch.equal(module.validated[-1], module.trace[-1])


def test_training_itself_is_unchanged(tmp_path) -> None:
    with_average, _ = train(tmp_path, WeightAverage(0.9))
    without, _ = train(tmp_path, lightning.Callback())
    for one, two in zip(with_average.trace, without.trace, strict=True):
        assert torch.equal(one, two)


def test_saves_the_average_and_resumes(tmp_path) -> None:
    class Save(lightning.Callback):
        def on_train_epoch_end(self, trainer, _) -> None:
            if trainer.current_epoch == 1:
                trainer.save_checkpoint(tmp_path / "half.ckpt")

    whole, _ = train(tmp_path, None, 4, callbacks=[WeightAverage(0.9, 2), Save()])
    saved = torch.load(tmp_path / "half.ckpt", weights_only=True)
    expected = averaged(whole.trace[:6], 0.9, 2)
    torch.testing.assert_close(saved["state_dict"]["map.weight"], expected)
    resumed, _ = train(tmp_path, WeightAverage(0.9, 2), 4, ckpt_path=tmp_path / "half.ckpt")
    for one, two in zip(whole.trace[6:], resumed.trace, strict=True):
        assert torch.equal(one, two)
    assert torch.equal(whole.map.weight, resumed.map.weight)


def test_the_last_checkpoint_resumes_from_the_weights_of_training(tmp_path) -> None:
    module, trainer = train(tmp_path, WeightAverage(0.9))
    trainer.save_checkpoint(tmp_path / "end.ckpt")
    more, _ = train(tmp_path, WeightAverage(0.9), 4, ckpt_path=tmp_path / "end.ckpt")
    whole, _ = train(tmp_path, WeightAverage(0.9), 4)
    assert torch.equal(more.map.weight, whole.map.weight)
    assert not torch.equal(module.map.weight, module.trace[-1])


@pytest.mark.parametrize(("options"), [{"decay": 1.0}, {"decay": -0.1}, {"start": -1}])
def test_refusals(options) -> None:
    with pytest.raises(InputError, match="must be"):
        WeightAverage(**options)
