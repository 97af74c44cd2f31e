"""All models on one data set: accuracy against the cost of training.

``python -m benchmarks.operators.comparison [--models fno unet] [--seeds 0 1 2] [--kept FILE]``

Each model is trained through the command line with the same data, loss, optimiser and
number of epochs; the model and its learning rate differ, and in one row the recipe.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.operators.training_runs import (
    L2_AND_DIFFERENCES,
    KeptResults,
    benchmark_folder,
    darcy_files,
    train_on_darcy,
)
from benchmarks.table import Table
from neural import evaluate
from neural.models.registry import MODELS

RESULTS = Path(__file__).parents[1] / "results" / "operators"
NUM_TEST = 100


@dataclass(frozen=True)
class Candidate:
    """A model with the options it is compared with.

    Parameters
    ----------
    label
        In the table.
    model
        Name and options, as in a configuration.
    learning_rate
        Largest rate of the one-cycle schedule.
    recipe
        Further entries of the section ``model`` where the recipe is another one, which then has
        no symmetries either.
    """

    label: str
    model: Mapping[str, Any]
    learning_rate: float = 2e-3
    recipe: Mapping[str, Any] = field(default_factory=dict)


RECIPE_OF_2020: Mapping[str, Any] = {
    "statistics": "point",
    "loss": {"class_path": "neural.training.RelativeL2", "init_args": {"reduction": "sum"}},
    "weight_decay": 1e-4,
    "schedule": "step",
    "step_epochs": 6,
    "step_factor": 0.5,
}
"""Li et al. (2021), with the rate halved five times as there, in fewer epochs."""


CANDIDATES = (
    Candidate("FNO, w 32, m 12", {"name": "fno", "modes": [12, 12], "width": 32}),
    Candidate(
        "FNO, w 32, m 12, recipe of 2020",
        {
            "name": "fno",
            "modes": [12, 12],
            "width": 32,
            "padding": 0.0,
            "activation": "relu",
            "normalization": "batch",
            "coordinates": "vertex",
        },
        1e-3,
        RECIPE_OF_2020,
    ),
    Candidate(
        "FNO, w 32, m 12, CP rank 16",
        {"name": "fno", "modes": [12, 12], "width": 32, "factorization": "cp", "rank": 16},
    ),
    Candidate(
        "factorised FNO, w 32, m 12",
        {"name": "factorized-fno", "modes": [12, 12], "width": 32},
    ),
    Candidate("U-Net, w 16", {"name": "unet", "width": 16}),
    Candidate("LSM, w 16", {"name": "lsm", "width": 16}),
    Candidate("Transolver", {"name": "transolver"}, 1e-3),
    Candidate("DeepONet", {"name": "deeponet"}, 1e-3),
    Candidate("Message passing", {"name": "message-passing"}, 1e-3),
)


def run(
    candidates: Sequence[Candidate] = CANDIDATES,
    seeds: Sequence[int] = (0, 1, 2),
    num_train: int = 500,
    epochs: int = 30,
    kept: Path | None = None,
) -> Table:
    """Train every candidate with every seed, or take from `kept` what was trained before.

    Parameters
    ----------
    candidates
        Those whose model is not registered are left out.
    seeds
        Of weights and of the order of samples; the data are the same.
    num_train, epochs
        Training samples, and passes over them.
    kept
        File where results are kept as they come.
    """
    table = Table(
        "comparison",
        f"Models on darcy2d 43²: {num_train} training and {NUM_TEST} test samples, {epochs} "
        f"epochs, {len(seeds)} seeds",
        (
            "model",
            "parameters",
            "seconds an epoch",
            "training, s (median)",
            "relative L2, %",
            "± over seeds",
            "best seed, %",
        ),
    )
    torch.set_num_threads(1)  # the same for all, whatever the environment says
    key = f"{num_train} {epochs}"
    results = KeptResults(kept)
    with benchmark_folder() as folder:
        for candidate in candidates:
            if candidate.model["name"] not in MODELS:
                continue
            found = []
            for seed in seeds:
                place = f"{key} {candidate.label} {json.dumps(dict(candidate.model))} {seed}"
                train = partial(_train, candidate, seed, num_train, epochs, folder)
                found.append(results.get(place, train))
            errors = [100 * result["error"] for result in found]
            seconds = statistics.median(result["seconds"] for result in found)
            spread = statistics.stdev(errors) if len(errors) > 1 else math.nan
            table.add(
                candidate.label,
                f"{found[0]['parameters']:,}".replace(",", " "),
                seconds / epochs,
                seconds,
                statistics.mean(errors),
                spread,
                min(errors),
            )
    table.notes += [
        "Same data, loss (relative L2 plus 0.5 times that of the differences), Adam with one "
        "cycle, batch 20, square symmetries; models differ in their own section of the "
        "configuration and in the learning rate (0.001 for Transolver, DeepONet and message "
        "passing, 0.002 else). The recipe of 2020 is that of the first published tables: ReLU, "
        "batch normalisation, no padding, statistics of each point, relative L2 summed over the "
        "batch, no symmetries, the rate halved in steps.",
        "Sizes are small ones that train in minutes on two cores, not the published ones; "
        "nothing was tuned for this data set, and more epochs would help the slow learners most.",
    ]
    return table


def _train(
    candidate: Candidate, seed: int, num_train: int, epochs: int, folder: Path
) -> dict[str, float]:
    files = darcy_files(folder, num_train, NUM_TEST)
    options = {
        "model": dict(candidate.model),
        "loss": L2_AND_DIFFERENCES,
        "learning_rate": candidate.learning_rate,
        "weight_decay": 1e-5,
        **candidate.recipe,
    }
    out = folder / f"{''.join(filter(str.isalnum, candidate.label))}_{seed}"
    augment = "none" if candidate.recipe else "square symmetries"
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
    parser.add_argument("--models", nargs="*", help="names to train (default: all)")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--num-train", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    chosen = [
        one for one in CANDIDATES if not options.models or one.model["name"] in options.models
    ]
    table = run(chosen, options.seeds, options.num_train, options.epochs, options.kept)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
