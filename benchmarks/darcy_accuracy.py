"""Errors of the Fourier neural operator on Darcy flow: resolutions, and training at 85².

Takes about half an hour on two cores, so it is not among the benchmarks that run by
default: ``python -m benchmarks darcy_accuracy``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.table import Table
from neural import evaluate
from neural.command_line import main as train
from pdesolve import generate

CONFIGURATION = Path(__file__).parents[1] / "examples" / "darcy_fno.yaml"


def run(
    epochs: int = 40, num_train: int = 1000, num_test: int = 100, folder: Path | None = None
) -> Table:
    """Train at 43² and at 85², test both at both.

    With PDESOLVE_BENCHMARK_FOLDER set, data and checkpoints are kept there, and what is there
    already is used.
    """
    named = os.environ.get("PDESOLVE_BENCHMARK_FOLDER")
    if folder is None and named is None:
        with tempfile.TemporaryDirectory() as temporary:
            return run(epochs, num_train, num_test, Path(temporary))
    folder = folder or Path(str(named))
    table = Table(
        "darcy_accuracy",
        f"FNO on darcy2d, {num_train} training and {num_test} test samples, {epochs} epochs",
        ("trained at", "training, s", "relative L2 at 43²", "relative L2 at 85²"),
    )
    for cells in (43, 85):
        for split, count in (("train", num_train), ("test", num_test)):
            out = folder / f"{split}_{cells}.h5"
            if not out.exists():
                generate("darcy2d", count, shape=(cells, cells), split=split, out=out)
    for cells in (43, 85):
        checkpoint = folder / f"fno_{cells}" / "last.ckpt"
        if not checkpoint.exists():
            status = train(
                [
                    *("fit", "--config", str(CONFIGURATION)),
                    *("--data.train", str(folder / f"train_{cells}.h5")),
                    *("--data.test", str(folder / f"test_{cells}.h5")),
                    *("--trainer.max_epochs", str(epochs), "--out", str(checkpoint.parent)),
                ]
            )
            if status != 0:
                raise RuntimeError(f"training at {cells}² ended with status {status}")
        report = evaluate(checkpoint, data=[folder / f"test_{size}.h5" for size in (43, 85)])
        errors = [f"{100 * found.mean['relative_l2']:.2f} %" for found in report.datasets]
        table.add(f"{cells}²", report.training_seconds, *errors)
    table.notes.append(
        "Recipe of examples/darcy_fno.yaml: width 32, 12 modes, GELU, padding, symmetries of the "
        "square, loss of values and gradients, Adam with one cycle; seed 0."
    )
    table.notes.append(
        "The published table has 1.08 % at 85² (1000 samples, 500 epochs, ReLU with batch "
        "normalisation; Li et al. 2021), on data of another generator."
    )
    return table
