"""The spectral form of the wave equation: exact in time, on every mode a solution has."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.wave import WaveProblem
from pdesolve.spectral.batch import evolve_batch, rollout
from pdesolve.spectral.wave import signed_wavenumber


def standing_wave(numbers: tuple[int, ...], speed: float):
    """u = Π cos(2π n x + 0.3) cos(ω t): displacement, and its velocity, at a time."""
    omega = 2 * np.pi * speed * np.sqrt(sum(n**2 for n in numbers))

    def shape(points):
        waves = [np.cos(2 * np.pi * n * x + 0.3) for n, x in zip(numbers, points, strict=True)]
        return np.prod(waves, axis=0)

    return shape, omega


@pytest.mark.parametrize("numbers", [(3,), (2, 1), (0, 2), (3, 0), (1, 2, 1), (0, 0, 2)])
def test_standing_waves_are_exact_for_any_step(numbers):
    speed, stop = 0.7, 3.3
    shape, omega = standing_wave(numbers, speed)
    problem = WaveProblem(speed, shape, dimension=len(numbers), times=(0.0, stop))
    size = 8 if len(numbers) == 3 else 10
    trajectory = evolve(problem, mesh=size)
    assert trajectory.backend == "spectral"
    assert trajectory.result.num_steps == 1
    points = trajectory.gather().mesh.points()
    displacement, velocity = trajectory.gather().values
    np.testing.assert_allclose(displacement, shape(points) * np.cos(omega * stop), atol=1e-12)
    expected = -omega * shape(points) * np.sin(omega * stop)
    np.testing.assert_allclose(velocity, expected, atol=1e-11)
    energy = trajectory.history["energy"]
    assert energy[1] == pytest.approx(energy[0], rel=1e-12)


def test_travelling_wave_keeps_its_form():
    def pulse(x):
        return np.exp(np.sin(2 * np.pi * x[0]))

    def pulse_velocity(x):
        return -2 * np.pi * np.cos(2 * np.pi * x[0]) * pulse(x)

    problem = WaveProblem(1.0, pulse, pulse_velocity, dimension=1, times=(0.0, 0.37))
    found = evolve(problem, mesh=48).gather()
    np.testing.assert_allclose(found.values[0], pulse(found.mesh.points() - 0.37), atol=1e-12)


def test_the_mean_moves_with_its_velocity():
    problem = WaveProblem(
        2.0, lambda x: 1.0 + np.cos(2 * np.pi * x[0]), 0.5, dimension=2, times=(0.0, 0.8, 3.0)
    )
    trajectory = evolve(problem, mesh=(8, 6))
    for index, time in enumerate(problem.times):
        displacement, velocity = trajectory.gather(index).values
        assert displacement.mean() == pytest.approx(1.0 + 0.5 * time, rel=1e-12)
        assert velocity.mean() == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize("shape", [(8,), (7,), (6, 8), (5, 6), (4, 5, 6)])
def test_the_operator_is_real_and_squares_to_the_laplacian(shape):
    grid = StructuredGrid(shape, periodic=(True,) * len(shape))
    symbol = 1j * signed_wavenumber(grid)
    rng = np.random.default_rng(0)
    u = rng.standard_normal(shape)
    axes = tuple(range(len(shape)))
    once = np.fft.irfftn(symbol * np.fft.rfftn(u), s=shape, axes=axes)
    np.testing.assert_allclose(np.fft.rfftn(once), symbol * np.fft.rfftn(u), atol=1e-9)


@pytest.mark.petsc
def test_grid_and_spectral_agree():
    family = get_family("wave1d", speed_range=(1.0, 1.0))
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    spectral = evolve(problem, mesh=256, backend="spectral").gather().values[0]
    grid = evolve(problem, mesh=256, backend="grid").gather().values[0]
    assert np.linalg.norm(grid - spectral) < 0.02 * np.linalg.norm(spectral)


def test_batches_with_different_speeds_equal_single_solves():
    family = get_family("wave2d")
    problems = [family.problem(family.sample(sample_generator(0, "test", i))) for i in range(3)]
    batch = evolve_batch(problems, 16)
    for index, problem in enumerate(problems):
        single = evolve(problem, mesh=16, backend="spectral")
        np.testing.assert_allclose(batch.values[index, -1], single.gather().values, atol=1e-12)


@pytest.mark.torch
def test_gradient_with_respect_to_the_speed():
    import torch

    torch.set_num_threads(1)
    family = get_family("wave1d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    evolution = problem.spectral_evolution(problem.grid(32))

    def loss(speed):
        final = rollout(evolution, (0.0, 0.5), parameters={"speed": speed}, xp=torch)[-1]
        return torch.sum(final[0] ** 3)

    speed = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    loss(speed).backward()
    step = 1e-6
    with torch.no_grad():
        difference = (loss(speed + step) - loss(speed - step)) / (2 * step)
    assert float(speed.grad) == pytest.approx(float(difference), rel=1e-6)


def test_speeds_that_vary_are_for_the_grid():
    problem = WaveProblem(lambda x: 1.0 + x[0], dimension=1)
    with pytest.raises(InputError, match="a speed that is one positive number"):
        problem.spectral_evolution(problem.grid(8))
    with pytest.raises(InputError, match="has no form for the backend 'spectral'"):
        evolve(problem, mesh=8, backend="spectral")
