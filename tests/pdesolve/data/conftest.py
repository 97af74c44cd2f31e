import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mpi import clean_environment
from tests.pdesolve.data.strategies import Quick

SCRIPT = Path(__file__).parent / "run_generate.py"


@pytest.fixture
def make(tmp_path):
    """Generate a small set by the quick strategy."""
    from pdesolve.data import generate

    def call(name="set.h5", num_samples=6, **options):
        options = {"shape": 8, "strategy": Quick, **options}
        return generate("darcy2d", num_samples, out=tmp_path / name, **options)

    return call


@pytest.fixture
def start():
    """Start run_generate.py, under mpiexec for more than one process."""

    def call(out, num_processes=1, **options):
        command = [sys.executable, str(SCRIPT), str(out), json.dumps(options)]
        if num_processes > 1:
            mpi = ["mpiexec", "--oversubscribe", "--allow-run-as-root", "-n", str(num_processes)]
            command = mpi + command
        return subprocess.Popen(
            command,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return call
