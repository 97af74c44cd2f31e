"""The backend ``grid`` on several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.mpi import run_parallel

pytestmark = [pytest.mark.petsc, pytest.mark.parallel]
PROGRAM = Path(__file__).with_name("check_parallel.py")


def direct() -> str:
    from petsc4py import PETSc

    return "mumps" if PETSc.Sys.hasExternalPackage("mumps") else "none"


def test_the_same_answer_on_three_processes():
    answers = [
        json.loads(run_parallel(PROGRAM, ranks, direct()).partition("RESULT")[2])
        for ranks in (1, 2, 3)
    ]
    assert {"2d-neumann", "2d-periodic", "3d-mixed", "darcy2d"} <= set(answers[0])
    for name, one in answers[0].items():
        scale = np.abs(one).max()
        for other in answers[1:]:
            # residuals are 1e-12; the condition number of these small systems is below 1e3,
            # and errors of different runs add up
            np.testing.assert_allclose(other[name], one, rtol=0, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parametrize("rank", [0, 2])
def test_an_error_on_one_process_reaches_all(rank):
    out = run_parallel(PROGRAM, 3, "fail", str(rank), timeout=90)
    everywhere = json.loads(out.partition("RESULT")[2])
    assert [len(caught) for caught in everywhere] == [5, 5, 5]
    for here, (source, coefficient, *others) in enumerate(everywhere):
        if here == rank:
            assert source == "FileNotFoundError no file on this process"
            assert coefficient.startswith("InputError the coefficient must be positive")
        else:
            assert source.startswith(f"InputError process {rank} could not set the problem up.")
            assert "FileNotFoundError: no file on this process" in source
            assert "the coefficient must be positive and finite; it is -1.0" in coefficient
        # what all processes meet is said by all
        few_iterations, unknown_method, serial_only = others
        assert few_iterations.startswith("LinearSolveFailure cg + gamg: DIVERGED_ITS")
        assert unknown_method.startswith("InputError PETSc refused the solver's options")
        assert "(then give pc_factor_mat_solver_type mumps)" in serial_only
