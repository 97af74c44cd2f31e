"""Batches on NumPy and torch, and gradients through them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from operators.failures import TimeStepFailure
from pdesolve import evolve, generate, get_family, sample_generator
from pdesolve.data.reader import open_dataset
from pdesolve.problems.advection import AdvectionProblem
from pdesolve.problems.burgers import BurgersProblem
from pdesolve.problems.heat import HeatProblem
from pdesolve.problems.korteweg_de_vries import KortewegDeVriesProblem
from pdesolve.spectral import batch as batch_module
from pdesolve.spectral.batch import evolve_batch, rollout
from pdesolve.spectral.evolution import SpectralEvolution, one_function, stack

# output times short enough for few steps
FAMILIES = {
    "heat1d": (0.0, 0.1, 0.2),
    "heat2d": (0.0, 0.1, 0.2),
    "advection2d": (0.0, 0.1, 0.2),
    "burgers1d": (0.0, 0.05, 0.1),
    "burgers2d": (0.0, 0.05, 0.1),
    "allen_cahn1d": (0.0, 0.5, 1.0),
    "allen_cahn2d": (0.0, 0.5, 1.0),
    "korteweg_de_vries": (0.0, 0.5, 1.0),
    "kuramoto_sivashinsky": (0.0, 0.5, 1.0),
    "gray_scott2d": (0.0, 5.0, 10.0),
}

SHORT_WAVE = KortewegDeVriesProblem(lambda x: np.cos(2 * np.pi * x[0] / 6), upper=(6.0,))


def problems_of(name: str, number: int = 3):
    family = get_family(name)
    return [family.problem(family.sample(sample_generator(5, "test", i))) for i in range(number)]


def step_of(problems, grid: StructuredGrid) -> float | None:
    """A step size for the batch and for each alone."""
    size = min(problem.spectral_evolution(grid).step_size for problem in problems)
    if not np.isfinite(size):
        return None
    span = FAMILIES[problems[0].name][1]
    return span / np.ceil(span / size)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_gives_what_each_problem_gives(name: str) -> None:
    problems, times = problems_of(name), FAMILIES[name]
    grid = problems[0].grid(24)
    dt = step_of(problems, grid)
    batch = evolve_batch(problems, grid, times, dt=dt)
    assert batch.values.shape == (3, 3, len(batch.names), *grid.shape)
    assert batch.finite.tolist() == [True] * 3
    for number, problem in enumerate(problems):
        alone = evolve(problem, mesh=grid, times=times, dt=dt, backend="spectral")
        found, expected = batch.values[number], alone.on(grid)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
        for key, values in alone.history.items():
            np.testing.assert_allclose(batch.history[key][number], values, rtol=1e-10, atol=1e-13)


def test_pieces_of_a_batch_make_the_whole(monkeypatch) -> None:
    problems = problems_of("heat1d", 7)
    whole = evolve_batch(problems, 32)
    monkeypatch.setattr(batch_module, "_CACHED_BYTES", 2 * 32 * 8)  # two problems a piece
    pieces = evolve_batch(problems, 32)
    np.testing.assert_array_equal(pieces.values, whole.values)
    np.testing.assert_array_equal(pieces.history["energy"], whole.history["energy"])
    assert pieces.values.shape[0] == 7


@pytest.mark.torch
@pytest.mark.parametrize("name", FAMILIES)
def test_torch_gives_the_same(name: str) -> None:
    import torch

    torch.set_num_threads(1)
    problems, times = problems_of(name), FAMILIES[name]
    grid = problems[0].grid(24)
    here = evolve_batch(problems, grid, times)
    there = evolve_batch(problems, grid, times, xp=torch)
    assert isinstance(there.values, torch.Tensor)
    size = np.abs(here.values).max()
    np.testing.assert_allclose(there.values.numpy(), here.values, rtol=0, atol=1e-12 * size)
    for key, values in here.history.items():
        np.testing.assert_allclose(there.history[key].numpy(), values, rtol=1e-10, atol=1e-13)
    single = evolve_batch(problems, grid, times, xp=torch, dtype="float32")
    assert single.values.dtype == torch.float32
    np.testing.assert_allclose(single.values.numpy(), here.values, rtol=0, atol=2e-5 * size)


def loss_of(values):
    """Weights that no symmetry cancels."""
    flat = values.reshape(-1)
    return (flat * flat[::-1] if isinstance(flat, np.ndarray) else flat * flat.flip(0)).sum()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("problem", "parameter", "final"),
    [
        (BurgersProblem(0.05, lambda x: np.sin(2 * np.pi * x[0])), "viscosity", 0.2),
        (
            HeatProblem(
                0.02,
                lambda t: 1.0 + t,
                source=lambda x: np.cos(2 * np.pi * x[0]),
                initial=lambda x: np.sin(2 * np.pi * x[0]),
                dimension=1,
            ),
            "conductivity",
            0.5,
        ),
        (AdvectionProblem((1.0,), lambda x: np.exp(np.sin(2 * np.pi * x[0])), dimension=1),
         "velocity", 0.3),
        (SHORT_WAVE, "nonlinearity", 0.2),
        (SHORT_WAVE, "dispersion", 0.2),
    ],
    ids=["burgers", "heat", "advection", "kdv-nonlinearity", "kdv-dispersion"],
)  # fmt: skip
def test_gradients(problem, parameter: str, final: float) -> None:
    """With respect to a parameter (inside L too) and the initial state, by differences."""
    import torch

    torch.set_num_threads(1)
    evolution = problem.spectral_evolution(problem.grid(16))
    times, dt = (0.0, final), final / 20
    value = torch.tensor(evolution.parameters[parameter], requires_grad=True)
    initial = torch.tensor(evolution.initial, requires_grad=True)
    states = rollout(
        evolution, times, dt=dt, initial=initial, parameters={parameter: value}, xp=torch
    )
    assert states.shape == (2, 1, 16)
    by_value, by_initial = torch.autograd.grad(loss_of(states[-1]), (value, initial))

    def loss(scale: float, change: np.ndarray) -> float:
        found = rollout(
            evolution,
            times,
            dt=dt,
            initial=evolution.initial + change,
            parameters={parameter: evolution.parameters[parameter] * scale},
        )
        return float(loss_of(found[-1]))

    step, still = 1e-5, np.zeros_like(evolution.initial)
    difference = (loss(1 + step, still) - loss(1 - step, still)) / (2 * step)
    directional = float((by_value * torch.tensor(evolution.parameters[parameter])).sum())
    assert directional == pytest.approx(difference, rel=1e-6)
    direction = np.random.default_rng(0).standard_normal(still.shape)
    difference = (loss(1.0, step * direction) - loss(1.0, -step * direction)) / (2 * step)
    assert float((by_initial * torch.tensor(direction)).sum()) == pytest.approx(
        difference, rel=1e-6
    )


@pytest.mark.torch
def test_a_viscosity_is_recovered() -> None:
    """What gradients are for: Newton's method on one unknown viscosity."""
    import torch

    torch.set_num_threads(1)
    problem = BurgersProblem(0.05, lambda x: np.sin(2 * np.pi * x[0]))
    evolution = problem.spectral_evolution(problem.grid(32))
    measured = rollout(evolution, (0.0, 0.2), dt=0.01, xp=torch)[-1]
    viscosity = torch.tensor(0.03, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([viscosity], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        found = rollout(
            evolution, (0.0, 0.2), dt=0.01, parameters={"viscosity": viscosity}, xp=torch
        )
        loss = ((found[-1] - measured) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(3):
        optimizer.step(closure)
    assert float(viscosity.detach()) == pytest.approx(0.05, rel=1e-4)


@pytest.mark.torch
@pytest.mark.gpu
def test_on_a_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    problems = problems_of("kuramoto_sivashinsky")
    here = evolve_batch(problems, 64, (0.0, 1.0))
    there = evolve_batch(problems, 64, (0.0, 1.0), xp=torch, device="cuda")
    np.testing.assert_allclose(there.values.cpu().numpy(), here.values, atol=1e-11)


def test_failures_name_the_trajectories() -> None:
    calm = [KortewegDeVriesProblem(lambda x: 0.1 * np.cos(2 * np.pi * x[0] / 64))] * 2
    wild = KortewegDeVriesProblem(lambda x: 20 * np.cos(2 * np.pi * x[0] / 64))
    batch = [calm[0], wild, calm[1]]
    with np.errstate(all="ignore"):
        with pytest.raises(TimeStepFailure, match=r"1 of 3 trajectories .* \(numbers 1; the first "
                           r"between t = \d+ and \d+\)") as caught:  # fmt: skip
            evolve_batch(batch, 128, (0.0, 5.0, 50.0), dt=0.1)
        kept = evolve_batch(batch, 128, (0.0, 5.0, 50.0), dt=0.1, check=False)
    assert caught.value.solution.finite.tolist() == [True, False, True]
    assert kept.finite.tolist() == [True, False, True]


def test_rejections() -> None:
    heat, waves = problems_of("heat1d", 2), problems_of("advection1d", 1)
    with pytest.raises(InputError, match="a batch needs at least one problem"):
        evolve_batch([], 16)
    with pytest.raises(InputError, match="same channels"):
        evolve_batch([heat[0], *waves], 16)
    grid = heat[0].grid(16)
    one, other = (problem.spectral_evolution(grid) for problem in heat)
    with pytest.raises(InputError, match="same functions"):
        stack([one, replace(other, time_factor=lambda _: 1.0)])
    with pytest.raises(InputError, match="same parameters"):
        stack([one, replace(other, parameters={})])
    with pytest.raises(
        InputError, match=r"no parameter 'conductivty'\. Did you mean 'conductivity'"
    ):
        rollout(one, (0.0, 1.0), parameters={"conductivty": 1.0})
    with pytest.raises(InputError, match="gives no step size; give dt"):
        rollout(replace(one, nonlinear=lambda *_: 0.0, step_size=float("nan")), (0.0, 1.0))
    with pytest.raises(InputError, match="it must end in"):
        SpectralEvolution(grid, ("u",), np.ones((2, 16)), np.zeros(1))


def test_functions_made_anew_by_each_problem_are_one_function() -> None:
    def decay(rate: float, table: object = None) -> Any:
        return lambda *_: -rate if table is None else table

    table = np.ones(3)
    assert one_function(decay(2.0), decay(2.0))
    assert one_function(decay(2.0, table), decay(2.0, table))
    assert not one_function(decay(2.0), decay(3.0))
    assert not one_function(decay(2.0), decay(2))
    assert not one_function(decay(2.0, table), decay(2.0, table.copy()))
    assert not one_function(decay(2.0), lambda *_: -2.0)
    assert one_function(None, None)
    assert not one_function(None, decay(2.0))


def test_problems_that_make_no_batch_are_solved_one_by_one(tmp_path, monkeypatch) -> None:
    options = {"shape": 16, "backend": "spectral", "dtype": "float64"}
    together = generate("heat1d", 6, out=tmp_path / "together.h5", **options)
    monkeypatch.setattr("pdesolve.spectral.evolution.one_function", lambda *_: False)
    apart = generate("heat1d", 6, out=tmp_path / "apart.h5", **options)
    assert apart.num_failed == 0
    with open_dataset(together.path) as one, open_dataset(apart.path) as other:
        assert np.array_equal(one.read()[0], other.read()[0])
        np.testing.assert_allclose(one.read()[1], other.read()[1], rtol=1e-12, atol=1e-14)


@pytest.mark.torch
def test_an_absent_device_is_named() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match="device='cuda' cannot be used"):
        evolve_batch(problems_of("heat1d"), 16, xp=torch, device="cuda")


def test_one_symbol_for_all_is_not_repeated() -> None:
    grid = StructuredGrid(8, periodic=True)
    parts = [SpectralEvolution(grid, ("u",), np.ones((1, 8)), -np.ones((1, 5))) for _ in range(3)]
    assert stack(parts).linear.shape == (1, 5)
