"""A Fourier neural operator for Burgers' equation, from the initial state to the state at t = 1.

The same trained model is applied to finer grids than it was trained on (Li et al. 2021,
doi:10.48550/arXiv.2010.08895: 1.49 % at 256 points). The figure has a test sample and its
prediction at two resolutions, and the errors of all.

Run: ``python examples/operators/burgers_fno.py --help`` for other sizes.
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
from neural.training.losses import relative_l2
from neural.training.module import SurrogateModule
from pdesolve import generate


def main(arguments: Sequence[str] | None = None) -> dict[int, float]:
    """Train, print, draw; mean relative L2 error at each number of points."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("burgers-output"))
    parser.add_argument("--points", type=int, default=256)
    parser.add_argument("--num-train", type=int, default=1000)
    parser.add_argument("--num-test", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--modes", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    train = options.output / "burgers_train.h5"
    generate("burgers1d", options.num_train, shape=options.points, out=train, overwrite=True)
    lightning.seed_everything(0, workers=True, verbose=False)
    module = SurrogateModule(
        {"name": "fno", "modes": [options.modes], "width": options.width, "padding": 0.0},
        inputs=["initial_velocity"],
        outputs=["velocity"],
        learning_rate=options.learning_rate,
        weight_decay=1e-4,
    )
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        accelerator="cpu",
        default_root_dir=options.output,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=PDEDataModule(train=train), weights_only=True)
    module.eval()
    errors: dict[int, float] = {}
    shown = {}
    for points in (options.points, 2 * options.points, 4 * options.points):
        test = options.output / f"burgers_test_{points}.h5"
        generate(
            "burgers1d", options.num_test, shape=points, split="test", out=test, overwrite=True
        )
        batches = PDEDataModule(test=test).split("test").batches()
        inputs, targets = (torch.cat(parts) for parts in zip(*batches, strict=True))
        with torch.no_grad():
            predictions = module(inputs)
        errors[points] = float(relative_l2(predictions, targets).mean())
        shown[points] = (inputs[0, 0], targets[0, 0], predictions[0, 0])
    rows = Table(
        title=f"Trained at {options.points} points in {module.training_seconds:.0f} s, "
        f"{options.num_train} samples"
    )
    for column in ("points", "relative L2 error"):
        rows.add_column(column, justify="right")
    for points, error in errors.items():
        rows.add_row(str(points), f"{error:.2%}")
    Console(width=100).print(rows)
    path = options.output / "burgers_fno.png"
    draw(shown, errors, path)
    print(f"Figure: {path}")
    return errors


def draw(shown: dict[int, tuple[torch.Tensor, ...]], errors: dict[int, float], path: Path) -> None:
    """A sample and its prediction at each resolution."""
    figure, axes = plt.subplots(
        1, len(shown), figsize=(4 * len(shown), 3.5), constrained_layout=True, sharey=True
    )
    for axis, (points, (start, target, prediction)) in zip(axes, shown.items(), strict=True):
        x = (torch.arange(points) + 0.5) / points
        axis.plot(x, start, color="0.7", label="at t = 0")
        axis.plot(x, target, color="C0", label="at t = 1")
        axis.plot(x, prediction, "--", color="C1", label="prediction")
        axis.set(title=f"{points} points: {errors[points]:.2%}", xlabel="x")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("velocity")
    axes[0].legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
