"""What more samples and finer grids do to a surrogate's error: Darcy flow.

A Fourier neural operator is trained on more and more samples at one resolution; each is
tested there and at twice the resolution, which it has not seen. The figure has the error
over the number of samples: it falls, and is nearly the same on both grids.

Run: ``python examples/operators/darcy_samples_and_resolution.py --help`` for other sizes.
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


def fit(width: int, modes: int, steps: int, data: PDEDataModule, folder: Path) -> SurrogateModule:
    """A model trained for so many steps, ready for predictions."""
    lightning.seed_everything(0, workers=True, verbose=False)
    module = SurrogateModule(
        {"name": "fno", "modes": [modes, modes], "width": width, "padding": 0.116},
        inputs=["coefficient"],
        outputs=["pressure"],
        loss=RelativeH1(weight=0.5),
    )
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator="cpu",
        default_root_dir=folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data, weights_only=True)
    return module.eval()


def main(arguments: Sequence[str] | None = None) -> dict[int, tuple[float, float]]:
    """Train, print, draw; errors at the trained and at twice the resolution by samples."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("darcy-samples-output"))
    parser.add_argument("--cells", type=int, default=43)
    parser.add_argument("--num-train", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--num-test", type=int, default=50)
    parser.add_argument("--steps", type=int, default=500, help="of training, for every model")
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--modes", type=int, default=12)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    train = options.output / "darcy_train.h5"
    generate("darcy2d", max(options.num_train), shape=options.cells, out=train, overwrite=True)
    tests = []
    for cells in (options.cells, 2 * options.cells):
        test = options.output / f"darcy_test_{cells}.h5"
        generate("darcy2d", options.num_test, shape=cells, split="test", out=test, overwrite=True)
        batches = PDEDataModule(test=test).split("test").batches()
        tests.append([torch.cat(parts) for parts in zip(*batches, strict=True)])
    found: dict[int, tuple[float, float]] = {}
    rows = Table(title=f"Trained at {options.cells}², {options.steps} steps")
    for column in ("samples", f"error at {options.cells}²", f"at {2 * options.cells}²"):
        rows.add_column(column, justify="right")
    for count in options.num_train:
        data = PDEDataModule(train=train, num_train=count)
        module = fit(options.width, options.modes, options.steps, data, options.output)
        with torch.no_grad():
            one, two = (float(relative_l2(module(a), u).mean()) for a, u in tests)
        found[count] = one, two
        rows.add_row(str(count), f"{one:.2%}", f"{two:.2%}")
    Console(width=100).print(rows)
    path = options.output / "darcy_samples_and_resolution.png"
    draw(found, options.cells, path)
    print(f"Figure: {path}")
    return found


def draw(found: dict[int, tuple[float, float]], cells: int, path: Path) -> None:
    """Errors over the number of samples."""
    figure, axes = plt.subplots(figsize=(6, 4), constrained_layout=True)
    for place, label in enumerate((f"{cells}², as trained", f"{2 * cells}², not seen")):
        axes.loglog(
            list(found), [100 * errors[place] for errors in found.values()], "o-", label=label
        )
    axes.set(xlabel="training samples", ylabel="relative L2 error, %")
    axes.legend()
    axes.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
