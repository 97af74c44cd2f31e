"""The models of points on flow through bent pipes and on stress around voids.

``python -m benchmarks.operators mesh_models [--seeds 0 1 2] [--kept FILE]``

Data and training are those of the fast configurations of ``examples/benchmarks``, with the model
replaced; a mean of the training fields is what a model has to beat.
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

import numpy as np
import torch

from benchmarks.operators.full_size import Case, train_once
from benchmarks.operators.training_runs import KeptResults, benchmark_folder
from benchmarks.table import Table
from neural.training.mesh_files import MeshFileReader

RESULTS = Path(__file__).parents[1] / "results" / "operators"
TASKS = {"elasticity": "stress around voids", "pipe": "flow through bent pipes"}
MODELS: Mapping[str, Mapping[str, Any]] = {
    "Transolver, width 48": {
        "name": "transolver",
        "projection": "linear",
        "append_coordinates": False,
        "width": 48,
        "num_layers": 3,
        "num_slices": 16,
    },
    "LSM on points, width 16": {
        "name": "lsm-points",
        "width": 16,
        "num_heads": 2,
        "grid": [32, 32],
        "modes": [8, 8],
    },
    "message passing, width 32": {"name": "message-passing", "width": 32},
}


def run(
    seeds: Sequence[int] = (0, 1, 2),
    epochs: int = 30,
    kept: Path | None = None,
    models: Mapping[str, Mapping[str, Any]] = MODELS,
) -> Table:
    """Train all, or take from `kept` what was trained before, and tabulate.

    Parameters
    ----------
    seeds
        Of weights and of the order of samples.
    epochs
        Passes over the data.
    kept
        File where results are kept as they come.
    models
        By label, what stands under ``model`` in the frame ``on-mesh``.
    """
    torch.set_num_threads(1)
    results = KeptResults(kept)
    table = Table(
        "mesh_models",
        f"Models of points: 64 training and 16 test samples, {epochs} epochs, {len(seeds)} seeds",
        (
            "task",
            "model",
            "parameters",
            "training, s",
            "relative L2, %",
            "± over seeds",
            "mean field, %",
        ),
    )
    with benchmark_folder() as folder:
        for task, title in TASKS.items():
            for label, model in models.items():
                found = []
                for seed in seeds:
                    key = json.dumps([task, model, epochs, seed])
                    train = partial(train_on_mesh, task, label, model, epochs, seed, folder)
                    found.append(results.get(key, train))
                errors = [100 * one["error"] for one in found]
                table.add(
                    title,
                    label,
                    f"{found[0]['parameters']:,}".replace(",", " "),
                    statistics.mean(one["seconds"] for one in found),
                    statistics.mean(errors),
                    statistics.stdev(errors) if len(errors) > 1 else math.nan,
                    100 * found[0]["mean_field"],
                )
    table.notes.append(
        "Data: examples/benchmarks/elasticity_data.py (each void has a mesh of its own) and "
        "pipe_data.py (49 × 25 vertices), at the sizes of the fast configurations. Mean field: "
        "error of the mean of the training fields, by vertex or over all, whichever is less."
    )
    return table


def train_on_mesh(
    task: str,
    label: str,
    model: Mapping[str, Any],
    epochs: int,
    seed: int,
    folder: Path,
) -> dict[str, float]:
    """What :func:`benchmarks.operators.full_size.train_once` gives, and the mean's error."""
    frame = {"name": "on-mesh", "mesh": f"{task}_train.h5", "model": dict(model)}
    changes: dict[str, dict[str, Any]] = {
        "model": {"model": frame},
        "trainer": {"max_epochs": epochs},
    }
    case = Case(f"{task} {label}", f"{task}_transolver_fast", math.nan, math.nan, changes)
    return {**train_once(case, seed, folder), "mean_field": mean_field_error(task, folder)}


def mean_field_error(task: str, folder: Path) -> float:
    """Mean relative L2 error over the test samples of a prediction that knows none of them."""
    train, test = (
        MeshFileReader(folder / f"{task}_{split}.h5").read()[1][:, 0] for split in ("train", "test")
    )
    errors = []
    for mean in (train.mean(axis=0), train.mean()):
        rest, size = np.linalg.norm(test - mean, axis=1), np.linalg.norm(test, axis=1)
        errors.append(float(np.mean(rest / size)))
    return min(errors)


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    table = run(given.seeds, given.epochs, given.kept)
    table.print()
    table.save(given.output)


if __name__ == "__main__":
    main()
