"""Time a sample for every way to make a data set, over families, sizes and tolerances.

``python -m benchmarks.data.strategies [--systems 200] [--limit 10] [--rows darcy2d ...]``

All columns are measured one after another with few systems; then those that could be the
best, and ``auto``, in turn with all systems, and the best of the rounds is taken for each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.columns import (
    FEWEST_PAIRS,
    LEAST_SECONDS,
    MOST_PAIRS,
    MOST_ROUNDS,
    OURS,
    PAIRS_SECONDS,
    SETTLED,
    Measured,
    columns,
    measure_again,
    measure_pairs,
)
from benchmarks.table import Table, Tables
from pdesolve import get_family
from pdesolve.data.ordering import DrawnTasks
from pdesolve.data.requests import StrategyRequest

BASELINES = ("GMRES(40)+ILU", "AMG", "MUMPS")
INDEPENDENT = (
    *(f"{name}, new objects" for name in BASELINES),
    *BASELINES,
    "SciPy spsolve",
)
CLOSE_SOLVERS, CLOSE, MOST_FINALISTS = 2.5, 1.25, 2
"""What is measured again: independent columns within the first factor of the best of them, and
at most so many of ours within the second."""

RESULTS = Path(__file__).parents[1] / "results" / "data"


@dataclass(frozen=True)
class Row:
    """A family at one size.

    Parameters
    ----------
    family
        Its name.
    shape
        Storage grid.
    options
        Of the family.
    unknowns
        A cell, for the count.
    """

    family: str
    shape: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)
    unknowns: int = 1

    @property
    def label(self) -> str:
        """Name and shape."""
        return f"{self.family} {'×'.join(map(str, self.shape))}"

    @property
    def title(self) -> str:
        """The same with the options."""
        options = ", ".join(f"{name} {value:g}" for name, value in self.options.items())
        return f"{self.label} ({options})" if options else self.label


ROWS = (
    Row("darcy2d", (100, 100)),
    Row("darcy2d", (316, 316)),
    Row("darcy2d_lognormal", (100, 100)),
    Row("darcy2d_lognormal", (316, 316)),
    Row("darcy3d", (22, 22, 22)),
    Row("darcy3d", (46, 46, 46)),
    Row("helmholtz2d_random", (71, 71), {"median": 14.0}, 2),
    Row("helmholtz2d_random", (224, 224), {"median": 44.0}, 2),
    Row("helmholtz3d_random", (17, 17, 17), {"median": 5.3}, 2),
    Row("helmholtz3d_random", (37, 37, 37), {"median": 11.5}, 2),
    Row("convection_diffusion2d", (100, 100)),
    Row("convection_diffusion2d", (316, 316)),
    Row("convection_diffusion3d", (22, 22, 22)),
    Row("convection_diffusion3d", (46, 46, 46)),
    Row("slit_plate", (60, 96), {"mesh_size": 0.0145}),
    Row("slit_plate", (60, 96), {"mesh_size": 0.0046}),
    Row("poisson2d", (100, 100)),
)
REPEATED = ("slit_plate", "poisson2d")
KEEPING = {"lag": "the family's solver, preconditioner kept", "direct": "factors kept"}
"""Columns that keep what they made for an operator that repeats."""


def measure_row(
    row: Row, rtol: float, systems: int, limit: float, known: Collection[str] = ()
) -> dict[str, Measured]:
    """The columns of a row that are not known."""
    request, tasks = of_row(row, rtol, systems)
    return dict(columns(request, tasks, limit, lambda name: name in known))


def of_row(row: Row, rtol: float, systems: int) -> tuple[StrategyRequest, Sequence[Any]]:
    """What a row asks for, and its samples."""
    family = get_family(row.family)
    if row.options:
        family = family.with_options(**row.options)
    tasks: Sequence[Any] = DrawnTasks(family, systems, 0, "train")
    reference = tasks[0].problem
    grid = reference.grid(row.shape)
    return (
        StrategyRequest(family, grid, reference, family.backends[0], rtol, estimate_error=False),
        tasks,
    )


def close_to_best(values: dict[str, Any], *, repeated: bool) -> list[str]:
    """Independent columns and ours that are close to the best of their kind, and ``auto``.

    Where the operator repeats, the columns that leave its matrix alone as well.
    """
    independent = sorted(_good(values, BASELINES))
    ours = sorted(_good(values, OURS))[:MOST_FINALISTS]
    near = [
        name
        for group, factor in ((independent, CLOSE_SOLVERS), (ours, CLOSE))
        for seconds, name in group
        if seconds <= factor * group[0][0] and name != "none"
    ]
    near += [name for name in KEEPING if repeated and name not in near]
    return [*near, "auto"]


def run(
    rows: Sequence[Row] = ROWS,
    tolerances: Sequence[float] = (1e-5, 1e-8),
    systems: int = 200,
    limit: float = 4.0,
    kept: Path | None = None,
    final_limit: float = 12.0,
    rounds: int = 2,
) -> Tables:
    """Measure, or take from `kept` what was measured there before, and tabulate.

    Parameters
    ----------
    rows, tolerances
        What is measured.
    systems
        Samples of each.
    limit
        Seconds a column may take before it stops with fewer samples.
    kept
        File where rows are kept as they come.
    final_limit, rounds
        Seconds for, and rounds of, the columns that are measured again side by side.
    """
    _warm_up()
    found: dict[str, dict[str, Any]] = {}
    if kept is not None and kept.exists():
        found = json.loads(kept.read_text())
    summary = Table(
        "strategies",
        f"Making data: milliseconds a sample, everything counted (up to {systems} systems)",
        (
            "problem",
            "rtol",
            "best independent",
            "best strategy",
            "auto",
            "auto took",
            "auto / best column",
            "best independent / auto",
        ),
    )
    parts = (
        Table("strategies_independent", "Independent solvers", ("problem", "rtol", *INDEPENDENT)),
        Table("strategies_ours", "Strategies", ("problem", "rtol", *OURS, "auto")),
    )
    ratios: dict[bool, list[float]] = {True: [], False: []}
    keeping: dict[str, list[float]] = {name: [] for name in KEEPING}
    worst: list[float] = []
    for row, rtol in ((row, rtol) for row in rows for rtol in tolerances):
        key = f"{row.label} {row.options} {rtol:g}"
        if not {"auto", "direct"} <= set(found.get(key, {})):
            values = found.setdefault(key, {})
            measured = measure_row(row, rtol, systems, limit, values)
            values |= {name: asdict(value) for name, value in measured.items()}
            print(key, {n: _cell(asdict(v)) for n, v in measured.items()}, flush=True)
            if kept is not None:
                kept.write_text(json.dumps(found, indent=1))
        if not found[key]["auto"].get("side_by_side"):
            values = found[key]
            request, tasks = of_row(row, rtol, systems)
            again = measure_again(
                request,
                tasks,
                close_to_best(values, repeated=row.family in REPEATED),
                final_limit,
                rounds,
            )
            request.close()
            values |= {name: {**asdict(v), "side_by_side": True} for name, v in again.items()}
            print(key, "again", {n: _cell(values[n]) for n in again}, flush=True)
            if kept is not None:
                kept.write_text(json.dumps(found, indent=1))
        values = found[key]
        finalists = [name for name, value in values.items() if value.get("side_by_side")]
        _, rival = min(_good(values, [name for name in finalists if name != "auto"]))
        independent, solver = min(_good(values, [n for n in BASELINES if n in finalists]))
        ours, strategy = min(_good(values, [n for n in OURS if n in finalists]))
        auto = 1e3 * values["auto"]["seconds"]
        if "pairs" not in values["auto"]:
            request, tasks = of_row(row, rtol, systems)
            values["auto"]["pairs"] = measure_pairs(request, tasks, rival, final_limit)
            request.close()
            print(key, rival, [round(pair, 3) for pair in values["auto"]["pairs"]], flush=True)
            if kept is not None:
                kept.write_text(json.dumps(found, indent=1))
        worst.append(float(np.median(values["auto"]["pairs"])))
        ratios[row.family in REPEATED].append(independent / auto)
        if row.family in REPEATED:
            for name, times in keeping.items():
                times.append(1e3 * values[name]["seconds"] / auto)
        summary.add(
            row.title,
            f"{rtol:g}",
            f"{independent:.3g} {solver}",
            f"{ours:.3g} {strategy}",
            auto,
            values["auto"]["note"],
            worst[-1],
            independent / auto,
        )
        for part, names in zip(parts, (INDEPENDENT, (*OURS, "auto")), strict=True):
            part.add(row.title, f"{rtol:g}", *(_cell(values.get(name)) for name in names))
    summary.notes += _notes(ratios, worst, limit, final_limit, rounds)
    if keeping["lag"]:
        means = ", ".join(
            f"{math.exp(float(np.mean(np.log(times)))):.2f} × as fast as {name} ({KEEPING[name]})"
            for name, times in keeping.items()
        )
        summary.notes.append(
            "Where operators repeat, the independent columns set the matrix anew for every "
            "sample, and PETSc then the preconditioner. Whoever leaves an unchanged matrix "
            f"alone and solves one by one is nearer: auto is {means}."
        )
    return Tables((summary, *parts), shown=1)


def _warm_up() -> None:
    """Import what the columns import, which would count for the first one."""
    for row in (Row("darcy2d", (16, 16)), Row("convection_diffusion2d", (16, 16))):
        measure_row(row, 1e-5, 20, 0.01)


def _good(values: dict[str, Any], names: Sequence[str]) -> Iterator[tuple[float, str]]:
    for name in names:
        value = values.get(name)
        if value and value["samples"] and not value["missed"] and value["seconds"] > 0:
            yield 1e3 * value["seconds"], name
    yield math.inf, "none"


def _cell(value: Any) -> str:
    if value is None or not value["samples"]:
        return "–"
    text = f"{1e3 * value['seconds']:.3g}"
    if not math.isnan(value["iterations"]):
        text += f" ({value['iterations']:.0f})"
    if value["samples"] < 200:
        text += f" [{value['samples']}]"
    return f"{text} †" if value["missed"] else text


def _notes(
    ratios: dict[bool, list[float]],
    worst: list[float],
    limit: float,
    final_limit: float,
    rounds: int,
) -> list[str]:
    notes = [
        "In parentheses: mean iterations. In brackets: samples solved, where fewer than 200 "
        f"(columns stop after {limit:g} s at most). †: some solves missed the tolerance or were "
        "repeated directly; such columns do not count as best.",
        "This table: the best independent columns, at most two of our best, and auto, measured "
        f"again in turn with more systems (up to {final_limit:g} s each), best of {rounds} rounds, "
        f"or of up to {MOST_ROUNDS * rounds} until the two best times of auto, and of the best "
        f"column, agree to {SETTLED - 1:.0%} and those of auto make {LEAST_SECONDS:g} s.",
        "AMG: CG + GAMG for positive definite systems, GMRES + GAMG for others. Independent "
        "columns keep matrix, solver and pattern unless they say new objects.",
        "auto / best column: the median of the ratios of pairs measured one right after the other, "
        f"at least {FEWEST_PAIRS}, and up to {MOST_PAIRS} within {PAIRS_SECONDS:g} s.",
        f"auto is at most {max(worst):.2f} × the best single column (goal 1.10), median "
        f"{np.median(worst):.2f}.",
    ]
    for repeated, label, goal in (
        (False, "Different operators", 2),
        (True, "Operators that repeat", 5),
    ):
        if ratios[repeated]:
            mean = math.exp(float(np.mean(np.log(ratios[repeated]))))
            notes.append(
                f"{label}: auto is {mean:.2f} × as fast as the best independent column in the "
                f"geometric mean (goal {goal}), {min(ratios[repeated]):.2f} to "
                f"{max(ratios[repeated]):.2f}."
            )
    return notes


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--limit", type=float, default=4.0)
    parser.add_argument("--final-limit", type=float, default=12.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--rows", nargs="*", help="families to measure (default: all)")
    parser.add_argument("--largest", type=int, default=10**9, help="most cells of a row")
    parser.add_argument("--tolerances", type=float, nargs="*", default=[1e-5, 1e-8])
    parser.add_argument("--kept", type=Path, help="file where rows are kept, to go on later")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows = [
        row
        for row in ROWS
        if (not options.rows or row.family in options.rows)
        and math.prod(row.shape) <= options.largest
    ]
    tables = run(
        rows,
        options.tolerances,
        options.systems,
        options.limit,
        options.kept,
        options.final_limit,
        options.rounds,
    )
    tables.print()
    tables.save(options.output)


if __name__ == "__main__":
    main()
