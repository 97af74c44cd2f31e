"""Two processes against one, and what two separate runs at once attain."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Table

SCRIPT = """
import json, os, resource, sys, time
from mpi4py import MPI
from pdesolve import generate
out, strategy, size, samples, way = sys.argv[1:]
world, cores = MPI.COMM_WORLD, sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, {cores[world.rank % len(cores)]})
options = dict(shape=int(size), strategy=strategy, overwrite=True, comm=world)
if way == "apart":
    out = f"{out}.{world.rank}.h5"
    options["comm"] = MPI.COMM_SELF
generate("darcy2d", 16, out=out + ".warm-up.h5", **options)
world.barrier()
start = time.perf_counter()
generate("darcy2d", int(samples), out=out, **options)
seconds = world.allreduce(time.perf_counter() - start, op=MPI.MAX)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if world.rank == 0:
    print(json.dumps([seconds, memory]))
"""
REPEATS = 3
SAMPLES = {"independent": 1000, "batched": 1000, "skr": 200}
MPI = ("mpiexec", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n")


def measured(
    folder: Path, strategy: str, size: int, samples: int, processes: int, way: str = "bound"
) -> tuple[float, float]:
    """Seconds of the slowest process, and the most memory of the first in MiB.

    Parameters
    ----------
    folder
        Where files go.
    strategy, size, samples, processes
        What is run.
    way
        ``"bound"``: every process keeps to a core of its own; ``"apart"``: and each makes a
        data set by itself.
    """
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(folder / "set.h5"), strategy, str(size)]
    command += [str(samples), way]
    if processes > 1:
        command = [*MPI, str(processes), *command]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMIX_"))}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=kept)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def run(size: int = 128) -> Table:
    """Seconds on one and two processes, and of two runs at once."""
    table = Table(
        "scaling",
        f"darcy2d at {size}²: one and two processes",
        (
            "strategy",
            "samples",
            "1 process, s",
            "2 processes, s",
            "ratio",
            "attainable",
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for strategy, samples in SAMPLES.items():
            ways = ((samples, 1, "bound"), (samples, 2, "bound"), (samples // 2, 2, "apart"))
            found = [  # in turn, so that what else runs disturbs all alike
                [measured(folder, strategy, size, *way) for way in ways] for _ in range(REPEATS)
            ]
            one, two, apart = (min(column)[0] for column in zip(*found, strict=True))
            table.add(strategy, samples, one, two, one / two, one / apart)
    table.notes.append(
        "Whole runs with error estimates, sorting, shards and the merged file, after a warm-up; "
        f"best of {REPEATS}. Ratio: one process on one core against two on two; goal 1.8. "
        "Attainable: the same against two separate runs at once, each of half the samples on a "
        "core of its own, which share memory, caches and disk only."
    )
    return table
