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

FINE = 1024
CONFIGURATION = Path(__file__).parents[2] / "examples" / "benchmarks" / "burgers_fno.yaml"
PUBLISHED = {256: 0.0149, 512: 0.0158, 1024: 0.0160, 2048: 0.0146, 4096: 0.0142, 8192: 0.0139}


def run(
    epochs: int = 300,
    num_train: int = 1000,
    num_test: int = 100,
    points: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8192),
    num_fine: int = 20,
) -> Table:
    """Train once at the first number of points, test at all.

    Parameters
    ----------
    epochs, num_train, num_test
        Passes, and samples.
    points
        Of the grids.
    num_fine
        Test samples on grids of more than 1024 points, which take seconds each.
    """
    table = Table(
        "burgers",
        f"FNO on Burgers' equation: trained at {points[0]} points, {num_train} training and "
        f"{num_test} test samples, {epochs} epochs",
        ("points", "relative L2", "published, trained at that size", "training, s", "tested on"),
    )
    with benchmark_folder() as folder:
        out = folder / f"burgers_{num_train}_{epochs}"
        files = {}
        counts = {size: num_test if size <= FINE else min(num_fine, num_test) for size in points}
        few = min(counts.values())
        wanted = [("train", num_train, points[0]), ("few", few, points[0])]
        for name, samples, size in [*wanted, *(("test", counts[size], size) for size in points)]:
            split = "train" if name == "train" else "test"
            out_file = files[name, size] = folder / f"burgers_{split}_{samples}_{size}.h5"
            if not out_file.exists():
                options = {"shape": size, "split": split, "estimate_error": False}
                generate("burgers1d", samples, out=out_file, **options)
        if not (out / "last.ckpt").exists():
            words = ["fit", "--config", str(CONFIGURATION), "--out", str(out)]
            words += ["--data.train", str(files["train", points[0]])]
            words += ["--data.test", str(files["test", points[0]])]
            words += ["--trainer.max_epochs", str(epochs)]
            with contextlib.redirect_stdout(io.StringIO()):
                train(words)
        tested = [files["test", size] for size in points] + [files["few", points[0]]]
        report = evaluate(out / "last.ckpt", data=tested)
        for size, found in zip(points, report.datasets[:-1], strict=True):
            table.add(
                str(size),
                f"{found.mean['relative_l2']:.4f}",
                f"{PUBLISHED[size]:.4f}" if size in PUBLISHED else "–",
                f"{report.training_seconds:.0f}" if size == points[0] else "the same model",
                str(counts[size]),
            )
    error = report.datasets[-1].mean["relative_l2"]
    table.notes.append(
        f"At {points[0]} points the first {few} test samples alone have {error:.4f}."
    )
    table.notes.append(
        "Width 64, 16 modes, GELU, no normalisation, no padding, Adam with one cycle, float32, "
        "seed 0. Published: Li et al. 2021, ReLU with batch normalisation, 500 epochs, data of "
        "another generator with the same distribution (viscosity 0.1, t = 1)."
    )
    return table
