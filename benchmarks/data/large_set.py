"""A set of 5000 samples by ``auto``, with what it chose and its card."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.table import Table
from pdesolve import generate
from pdesolve.data import read_card
from pdesolve.data.pilot import Choice

CARD = Path(__file__).parents[1] / "results" / "data" / "large_set_card.md"


def run(num_samples: int = 5000, size: int = 64, card: Path | None = CARD) -> Table:
    """Generate, and tabulate the trials; the card is written to `card`."""
    table = Table(
        "large_set",
        f"{num_samples} samples of darcy2d at {size}² with strategy auto (1e-8)",
        ("strategy", "first sample, ms", "each, ms", "tried", "whole set, s", "note"),
    )
    chosen: list[Choice] = []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "darcy.h5"
        start = time.perf_counter()
        info = generate(
            "darcy2d", num_samples, shape=size, strategy="auto", out=out, report=chosen.append
        )
        seconds = time.perf_counter() - start
        if card is not None:
            card.parent.mkdir(parents=True, exist_ok=True)
            card.write_text(read_card(info.path))
    for trial in chosen[0].trials:
        table.add(
            trial.name, 1e3 * trial.first, 1e3 * trial.each, trial.samples, trial.total, trial.note
        )
    table.notes.append(
        f"{chosen[0].name} was chosen: {chosen[0].reason}. The whole run took {seconds:.1f} s "
        f"({num_samples / seconds:.0f} samples a second) with the trials, error estimates and the "
        f"file; {info.num_failed} samples failed."
    )
    return table
