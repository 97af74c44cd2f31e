"""Two-layer quasi-geostrophic flow: instability, conservation, order."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from meshes import InputError
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.quasi_geostrophic import QuasiGeostrophicProblem
from pdesolve.spectral.batch import evolve_batch, rollout


def phillips_growth(k_x: float, k_y: float, beta: float, shear: float) -> float:
    """Growth rate of Phillips' model: equal layers at ±shear/2, no drag (Vallis 2017, 9.6)."""
    squares, deformation = k_x**2 + k_y**2, 1.0  # F1 = F2 = 1/2, k_d^2 = F1 + F2
    speed = shear / 2
    under = (beta * deformation / (2 * squares * (squares + deformation))) ** 2
    under -= speed**2 * (deformation - squares) / (deformation + squares)
    return k_x * np.sqrt(max(0.0, -under))


def wave_problem(k: float, *, numbers: tuple[int, int] = (2, 0), **options) -> tuple:
    """The fastest growing wave with these numbers in a box, and its growth rate."""
    side = 2 * np.pi * numbers[0] / k
    problem = QuasiGeostrophicProblem(
        (0.0, 0.0),
        hyperviscosity=0.0,
        drag=0.0,
        upper=(side, side),
        times=(0.0, 4.0),
        **options,
    )
    k_y = 2 * np.pi * numbers[1] / side
    return problem, problem.growth_rate(k, k_y), (k, k_y)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.4])
@pytest.mark.parametrize(("k", "numbers"), [(0.4, (2, 0)), (0.7, (3, 1)), (1.2, (2, 0))])
def test_growth_rates_are_those_of_phillips(k, numbers, beta):
    options = {"mean_velocity": (0.5, -0.5), "beta": beta, "thickness_ratio": 1.0}
    _, rate, (k_x, k_y) = wave_problem(k, numbers=numbers, **options)
    assert rate == pytest.approx(phillips_growth(k_x, k_y, beta, 1.0), abs=1e-10)


@pytest.mark.parametrize("drag", [0.0, 0.3])
def test_a_small_wave_grows_at_the_analytic_rate(drag):
    problem, _, (k, _) = wave_problem(0.6)
    problem = replace(problem, drag=drag)
    rate = problem.growth_rate(k, 0.0)
    assert rate > 0.03
    matrix = problem.flow.symbols_on(problem.grid(16)).linear[:, :, 2, 0]
    values, vectors = np.linalg.eig(matrix)
    shape = vectors[:, values.real.argmax()]
    waves = tuple(lambda x, a=a: (a * np.exp(1j * k * x[0])).real for a in shape)
    problem = replace(problem, initial=waves)
    final = evolve(problem, mesh=16, dt=0.02).gather().values
    grid = problem.grid(16)
    value = values[values.real.argmax()]
    for layer, amplitude in enumerate(shape):
        exact = (amplitude * np.exp(1j * k * grid.points()[0] + value * 4.0)).real
        np.testing.assert_allclose(final[layer], exact, atol=1e-8)
    growth = np.log(np.linalg.norm(final) / np.linalg.norm(problem.initial_on(grid))) / 4.0
    assert np.isfinite(growth)


def eddies(**options):
    family = get_family("quasi_geostrophic", **options)
    return family.problem(family.sample(sample_generator(0, "test", 0)))


def test_energy_and_potential_enstrophy_without_forcing_and_dissipation():
    problem = replace(
        eddies(alpha=8.0), mean_velocity=(0.0, 0.0), drag=0.0, hyperviscosity=0.0, times=(0.0, 2.0)
    )
    history = evolve(problem, mesh=32, dt=0.01).history
    for name in ("energy", "potential_enstrophy"):
        assert history[name][1] == pytest.approx(history[name][0], rel=1e-9), name


def test_drag_takes_energy():
    problem = replace(eddies(), mean_velocity=(0.0, 0.0), times=(0.0, 1.0, 2.0))
    energy = evolve(problem, mesh=32).history["energy"]
    assert energy[0] > energy[1] > energy[2]


def test_mean_shear_feeds_the_flow():
    family = get_family("quasi_geostrophic", standard_deviation=0.02, final_time=60.0, num_times=3)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    energy = evolve(problem, mesh=32).history["energy"]
    assert energy[2] > 3 * energy[1]


def test_studies():
    from benchmarks.families.quasi_geostrophic import orders

    for study in orders():
        study.check()


def test_batches_equal_single_solves():
    family = get_family("quasi_geostrophic", final_time=0.5, num_times=2)
    problems = [family.problem(family.sample(sample_generator(0, "test", i))) for i in range(2)]
    batch = evolve_batch(problems, 16, dt=0.05)
    for index, problem in enumerate(problems):
        single = evolve(problem, mesh=16, dt=0.05).gather()
        assert single.names == family.outputs
        np.testing.assert_allclose(batch.values[index, -1], single.values, atol=1e-12)


@pytest.mark.torch
def test_gradient_with_respect_to_the_initial_state():
    import torch

    torch.set_num_threads(1)
    problem = eddies()
    evolution = problem.spectral_evolution(problem.grid(16))
    start = torch.tensor(evolution.initial, requires_grad=True)

    def loss(state):
        return torch.sum(rollout(evolution, (0.0, 0.1), dt=0.02, initial=state, xp=torch)[-1] ** 2)

    loss(start).backward()
    direction = torch.tensor(np.random.default_rng(0).standard_normal(start.shape))
    step = 1e-5
    with torch.no_grad():
        difference = (loss(start + step * direction) - loss(start - step * direction)) / (2 * step)
    assert float((start.grad * direction).sum()) == pytest.approx(float(difference), rel=1e-6)


def test_description_is_plain_json():
    described = get_family("quasi_geostrophic").describe()
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"thickness_ratio": 0.0}, "thickness_ratio=0.0 must be positive"),
        ({"drag": -1.0}, "drag=-1.0 must be finite and not negative"),
        ({"hyperviscosity_order": 1.5}, "hyperviscosity_order=1.5 must be a positive integer"),
        ({"mean_velocity": (1.0,)}, "must have two entries, one a layer"),
        ({"beta": "strong"}, "beta='strong' must be a finite number"),
        ({"side": -1.0}, "side=-1.0 must be positive"),
        ({"num_times": 1}, "num_times=1 must be an integer of at least 2"),
    ],
)
def test_rejections(options, text):
    with pytest.raises(InputError) as caught:
        get_family("quasi_geostrophic", **options)
    assert text in str(caught.value)


def test_the_grid_of_another_box_is_refused():
    problem = eddies()
    with pytest.raises(InputError, match="make the grid with"):
        problem.spectral_evolution(replace(problem, upper=(1.0, 1.0)).grid(8))
