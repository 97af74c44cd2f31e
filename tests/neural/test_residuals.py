"""Residuals of space-time fields, and the differences in time that they rest on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.residuals import SpaceTimeResidual
from neural.refinement.time_derivative import differentiation_matrix
from pdesolve import evolve, get_family, sample_generator

pytestmark = pytest.mark.torch

FLOWS = {
    "navier_stokes2d": {"viscosity": 1e-3, "final_time": 2.0, "num_times": 21},
    "decaying_turbulence2d": {
        "viscosity": 1e-4, "viscosity_order": 1, "peak": 2.0, "final_time": 1.0, "num_times": 21,
        "largest_wavenumber": 6,
    },
    "taylor_green2d": {"num_times": 21},
}  # fmt: skip


def flow(name, shape=32, **options):
    """A problem, its grid and its solved frames."""
    family = get_family(name, **{**FLOWS.get(name, {}), **options})
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    grid = problem.grid(shape)
    return problem, grid, torch.as_tensor(evolve(problem, mesh=grid).on(grid))


def random_frames(like, grid, seed=0):
    """Fields that solve nothing: smooth in space, new at each time, of the frames' size."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(like.shape, generator=generator, dtype=torch.float64)
    numbers = sum(
        np.meshgrid(*[np.fft.fftfreq(n, 1 / n) ** 2 for n in grid.shape], indexing="ij"),
        start=np.zeros(grid.shape),
    )
    filtered = torch.fft.ifft2(torch.fft.fft2(noise) * torch.as_tensor(np.exp(-numbers / 20))).real
    filtered = filtered - filtered.mean((-1, -2), keepdim=True)
    return filtered * like.std() / filtered.std()


@pytest.mark.parametrize("order", [2, 4, 6])
def test_derivative_has_its_order(order):
    """Of a smooth function the error falls by 2^order when the spacing is halved."""
    errors = []
    for count in (16, 31, 61):
        times = np.linspace(0.0, 1.0, count)
        matrix = differentiation_matrix(times, order)
        errors.append(np.abs(matrix @ np.exp(2 * times) - 2 * np.exp(2 * times)).max())
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert abs(slopes[-1] - order) < 0.2
    assert errors[-1] < 1e-2


@pytest.mark.parametrize(
    ("times", "order"),
    [([0.0], 2), ([0.0, 0.0], 2), ([0.0, np.nan], 2), ([0.0, 1.0], 0), ([0.0, 1.0], 1.5)],
)
def test_derivative_refuses(times, order):
    with pytest.raises(InputError, match=r"times=|order="):
        differentiation_matrix(times, order)


@pytest.mark.parametrize("name", FLOWS)
def test_a_solution_leaves_little_and_a_random_field_much(name):
    """By four orders of magnitude, with the forcing, viscosity and box of each family."""
    problem, grid, frames = flow(name)
    residual = SpaceTimeResidual(problem, grid, problem.times, frames[:5])
    estimator = ResidualEstimator(residual)
    solved, random = float(estimator(frames[5:])), float(estimator(random_frames(frames, grid)[5:]))
    assert random > 1e4 * solved
    # terms of the equation are of the size of ω / (time between frames) here
    assert residual(random_frames(frames, grid)[5:]).std() > frames.std()


def test_forcing_and_viscosity_count():
    """Frames that solve the unforced equation do not solve the forced one."""
    problem, grid, frames = flow("navier_stokes2d")
    without = type(problem)(problem.initial, problem.viscosity, times=problem.times)
    found = SpaceTimeResidual(without, grid, problem.times, frames[:5])(frames[5:])
    forcing = torch.as_tensor(problem.forcing_on(grid))
    assert torch.allclose(found, forcing.expand_as(found), atol=1e-4 * float(forcing.abs().max()))


def one_step_residual(residual, frames, dt):
    """The residual with ∂ω/∂t from steps of ±dt of the equation itself (as was published).

    Crank–Nicolson for the linear part, forward Euler for the others, and the mean of the two
    difference quotients.
    """
    state = residual.transforms.forward(frames)
    linear = residual.linear
    tendency = residual.right_hand_side(state) - linear * state
    rates = []
    for step in (dt, -dt):
        after = ((1 + step / 2 * linear) * state + step * tendency) / (1 - step / 2 * linear)
        rates.append((after - state) / step)
    return residual.transforms.inverse(sum(rates) / 2 - residual.right_hand_side(state))


def test_a_step_of_the_same_equation_tells_nothing():
    """For a field that solves nothing that residual vanishes like dt², and ours does not."""
    problem, grid, frames = flow("navier_stokes2d", shape=64)
    residual = SpaceTimeResidual(problem, grid, problem.times, frames[:5])
    nothing = random_frames(frames, grid)[5:]
    published = [float(one_step_residual(residual, nothing, dt).abs().max()) for dt in (1e-3, 1e-2)]
    ours = float(residual(nothing).abs().max())
    size = float(residual.transforms.inverse(residual.right_hand_side(
        residual.transforms.forward(nothing))).abs().max())  # fmt: skip
    assert published[0] < 1e-4 * size < ours
    assert published[1] / published[0] == pytest.approx(100, rel=0.2)


def test_gradient_is_that_of_differences():
    problem, grid, frames = flow("taylor_green2d", shape=12, num_times=6)
    estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, problem.times, frames[:1]))
    given = (frames[1:] + 0.1 * random_frames(frames, grid)[1:]).requires_grad_()
    slope = torch.autograd.grad(estimator(given), given)[0]
    direction = random_frames(frames, grid, seed=1)[1:]
    step = 1e-6
    ahead, behind = (estimator(given.detach() + sign * step * direction) for sign in (1, -1))
    expected = float((slope * direction).sum())
    assert float(ahead - behind) / (2 * step) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["burgers2d", "korteweg_de_vries", "gray_scott2d", "heat1d"])
def test_other_periodic_families(name):
    """The residual is that of any equation with a form for Fourier modes."""
    family = get_family(name)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    grid = problem.grid(32)
    times = np.linspace(0.0, 0.02 * problem.times[-1], 9)
    frames = torch.as_tensor(
        evolve(problem, mesh=grid, times=tuple(times), backend="spectral").on(grid)
    )
    residual = SpaceTimeResidual(problem, grid, times, frames[:3])
    still = frames[2].expand_as(frames[3:])
    assert residual(frames[3:]).abs().max() < 0.02 * residual(still).abs().max()


def test_parseval_against_a_poisson_solve():
    """The dual norm is that of the Riesz representative, −Δz + αz = R, ‖R‖² = ∫ R z."""
    problem, grid, frames = flow("taylor_green2d", shape=16)
    estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, problem.times, frames[:1]), 0.7)
    values = estimator.residual(random_frames(frames, grid)[1:])
    transforms = estimator.residual.transforms
    riesz = transforms.inverse(transforms.forward(values) / (0.7 - transforms.laplacian))
    total = float(torch.sum(estimator.steps * values * riesz) * grid.cell_volume)
    assert float(estimator(random_frames(frames, grid)[1:])) ** 2 == pytest.approx(total, rel=1e-10)


def test_bad_input():
    problem, grid, frames = flow("taylor_green2d", shape=8, num_times=6)
    with pytest.raises(InputError, match="known frames of shape"):
        SpaceTimeResidual(problem, grid, problem.times, frames)
    with pytest.raises(InputError, match="known frames of shape"):
        SpaceTimeResidual(problem, grid, problem.times, frames[:1, 0])
    with pytest.raises(InputError, match="not finite"):
        SpaceTimeResidual(problem, grid, problem.times, frames[:1] * torch.nan)
    residual = SpaceTimeResidual(problem, grid, problem.times, frames[:1])
    with pytest.raises(InputError, match="one for each time after the 1 known"):
        residual(frames)
    with pytest.raises(InputError, match="alpha=-1"):
        ResidualEstimator(residual, -1)
    with pytest.raises(InputError, match="reference is zero"):
        ResidualEstimator(residual).errors(frames[1:], 0 * frames[1:])
