"""What generating a data set costs beyond the bare PETSc solves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Table
from pdesolve import generate, get_family, sample_generator
from pdesolve.grid._petsc_solver import GridSolver

SCRIPT = """
import json, sys, time
from mpi4py import MPI
from pdesolve import generate
generate("darcy2d", 4, shape=({size}, {size}), out=sys.argv[1] + ".warm-up.h5")
start = time.perf_counter()
generate("darcy2d", {samples}, shape=({size}, {size}), out=sys.argv[1])
if MPI.COMM_WORLD.rank == 0:  # the one that finishes the file
    print(json.dumps(time.perf_counter() - start))
"""


def bare_seconds(size: int, num_samples: int) -> float:
    """Sum of PETSc's set-up and solve times, matrix, pattern and solver kept."""
    family = get_family("darcy2d")
    solver, total = None, 0.0
    for index in range(num_samples + 1):
        problem = family.problem(family.sample(sample_generator(0, "train", index)))
        grid = problem.grid(size)
        solver = solver or GridSolver(grid)
        vector, result = solver.solve(problem.discretize(grid))
        vector.destroy()
        if index:
            total += result.seconds["setup"] + result.seconds["solve"]
    return total


def _separate_process(size: int, num_samples: int, ranks: int, folder: Path) -> float:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(size=size, samples=num_samples))
    command = [sys.executable, str(script), str(folder / f"{ranks}.h5")]
    if ranks > 1:
        launcher = ["mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks)]
        command = [*launcher, *command]
    # this process has started MPI itself, and mpiexec must not take it for a parent
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OMPI_", "PMIX_"))
    }
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(json.loads(answer.stdout.splitlines()[-1]))


def run(size: int = 128, num_samples: int = 200) -> Table:
    """Generation against bare solves, and two processes against one."""
    table = Table(
        "generation",
        f"Generating {num_samples} samples of darcy2d at {size}² (1e-8)",
        ("what", "seconds", "ratio", "goal"),
    )
    bare = bare_seconds(size, num_samples)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate("darcy2d", 4, shape=(size, size), out=folder / "warm-up.h5")
        start = time.perf_counter()
        generate("darcy2d", num_samples, shape=(size, size), out=folder / "set.h5")
        whole = time.perf_counter() - start
        one = _separate_process(size, num_samples, 1, folder)
        two = _separate_process(size, num_samples, 2, folder)
    table.add("bare PETSc set-up + solve", bare, 1.0, "-")
    table.add("generate, everything counted", whole, whole / bare, "≤ 1.3 × bare")
    table.add("generate, 1 process", one, 1.0, "-")
    table.add("generate, 2 processes", two, one / two, "≥ 1.7 × as fast")
    table.notes.append(
        "Both sides keep matrix, solver and nonzero pattern from sample to sample. Everything: "
        "drawing fields, assembly, the discretisation-error estimate, checksummed files."
    )
    return table
