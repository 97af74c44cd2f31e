"""Checkpoints of weak problems in time, on one process and on three."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from operators.failures import CheckpointError
from pdesolve import evolve
from pdesolve.problems.boundary import Dirichlet
from pdesolve.problems.heat import HeatProblem
from tests.mpi import run_parallel

pytestmark = pytest.mark.firedrake
pytest.importorskip("pdesolve.fem._firedrake", reason="needs Firedrake")
PROGRAM = Path(__file__).with_name("check_evolution.py")
PROBLEM = HeatProblem(
    0.2,
    lambda t: 1.0 + t,
    initial=lambda x: np.sin(np.pi * x[0]),
    boundary_conditions={"all": Dirichlet(0.0)},
    dimension=1,
)
GIVEN = {"mesh": 6, "backend": "fem", "dt": 0.125}


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("checkpoints") / "half.h5"
    evolve(PROBLEM, times=(0.0, 0.5), checkpoint=path, **GIVEN)
    return path


@pytest.mark.parametrize("method", ["radau-iia-2", "bdf2", "crank-nicolson", "alexander"])
def test_two_halves_are_the_whole_to_the_last_bit(method, tmp_path):
    whole = evolve(PROBLEM, method=method, **GIVEN)
    path = tmp_path / "half.h5"
    evolve(PROBLEM, method=method, times=(0.0, 0.5), checkpoint=path, **GIVEN)
    rest = evolve(PROBLEM, method=method, restart=path, **GIVEN)
    np.testing.assert_array_equal(rest.native.dat.data_ro, whole.native.dat.data_ro)
    assert rest.times == (0.5, 1.0)
    assert rest.result.num_steps == whole.result.num_steps == 8
    assert rest.result.linear_iterations == whole.result.linear_iterations


def test_a_run_that_was_killed_goes_on_from_its_last_step(tmp_path):
    path = tmp_path / "last.h5"

    def kill(info):
        if info.step == 3:
            raise KeyboardInterrupt

    options = {**GIVEN, "checkpoint": path, "checkpoint_every": 1}
    with pytest.raises(KeyboardInterrupt):
        evolve(PROBLEM, on_step=kill, **options)
    whole = evolve(PROBLEM, **GIVEN)
    rest = evolve(PROBLEM, restart=path, **GIVEN)
    assert rest.times == (0.375, 1.0)
    np.testing.assert_array_equal(rest.native.dat.data_ro, whole.native.dat.data_ro)
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.h5"]


def test_a_killed_run_without_dt_keeps_its_steps(tmp_path):
    path = tmp_path / "last.h5"

    def kill(info):
        if info.step == 37:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evolve(PROBLEM, mesh=4, backend="fem", checkpoint=path, checkpoint_every=37, on_step=kill)
    whole = evolve(PROBLEM, mesh=4, backend="fem")
    rest = evolve(PROBLEM, mesh=4, backend="fem", restart=path)
    assert rest.result.num_steps == whole.result.num_steps == 100
    np.testing.assert_array_equal(rest.native.dat.data_ro, whole.native.dat.data_ro)


@pytest.mark.parametrize(
    ("problem", "changes", "text"),
    [
        (replace(PROBLEM, name="other"), {}, "the problem was 'heat' there and is 'other' here"),
        (PROBLEM, {"method": "bdf2"}, "the method was 'radau-iia-2' there and is 'bdf2' here"),
        (PROBLEM, {"degree": 2}, "the degree was 1 there and is 2 here"),
        (PROBLEM, {"mesh": 8}, "the mesh: the number of unknowns was 7 there and is 9 here"),
    ],
)
def test_checkpoints_of_something_else_are_refused(problem, changes, text, file):
    with pytest.raises(CheckpointError) as caught:
        evolve(problem, restart=file, **{**GIVEN, **changes})
    assert text in str(caught.value)


def test_damaged_and_foreign_files_are_refused(file, tmp_path):
    torn = tmp_path / "torn.h5"
    torn.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="not an HDF5 file or is damaged"):
        evolve(PROBLEM, restart=torn, **GIVEN)
    with pytest.raises(CheckpointError, match="there is no file"):
        evolve(PROBLEM, restart=tmp_path / "absent.h5", **GIVEN)
    from pdesolve.fem import load_checkpoint, save_checkpoint

    steady = save_checkpoint(tmp_path / "steady.h5", load_checkpoint(file))
    with pytest.raises(CheckpointError, match="not what a solve in time needs"):
        evolve(PROBLEM, restart=steady, **GIVEN)


@pytest.mark.parallel
def test_the_same_on_three_processes_and_after_a_restart(tmp_path):
    one, three = (
        json.loads(
            run_parallel(PROGRAM, ranks, str(tmp_path), "answers", timeout=400)
            .partition("RESULT")[2]
        )
        for ranks in (1, 3)
    )  # fmt: skip
    assert {"wave from 1", "wave from 3"} <= set(three)
    for name, values in three.items():
        reference = np.array(one[name.partition(" from ")[0]])
        scale = np.abs(reference).max()
        np.testing.assert_allclose(values, reference, rtol=0, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parallel
def test_errors_reach_all_processes(tmp_path):
    out = run_parallel(PROGRAM, 3, str(tmp_path), "failures", timeout=400)
    everywhere = json.loads(out.partition("RESULT")[2])
    assert [len(texts) for texts in everywhere] == [5, 5, 5]
    for rank, (computed, not_finite, absent, method, few) in enumerate(everywhere):
        assert "process 1 cannot compute this" in computed
        assert computed.startswith("ValueError" if rank == 1 else "InputError process 1:")
        assert "the initial temperature is not finite at" in not_finite
        assert absent.startswith("CheckpointError there is no file")
        assert "the method was 'radau-iia-2' there and is 'bdf2' here" in method
        assert few.startswith("TimeStepFailure step 1 from t = 0")
