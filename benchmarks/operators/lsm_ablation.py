"""What the blocks of a latent spectral model are worth: the same U-Net without them, and an FNO.

``python -m benchmarks.operators.lsm_ablation [--seeds 0 1 2] [--recipe published] [--kept FILE]``

Darcy flow on 43² with few samples. The U-Net comes with the same width, with as many parameters,
and with the width at which a training step takes the same time. The FNO trains for as many
epochs as fit into the time of the latent spectral model.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.operators.training_runs import (
    L2_AND_DIFFERENCES,
    SHAPE,
    KeptResults,
    benchmark_folder,
    darcy_files,
    train_on_darcy,
)
from benchmarks.table import Table
from neural import evaluate
from neural.models.registry import build_model

RESULTS = Path(__file__).parents[1] / "results" / "operators"
BATCH, NUM_TEST = 20, 100
# as many channels a head as the published model of width 64 has with its eight heads
LSM: dict[str, Any] = {"name": "lsm", "width": 16, "num_heads": 2}
FNO: dict[str, Any] = {"name": "fno", "modes": [12, 12], "width": 32}
WIDTHS = tuple(range(16, 31))
RECIPES: dict[str, tuple[dict[str, Any], str, str]] = {
    "today": (
        {"loss": L2_AND_DIFFERENCES, "weight_decay": 1e-5},
        "square symmetries",
        "relative L2 plus 0.5 times that of the differences, Adam with one cycle up to 0.002, "
        "batch 20, square symmetries",
    ),
    "published": (
        {
            "loss": {"class_path": "neural.training.RelativeL2", "init_args": {"reduction": "sum"}},
            "statistics": "point",
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "schedule": "step",
            "step_factor": 0.5,
        },
        "none",
        "relative L2 summed over the batch, statistics of each point, Adam with 0.001, halved "
        "after every fifth of the epochs, batch 20",
    ),
}
"""By name: of the section ``model``, of ``data.augment``, and in words."""


def step_seconds(model: Mapping[str, Any]) -> float:
    """Seconds of one training step (forward, backward, Adam), the best of a few."""
    options = {key: value for key, value in model.items() if key != "name"}
    network = build_model(model["name"], {"in_channels": 1, "out_channels": 1, **options})
    optimizer = torch.optim.Adam(network.parameters())
    inputs = torch.randn(BATCH, 1, *SHAPE)
    best = math.inf
    for _ in range(6):
        start = time.perf_counter()
        optimizer.zero_grad()
        network(inputs).square().mean().backward()
        optimizer.step()
        best = min(best, time.perf_counter() - start)
    return best


def unet_of_equal_cost(rounds: int = 3) -> int:
    """The smallest width at which a U-Net's step takes at least as long as the LSM's."""
    aim = min(step_seconds(LSM) for _ in range(rounds))
    low, high = 0, len(WIDTHS) - 1
    while low < high:
        middle = (low + high) // 2
        found = min(step_seconds({"name": "unet", "width": WIDTHS[middle]}) for _ in range(rounds))
        low, high = (low, middle) if found >= aim else (middle + 1, high)
    return WIDTHS[low]


def run(
    seeds: Sequence[int] = (0, 1, 2),
    num_train: int = 256,
    epochs: int = 40,
    kept: Path | None = None,
    width: int | None = None,
    fno_epochs: int | None = None,
    recipe: str = "today",
) -> Table:
    """Train all, or take from `kept` what was trained before, and tabulate.

    Parameters
    ----------
    seeds
        Of weights and of the order of samples; the data are the same.
    num_train, epochs
        Training samples, and passes over them.
    kept
        File where results are kept as they come.
    width, fno_epochs
        Of the U-Net of equal cost, and passes of the FNO; measured when left out.
    recipe
        A name in :data:`RECIPES`.
    """
    suffix = "" if recipe == "today" else f"_{recipe}"
    results = KeptResults(kept)
    width = width or results.get("width", unet_of_equal_cost)
    ratio = results.get("ratio", lambda: step_seconds(LSM) / step_seconds(FNO))
    fno_epochs = fno_epochs or max(1, round(epochs * ratio))
    candidates = (
        ("LSM, width 16, 2 heads", LSM, epochs),
        ("U-Net, width 16 (the same without blocks)", {"name": "unet", "width": 16}, epochs),
        ("U-Net, width 17 (equal parameters)", {"name": "unet", "width": 17}, epochs),
        (f"U-Net, width {width} (equal time of a step)", {"name": "unet", "width": width}, epochs),
        (f"FNO, width 32, modes 12, {fno_epochs} epochs (equal time)", FNO, fno_epochs),
    )
    table = Table(
        f"lsm_ablation{suffix}",
        f"Blocks of a latent spectral model: darcy2d 43², {num_train} training and {NUM_TEST} "
        f"test samples, {epochs} epochs, {len(seeds)} seeds, recipe {recipe}",
        ("model", "parameters", "training, s", "relative L2, %", "± over seeds", "each seed, %"),
    )
    runs: dict[str, list[dict[str, float]]] = {}
    with benchmark_folder() as folder:
        for seed in seeds:
            for label, model, passes in candidates:
                key = f"{num_train} {passes} {json.dumps(model)} {seed}{suffix}"
                train = partial(train_once, model, passes, seed, num_train, folder, recipe)
                runs.setdefault(label, []).append(results.get(key, train))
        for label, found in runs.items():
            errors = [100 * one["error"] for one in found]
            table.add(
                label,
                f"{found[0]['parameters']:,}".replace(",", " "),
                statistics.median(one["seconds"] for one in found),
                statistics.mean(errors),
                statistics.stdev(errors) if len(errors) > 1 else math.nan,
                ", ".join(f"{error:.2f}" for error in errors),
            )
    lsm, _, parameters, equal, fno = (
        statistics.mean(one["error"] for one in found) for found in runs.values()
    )
    table.notes += [
        f"Same data and recipe: {RECIPES[recipe][2]}. The U-Net and the latent spectral model "
        "differ in the blocks alone (and in padding: 43 + 5 points in both). Times are medians.",
        f"LSM / U-Net of equal parameters: {lsm / parameters:.3f}; LSM / U-Net of equal time: "
        f"{lsm / equal:.3f}; LSM / FNO of equal time: {lsm / fno:.3f}.",
    ]
    return table


def train_once(
    model: Mapping[str, Any],
    epochs: int,
    seed: int,
    num_train: int,
    folder: Path,
    recipe: str = "today",
) -> dict[str, float]:
    """Test error, seconds of training and parameters of one trained model."""
    files = darcy_files(folder, num_train, NUM_TEST)
    own, augment, _ = RECIPES[recipe]
    options = {"model": dict(model), **own}
    if own.get("schedule") == "step":
        options["step_epochs"] = max(1, epochs // 5)
    out = folder / f"{model['name']}_{model['width']}_{seed}"
    checkpoint = train_on_darcy(out, files, options, seed, epochs, augment)
    report = evaluate(checkpoint, data=[files["test"]])
    return {
        "error": float(report.datasets[0].mean["relative_l2"]),
        "seconds": float(report.training_seconds),
        "parameters": int(report.num_parameters),
    }


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--num-train", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--width", type=int, help="of the U-Net of equal cost (default: measured)")
    parser.add_argument("--fno-epochs", type=int, help="passes of the FNO (default: measured)")
    parser.add_argument("--recipe", choices=tuple(RECIPES), default="today")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    table = run(
        given.seeds,
        given.num_train,
        given.epochs,
        given.kept,
        given.width,
        given.fno_epochs,
        given.recipe,
    )
    table.print()
    table.save(given.output)


if __name__ == "__main__":
    main()
