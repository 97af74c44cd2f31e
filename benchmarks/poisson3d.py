"""3D Poisson through ``pdesolve.solve`` next to plain petsc4py with the same options."""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.table import Table

RANKS = 2

# Each program solves -lap u = f, u = 0 on the sides of the unit cube, prints one line of JSON
# from the first process, and is started anew for every measurement: peak memory is that of
# the whole process, less what it had before.
COMMON = """
import json, resource, sys, time
import numpy as np
from mpi4py import MPI
COMM = MPI.COMM_WORLD
SIZE = int(sys.argv[1])

def source(x):
    return 3 * np.pi**2 * np.sin(np.pi * x[0]) * np.sin(np.pi * x[1]) * np.sin(np.pi * x[2])

def memory():
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmRSS"):
                return 1024 * int(line.split()[1])

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def report(seconds, parts, before, iterations, largest):
    used = COMM.allreduce(peak() - before)
    slowest = COMM.allreduce(seconds, MPI.MAX)
    if COMM.rank == 0:
        print(json.dumps({"seconds": slowest, "parts": parts, "bytes": used / SIZE**3,
                          "iterations": iterations, "largest": largest}))
"""

OURS = """
from pdesolve import solve
from pdesolve.problems.poisson import PoissonProblem
solve(PoissonProblem(source, dimension=3), mesh=8)  # loads and starts everything
before = memory()
COMM.barrier()
start = time.perf_counter()
solution = solve(PoissonProblem(source, dimension=3), mesh=SIZE)
seconds = time.perf_counter() - start
result = solution.result
report(seconds, result.seconds, before, result.iterations, float(solution.native.max()[1]))
"""

PLAIN = """
from petsc4py import PETSc
OPTIONS = json.loads(sys.argv[2])

def run(n, given):
    times = [time.perf_counter()]
    h = 1.0 / n
    dm = PETSc.DMDA().create(dim=3, dof=1, sizes=(n, n, n), stencil_width=1, setup=True,
                             stencil_type=PETSc.DMDA.StencilType.STAR)
    ranges, ghosts = dm.getRanges(), dm.getGhostRanges()
    shape = tuple(b - a for a, b in reversed(ranges))
    numbers = np.full([b - a + 2 for a, b in reversed(ranges)], -1, dtype=PETSc.IntType)
    window = tuple(slice(g0 - r0 + 1, g1 - r0 + 1)
                   for (g0, g1), (r0, _) in zip(reversed(ghosts), reversed(ranges)))
    numbers[window] = np.asarray(dm.getLGMap().indices).reshape(
        [b - a for a, b in reversed(ghosts)])
    inner = (slice(1, -1),) * 3
    neighbours = [inner]
    for axis in range(3):
        for part in (slice(None, -2), slice(2, None)):
            neighbours.append(inner[:axis] + (part,) + inner[axis + 1:])
    rows = np.empty((7, *shape), dtype=PETSc.IntType)
    columns = np.empty_like(rows)
    values = np.empty((7, *shape))
    rows[:] = numbers[inner]
    values[0] = 6 / h**2
    for s, part in enumerate(neighbours):
        columns[s] = numbers[part]
        if s:
            values[s] = -1 / h**2
            values[0][columns[s] < 0] += 1 / h**2  # u = 0 half a cell away
    mat = PETSc.Mat().create(comm=dm.comm)
    local = int(np.prod(shape))
    mat.setSizes(((local, n**3), (local, n**3)))
    mat.setType("aij")
    mat.setPreallocationCOO(rows.ravel(), columns.ravel())
    del rows, columns, numbers
    mat.setValuesCOO(values.ravel())
    del values
    mat.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    axes = [(np.arange(a, b) + 0.5) * h for a, b in reversed(ranges)]
    f = source(np.meshgrid(*axes, indexing="ij", sparse=True))
    b, u = dm.createGlobalVec(), dm.createGlobalVec()
    b.array = f.ravel()
    del f
    times.append(time.perf_counter())
    options = PETSc.Options()
    for key, value in given.items():
        options[key] = value
    ksp = PETSc.KSP().create(comm=dm.comm)
    ksp.setOperators(mat)
    dm.setInterpolationType(PETSc.DMDA.InterpolationType.Q0)
    ksp.setDM(dm)
    ksp.setDMActive(PETSc.KSP.DMActive.ALL, False)
    ksp.setFromOptions()
    ksp.setUp()
    times.append(time.perf_counter())
    ksp.solve(b, u)
    times.append(time.perf_counter())
    return times, ksp, u

run(8, {"pc_type": "jacobi"})
before = memory()
COMM.barrier()
times, ksp, u = run(SIZE, OPTIONS)
assert ksp.getConvergedReason() > 0
parts = dict(zip(("assembly", "setup", "solve"), np.diff(times)))
report(times[-1] - times[0], parts, before, ksp.getIterationNumber(), float(u.max()[1]))
"""


def measure(program: str, size: int, options: dict[str, Any]) -> dict[str, Any]:
    """Run a program on two processes."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("OMPI_", "PMIX_"))
    }
    environment["OMP_NUM_THREADS"] = "1"
    launcher = ["mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", str(RANKS)]
    command = [*launcher, sys.executable, "-c", COMMON + program, str(size), json.dumps(options)]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def run(sizes: tuple[int, ...] = (32, 64, 128), repeats: int = 3) -> Table:
    """Ratios of time and memory, and how time grows with the number of unknowns."""
    from pdesolve.grid._petsc_solver import default_parameters
    from pdesolve.problems.poisson import PoissonProblem

    problem = PoissonProblem(1.0, dimension=3)
    table = Table(
        "poisson3d",
        f"3D Poisson, {RANKS} processes, default solver (1e-8)",
        (
            "grid", "through", "assembly, s", "set-up, s", "solve, s", "total, s",
            "bytes an unknown", "iterations", "time / plain", "memory / plain",
        ),
    )  # fmt: skip
    totals = []
    options: dict[str, Any] = {}
    for size in sizes:
        options = default_parameters(problem.grid_solver_parameters(problem.grid(size), RANKS))
        # in turns, so that both see the same machine
        pairs = [
            (measure(PLAIN, size, options), measure(OURS, size, options)) for _ in range(repeats)
        ]
        # the fastest of each: other work on the machine only ever adds
        ratio = min(ours["seconds"] for _, ours in pairs) / min(
            plain["seconds"] for plain, _ in pairs
        )
        memory = statistics.median(ours["bytes"] / plain["bytes"] for plain, ours in pairs)
        for label, runs, ratios in (
            ("plain petsc4py", [plain for plain, _ in pairs], ("", "")),
            ("pdesolve.solve", [ours for _, ours in pairs], (ratio, memory)),
        ):
            best = min(runs, key=lambda one: one["seconds"])
            parts = [best["parts"][key] for key in ("assembly", "setup", "solve")]
            row = (*parts, best["seconds"], best["bytes"], best["iterations"])
            table.add(f"{size}³", label, *row, *ratios)
        fastest = min(ours["seconds"] for _, ours in pairs)
        totals.append(fastest)
    slope = math.log(totals[-1] / totals[0]) / math.log((sizes[-1] / sizes[0]) ** 3)
    table.notes.append(
        f"Time through pdesolve.solve grows like N^{slope:.2f} from {sizes[0]}³ to {sizes[-1]}³ "
        "(fastest runs; goal: no faster than N^1.1). Goal for the ratios at the largest grid: 1.10."
    )
    table.notes.append(
        "Plain: DMDA, 7-point matrix from vectorised index and value arrays (MatSetValuesCOO), "
        "the same options: " + " ".join(f"-{key} {value}" for key, value in options.items()) + "."
    )
    table.notes.append(
        f"Fastest of {repeats} runs in turns, each in processes of its own; memory (median) is the "
        "peak of both processes less what they had before, by unknown."
    )
    return table


if __name__ == "__main__":
    run().print()
