"""Time from the shell until the package or the command answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.table import Table, median_seconds


def run() -> Table:
    """Whole processes, median of nine."""
    table = Table(
        "start_up",
        "Start-up (whole process, median of 9)",
        ("command", "seconds", "goal", "bare interpreter"),
    )
    python = sys.executable
    script = str(Path(python).parent / "pdesolve")

    def process(command: list[str]) -> float:
        return median_seconds(
            lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), repeats=9
        )

    bare = process([python, "-c", ""])
    for label, command, goal in (
        ('python -c "import pdesolve"', [python, "-c", "import pdesolve"], 0.3),
        ("pdesolve --help", [script, "--help"], 0.6),
        ("pdesolve list", [script, "list"], "-"),
    ):
        table.add(label, process(command), goal, bare)
    table.notes.append("Heavy packages (PETSc, Firedrake, torch, matplotlib) load when used.")
    return table
