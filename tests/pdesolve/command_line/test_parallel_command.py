"""The command under mpiexec."""

import re

import pytest

from tests.mpi import start_parallel

pytestmark = [pytest.mark.petsc, pytest.mark.parallel]

PROGRAM = "import sys; from pdesolve.command_line.main import main; sys.exit(main())"

ONE_FAILS = """
import sys
from mpi4py import MPI
import pdesolve.command_line.check as verb
from pdesolve.command_line.main import main

def run(words):
    if MPI.COMM_WORLD.rank == 1:
        raise ValueError("only here")
    MPI.COMM_WORLD.Barrier()
    return 0

verb.run = run
sys.exit(main(["check", "a.h5"]))
"""

OTHER_CLOCKS = """
import dataclasses, sys
from mpi4py import MPI
import pdesolve.command_line.solve as verb
from pdesolve.command_line.main import main

real = verb._timed_solve

def timed(*given):
    return dataclasses.replace(real(*given), seconds=5.0 if MPI.COMM_WORLD.rank else 0.1)

verb._timed_solve = timed
sys.exit(main())
"""


def test_first_process_prints_and_all_end(tmp_path):
    words = f"solve darcy2d --shape 12 --out {tmp_path}/u.pvd --plot {tmp_path}/u.png"
    done = start_parallel(PROGRAM, 2, *words.split())
    assert done.returncode == 0, done.stderr
    assert len(re.findall("CONVERGED_RTOL", done.stdout)) == 1
    assert (tmp_path / "u.pvd").exists()
    assert (tmp_path / "u.png").exists()


def test_generated_file_does_not_depend_on_the_processes(tmp_path):
    from pdesolve.command_line.main import main

    words = ["generate", "darcy2d", "--num-samples", "4", "--shape", "8", "--out"]
    assert main([*words, str(tmp_path / "one.h5")]) == 0
    done = start_parallel(PROGRAM, 2, *words, str(tmp_path / "two.h5"))
    assert done.returncode == 0, done.stderr
    assert len(re.findall("wrote", done.stdout)) == 1
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_common_error_is_said_once():
    done = start_parallel(PROGRAM, 2, "solve", "darcy2d", "--shpe", "8")
    assert done.returncode == 2
    assert len(re.findall("there is no option '--shpe'", done.stderr)) == 1
    assert "Traceback" not in done.stderr


def test_failure_of_one_process_ends_all():
    done = start_parallel(ONE_FAILS, 2, timeout=60)
    assert done.returncode == 1
    assert "process 1: pdesolve check: error: ValueError: only here" in done.stderr


@pytest.mark.torch
def test_processes_with_other_clocks_compare_the_same_solves(checkpoint):
    words = f"solve darcy2d --shape 16 --accelerate {checkpoint}"
    done = start_parallel(OTHER_CLOCKS, 2, *words.split(), timeout=60)
    assert done.returncode == 0, done.stderr
    difference = re.search(r"difference of the two answers: (\S+)", done.stdout)
    assert float(difference[1]) < 1e-6
