"""The backend ``fem`` on several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.meshes.geometry import write_square
from tests.mpi import run_parallel

pytestmark = [pytest.mark.firedrake, pytest.mark.parallel]
PROGRAM = Path(__file__).with_name("check_parallel.py")


@pytest.fixture(scope="module")
def square(tmp_path_factory) -> Path:
    pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)
    return write_square(tmp_path_factory.mktemp("gmsh") / "square.msh", size=0.2)


def test_the_same_answer_on_three_processes(square, tmp_path):
    one, three = (
        json.loads(
            run_parallel(PROGRAM, ranks, str(square), str(tmp_path), "answers", timeout=300)
            .partition("RESULT")[2]
        )
        for ranks in (1, 3)
    )  # fmt: skip
    assert set(one) == set(three)
    assert len(one) == 6
    for name, values in one.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(three[name], values, rtol=0, atol=1e-10 * scale, err_msg=name)
    assert len(list((tmp_path / "3").glob("*.vtu"))) == 3


def test_an_error_on_one_process_reaches_all(square, tmp_path):
    out = run_parallel(PROGRAM, 3, str(square), str(tmp_path), "failures", timeout=120)
    everywhere = json.loads(out.partition("RESULT")[2])
    assert [len(texts) for texts in everywhere] == [5, 5, 5]
    for rank, (coefficient, source, absent, sides, few) in enumerate(everywhere):
        assert "process 1 cannot compute this" in coefficient
        assert coefficient.startswith("ValueError" if rank == 1 else "InputError process 1:")
        assert "source is not finite at" in source
        assert "there is no file 'absent.msh'" in absent
        assert sides.startswith("InputError no boundary condition for: ")
        assert few.startswith("LinearSolveFailure cg + gamg: DIVERGED_ITS after 1 iteration")
