"""Gray–Scott: orders, the equations without space, patterns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from benchmarks.families import gray_scott
from meshes import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.gray_scott import GrayScottProblem


@pytest.mark.parametrize("study", gray_scott.orders(), ids=lambda s: s.kind)
def test_orders(study) -> None:
    study.check()


def test_without_space_it_is_the_reaction() -> None:
    feed, kill = 0.04, 0.06

    def rates(_, state):
        u, v = state
        return [-u * v * v + feed * (1 - u), u * v * v - (feed + kill) * v]

    exact = solve_ivp(rates, (0.0, 50.0), [0.6, 0.3], method="DOP853", rtol=1e-12, atol=1e-14)
    problem = GrayScottProblem(feed, kill, (0.6, 0.3), times=(0.0, 50.0))
    found = evolve(problem, mesh=4, dt=0.125).gather().values
    np.testing.assert_allclose(found[0], exact.y[0, -1], rtol=1e-8)
    np.testing.assert_allclose(found[1], exact.y[1, -1], rtol=1e-8)


def test_each_species_diffuses_with_its_own_constant() -> None:
    wave = 2 * np.pi / 2.5
    problem = GrayScottProblem(
        0.03, 0.06, (lambda x: 1 + 0.1 * np.cos(wave * x[0]), 0.0), times=(0.0, 100.0)
    )
    found = evolve(problem, mesh=16).gather().values
    rate = 2e-5 * wave**2 + 0.03
    exact = 0.1 * np.exp(-rate * 100.0) * np.cos(wave * problem.grid(16).points()[0])
    np.testing.assert_allclose(found[0] - 1, exact, atol=1e-9)
    np.testing.assert_allclose(found[1], 0.0, atol=1e-15)


def test_patterns_arise() -> None:
    """v does not die out and does not become the same everywhere."""
    family = get_family("gray_scott2d", final_time=1000.0, num_times=3)
    for index in range(2):
        problem = family.problem(family.sample(sample_generator(0, "test", index)))
        trajectory = evolve(problem, mesh=96, dt=2.0)
        u, v = trajectory.states[-1].values
        assert v.max() > 0.2
        assert v.std() > 0.05
        assert u.min() > -0.05
        assert u.max() < 1.05


def test_family() -> None:
    family = get_family("gray_scott2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    field = problem.input_fields(problem.grid(32))
    assert field.names == family.inputs
    u, v, feed, kill = field.values
    np.testing.assert_allclose(u, 1 - 2 * v, atol=1e-14)
    assert 0 < v.mean() < 0.1
    assert (feed == problem.feed_rate).all()
    assert (kill == problem.kill_rate).all()
    other = get_family("gray_scott2d", length=2.0)
    assert other.describe()["domain"]["upper"] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: GrayScottProblem(feed_rate=-0.1), "feed_rate=-0.1 must be finite and not"),
        (lambda: GrayScottProblem(initial=1.0), "initial=1.0 must be a pair"),
        (lambda: GrayScottProblem(diffusivities=(1.0, 0.0)), "second_diffusivity=0.0 must be"),
        (lambda: get_family("gray_scott2d", feed_rate_range=(0.1,)), "two numbers"),
    ],
)
def test_rejections(build, text: str) -> None:
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)
