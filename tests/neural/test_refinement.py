"""Lowering the residual estimator lowers the error."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from meshes.errors import InputError
from neural.models.space_time_fno import SpaceTimeFNO
from neural.refinement.classical import PararealSettings, newton_krylov, parareal
from neural.refinement.correction import FourierCorrection
from neural.refinement.estimator import ResidualEstimator
from neural.refinement.head_correction import HeadCorrection, refine_prediction
from neural.refinement.minimisation import RefinementSettings, refine
from neural.refinement.residuals import SpaceTimeResidual
from pdesolve import evolve, get_family, sample_generator

pytestmark = pytest.mark.torch


def vortices(shape=32, viscosity=0.05, num_times=11, num_known=3):
    """Estimator, exact frames and frames with an error that is smooth in space and time."""
    family = get_family("taylor_green2d", num_times=num_times)
    values = {"amplitude": 1.0, "viscosity": viscosity, "shift_x": 0.3, "shift_y": 0.1}
    problem = family.problem(values)
    grid = problem.grid(shape)
    x, y = grid.points()
    exact = np.stack([family.vorticity(values, t)(grid.points())[None] for t in problem.times])
    times = np.array(problem.times)
    growth = np.maximum(times - times[num_known - 1], 0)[:, None, None, None]
    wrong = growth * (np.sin(x) * np.cos(2 * y) + 0.5 * np.cos(3 * x + y))
    frames = torch.as_tensor(exact)
    residual = SpaceTimeResidual(problem, grid, problem.times, frames[:num_known])
    return (
        ResidualEstimator(residual),
        frames[num_known:],
        torch.as_tensor(exact + 0.3 * wrong)[num_known:],
    )


@pytest.mark.parametrize("method", ["gauss_newton", "lbfgs"])
def test_error_falls_with_the_estimator(method):
    """Step by step, by three orders of magnitude, and η stays within a constant of the error."""
    estimator, exact, predicted = vortices()
    correction = FourierCorrection(predicted, estimator)
    found = [estimator.errors(predicted, exact)]
    estimates = [float(estimator(predicted))]
    for _ in range(4):
        settings = RefinementSettings(method=method, num_steps=1, inner_steps=8)
        refined = refine(correction, estimator, settings)
        found.append(estimator.errors(refined.frames, exact))
        estimates.append(min(refined.estimates))
    for before, after in itertools.pairwise(found):
        assert after.energy < before.energy
        assert after.relative_l2 < before.relative_l2
    assert all(after < before for before, after in itertools.pairwise(estimates))
    assert found[-1].relative_l2 < 1e-3 * found[0].relative_l2
    assert all(0.3 < entry.effectivity < 3 for entry in found)


@pytest.mark.parametrize("shape", [16, 32, 64])
def test_effectivity_does_not_depend_on_the_grid(shape):
    estimator, exact, predicted = vortices(shape)
    coarse, coarse_exact, coarse_predicted = vortices(16)
    here = estimator.errors(predicted, exact).effectivity
    assert here == pytest.approx(
        coarse.errors(coarse_predicted, coarse_exact).effectivity, rel=1e-3
    )
    assert 0.5 < here < 2


def test_without_advection_the_estimator_is_the_error():
    """The identity of the energy norm, up to the steps in time."""
    family = get_family("taylor_green2d", num_times=81, amplitude_range=(1e-9, 1.0))
    problem = family.problem(  # so weak a flow is moved by viscosity alone
        {"amplitude": 1e-9, "viscosity": 0.1, "shift_x": 0.0, "shift_y": 0.0}
    )
    grid = problem.grid(16)
    start = torch.as_tensor(problem.initial_on(grid))[None, None]
    times = torch.tensor(problem.times[1:], dtype=torch.float64)[:, None, None, None]
    exact = start * torch.exp(-2 * 0.1 * 4 * times)
    wrong = exact + times**2 * 1e-9 * torch.cos(torch.as_tensor(grid.points()[0]))
    estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, problem.times, start))
    assert estimator.errors(wrong, exact).effectivity == pytest.approx(1, abs=0.02)


def test_adam_lowers_the_estimator():
    estimator, _, predicted = vortices(16)
    settings = RefinementSettings(method="adam", num_steps=30, learning_rate=1e-2)
    assert refine(FourierCorrection(predicted, estimator), estimator, settings).reduction < 0.98


class Scaled(nn.Module):
    """A prediction times a parameter."""

    def __init__(self, frames, factor=1.0):
        super().__init__()
        self.frames = frames
        self.factor = nn.Parameter(torch.tensor(factor, dtype=torch.float64))

    def forward(self):
        return self.frames * self.factor


def test_frames_are_never_worse_than_the_prediction():
    """Adam with far too large a step."""
    estimator, exact, _ = vortices(16)
    correction = Scaled(exact)
    settings = RefinementSettings(method="adam", num_steps=5, learning_rate=10.0)
    refined = refine(correction, estimator, settings)
    assert refined.estimates[1] > refined.estimates[0]
    assert torch.equal(refined.frames, exact)
    assert float(correction.factor.detach()) == 1.0
    assert refined.reason == "the estimate no longer falls"


def test_a_step_to_infinity_is_taken_back():
    estimator, _, predicted = vortices(16)
    correction = Scaled(predicted)
    settings = RefinementSettings(method="adam", num_steps=5, learning_rate=1e200)
    refined = refine(correction, estimator, settings)
    assert "taken back" in refined.reason
    assert torch.equal(refined.frames, predicted)


def small_model():
    torch.manual_seed(0)
    return SpaceTimeFNO(1, 1, modes=(4, 4, 3), width=6, latent_frames=6)


def test_head_gives_the_prediction_at_first():
    """In float64, with all modes of the grid, and with the normalisation undone."""
    estimator, exact, _ = vortices(16, num_times=9)
    model = small_model()
    history = estimator.residual.known.movedim(0, -1)[None].float()
    for scaled in (True, False):
        correction = HeadCorrection(model, estimator, scaled=scaled, mean=0.5, deviation=2.0)
        with torch.no_grad():
            expected = model((history - 0.5) / 2.0, len(exact)) * 2.0 + 0.5
            frames = correction()
        assert frames.dtype == torch.float64
        assert frames.shape == exact.shape
        assert torch.allclose(frames, expected[0].movedim(-1, 0).double(), atol=1e-5)
    names = [name for name, item in correction.named_parameters() if item.requires_grad]
    assert names == ["head.convolution.parametrizations.bias.original"]


def test_head_refines_an_untrained_prediction():
    """Gauss–Newton over the bias; the model is left as it was."""
    estimator, exact, _ = vortices(16, num_times=9)
    residual, model = estimator.residual, small_model()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    refined = refine_prediction(
        model,
        residual.problem,
        residual.grid,
        residual.times,
        residual.known,
        settings=RefinementSettings(num_steps=4, inner_steps=30),
    )
    before = estimator.errors(HeadCorrection(model, estimator)().detach(), exact)
    after = estimator.errors(refined.frames, exact)
    assert after.relative_l2 < 1e-2 * before.relative_l2
    assert refined.reduction < 1e-2
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_published_rates_lower_the_estimator():
    estimator, _, _ = vortices(16, num_times=9)
    correction = HeadCorrection(small_model(), estimator, scaled=False, change_weight=True)
    settings = RefinementSettings(method="adam", num_steps=30, patience=10)
    refined = refine(correction, estimator, settings)
    assert refined.reduction < 0.95


def test_head_refuses():
    estimator, _, _ = vortices(16, num_times=9)
    with pytest.raises(InputError, match="more than the grid"):
        HeadCorrection(small_model(), estimator, modes=(9, 8, 3))
    with pytest.raises(InputError, match="at least the modes"):
        HeadCorrection(small_model(), estimator, modes=(2, 2, 2))
    with pytest.raises(InputError, match="deviation"):
        HeadCorrection(small_model(), estimator, deviation=0.0)
    velocity = SpaceTimeFNO(2, 2, modes=(4, 4, 3), width=6, latent_frames=6)
    with pytest.raises(InputError, match="gives 2 channels, the problem's state has 1"):
        HeadCorrection(velocity, estimator)


def test_times_that_the_head_cannot_mean():
    """The head spreads its frames evenly from the last known one on."""
    estimator, _, _ = vortices(16, num_times=9)
    residual = estimator.residual
    start = residual.times[len(residual.known) - 1]
    for place, what in ((1, "known frames"), (6, "last known one")):
        times = list(residual.times)
        times[place] += 0.3 * (times[2] - times[1])
        with pytest.raises(InputError, match=f"{what}.* apart in time.*equally spaced"):
            refine_prediction(small_model(), residual.problem, residual.grid, times, residual.known)
    later = [start + 0.5 * (time - start) for time in residual.times[len(residual.known) :]]
    times = [*residual.times[: len(residual.known)], *later]  # another step for what is wanted
    settings = RefinementSettings(num_steps=1, inner_steps=2)
    refined = refine_prediction(
        small_model(), residual.problem, residual.grid, times, residual.known, settings=settings
    )
    assert len(refined.frames) == len(later)


def test_head_with_a_static_channel():
    estimator, exact, _ = vortices(16, num_times=9)
    torch.manual_seed(0)
    model = SpaceTimeFNO(2, 1, modes=(4, 4, 3), width=6, latent_frames=6)
    viscosity = torch.full((1, 16, 16), 0.05)
    frames = HeadCorrection(model, estimator, static=viscosity)()
    history = estimator.residual.known.movedim(0, -1)[None].float()
    given = torch.cat([history, viscosity[None, ..., None].expand(1, 1, 16, 16, 3)], 1)
    expected = model(given, len(exact))[0].movedim(-1, 0).double()
    assert torch.allclose(frames, expected, atol=1e-5)


def test_bad_input():
    estimator, _, predicted = vortices(16)
    with pytest.raises(InputError, match="not finite"):
        refine(Scaled(predicted * torch.nan), estimator)
    with pytest.raises(InputError, match="need float64"):
        refine(Scaled(predicted.float(), 1.0).float(), estimator)
    with pytest.raises(InputError, match="no parameter"):
        refine(Scaled(predicted).requires_grad_(False), estimator)
    for wrong in (
        {"method": "newton"},
        {"num_steps": 0},
        {"learning_rate": float("nan")},
        {"tolerance": 1.0},
    ):
        with pytest.raises(InputError, match=next(iter(wrong))):
            RefinementSettings(**wrong)


@pytest.mark.parametrize("classical", [newton_krylov, parareal])
def test_classical_corrections(classical):
    """From the same prediction: Newton's method converges, Parareal follows the fine solver."""
    estimator, exact, predicted = vortices(16)
    before = estimator.errors(predicted, exact).relative_l2
    refined = classical(predicted, estimator)
    after = estimator.errors(refined.frames, exact).relative_l2
    assert after < 0.1 * before
    assert refined.estimates[-1] < 0.1 * refined.estimates[0]
    with pytest.raises(InputError, match="not finite"):
        classical(predicted * torch.nan, estimator)


def test_parareal_ends_with_the_fine_solution():
    estimator, exact, predicted = vortices(16, num_times=6)
    settings = PararealSettings(num_iterations=3)
    refined = parareal(predicted[:3], estimator, settings)
    assert estimator.errors(refined.frames, exact).relative_l2 < 1e-8


def test_a_dispersive_equation():
    """L of the Korteweg–de Vries equation is imaginary."""
    family = get_family("korteweg_de_vries")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    grid = problem.grid(32)
    times = tuple(np.linspace(0.0, 0.01 * problem.times[-1], 6))
    frames = torch.as_tensor(evolve(problem, mesh=grid, times=times).on(grid))
    estimator = ResidualEstimator(SpaceTimeResidual(problem, grid, times, frames[:1]))
    still = frames[:1].expand_as(frames[1:])
    refined = refine(FourierCorrection(still, estimator), estimator)
    before, after = (estimator.errors(item, frames[1:]) for item in (still, refined.frames))
    assert after.relative_l2 < 0.1 * before.relative_l2
