"""Recycling solvers on several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.mpi import run_parallel

pytestmark = [pytest.mark.petsc, pytest.mark.parallel]
PROGRAM = Path(__file__).with_name("check_parallel.py")


def test_three_processes_do_as_one():
    one, three = (
        json.loads(run_parallel(PROGRAM, ranks).partition("RESULT")[2]) for ranks in (1, 3)
    )
    assert set(one) == {"gcrodr-left", "gcrodr-right", "deflated-cg"}
    for name in one:
        difference = np.subtract(one[name]["iterations"], three[name]["iterations"])
        assert np.abs(difference).max() <= 1, (name, one[name], three[name])
        np.testing.assert_allclose(three[name]["sums"], one[name]["sums"], rtol=1e-6)
