"""What bounds the gain over an independent solver, family by family.

``python -m benchmarks.data roofline``

A strategy that hands something from sample to sample may spare iterations and set-up. It
cannot spare drawing the sample, assembling its matrix, and looking at the answer with one
product and one application of the preconditioner. What these take bounds the gain.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.data.columns import baselines, new_source
from benchmarks.data.strategies import ROWS, Row, of_row
from benchmarks.table import Table
from pdesolve.sequences._petsc_sequence_solver import SequenceSolver

SYSTEMS = 7
LARGEST_FACTOR = {2: 200_000, 3: 20_000}
"""Unknowns up to which a factorisation is timed, by dimension."""


def run(
    rows: Sequence[Row] = ROWS, rtol: float = 1e-8, systems: int = SYSTEMS, repeats: int = 5
) -> Table:
    """Time the parts of a solve for the best independent solver of each family and size.

    Parameters
    ----------
    rows
        Families and sizes.
    rtol
        Relative residual of the solves.
    systems
        Samples, of which the medians are taken.
    repeats
        Of each product and application; the least counts.
    """
    table = Table(
        "roofline",
        f"What bounds the gain: milliseconds of the parts of a solve (rtol {rtol:g})",
        (
            "problem",
            "drawn",
            "assembled",
            "one product",
            "best independent",
            "its set-up",
            "one application",
            "iterations",
            "sample",
            "gain if no iterations",
            "and no set-up",
        ),
    )
    for row in rows:
        table.add(row.title, *_parts(row, rtol, systems, repeats))
    table.notes += [
        "A sample: drawn, assembled, preconditioner set up, solved, by the fastest of GMRES(40) + "
        "ILU, CG or GMRES + GAMG and MUMPS with matrix and solver kept. One application of MUMPS "
        "is a pair of triangular solves.",
        "Gain if no iterations: what a sample takes, over what it would take with one product and "
        "one application of the same preconditioner: the most that recycling, sorting and first "
        "guesses can reach with it. And no set-up: the same with a preconditioner that is there "
        "already, the most that lagging can reach, and all that can be gained where operators "
        "repeat (slit_plate, poisson2d). Other preconditioners move the bound (columns batched, "
        "fast-transform, downstream).",
        f"Medians of {systems} samples; the least of {repeats} products and applications.",
    ]
    return table


def _parts(row: Row, rtol: float, systems: int, repeats: int) -> tuple[Any, ...]:
    request, tasks = of_row(row, rtol, systems + 1)
    source = new_source(request)
    best: tuple[Any, ...] = ()
    for name, options in baselines(request).items():
        size = request.grid.num_points * row.unknowns
        if name == "MUMPS" and size > LARGEST_FACTOR[request.grid.dimension]:
            continue
        found = _solver(name, options, source, request.grid, tasks, rtol, repeats)
        if found and (not best or found[-1] < best[-1]):
            best = found
    source.close()
    drawn, assembled, product, name, setup, application, iterations, sample = best
    least = drawn + assembled + product + application
    values = (drawn, assembled, product, name, setup, application)
    return (*values, iterations, sample, sample / (least + setup), sample / least)


def _solver(
    name: str,
    options: Any,
    source: Any,
    grid: Any,
    tasks: Sequence[Any],
    rtol: float,
    repeats: int,
) -> tuple[Any, ...]:
    """Parts in milliseconds for one solver, nothing where it fails."""
    solver = SequenceSolver({**source.defaults(), "ksp_rtol": rtol}, options)
    seconds: dict[str, list[float]] = {
        "drawn": [],
        "assembled": [],
        "setup": [],
        "solve": [],
        "iterations": [],
    }
    for number in range(len(tasks)):
        start = time.perf_counter()
        task = tasks[number]
        _ = task.problem.input_fields(grid).values
        drawn = time.perf_counter()
        system = source.load(task.problem)
        system.matrix.stateIncrease()
        assembled = time.perf_counter()
        _, result = solver.solve(system)
        if not result.converged:
            solver.destroy()
            return ()
        if number:  # the first makes what is kept
            seconds["drawn"].append(drawn - start)
            seconds["assembled"].append(assembled - drawn)
            seconds["setup"].append(result.seconds["setup"])
            seconds["solve"].append(result.seconds["solve"])
            seconds["iterations"].append(result.iterations)
    middle = {key: statistics.median(values) for key, values in seconds.items()}
    matrix, right, answer = system.matrix, system.right, system.right.duplicate()
    product = _least(lambda: matrix.mult(right, answer), repeats)
    preconditioner = solver.ksp.getPC()
    application = _least(lambda: preconditioner.apply(right, answer), repeats)
    answer.destroy()
    solver.destroy()
    sample = sum(middle[key] for key in ("drawn", "assembled", "setup", "solve"))
    return (
        1e3 * middle["drawn"],
        1e3 * middle["assembled"],
        1e3 * product,
        name,
        1e3 * middle["setup"],
        1e3 * application,
        middle["iterations"],
        1e3 * sample,
    )


def _least(action: Callable[[], Any], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        best = min(best, time.perf_counter() - start)
    return best
