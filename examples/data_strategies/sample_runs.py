"""What the scripts of this folder share: their options, a data set with its log, a table."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from pdesolve import generate, open_dataset


@dataclass(frozen=True)
class Run:
    """A data set, the seconds it took with everything, and its log in the order of the solves."""

    path: Path
    seconds: float
    log: list[dict[str, Any]]

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """A number of every sample's entry in the log."""
        return np.array([entry[name] for entry in self.log])

    @property
    def milliseconds(self) -> float:
        """Median time of a sample, for strategies that solve one after another."""
        return 1e3 * float(np.median(self.column("seconds")))

    def outputs(self) -> npt.NDArray[np.float64]:
        """The answers by the samples' numbers."""
        with open_dataset(self.path) as data:
            return np.asarray(data.read(range(len(data)))[1])


def run(output: Path, name: str, family: Any, num_samples: int, cells: int, **options: Any) -> Run:
    """Make the data set `name`.h5 in the folder `output`."""
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{name}.h5"
    start = time.perf_counter()
    given = {"estimate_error": False, "overwrite": True, **options}
    generate(family, num_samples, shape=cells, out=path, **given)
    seconds = time.perf_counter() - start
    lines = path.with_name(f"{path.name}.log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return Run(path, seconds, [entry for entry in entries if "sample" in entry])


def parse(
    description: str | None, arguments: Sequence[str] | None, **defaults: Any
) -> argparse.Namespace:
    """Options --output and those with these defaults; a tuple takes several values."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder")
    for name, value in defaults.items():
        several = isinstance(value, tuple)
        kind = type(value[0] if several else value)
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=kind, default=value, nargs="+" if several else None)
    return parser.parse_args(arguments)


def show(title: str, columns: Sequence[str], rows: Mapping[str, Sequence[Any]]) -> None:
    """Print a table, a row for each name."""
    table = Table("", *columns, title=title, title_justify="left")
    for name, values in rows.items():
        cells = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in values)
        table.add_row(name, *cells)
    Console(width=100).print(table)
