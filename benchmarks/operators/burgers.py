"""FNO on viscous Burgers' equation, trained at 256 points and applied up to 8192.

``python -m benchmarks.operators burgers``
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from benchmarks.operators.training_runs import benchmark_folder
from benchmarks.table import Table
from neural import evaluate
from neural.command_line import main as train
from pdesolve import generate

CONFIGURATION = Path(__file__).parents[2] / "examples" / "benchmarks" / "burgers_fno.yaml"
PUBLISHED = {256: 0.0149, 512: 0.0158, 1024: 0.0160, 2048: 0.0146, 4096: 0.0142, 8192: 0.0139}


def run(
    epochs: int = 300,
    num_train: int = 1000,
    num_test: int = 100,
    points: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8192),
) -> Table:
    """Train once at the first number of points, test at all."""
    table = Table(
        "burgers",
        f"FNO on Burgers' equation: trained at {points[0]} points, {num_train} training and "
        f"{num_test} test samples, {epochs} epochs",
        ("points", "relative L2", "published, trained at that size", "training, s"),
    )
    with benchmark_folder() as folder:
        out = folder / f"burgers_{num_train}_{epochs}"
        files = {}
        for split, count, sizes in (("train", num_train, points[:1]), ("test", num_test, points)):
            for size in sizes:
                files[split, size] = folder / f"burgers_{split}_{count}_{size}.h5"
                if not files[split, size].exists():
                    generate("burgers1d", count, shape=size, split=split, out=files[split, size])
        if not (out / "last.ckpt").exists():
            words = ["fit", "--config", str(CONFIGURATION), "--out", str(out)]
            words += ["--data.train", str(files["train", points[0]])]
            words += ["--data.test", str(files["test", points[0]])]
            words += ["--trainer.max_epochs", str(epochs)]
            with contextlib.redirect_stdout(io.StringIO()):
                train(words)
        report = evaluate(out / "last.ckpt", data=[files["test", size] for size in points])
        for size, found in zip(points, report.datasets, strict=True):
            table.add(
                str(size),
                f"{found.mean['relative_l2']:.4f}",
                f"{PUBLISHED[size]:.4f}" if size in PUBLISHED else "–",
                f"{report.training_seconds:.0f}" if size == points[0] else "the same model",
            )
    table.notes.append(
        "Width 64, 16 modes, GELU, no normalisation, no padding, Adam with one cycle, float32, "
        "seed 0. Published: Li et al. 2021, ReLU with batch normalisation, 500 epochs, data of "
        "another generator with the same distribution (viscosity 0.1, t = 1)."
    )
    return table
