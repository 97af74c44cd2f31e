"""A prediction beside classical solves of equal error, and after how many it has paid.

``python -m benchmarks.operators.inference [--cells 43 85] [--checkpoint FILE --cost SECONDS]``

Errors of all methods are taken against one reference, the solution on a grid five times as
fine, so that a coarse grid or a loose tolerance may be as wrong as the network is.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from benchmarks.operators.timed_answers import (
    FINER,
    TOLERANCE,
    Method,
    Tests,
    batched,
    classical,
    on_coarse_grid,
    predictions,
    single_calls,
)
from benchmarks.operators.training_runs import benchmark_folder
from benchmarks.table import Table
from neural.command_line import main as train
from neural.surrogate import Surrogate
from pdesolve import generate, sample_generator
from pdesolve.problems.darcy import darcy2d

RESULTS = Path(__file__).parents[1] / "results" / "operators"
CONFIGURATION = Path(__file__).parents[2] / "examples" / "darcy_fno.yaml"
LOOSE = (0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 5e-3, 2e-3, 1e-3, 3e-4, 1e-4, 1e-5, 1e-6)
COARSE = (4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20, 22, 24, 28, 32, 36, 40, 48, 56, 64, 72)
NUM_TEST = 20

Choice = TypeVar("Choice", int, float)


def run(
    cells: Sequence[int] = (43, 85),
    num_train: int = 256,
    epochs: int = 25,
    checkpoint: Path | None = None,
    cost: float = math.nan,
) -> Table:
    """Errors, times and break-even counts on each grid.

    Parameters
    ----------
    cells
        Of the grids, along an axis.
    num_train, epochs
        Training samples, and passes over them.
    checkpoint
        A trained model for all grids; one is trained for each when left out.
    cost
        Seconds that the data and the training of `checkpoint` took.
    """
    torch.set_num_threads(1)
    table = Table(
        "inference",
        f"A field of darcy2d: FNO ({num_train} samples, {epochs} epochs) and classical solves",
        (
            "grid and method",
            "ms a field",
            "error, %",
            "from the grid's own solution, %",
            "FNO pays after, fields",
        ),
    )
    with benchmark_folder() as folder:
        for size in cells:
            if checkpoint is None:
                model, data, training = trained(size, num_train, epochs, folder)
                price = data + training
                table.notes.append(
                    f"{size}²: {data:.0f} s for the data and {training:.0f} s for the training."
                )
            else:
                model, price = checkpoint, cost
            _measure(table, size, Surrogate.load(model), price)
    table.notes += [
        f"Error: mean relative L2 over {NUM_TEST} test samples against the solution on a grid "
        f"{FINER} times as fine. A solve of equal error is the cheapest of its kind (loosest "
        "tolerance, coarsest grid) whose mean error is no larger than the network's.",
        "Default solver: conjugate gradients with algebraic multigrid to 1e-8, matrix and solver "
        "kept from sample to sample unless said otherwise. Coarse grids: linear interpolation.",
        "Seconds of the processor on one thread, the median sample; the coefficient on the grid "
        "is given, assembly and interpolation are counted. Break-even: seconds for data and "
        f"training over what a prediction (in batches of {NUM_TEST}) saves.",
    ]
    return table


def _measure(table: Table, size: int, surrogate: Surrogate, price: float) -> None:
    family = darcy2d()
    problems = tuple(
        family.problem(family.sample(sample_generator(0, "test", index)))
        for index in range(NUM_TEST)
    )
    tests = Tests(problems, problems[0].grid((size, size)))

    def add(label: str, method: Method, network: float | None = None) -> tuple[float, float]:
        values, seconds = method(problems, tests.grid)
        errors = tests.errors(values)
        fields = "" if network is None else shown(break_even(price, seconds, network))
        table.add(f"{size}², {label}", 1e3 * seconds, *(100 * error for error in errors), fields)
        print(table.rows[-1], flush=True)
        return seconds, errors[0]

    add("FNO, one at a time", predictions(surrogate, 1))
    network, aim = add(f"FNO, batches of {NUM_TEST}", predictions(surrogate, NUM_TEST))
    add("solve() for each", single_calls, network)
    kinds: tuple[tuple[str, Callable[[float], Method]], ...] = (
        ("default solver", classical),
        ("batched solver", batched),
    )
    for label, kind in kinds:
        add(label, kind(TOLERANCE), network)
        rtol = first_good(LOOSE, kind, tests, aim)
        if rtol is not None:
            add(f"{label}, equal error: tolerance {rtol:g}", kind(rtol), network)

        def coarse(count: int, kind: Callable[[float], Method] = kind) -> Method:
            return on_coarse_grid(kind(TOLERANCE), count)

        count = first_good([n for n in COARSE if n < size], coarse, tests, aim)
        if count is not None:
            add(f"{label}, equal error: {count}² cells", coarse(count), network)


def first_good(
    choices: Sequence[Choice], method: Callable[[Choice], Method], tests: Tests, aim: float
) -> Choice | None:
    """The first choice whose mean error is at most `aim`, None if none is."""
    for choice in choices:
        values, _ = method(choice)(tests.problems, tests.grid)
        if tests.errors(values)[0] <= aim:
            return choice
    return None


def trained(cells: int, num_train: int, epochs: int, folder: Path) -> tuple[Path, float, float]:
    """A checkpoint, and the seconds that data and training took (with all their processes)."""
    data, out = folder / f"inference_{num_train}_{cells}.h5", folder / f"fno_{cells}"
    begin = _spent()
    generate("darcy2d", num_train, shape=(cells, cells), split="train", out=data, overwrite=True)
    generated = _spent()
    test = folder / f"inference_check_{cells}.h5"  # training wants a test set to report on
    generate("darcy2d", 20, shape=(cells, cells), split="test", out=test, overwrite=True)
    checked = _spent()
    words = ["fit", "--config", str(CONFIGURATION), "--out", str(out), "--overwrite"]
    words += ["--data.train", str(data), "--data.test", str(test)]
    words += ["--trainer.max_epochs", str(epochs)]
    with contextlib.redirect_stdout(io.StringIO()):
        status = train(words)
    if status != 0:
        raise RuntimeError(f"training at {cells}² ended with status {status}")
    return out / "last.ckpt", generated - begin, _spent() - checked


def _spent() -> float:
    """Seconds of the processor, children included."""
    return sum(os.times()[:4])


def break_even(cost: float, classical_seconds: float, network_seconds: float) -> float:
    """Number of fields after which training has paid, infinite where it never does.

    Examples
    --------
    >>> break_even(100.0, 0.03, 0.01)
    5000.0
    >>> break_even(100.0, 0.01, 0.03)
    inf
    """
    gain = classical_seconds - network_seconds
    return round(cost / gain, 6) if gain > 0 else math.inf


def shown(fields: float) -> str:
    """A break-even count for the table."""
    if math.isnan(fields):
        return ""
    return f"{math.ceil(fields):,}".replace(",", " ") if math.isfinite(fields) else "never"


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="*", default=[43, 85])
    parser.add_argument("--num-train", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--checkpoint", type=Path, help="a trained model in place of training")
    parser.add_argument("--cost", type=float, default=math.nan, help="seconds that it took")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    table = run(options.cells, options.num_train, options.epochs, options.checkpoint, options.cost)
    table.print()
    table.save(options.output)


if __name__ == "__main__":
    main()
