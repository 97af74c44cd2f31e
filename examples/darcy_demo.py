"""The whole path on Darcy flow: solve, generate, train, evaluate, accelerate.

Run: ``make demo``, or ``python examples/darcy_demo.py --help`` for other sizes.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from rich.console import Console
from rich.table import Table

from neural.evaluation import evaluate
from neural.surrogate import Surrogate
from neural.training.data import PDEDataModule
from neural.training.losses import RelativeH1
from neural.training.module import SurrogateModule
from neural.training.report import EpochReport
from pdesolve import generate, get_family, open_dataset, sample_generator, solve
from pdesolve.output.plotting import plot_comparison

CONSOLE = Console(width=100)


@dataclass(frozen=True)
class Sizes:
    """What the demo can be run with."""

    output: Path = Path("demo-output")
    cells: int = 43
    fine_cells: int = 85
    num_train: int = 1000
    num_test: int = 100
    epochs: int = 40
    modes: int = 12
    width: int = 32
    num_accelerated: int = 20


def show(title: str, columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    """Print a table."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row])
    CONSOLE.print(table)


def solve_both_ways(sizes: Sizes) -> float:
    """One problem by finite volumes and by finite elements; their relative distance."""
    family = get_family("darcy2d")
    problem = family.problem(family.sample(sample_generator(0, "demo", 0)))
    grid = problem.grid(2 * sizes.fine_cells)
    volumes = solve(problem, mesh=grid)
    elements = solve(problem, mesh=grid, backend="fem", element="CG", degree=2)
    distance = np.linalg.norm(elements.on(grid).values - volumes.field.values)
    relative = float(distance / np.linalg.norm(volumes.field.values))
    rows = [
        (
            label,
            solution.result.num_unknowns,
            solution.result.solver,
            solution.result.iterations,
            solution.result.relative_residual,
            float(sum(solution.result.seconds.values())),
        )
        for label, solution in (("finite volumes", volumes), ("elements, CG 2", elements))
    ]
    columns = ("backend", "unknowns", "solver", "iterations", "residual", "seconds")
    show(f"1. One problem on {grid.shape[0]}² cells; the answers differ by {relative:.2%}", columns,
         rows)  # fmt: skip
    return relative


def generate_sets(sizes: Sizes) -> dict[str, Path]:
    """Training set, test set, and the test problems at a finer resolution."""
    files, rows = {}, []
    for name, split, count, cells in (
        ("train", "train", sizes.num_train, sizes.cells),
        ("test", "test", sizes.num_test, sizes.cells),
        ("fine", "test", sizes.num_test, sizes.fine_cells),
    ):
        files[name] = sizes.output / f"darcy_{name}_{cells}.h5"
        start = time.perf_counter()
        generate(
            "darcy2d", count, shape=(cells, cells), seed=0, split=split, out=files[name],
            overwrite=True,
        )  # fmt: skip
        seconds = time.perf_counter() - start
        records = open_dataset(files[name]).read_records()
        rows.append(
            (files[name].name, count, f"{cells}²", seconds, count / seconds,
             float(np.median(records["error_estimate"])))
        )  # fmt: skip
    columns = ("file", "samples", "grid", "seconds", "samples/s", "discretisation error (median)")
    show("2. Data sets", columns, rows)
    return files


def train(sizes: Sizes, files: dict[str, Path]) -> Path:
    """Train a Fourier neural operator; the checkpoint's path."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    lightning.seed_everything(0, workers=True, verbose=False)
    data = PDEDataModule(train=files["train"], batch_size=20, augment="square symmetries")
    module = SurrogateModule(
        {"name": "fno", "modes": [sizes.modes] * 2, "width": sizes.width, "padding": 0.116},
        inputs=["coefficient"],
        outputs=["pressure"],
        loss=RelativeH1(weight=0.5),
    )
    trainer = lightning.Trainer(
        max_epochs=sizes.epochs,
        default_root_dir=sizes.output,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=CONSOLE.is_terminal,
        enable_model_summary=False,
        callbacks=[] if CONSOLE.is_terminal else [EpochReport(8, sys.stdout)],
    )
    CONSOLE.print(f"[italic]3. Training, {sizes.epochs} epochs on {sizes.num_train} samples")
    trainer.fit(module, datamodule=data, weights_only=True)
    path = sizes.output / "darcy_fno.ckpt"
    trainer.save_checkpoint(path)
    CONSOLE.print(f"   {module.training_seconds:.0f} s, saved as {path}")
    return path


def accelerate(sizes: Sizes, surrogate: Surrogate) -> list[tuple[Any, ...]]:
    """Iterations and seconds of the same solves with and without the prediction."""
    family = get_family("darcy2d")
    rows = []
    for cells in (sizes.cells, sizes.fine_cells):
        counts, seconds, apart = [], [], []
        for index in range(sizes.num_accelerated + 1):
            problem = family.problem(family.sample(sample_generator(0, "test", index)))
            runs = []
            for guess in (None, surrogate):
                start = time.perf_counter()
                runs.append(solve(problem, mesh=cells, accelerate=guess))
                seconds.append(time.perf_counter() - start)
            if index == 0:  # the first pair loads libraries
                seconds.clear()
                continue
            counts.append([run.result.iterations for run in runs])
            difference = runs[0].field.values - runs[1].field.values
            apart.append(np.linalg.norm(difference) / np.linalg.norm(runs[0].field.values))
        plain, guided = np.mean(counts, axis=0)
        times = 1e3 * np.reshape(seconds, (-1, 2)).mean(axis=0)
        rows.append(
            (f"{cells}²", float(plain), float(guided), float(times[0]), float(times[1]),
             float(max(apart)))
        )  # fmt: skip
    columns = ("grid", "iterations", "with guess", "ms", "ms with guess", "answers apart")
    show(
        f"5. CG + GAMG to 1e-8, mean of {sizes.num_accelerated} test problems (prediction counted)",
        columns,
        rows,
    )
    return rows


def draw(sizes: Sizes, surrogate: Surrogate) -> Path:
    """Coefficient, solution, prediction and error of one test problem."""
    family = get_family("darcy2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    grid = problem.grid(sizes.fine_cells)
    solution = solve(problem, mesh=grid).field
    prediction = surrogate.predict(problem, grid)
    path = sizes.output / "darcy_demo.png"
    plot_comparison(problem.input_fields(grid), solution, prediction, path, units=family.units)
    return path


def run(sizes: Sizes) -> dict[str, float]:
    """All steps; the numbers that they end with."""
    start = time.perf_counter()
    sizes.output.mkdir(parents=True, exist_ok=True)
    apart = solve_both_ways(sizes)
    files = generate_sets(sizes)
    checkpoint = train(sizes, files)
    report = evaluate(checkpoint, data=[files["test"], files["fine"]])
    heading, *rows = report.rows()
    show(f"4. Accuracy on {sizes.num_test} test problems", heading, rows)
    surrogate = Surrogate.load(checkpoint)
    rows = accelerate(sizes, surrogate)
    figure = draw(sizes, surrogate)
    total = time.perf_counter() - start
    CONSOLE.print(f"Figure: {figure}   Everything: {total:.0f} s")
    test, fine = (errors.mean["relative_l2"] for errors in report.datasets)
    return {
        "grid and fem apart": apart,
        "relative L2": test,
        "relative L2, finer grid": fine,
        "iterations": rows[0][1],
        "iterations with guess": rows[0][2],
        "answers apart": max(row[5] for row in rows),
        "seconds": total,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in vars(Sizes()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    options = vars(parser.parse_args())
    options["output"] = Path(options["output"])
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    run(Sizes(**options))


if __name__ == "__main__":
    main()
