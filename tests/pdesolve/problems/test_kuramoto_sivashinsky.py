"""Kuramoto–Sivashinsky: orders, growth of long waves, bounded chaos."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.families import kuramoto_sivashinsky
from meshes import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.kuramoto_sivashinsky import KuramotoSivashinskyProblem
from pdesolve.spectral.batch import evolve_batch


@pytest.mark.parametrize("study", kuramoto_sivashinsky.orders(), ids=lambda s: s.kind)
def test_orders(study) -> None:
    study.check()


@pytest.mark.parametrize("number", [1, 4, 8, 14, 20])
def test_growth_of_small_waves(number: int) -> None:
    """A wave of amplitude 1e-8 grows or decays as e^((k² − k⁴) t)."""
    k = number / 16
    problem = KuramotoSivashinskyProblem(lambda x: 1e-8 * np.cos(k * x[0]), times=(0.0, 1.0))
    trajectory = evolve(problem, mesh=128)
    found = np.abs(trajectory.states[-1].values).max() / np.abs(trajectory.states[0].values).max()
    assert found == pytest.approx(np.exp(k**2 - k**4), rel=1e-6)


def test_chaos_stays_bounded_and_mixes() -> None:
    family = get_family("kuramoto_sivashinsky", final_time=150.0, num_times=151)
    problems = [family.problem(family.sample(sample_generator(0, "test", i))) for i in range(3)]
    batch = evolve_batch(problems, 192, dt=0.1)
    assert np.ptp(batch.history["mass"], axis=1).max() < 1e-9
    late = batch.values[:, 50:]
    assert 3.0 > np.sqrt((late**2).mean()) > 1.0  # about 1.3 per unit length
    assert np.abs(late).max() < 4.5
    # the density of energy of long chaos is the same from every start
    energies = batch.history["energy"][:, 50:].mean(axis=1)
    assert np.ptp(energies) < 0.2 * energies.mean()


def test_neighbours_part() -> None:
    """Differences grow by e-folds in about ten units of time (Lyapunov exponent near 0.09)."""
    start = kuramoto_sivashinsky.start
    problems = [
        KuramotoSivashinskyProblem(
            lambda x, size=size: start(x) + size * np.cos(x[0] / 4), times=(0.0, 60.0, 160.0)
        )
        for size in (0.0, 1e-8)
    ]
    batch = evolve_batch(problems, 128, dt=0.1)
    apart = np.sqrt(((batch.values[1] - batch.values[0]) ** 2).mean(axis=(1, 2)))
    assert 0.04 < np.log(apart[2] / apart[1]) / 100.0 < 0.2


def test_family() -> None:
    family = get_family("kuramoto_sivashinsky", length=22.0)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    assert problem.upper == (22.0,)
    assert problem.input_fields(problem.grid(8)).names == family.inputs
    assert abs(problem.initial_on(problem.grid(64)).mean()) < 1e-12
    assert family.describe()["domain"] == {"lower": [0.0], "upper": [22.0]}
    with pytest.raises(InputError, match="length=-1 must be positive"):
        get_family("kuramoto_sivashinsky", length=-1)
