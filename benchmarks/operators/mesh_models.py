"""The models of points on flow through bent pipes and on stress around voids.

``python -m benchmarks.operators mesh_models [--seeds 0 1 2] [--kept FILE]``

Training is that of the fast configurations of ``examples/benchmarks``, with the model replaced
and more data; a mean of the training fields is what a model has to beat.
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

from benchmarks.operators.full_size import ROOT, Case, commands_of, make_data, train_once
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
    epochs: int = 60,
    kept: Path | None = None,
    num_train: int = 200,
    num_test: int = 50,
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
    num_train, num_test
        Samples of each task.
    models
        By label, what stands under ``model`` in the frame ``on-mesh``.
    """
    torch.set_num_threads(1)
    results = KeptResults(kept)
    table = Table(
        "mesh_models",
        f"Models of points: {num_train} training and {num_test} test samples, {epochs} epochs, "
        f"{len(seeds)} seeds",
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
            files = mesh_files(task, folder, num_train, num_test)
            for label, model in models.items():
                found = []
                for seed in seeds:
                    key = json.dumps([task, model, num_train, epochs, seed])
                    train = partial(train_on_mesh, task, label, model, epochs, seed, files)
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
        "pipe_data.py (49 × 25 vertices), meshes as in the fast configurations. Mean field: "
        "error of the mean of the training fields, by vertex or over all, whichever is less."
    )
    return table


def mesh_files(task: str, folder: Path, num_train: int, num_test: int) -> dict[str, Path]:
    """Training and test samples of a task, made where they are missing."""
    files = {}
    head = (ROOT / "examples" / "benchmarks" / f"{task}_transolver_fast.yaml").read_text()
    for words in commands_of(head):
        place = {name: words.index(f"--{name}") + 1 for name in ("split", "num-samples", "out")}
        split = words[place["split"]]
        count = {"train": num_train, "test": num_test}[split]
        files[split] = folder.absolute() / f"{task}_{split}_{count}.h5"
        words[place["num-samples"]], words[place["out"]] = str(count), str(files[split])
        make_data(words)
    return files


def train_on_mesh(
    task: str,
    label: str,
    model: Mapping[str, Any],
    epochs: int,
    seed: int,
    files: Mapping[str, Path],
) -> dict[str, float]:
    """What :func:`benchmarks.operators.full_size.train_once` gives, and the mean's error."""
    named = {split: str(path) for split, path in files.items()}
    changes: dict[str, dict[str, Any]] = {
        "model": {"model": {"name": "on-mesh", "mesh": named["train"], "model": dict(model)}},
        "data": named,
        "trainer": {"max_epochs": epochs},
    }
    case = Case(f"{task} {label}", f"{task}_transolver_fast", math.nan, math.nan, changes)
    found = train_once(case, seed, files["train"].parent)
    return {**found, "mean_field": mean_field_error(files)}


def mean_field_error(files: Mapping[str, Path]) -> float:
    """Mean relative L2 error over the test samples of a prediction that knows none of them."""
    train, test = (MeshFileReader(files[split]).read()[1][:, 0] for split in ("train", "test"))
    errors = []
    for mean in (train.mean(axis=0), train.mean()):
        rest, size = np.linalg.norm(test - mean, axis=1), np.linalg.norm(test, axis=1)
        errors.append(float(np.mean(rest / size)))
    return min(errors)


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--num-train", type=int, default=200)
    parser.add_argument("--num-test", type=int, default=50)
    parser.add_argument("--kept", type=Path, help="file where results are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    table = run(given.seeds, given.epochs, given.kept, given.num_train, given.num_test)
    table.print()
    table.save(given.output)


if __name__ == "__main__":
    main()
