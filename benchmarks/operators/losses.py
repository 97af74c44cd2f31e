"""One model trained with each loss: which errors become small.

``python -m benchmarks.operators.losses [--epochs 20] [--seeds 0 1 2] [--kept FILE]``

The model, data, optimiser and number of epochs are the same; only the section ``loss`` of
the configuration differs. The residual alone sees no solution.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.operators.training_runs import (
    KeptResults,
    benchmark_folder,
    darcy_files,
    train_on_darcy,
)
from benchmarks.table import Table
from neural import evaluate

RESULTS = Path(__file__).parents[1] / "results" / "operators"
HERE = "neural.training.losses"
MODEL: Mapping[str, Any] = {"name": "fno", "modes": [12, 12], "width": 16}


def _loss(name: str, **options: Any) -> dict[str, Any]:
    return {"class_path": f"{HERE}.{name}", "init_args": options}


LOSSES: Mapping[str, Mapping[str, Any]] = {
    "relative L2": _loss("RelativeL2"),
    "L2 + 0.5 differences": _loss("RelativeH1", weight=0.5),
    "H^1": _loss("RelativeSobolev", order=1, extension="odd"),
    "H^-1": _loss("RelativeSobolev", order=-1, extension="odd"),
    "bands, edges 2 and 6": _loss("BandL2", edges=[2, 6], extension="odd"),
    "energy": _loss("RelativeEnergy"),
    "L2 + 0.5 energy": _loss(
        "WeightedSum",
        losses={"data": _loss("RelativeL2"), "energy": _loss("RelativeEnergy")},
        weights={"energy": 0.5},
    ),
    "L2 + 0.1 residual in H^-1": _loss(
        "WeightedSum",
        losses={"data": _loss("RelativeL2"), "residual": _loss("PDEResidual")},
        weights={"residual": 0.1},
    ),
    "residual in H^-1 alone": _loss("PDEResidual"),
}
ERRORS = {
    "relative_l2": "L2, %",
    "relative_h1": "H1, %",
    "relative_dual": "H^-1, %",
    "relative_energy": "energy, %",
    "relative_maximum": "maximum, %",
}


def run(
    seeds: Sequence[int] = (0, 1, 2),
    epochs: int = 20,
    num_train: int = 256,
    num_test: int = 100,
    losses: Sequence[str] = tuple(LOSSES),
    kept: Path | None = None,
) -> Table:
    """Train with every loss and seed, or take from `kept` what was trained before."""
    table = Table(
        "losses",
        f"FNO on darcy2d 43² with different losses: {num_train} training and {num_test} test "
        f"samples, {epochs} epochs, {len(seeds)} seed(s)",
        ("loss", "seconds an epoch", *ERRORS.values(), "± of L2"),
    )
    key = f"{num_train} {num_test} {epochs} {json.dumps(dict(MODEL))}"
    results = KeptResults(kept)
    with benchmark_folder() as folder:
        for label in losses:
            found = []
            for seed in seeds:
                place = f"{key} {label} {json.dumps(dict(LOSSES[label]))} {seed}"
                train = partial(_train, label, seed, num_train, num_test, epochs, folder)
                found.append(results.get(place, train))
            means = [100 * statistics.mean(one[name] for one in found) for name in ERRORS]
            spread = [100 * one["relative_l2"] for one in found]
            table.add(
                label,
                statistics.mean(one["seconds"] for one in found) / epochs,
                *means,
                statistics.stdev(spread) if len(spread) > 1 else math.nan,
            )
    table.notes += [
        f"Model {dict(MODEL)}; Adam with one cycle up to 0.002, batch 20, square symmetries. "
        "Means over test samples, then over seeds.",
        "Energy: of each sample's own stencil. H^-1: waves weighted by (1 + |k|²)^-1. Series of "
        "sines, as the pressure is zero on the sides.",
    ]
    return table


def _train(
    label: str, seed: int, num_train: int, num_test: int, epochs: int, folder: Path
) -> dict[str, float]:
    files = darcy_files(folder, num_train, num_test)
    options = {"model": dict(MODEL), "loss": dict(LOSSES[label])}
    out = folder / f"losses_{''.join(filter(str.isalnum, label))}_{seed}"
    checkpoint = train_on_darcy(out, {"train": files["train"]}, options, seed, epochs)
    report = evaluate(checkpoint, data=[files["test"]], num_timed_solves=0)
    errors = {name: float(report.datasets[0].mean[name]) for name in ERRORS}
    return {**errors, "seconds": float(report.training_seconds)}


def main() -> None:
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--losses", nargs="*", default=list(LOSSES), choices=list(LOSSES))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--num-train", type=int, default=256)
    parser.add_argument("--num-test", type=int, default=100)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = run(
        options.seeds,
        options.epochs,
        options.num_train,
        options.num_test,
        options.losses,
        options.kept,
    )
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
