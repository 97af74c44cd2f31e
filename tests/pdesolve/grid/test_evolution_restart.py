"""Checkpoints of solves in time on grids."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from operators.failures import CheckpointError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.heat import HeatProblem

pytestmark = pytest.mark.petsc


def problem_of(name: str, **options):
    family = get_family(name, num_times=3, **options)
    return family.problem(family.sample(sample_generator(0, "test", 0)))


CASES = {
    "arkimex adaptive": ("heat2d", {}),
    "cn": ("heat2d", {"method": "cn", "dt": 0.02}),
    "beuler without dt": ("heat1d", {"method": "beuler"}),
    "rosw adaptive": ("heat1d", {"method": "rosw"}),
    "rk 3bs adaptive": ("heat1d", {"method": "rk 3bs"}),
    "rk 5dp adaptive": ("wave1d", {"method": "rk 5dp"}),
    "rk 4": ("wave2d", {}),
    "ssp": ("burgers1d_inviscid", {}),
    "imex": ("burgers2d", {}),
}


class Stop(Exception):  # noqa: N818
    """Ends a run in the middle."""


@pytest.mark.parametrize("case", CASES)
def test_a_restart_goes_on_as_if_nothing_had_happened(case, tmp_path):
    name, options = CASES[case]
    problem = problem_of(name)
    shape = (24,) * problem.dimension
    options = {"mesh": shape, "backend": "grid", **options}
    sizes = []
    whole = evolve(problem, **options, on_step=lambda info: sizes.append(info.step_size))
    half = len(sizes) // 2 - 1
    path = tmp_path / "half.h5"

    def stop(info):
        if info.step == half:
            raise Stop

    with pytest.raises(Stop):
        evolve(problem, **options, on_step=stop, checkpoint=path, checkpoint_every=half)
    later = []
    rest = evolve(
        problem, **options, restart=path, on_step=lambda info: later.append(info.step_size)
    )
    assert sizes[half:] == later
    assert rest.result.num_steps == whole.result.num_steps == len(sizes)
    assert rest.result.linear_iterations == whole.result.linear_iterations
    assert rest.result.num_rejected == whole.result.num_rejected
    np.testing.assert_array_equal(rest.gather().values, whole.gather().values)


def test_checkpoints_of_something_else_are_refused(tmp_path):
    problem = problem_of("heat1d")
    path = tmp_path / "run.h5"
    options = {"backend": "grid", "method": "cn", "dt": 0.05}
    evolve(problem, mesh=16, times=(0.0, 0.5), checkpoint=path, **options)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.h5"]

    def refused(message, problem=problem, mesh=16, file=path, **others):
        with pytest.raises(CheckpointError, match=message):
            evolve(problem, mesh=mesh, restart=file, **{**options, **others})

    refused("another shape", mesh=32)
    refused("another method: 'cn'", method="beuler")
    refused("another problem: 'heat1d'", problem=HeatProblem(0.1, dimension=1))
    family = get_family("heat1d", num_times=3)
    refused(
        "another initial state",
        problem=family.problem(family.sample(sample_generator(0, "test", 1))),
    )
    refused("there is no checkpoint", file=tmp_path / "none.h5")
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    refused("is damaged", file=text)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:1500])
    refused("is damaged", file=cut)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["state"] = np.zeros(3)
    refused("is no checkpoint of the backend 'grid'", file=other)
    spoiled = tmp_path / "spoiled.h5"
    spoiled.write_bytes(path.read_bytes())
    with h5py.File(spoiled, "r+") as file:
        file["state"][0, 3] = np.nan
    refused("not finite", file=spoiled)


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path):
    problem = problem_of("heat1d")
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        evolve(problem, mesh=8, backend="grid", checkpoint=blocked / "run.h5")
