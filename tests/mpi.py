"""Start a Python program on several processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def clean_environment() -> dict[str, str]:
    """The environment without what an MPI in this process has put there."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OMPI_", "PMIX_", "ORTE_"))
    }
    kept["OMP_NUM_THREADS"] = "1"
    # Tests beside this one start processes too: all wait without holding a core, and no two
    # groups are tied to the same ones.
    kept["OMPI_MCA_mpi_yield_when_idle"] = "1"
    kept["OMPI_MCA_hwloc_base_binding_policy"] = "none"
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH"))))
    return kept


def start_parallel(
    program: str | Path, ranks: int, *arguments: str, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a file, or source text, under mpiexec; end it after `timeout` seconds.

    Raises
    ------
    TimeoutError
        With the output so far, if the processes do not end: most often a deadlock.
    """
    source = [str(program)] if isinstance(program, Path) else ["-c", program]
    process = subprocess.Popen(
        [
            *("mpiexec", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks)),
            *(sys.executable, *source, *arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        cwd=ROOT,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # mpiexec passes it on to the processes
        try:
            out, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        raise TimeoutError(
            f"not ended after {timeout} s on {ranks} processes:\n{out}\n{err}"
        ) from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def run_parallel(program: str | Path, ranks: int, *arguments: str, timeout: float = 120.0) -> str:
    """As :func:`start_parallel`; the output of a program that must succeed."""
    done = start_parallel(program, ranks, *arguments, timeout=timeout)
    assert done.returncode == 0, f"exit code {done.returncode} on {ranks} processes:\n{done.stderr}"
    return done.stdout
