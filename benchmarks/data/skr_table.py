"""The published table of speed-ups of recycling for Darcy flow, on the released matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.data import released_matrices as matrices
from benchmarks.data.krylov_sequences import GMRES, SKR, System, greedy_order, solve_sequence
from benchmarks.data.rank_blocks import RANKS, preconditioners
from benchmarks.data.skr_published import DARCY_6400, Published
from benchmarks.data.skr_reproduction import with_error
from benchmarks.table import Table

COLUMNS = (
    "preconditioner",
    "rtol",
    "GMRES(40)",
    "published",
    "SKR",
    "published ",
    "iterations, ratio",
    "published  ",
    "time, ratio",
    "published   ",
)


def run(number: int = 20, seed: int = 0) -> Table:
    """Iterations and times of GMRES(40) and SKR on 6084 unknowns, `number` sorted systems."""
    table = Table(
        "skr_table",
        f"Recycling on {number} released Darcy systems of 6084 unknowns: mean iterations",
        COLUMNS,
    )
    K = matrices.coefficients(number, 6400, seed)
    K = K[greedy_order(K)]
    right = matrices.right_hand_side(K[0])
    fill(table, [(matrices.released_darcy(k), right) for k in K], DARCY_6400)
    return table


def fill(
    table: Table,
    systems: Sequence[System],
    published: Mapping[tuple[str, float], Published],
    num_baseline: int | None = None,
) -> None:
    """Add a row for each preconditioner and tolerance of the publication.

    GMRES(40) is solved to the smallest tolerance; what it needs for a looser one is read
    from the same history. SKR is solved for each tolerance, as what it hands on depends on it.
    `num_baseline` systems, evenly spread, are given to GMRES(40) where that is not all.
    """
    tolerances = sorted({tolerance for _, tolerance in published}, reverse=True)
    count = len(systems) if num_baseline is None else num_baseline
    some = [systems[i] for i in np.linspace(0, len(systems) - 1, count).round().astype(int)]
    failures = []
    for name, kind in preconditioners().items():
        options, prepare = kind.options, kind.prepare
        gmres = solve_sequence(some, GMRES, options, rtol=tolerances[-1], prepare=prepare)
        for tolerance in tolerances:
            skr = solve_sequence(systems, SKR, options, rtol=tolerance, prepare=prepare)
            baseline, theirs = gmres.up_to(tolerance), published[name, tolerance]
            table.add(
                name,
                f"{tolerance:.0e}",
                with_error(baseline),
                f"{theirs.gmres:.0f}",
                with_error(skr),
                f"{theirs.skr:.0f}",
                baseline.mean() / skr.mean(),
                theirs.gmres / theirs.skr,
                float(np.mean(baseline.seconds) / np.mean(skr.seconds)),
                theirs.time_ratio,
            )
            failures += [
                f"{name}, {tolerance:.0e}: {way} failed on {record.failed} systems"
                for way, record in (("GMRES(40)", baseline), ("SKR", skr))
                if record.failed
            ]
    table.notes += [
        f"Means over {len(systems)} systems ({count} for GMRES(40)) ± one standard error of the "
        "mean (published: 100 systems); * with "
        "solves stopped by the cap of 10 000 iterations, which count as 10 000, as published. "
        "GMRES(40) needs from 100 to 10 000 iterations from one such system to the next, so that "
        "its means, and the ratios, carry the errors shown.",
        f"BJacobi, SOR and ASM on the {RANKS} row ranges of the publication's {RANKS} processes, "
        "ICC and ILU on the whole matrix, as published; all on one process here.",
        "Times: ours are processor time of the solves, GMRES(40) in C, SKR driven from Python; the "
        "publication's are whole programs on 72 processes (ICC, ILU: one).",
        *failures,
    ]
