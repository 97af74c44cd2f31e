"""The estimator where the equation changes in time, or where waves are carried along."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.certificates.trajectories import certify_trajectory, why_no_estimate
from neural.refinement.classical import PararealSettings, parareal
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.residuals import SpaceTimeResidual
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.advection import AdvectionProblem
from pdesolve.problems.boundary import Periodic
from pdesolve.problems.heat import HeatProblem

pytestmark = pytest.mark.torch


def wave(x):
    return np.sin(2 * np.pi * x[0])


def changing(factor):
    """Heat conduction that is faster at some times than at others."""
    problem = HeatProblem(
        0.02, factor, initial=wave, dimension=1, times=tuple(np.linspace(0.0, 1.0, 41))
    )
    grid = problem.grid(32)
    frames = torch.as_tensor(evolve(problem, mesh=grid, backend="spectral").on(grid))
    return problem, grid, frames


def test_an_equation_alike_at_both_ends_still_changes_between():
    problem, grid, frames = changing(lambda t: 1.0 + 3.0 * t * (1.0 - t))
    residual = SpaceTimeResidual(problem, grid, problem.times, frames[:1])
    assert not residual.autonomous
    assert float(residual(frames[1:]).abs().max()) < 1e-4
    assert SpaceTimeResidual(*changing(lambda _: 1.0)[:2], problem.times, frames[:1]).autonomous


def test_parareal_leaves_the_solution_of_a_changing_equation_alone():
    problem, grid, frames = changing(lambda t: 1.0 + 0.8 * np.sin(2 * np.pi * t))
    estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, problem.times, frames[:1]))
    found = parareal(frames[1:], estimator, PararealSettings(num_iterations=2))
    assert float((found.frames - frames[1:]).abs().max()) < 1e-9


@pytest.mark.parametrize("velocity", [0.1, 2.0])
def test_effectivity_does_not_depend_on_the_speed_of_a_wave(velocity):
    problem = AdvectionProblem(
        (velocity,), initial=wave, dimension=1, boundary_conditions={"all": Periodic()},
        times=tuple(np.linspace(0.0, 0.4, 41)),
    )  # fmt: skip
    grid = problem.grid(16)
    frames = torch.as_tensor(evolve(problem, mesh=grid, backend="spectral").on(grid))
    estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, problem.times, frames[:1]))
    growing = 1.0 + 0.01 * torch.as_tensor(problem.times[1:]).reshape(-1, 1, 1)
    found = estimator.errors(frames[1:] * growing, frames[1:])
    assert found.effectivity == pytest.approx(1.0, abs=0.01)
    # the certificate is relative to a size that does not vanish for a wave
    whole = torch.cat([frames[:1], frames[1:] * growing])
    assert 0 < certify_trajectory(problem, grid, problem.times, whole).upper < 0.1


@pytest.mark.parametrize(("num_times", "unsure"), [(17, True), (401, False)])
def test_the_certificate_says_where_frames_are_too_far_apart(num_times, unsure):
    # the sixth harmonic turns around every sixth of the time: three frames a turn do not show it
    problem = AdvectionProblem(
        (1.0,), initial=lambda x: np.sin(12 * np.pi * x[0]), dimension=1,
        boundary_conditions={"all": Periodic()}, times=tuple(np.linspace(0.0, 1.0, num_times)),
    )  # fmt: skip
    grid = problem.grid(32)
    frames = evolve(problem, mesh=grid, backend="spectral").on(grid)
    growing = 1.0 + 0.05 * np.array(problem.times).reshape(-1, 1, 1)
    found = certify_trajectory(problem, grid, problem.times, frames * growing)
    assert ("too far apart" in found.statement) == unsure


def test_an_order_of_zero_is_refused():
    problem, grid, frames = changing(lambda _: 1.0)
    with pytest.raises(InputError, match="order=0"):
        SpaceTimeResidual(problem, grid, problem.times, frames[:1], order=0)


def test_frames_of_other_unknowns_than_those_of_the_equations_are_refused():
    # waves are computed as two that travel, and reported as displacement and velocity
    family = get_family("wave1d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    grid = problem.grid(32)
    frames = evolve(problem, mesh=grid, backend="spectral").on(grid)
    with pytest.raises(InputError, match="frames of 'wave1d' hold displacement, velocity"):
        SpaceTimeResidual(problem, grid, problem.times, frames[:3])
    assert why_no_estimate(problem, grid, 2) == ""  # there is a bound that does without
