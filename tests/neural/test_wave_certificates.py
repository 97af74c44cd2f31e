"""Bounds for predicted waves enclose their errors."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from neural.certificates import certify_trajectory
from neural.certificates.trajectories import why_no_estimate
from neural.certificates.wave_trajectories import certify_waves, wave_error
from neural.evaluation.rollouts import certified_rollouts
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.boundary import Dirichlet
from pdesolve.problems.wave import WaveProblem

pytestmark = pytest.mark.torch


def solved(name, shape, index=0):
    family = get_family(name)
    problem = family.problem(family.sample(sample_generator(0, "test", index)))
    grid = problem.grid(shape)
    return problem, grid, evolve(problem, mesh=grid, backend="spectral").on(grid)


@pytest.mark.parametrize(("name", "shape"), [("wave1d", 33), ("wave1d", 32), ("wave2d", (16, 15))])
def test_solutions_have_no_error(name, shape):
    """With the solver's own frames, however far apart they are."""
    problem, grid, frames = solved(name, shape)
    found = certify_trajectory(problem, grid, problem.times, frames)
    assert (found.kind, found.backend) == ("guaranteed", "spectral")
    assert found.upper < 1e-12
    few = certify_waves(problem, grid, problem.times[::5], frames[::5])
    assert few.upper < 1e-12


@pytest.mark.parametrize("shape", [(16, 16), (12, 15)])
@pytest.mark.parametrize("kind", ["noise", "late", "slow", "kept"])
def test_bounds_enclose_the_error(shape, kind):
    """Rough errors, one at the end, a wrong speed, and a change that stays: the bound is sharp."""
    problem, grid, frames = solved("wave2d", shape)
    predicted = frames.copy()
    rng = np.random.default_rng(0)
    if kind == "noise":
        predicted[2:] += 0.05 * rng.standard_normal(predicted[2:].shape)
    elif kind == "late":
        predicted[-1] *= 1.1
    elif kind == "slow":
        other = WaveProblem(0.95 * problem.speed, problem.initial, times=problem.times)
        predicted = evolve(other, mesh=grid, backend="spectral").on(grid)
    else:
        more = WaveProblem(problem.speed, lambda x: np.sin(2 * np.pi * x[0]), times=problem.times)
        predicted[1:] += 0.1 * evolve(more, mesh=grid, backend="spectral").on(grid)[1:]
    bound = certify_trajectory(problem, grid, problem.times, predicted).upper
    true = wave_error(problem, grid, predicted[1:], frames[1:])
    assert true > 0.01
    assert true <= bound * (1 + 1e-9)
    if kind in ("late", "kept"):  # one step is wrong
        assert bound == pytest.approx(true, rel=1e-6)
    assert bound < 10 * true


def test_known_frames_are_taken_as_they_are():
    problem, grid, frames = solved("wave1d", 32)
    frames = frames.copy()
    frames[:3] *= 2.0  # not a solution, but where the prediction begins counts alone
    found = certify_waves(problem, grid, problem.times, frames, num_known=4)
    assert found.upper < 1e-12
    assert certify_waves(problem, grid, problem.times, frames, num_known=3).upper > 0.1


def test_the_mean_moves_with_its_velocity():
    problem = WaveProblem(1.0, 0.0, 2.0, dimension=1, times=(0.0, 0.5, 2.0))
    grid = problem.grid(8)
    frames = evolve(problem, mesh=grid, backend="spectral").on(grid)
    assert certify_waves(problem, grid, problem.times, frames).upper < 1e-12
    shifted = frames + np.array([1.0, 0.0])[None, :, None]
    assert certify_waves(problem, grid, problem.times, shifted).upper < 1e-12


def test_over_rollouts():
    """With the true errors of several trajectories."""
    histories, predictions, futures, problems = [], [], [], []
    for index in range(3):
        problem, grid, frames = solved("wave1d", 32, index)
        noise = 0.01 * np.random.default_rng(index).standard_normal(frames[2:].shape)
        problems.append(problem)
        histories.append(frames[:2])
        futures.append(frames[2:])
        predictions.append(frames[2:] + noise)
    arrays = (np.array(part) for part in (histories, predictions, futures))
    found, remark = certified_rollouts(problems, grid, np.array(problem.times), *arrays)
    assert (found.kind, remark, found.num_samples) == ("guaranteed", "", 3)
    assert 1 - 1e-9 <= found.least_effectivity <= found.largest_effectivity < 10


def test_where_there_is_none():
    varying = WaveProblem(lambda x: 1.0 + 0.1 * np.sin(2 * np.pi * x[0]), dimension=1)
    assert "in Fourier modes" in why_no_estimate(varying, varying.grid(8), 2)
    fixed = WaveProblem(1.0, boundary_conditions={"all": Dirichlet(0.0)}, dimension=1)
    assert "periodic boxes only" in why_no_estimate(fixed, fixed.grid(8), 2)
    plain = WaveProblem(1.0, dimension=1)
    assert "1 channels" in why_no_estimate(plain, plain.grid(8), 1)
    rest = certify_waves(plain, plain.grid(8), (0.0, 1.0), np.zeros((2, 2, 8)))
    assert (rest.kind, "at rest" in rest.statement) == ("none", True)


def test_waves_that_alternate_count():
    """The solver lets them stand still; a frame that has them is off."""
    problem, grid, frames = solved("wave1d", 32)
    frames = frames.copy()
    frames[-1, 0] += 0.1 * (-1.0) ** np.arange(32)
    assert certify_waves(problem, grid, problem.times, frames).upper > 0.01


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (WaveProblem(1.0, boundary_conditions={"all": Dirichlet(0.0)}, dimension=1), "one speed"),
        (WaveProblem(lambda x: 1.0 + x[0] ** 2, dimension=1), "one speed"),
        (WaveProblem(-1.0, dimension=1), "positive"),
        (WaveProblem(1.0, dimension=1, upper=(2.0,)), "not the problem's"),
    ],
)
def test_other_problems_are_refused(problem, message):
    grid = WaveProblem(1.0, dimension=1).grid(8)
    with pytest.raises(InputError, match=message):
        certify_waves(problem, grid, (0.0, 1.0), np.ones((2, 2, 8)))


@pytest.mark.parametrize(
    ("frames", "times", "known", "message"),
    [
        (np.zeros((3, 1, 8)), (0, 1, 2), 1, "displacement and velocity"),
        (np.zeros((3, 2, 8)), (0, 2, 1), 1, "increasing times"),
        (np.zeros((3, 2, 8)), (0, 1), 1, "increasing times"),
        (np.zeros((3, 2, 8)), (0, 1, np.inf), 1, "finite, increasing times"),
        (np.zeros((3, 2, 8)), (0, 1, 2), 3, "num_known=3"),
        (np.full((3, 2, 8), np.nan), (0, 1, 2), 1, "not finite"),
    ],
)
def test_bad_input(frames, times, known, message):
    problem = WaveProblem(1.0, dimension=1)
    with pytest.raises(InputError, match=message):
        certify_waves(problem, problem.grid(8), times, frames, known)
