"""Memory of a run against the number of samples: it must not grow once shards are full."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.data.scaling import measured
from benchmarks.table import Table

SAMPLES = {"independent": 2000, "batched": 2000, "skr": 2000}
FACTORS = (1, 4, 8)


def run(size: int = 32) -> Table:
    """The largest resident memory of a process, for sets of growing size."""
    table = Table(
        "memory",
        f"darcy2d at {size}²: memory of one process, MiB",
        ("strategy", "samples", *(f"{factor} ×" for factor in FACTORS)),
    )
    with tempfile.TemporaryDirectory() as folder:
        for strategy, samples in SAMPLES.items():
            found = [
                measured(Path(folder), strategy, size, factor * samples, 1)[1] for factor in FACTORS
            ]
            table.add(strategy, samples, *found)
    table.notes.append(
        "Largest resident memory of the whole run. A shard is about a 32nd of the set, at most "
        "256 samples and 64 MiB, of skr 64 samples; smaller sets have smaller ones and need less."
    )
    return table
