"""Tables of measurements with the machine and the versions beside them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Table:
    """One table of results.

    Parameters
    ----------
    name, title
        File name and heading.
    columns, rows
        Contents; numbers are printed with three significant digits.
    notes
        How it was measured, and what it shows.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, *row: Any) -> None:
        """Append a row."""
        self.rows.append(row)

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [f"### {self.title}", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|" + "---|" * len(self.columns))
        lines += ["| " + " | ".join(show(value) for value in row) + " |" for row in self.rows]
        lines += ["", *[f"- {note}" for note in self.notes], ""]
        return "\n".join(lines)

    def print(self) -> None:
        """Show the table on the terminal."""
        from rich.console import Console
        from rich.table import Table as RichTable

        shown = RichTable(title=self.title, title_justify="left")
        for column in self.columns:
            shown.add_column(column, justify="left" if column == self.columns[0] else "right")
        for row in self.rows:
            shown.add_row(*[show(value) for value in row])
        console = Console(width=110)
        console.print(shown)
        for note in self.notes:
            console.print(f"  {note}", highlight=False)

    def save(self, folder: Path) -> None:
        """Write ``NAME.json`` and ``NAME.md`` with the machine beside the numbers."""
        folder.mkdir(parents=True, exist_ok=True)
        about = machine()
        content = {"machine": about, **asdict(self)}
        (folder / f"{self.name}.json").write_text(json.dumps(content, indent=1) + "\n")
        line = ", ".join(f"{key} {value}" for key, value in about.items())
        (folder / f"{self.name}.md").write_text(f"{self.markdown()}\nMeasured on: {line}.\n")


@dataclass(frozen=True)
class Tables:
    """Several tables that one measurement gives.

    Parameters
    ----------
    tables
        The tables.
    shown
        How many of the first are shown on the terminal; all when left out.
    """

    tables: tuple[Table, ...]
    shown: int | None = None

    def print(self) -> None:
        """Show the first ones."""
        for table in self.tables[: self.shown]:
            table.print()

    def save(self, folder: Path) -> None:
        """Write all."""
        for table in self.tables:
            table.save(folder)


def show(value: Any) -> str:
    """Three significant digits for numbers."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def machine() -> dict[str, str]:
    """Processor, cores and versions."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    about = {"processor": processor, "cores": str(len(os.sched_getaffinity(0)))}
    about["Python"] = platform.python_version()
    for name in ("numpy", "scipy", "petsc4py", "firedrake", "torch", "pytorch-lightning"):
        try:
            about[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return about


def median_seconds(action: Callable[[], object], repeats: int, warm_up: int = 1) -> float:
    """Median wall time of `repeats` calls after `warm_up` calls."""
    for _ in range(warm_up):
        action()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
