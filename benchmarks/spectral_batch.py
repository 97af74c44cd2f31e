"""Trajectories per second of the backend ``spectral``: batch sizes, NumPy, torch, GPU."""

from __future__ import annotations

import importlib
from functools import partial
from typing import Any

from benchmarks.table import Table, median_seconds
from pdesolve import get_family, sample_generator
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.batch import evolve_batch

# family, cells an axis, output times, step size, batch sizes
CASES = (
    ("kuramoto_sivashinsky", 256, (0.0, 5.0, 10.0), 0.1, (1, 8, 64, 512)),
    ("burgers1d", 256, (0.0, 0.05, 0.1), 0.001, (1, 8, 64, 512)),
    ("allen_cahn2d", 64, (0.0, 0.5, 1.0), 0.05, (1, 4, 16, 64)),
    ("gray_scott2d", 64, (0.0, 10.0, 20.0), 1.0, (1, 4, 16, 64)),
)


def runners() -> list[tuple[str, dict[str, Any]]]:
    """Label and arguments of each array library that is here."""
    found: list[tuple[str, dict[str, Any]]] = [("NumPy", {"xp": "numpy"})]
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return found
    torch.set_num_threads(1)
    found.append(("torch CPU", {"xp": torch}))
    if torch.cuda.is_available():
        found.append(("torch GPU", {"xp": torch, "device": "cuda"}))
        found.append(("torch GPU float32", {"xp": torch, "device": "cuda", "dtype": "float32"}))
    return found


def problems_of(name: str, number: int) -> list[EvolutionProblem]:
    family = get_family(name)
    rng = (sample_generator(0, "benchmark", index) for index in range(number))
    return [family.problem(family.sample(stream)) for stream in rng]  # type: ignore[misc]


def run() -> Table:
    libraries = runners()
    table = Table(
        "spectral_batch",
        "Backend spectral: trajectories per second",
        ("family", "cells", "steps", "batch", *(label for label, _ in libraries)),
    )
    for name, cells, times, dt, sizes in CASES:
        for size in sizes:
            problems = problems_of(name, size)
            rates = []
            for _, arguments in libraries:
                solve = partial(evolve_batch, problems, cells, times, dt=dt, **arguments)
                seconds = median_seconds(solve, repeats=3)
                rates.append(size / seconds)
            table.add(name, cells, round(times[-1] / dt), size, *rates)
    table.notes.append(
        "One thread, float64 unless said, medians of three runs. Initial states and "
        "coefficients of ETDRK4 are made anew in every run and counted."
    )
    return table


if __name__ == "__main__":
    run().print()
