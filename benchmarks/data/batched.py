"""Batched solves against PETSc, in samples per second."""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.table import Table
from pdesolve import get_family, sample_generator
from pdesolve.problems.base import LinearSystem

RTOL = 1e-8
CUDA_SAMPLES = 2048
WAYS = (
    # name, kind, processes
    ("PETSc CG + GAMG, pattern kept", "petsc", 1),
    ("PETSc CG + GAMG, pattern kept, 2 processes", "petsc", 2),
    ("batched, NumPy", "numpy", 1),
    ("batched, NumPy, 2 threads", "numpy threads", 1),
    ("batched, NumPy, 2 processes", "numpy", 2),
    ("batched, torch, 2 threads", "torch", 1),
    ("batched, torch, 2 processes", "torch single", 2),
    ("batched, torch, CUDA", "cuda", 1),
)


def systems(name: str, size: int, start: int, stop: int) -> list[LinearSystem]:
    """Discrete problems of a family."""
    family = get_family(name)
    problems = [
        family.problem(family.sample(sample_generator(0, "train", number)))
        for number in range(start, stop)
    ]
    return [problem.discretize(problem.grid(size)) for problem in problems]


def petsc_work(given: list[LinearSystem]) -> tuple[Callable[[], None], Callable[[], float]]:
    """Solves with matrix, method and pattern kept, and seconds of set-up and solve alone."""
    from pdesolve.grid._petsc_solver import GridSolver

    solver = GridSolver(given[0].stencil.grid, {"ksp_rtol": RTOL})
    seconds = []

    def work() -> None:
        seconds.clear()
        for system in given:
            vector, result = solver.solve(system)
            vector.destroy()
            seconds.append(result.seconds["setup"] + result.seconds["solve"])

    return work, lambda: sum(seconds)


def batched_work(kind: str, given: list[LinearSystem]) -> Callable[[], None] | None:
    """A batched solve of all systems from arrays in float64; None without the device."""
    from pdesolve.batched import BatchedSolver, StackedStencils

    right: Any = np.stack([system.right_hand_side for system in given])
    options: dict[str, Any] = {"rtol": RTOL}
    if kind.startswith("numpy"):
        stencils = StackedStencils.of(given)
        options["workers"] = 2 if kind == "numpy threads" else 1
    else:
        import torch

        if kind == "cuda" and not torch.cuda.is_available():
            return None
        torch.set_num_threads(2 if kind == "torch" else 1)
        device = "cuda" if kind == "cuda" else "cpu"
        stencils = StackedStencils.of(given, xp=torch, device=device)
        right = torch.asarray(right, device=device)
        if kind == "cuda":
            copies = CUDA_SAMPLES // len(given)
            stencils = stencils.with_coefficients(stencils.coefficients.tile(copies, 1, 1, 1))
            right = right.tile(copies, 1, 1)

    solver = BatchedSolver(**options)

    def work() -> None:
        result = solver.solve(stencils, right)
        assert result.converged.all(), result.describe()

    return work


def measure(
    kind: str, name: str, size: int, start: int, stop: int, barrier: Any, answers: Any
) -> None:
    """In a process of its own: the shortest of three times, after a warm-up."""
    given = systems(name, size, start, stop)
    inner = None
    if kind == "petsc":
        work, inner = petsc_work(given)
    else:
        found = batched_work(kind, given)
        if found is None:
            barrier.wait()
            answers.put(None)
            return
        work = found
    work()
    times = []
    for _ in range(3):
        barrier.wait()
        begin = time.perf_counter()
        work()
        times.append(inner() if inner else time.perf_counter() - begin)
    count = CUDA_SAMPLES // len(given) * len(given) if kind == "cuda" else len(given)
    answers.put(count / min(times))


def rate(kind: str, processes: int, name: str, size: int, num_samples: int) -> float | None:
    """Samples per second of all processes together."""
    context = multiprocessing.get_context("spawn")  # PETSc must not be started here as well
    barrier, answers = context.Barrier(processes), context.Queue()
    share = num_samples // processes
    workers = [
        context.Process(
            target=measure,
            args=(kind, name, size, number * share, (number + 1) * share, barrier, answers),
        )
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    rates = [answers.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    return None if None in rates else sum(rates)


def run(sizes: tuple[int, ...] = (128, 256), num_samples: int = 64) -> Table:
    """Samples per second of Darcy flow, threshold and log-normal."""
    cases = [(name, size) for size in sizes for name in ("darcy2d", "darcy2d_lognormal")]
    headings = [
        f"{'log-normal' if name.endswith('lognormal') else 'threshold'} {size}²"
        for name, size in cases
    ]
    table = Table(
        "batched",
        f"Batched solves of Darcy flow to {RTOL:g}: samples per second",
        ("what", *headings),
    )
    for label, kind, processes in WAYS:
        measured = functools.partial(rate, kind, processes)
        found = [
            measured(name, size, max(8, num_samples * 128**2 // size**2)) for name, size in cases
        ]
        if None in found:
            table.notes.append(f"No CUDA device here: the row '{label}' is left out.")
            continue
        table.add(label, *found)
    table.notes.append(
        "PETSc: set-up of the preconditioner and solve, without filling the matrix. Batched: "
        "everything from stencils in float64 on, conversion, checks and set-up of the multigrid "
        "included; its arrays are kept, as PETSc's objects are. The shortest of three times after "
        "a warm-up; two processes work side by side and their rates are added."
    )
    return table


if __name__ == "__main__":
    run().print()
