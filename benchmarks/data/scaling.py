"""Two processes against one, and memory against the number of samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.table import Table

SCRIPT = """
import json, resource, sys, time
from mpi4py import MPI
from pdesolve import generate
out, strategy, size, samples = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
options = dict(shape=size, strategy=strategy, overwrite=True)
generate("darcy2d", 16, out=out + ".warm-up.h5", **options)
MPI.COMM_WORLD.barrier()
start = time.perf_counter()
generate("darcy2d", samples, out=out, **options)
seconds = time.perf_counter() - start
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
if MPI.COMM_WORLD.rank == 0:
    print(json.dumps([seconds, memory]))
"""
REPEATS = 2


def measured(
    folder: Path, strategy: str, size: int, samples: int, processes: int
) -> tuple[float, float]:
    """Seconds and the most memory of the first process, in MiB; best of a few runs."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(folder / "set.h5"), strategy, str(size)]
    command.append(str(samples))
    if processes > 1:
        mpi = ["mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", str(processes)]
        command = [*mpi, *command]
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMIX_"))}
    found = []
    for _ in range(REPEATS):
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=kept)
        found.append(tuple(json.loads(done.stdout.splitlines()[-1])))
    return min(found)  # type: ignore[return-value]


def run(size: int = 128, samples: int = 200) -> Table:
    """Seconds on one and two processes; memory of a small and of a large set."""
    table = Table(
        "scaling",
        f"darcy2d at {size}²: {samples} samples on one and two processes, and memory",
        (
            "strategy",
            "1 process, s",
            "2 processes, s",
            "ratio",
            f"MiB, {samples} samples",
            f"MiB, {4 * samples} samples",
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for strategy in ("independent", "batched", "skr"):
            one, memory = measured(folder, strategy, size, samples, 1)
            two, _ = measured(folder, strategy, size, samples, 2)
            more = float("nan")
            if strategy != "skr":  # four times as long
                _, more = measured(folder, strategy, size, 4 * samples, 1)
            table.add(strategy, one, two, one / two, memory, more)
    table.notes.append(
        f"Whole runs with error estimates, sorting, shards and the merged file; best of {REPEATS}. "
        "Goal: two processes 1.8 × one. The first process alone writes the file at the end."
    )
    return table
