"""A small data set of every registered family."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pdesolve import ProblemFamily, generate, sample_generator
from pdesolve.data import check_dataset, open_dataset, read_card
from pdesolve.data.schema import DatasetInfo, Status
from pdesolve.problems.evolution import EvolutionProblem
from tests.pdesolve.coarse_families import coarse_family, default_backend, shape_of

SHORT: dict[str, dict[str, Any]] = {
    "cylinder_flow": {"final_time": 0.02},
    "decaying_turbulence2d": {"final_time": 1.0},
    "gray_scott2d": {"final_time": 100.0},
    "navier_stokes2d": {"final_time": 1.0},
}
"""Times of families whose own ones take long."""


def family_of(name: str) -> ProblemFamily:
    """The family at few and early times."""
    family = coarse_family(name)
    if not hasattr(family, "num_times"):
        return family
    return coarse_family(name, num_times=3, **SHORT.get(name, {}))


def generated(family: ProblemFamily, out: Path, num_samples: int, **options: Any) -> DatasetInfo:
    """A data set; a warning is an error, but for that of a kernel cache shared by processes."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*key collision in cache")
        return generate(
            family, num_samples, shape=shape_of(family), out=out, estimate_error=False, **options
        )


@pytest.mark.parametrize("name", default_backend())
def test_generate(name: str, tmp_path: Path) -> None:
    family = family_of(name)
    shape = shape_of(family)
    count = 2 if family.backends[0] == "fem" else 3
    info = generated(family, tmp_path / "set.h5", count)
    report = check_dataset(info.path)
    assert report.passed, report.text()
    assert (info.family, info.num_samples, info.num_failed) == (name, count, 0)
    assert (info.inputs, info.outputs) == (family.inputs, family.outputs)
    problems = [
        family.problem(family.sample(sample_generator(0, "train", index))) for index in range(count)
    ]
    grid = problems[0].grid(shape)
    with open_dataset(info.path) as data:
        inputs, outputs = data.read()
        assert (data.read_records()["status"] == Status.SOLVED).all()
        if isinstance(problems[0], EvolutionProblem):
            trajectories = data.read_trajectories()
            assert trajectories.shape == (count, 3, len(family.outputs), *grid.shape)
            assert np.array_equal(trajectories[:, -1], outputs)
            assert np.ptp(trajectories, axis=1).max() > 0  # it moves
    assert inputs.shape == (count, len(family.inputs), *grid.shape)
    assert outputs.shape == (count, len(family.outputs), *grid.shape)
    for index, problem in enumerate(problems):
        assert np.array_equal(inputs[index], problem.input_fields(grid).values)
    assert family.equation in read_card(info.path)
    # samples are all different, and depend on seed, split and index alone
    assert np.ptp(inputs, axis=0).max() > 0
    assert np.ptp(outputs, axis=0).max() > 0
    again = generated(family, tmp_path / "again.h5", count - 1, shard_size=1)
    with open_dataset(again.path) as data:
        second = data.read()
    assert np.array_equal(second[0], inputs[: count - 1])
    scale = np.abs(outputs).max()
    np.testing.assert_allclose(second[1], outputs[: count - 1], rtol=0, atol=1e-12 * scale)


@pytest.mark.petsc
@pytest.mark.parametrize(
    "name",
    ["bratu2d", "darcy2d", "helmholtz2d", "one_sided_reaction2d", "p_laplacian2d", "poisson3d"],
)
def test_tolerances_are_met(name: str, tmp_path: Path) -> None:
    """A tolerance given to `generate` is used, also by Newton's method."""
    family = coarse_family(name)
    answers = []
    for rtol in (1e-3, 1e-11):
        info = generated(family, tmp_path / f"{rtol}.h5", 2, rtol=rtol)
        with open_dataset(info.path) as data:
            records = data.read_records()
            answers.append(data.read()[1])
        assert (records["residual"] <= rtol).all()
        assert (records["status"] == Status.SOLVED).all()
    difference = np.abs(answers[0] - answers[1]).max() / np.abs(answers[1]).max()
    assert difference < 0.1
