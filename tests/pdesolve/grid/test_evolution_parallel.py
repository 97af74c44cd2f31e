"""Steps in time on grids on several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.mpi import run_parallel

pytestmark = [pytest.mark.petsc, pytest.mark.parallel]
PROGRAM = Path(__file__).with_name("check_evolution_parallel.py")


def test_the_same_answer_on_three_processes(tmp_path):
    one, three = (
        json.loads(run_parallel(PROGRAM, ranks, str(tmp_path)).partition("RESULT")[2])
        for ranks in (1, 3)
    )
    assert "restart 1" in one
    assert {"restart 1", "restart 3", "wave2d", "sides"} <= set(three)
    for name, values in one.items():
        np.testing.assert_allclose(
            three[name], values, rtol=0, atol=1e-10 * np.abs(values).max(), err_msg=name
        )
    # from the file of one process on three, and from that of three
    scale = np.abs(one["restart 1"]).max()
    for name in ("restart 1", "restart 3"):
        np.testing.assert_allclose(three[name], one["restart 1"], rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize("rank", [0, 2])
def test_an_error_on_one_process_ends_all(rank):
    out = run_parallel(PROGRAM, 3, "fail", str(rank), timeout=60)
    everywhere = json.loads(out.partition("RESULT")[2])
    assert [len(caught) for caught in everywhere] == [5, 5, 5]
    for here, (initial, factor, spoiled, limit, missing) in enumerate(everywhere):
        own = here == rank
        assert initial.startswith(
            "FileNotFoundError no file" if own else f"InputError process {rank} could not"
        )
        assert "no file on this process" in initial
        assert "no factor on this process" in factor
        assert spoiled.startswith("TimeStepFailure rk 4: DIVERGED_NOT_FINITE in step")
        assert "first at index" in spoiled
        assert "above the stable limit" in limit
        assert "there is no checkpoint" in missing
    assert len({caught[2] for caught in everywhere}) == 1
