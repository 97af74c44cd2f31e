"""A latent spectral model and the U-Net that it is built around, on Darcy flow.

Both are trained on the same few samples; they differ in the blocks at every scale alone
(Wu, Hu, Luo, Wang, Long 2023, doi:10.48550/arXiv.2301.12664). The figure has a test sample
and where the two predictions are wrong; the table has the mean errors and what they cost.

Run: ``python examples/operators/latent_spectral_model.py --help`` for other sizes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import pytorch_lightning as lightning
import torch
from rich.console import Console
from rich.table import Table

from neural.training.data import PDEDataModule
from neural.training.losses import RelativeH1, relative_l2
from neural.training.module import SurrogateModule
from pdesolve import generate

NAMES = {"unet": "U-Net", "lsm": "latent spectral model"}


def fit(name: str, width: int, epochs: int, data: PDEDataModule, folder: Path) -> SurrogateModule:
    """A trained model, ready for predictions."""
    lightning.seed_everything(0, workers=True, verbose=False)
    module = SurrogateModule(
        {"name": name, "width": width},
        inputs=["coefficient"],
        outputs=["pressure"],
        loss=RelativeH1(weight=0.5),
        learning_rate=2e-3,
    )
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data, weights_only=True)
    return module.eval()


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train both, print, draw; mean relative L2 errors of the test samples, and parameters."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("lsm-output"))
    parser.add_argument("--cells", type=int, default=43)
    parser.add_argument("--num-train", type=int, default=256)
    parser.add_argument("--num-test", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--width", type=int, default=16)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    files = {}
    for split, count in (("train", options.num_train), ("test", options.num_test)):
        files[split] = options.output / f"darcy_{split}.h5"
        generate(
            "darcy2d", count, shape=options.cells, split=split, out=files[split], overwrite=True
        )
    data = PDEDataModule(**files, batch_size=20, augment="square symmetries")
    test = data.split("test")
    inputs, targets = (torch.cat(parts) for parts in zip(*test.batches(), strict=True))
    found: dict[str, float] = {}
    rows = Table(title=f"{options.num_train} samples at {options.cells}², {options.epochs} epochs")
    for column in ("model", "parameters", "training, s", "relative L2 error"):
        rows.add_column(column)
    fields = {"coefficient": inputs[0, 0], "pressure": targets[0, 0]}
    for name, label in NAMES.items():
        module = fit(name, options.width, options.epochs, data, options.output)
        with torch.no_grad():
            prediction = module(inputs)
        found[name] = float(relative_l2(prediction, targets).mean())
        found[f"{name}, parameters"] = sum(p.numel() for p in module.model.parameters())
        fields[f"error of the {label}"] = (prediction - targets)[0, 0]
        rows.add_row(
            label,
            f"{found[f'{name}, parameters']:.0f}",
            f"{module.training_seconds:.0f}",
            f"{found[name]:.2%}",
        )
    Console(width=100).print(rows)
    path = options.output / "latent_spectral_model.png"
    draw(fields, path)
    print(f"Figure: {path}")
    return found


def draw(fields: dict[str, torch.Tensor], path: Path) -> None:
    """The fields side by side, both errors with the same colours."""
    figure, axes = plt.subplots(1, len(fields), figsize=(14, 3.3), constrained_layout=True)
    largest = max(float(f.abs().max()) for title, f in fields.items() if "error" in title)
    for axis, (title, values) in zip(axes, fields.items(), strict=True):
        error = "error" in title
        image = axis.imshow(
            values.T.numpy(),
            origin="lower",
            extent=(0, 1, 0, 1),
            cmap="RdBu" if error else "viridis",
            vmin=-largest if error else None,
            vmax=largest if error else None,
        )
        axis.set(title=title, xticks=(), yticks=())
        figure.colorbar(image, ax=axis)
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
