"""One model trained on trajectories in different ways: errors of rollouts.

``python -m benchmarks.operators.trajectory_training [--epochs 10] [--seeds 0 1]``

The model, data, optimiser and number of epochs are the same. Models train on windows of 4
frames and up to 4 frames of future; tests are rollouts over 16 frames.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning

from benchmarks.operators.training_runs import benchmark_folder, quiet_trainer
from benchmarks.table import Table
from neural.training import TrajectoryDataModule, TrajectoryModule, WeightAverage
from pdesolve import generate, get_family

RESULTS = Path(__file__).parents[1] / "results" / "operators"
MODEL: Mapping[str, Any] = {
    "name": "fno",
    "modes": [6, 6],
    "width": 12,
    "projection_width": 32,
    "padding": 0,
}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "one step": {"unroll": 1},
    "one step, noise 0.01": {"unroll": 1, "noise": 0.01},
    "push-forward over 2 steps": {"unroll": 2, "push_forward": True},
    "4 steps": {},
    "4 steps, push-forward": {"push_forward": True},
    "4 frames a step": {"frames_per_step": 4},
    "one step, increments": {"unroll": 1, "output": "increment"},
    "one step, increments, noise 0.01": {"unroll": 1, "output": "increment", "noise": 0.01},
    "4 steps, increments": {"output": "increment"},
    "4 steps, increments, averaged weights": {"output": "increment", "average": 0.99},
}


def run(
    seeds: Sequence[int] = (0, 1),
    epochs: int = 10,
    num_train: int = 32,
    num_test: int = 16,
    shape: int = 24,
    ways: Sequence[str] = tuple(WAYS),
) -> Table:
    """Train in every way with every seed, and roll out the test trajectories."""
    table = Table(
        "trajectory_training",
        f"FNO on navier_stokes2d {shape}², rollouts over 16 frames: {num_train} training and "
        f"{num_test} test trajectories, {epochs} epochs, {len(seeds)} seed(s)",
        ("training", "steps a window", "all frames, %", "first frame, %", "last frame, %"),
    )
    with benchmark_folder() as folder:
        files = _files(folder, shape, num_train, num_test)
        for way in ways:
            found = [_train(files, WAYS[way], seed, epochs) for seed in seeds]
            steps = 1 if "frames_per_step" in WAYS[way] else WAYS[way].get("unroll", 4)
            table.add(way, steps, *(statistics.mean(values) for values in zip(*found, strict=True)))
            print(way, table.rows[-1][1:], flush=True)
    table.notes += [
        f"Model {dict(MODEL)}; Adam with one cycle up to 0.008, batches of 16 windows. Relative "
        "L2, means over test trajectories and seeds; all frames: of the trajectory as one field.",
        "Viscosity 1e-3, frames 1 s apart, the initial state left out. The cost of training is "
        "about proportional to the steps in a window, less with push-forward.",
    ]
    return table


def _files(folder: Path, shape: int, num_train: int, num_test: int) -> dict[str, Path]:
    family = get_family("navier_stokes2d", final_time=20.0)
    files = {}
    for split, count in (("train", num_train), ("test", num_test)):
        files[split] = folder / f"flow_{split}_{shape}_{count}.h5"
        if not files[split].exists():
            generate(
                family, count, shape=shape, split=split, out=files[split], estimate_error=False
            )
    return files


def _train(
    files: Mapping[str, Path], way: Mapping[str, Any], seed: int, epochs: int
) -> tuple[float, ...]:
    options = dict(way)
    average = options.pop("average", None)
    lightning.seed_everything(seed, verbose=False)
    data = TrajectoryDataModule(
        train=files["train"],
        test=files["test"],
        frames_in=4,
        frames_out=4,
        stride=2,
        start=1,
        batch_size=16,
        seed=seed,
    )
    module = TrajectoryModule(
        dict(MODEL), ["vorticity"], frames_in=4, learning_rate=8e-3, noise_seed=seed, **options
    )
    trainer = quiet_trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        callbacks=[] if average is None else [WeightAverage(average)],
    )
    trainer.fit(module, datamodule=data)
    metrics = trainer.test(module, datamodule=data, verbose=False)[0]
    errors = module.frame_errors
    whole = 100 * metrics["test_relative_l2"]
    return whole, 100 * errors[0], 100 * errors[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    table = run(options.seeds, options.epochs)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
