"""Certificates bound what they say they bound."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import spsolve

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from neural import FNO, Surrogate
from neural.certificates import (
    Certificate,
    certify,
    certify_field,
    certify_rollout,
    certify_trajectory,
)
from neural.evaluation.certified import certified_errors
from neural.training.normalizers import GaussianNormalizer
from pdesolve import evolve, get_family, sample_generator, solve
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.nonlinear_elliptic import OneSidedReactionProblem

pytestmark = pytest.mark.torch


def draw(name, index=0, **options):
    family = get_family(name, **options)
    return family.problem(family.sample(sample_generator(0, "test", index)))


def exact_and_operator(problem, grid):
    system = problem.discretize(grid)
    matrix = system.stencil.to_csr().tocsc()
    return spsolve(matrix, system.right_hand_side.ravel()), matrix


def wrong_by(exact, shape, number):
    """Errors of three kinds: rough, smooth, and a factor."""
    rng = np.random.default_rng(number)
    axes = [np.linspace(0.0, np.pi, n) for n in shape]
    wave = np.ones(shape)
    for axis in np.meshgrid(*axes, indexing="ij"):
        wave = wave * np.sin((1 + number) * axis)
    errors = (rng.standard_normal(shape), wave, exact.reshape(shape) / np.abs(exact).max())
    return 0.1 * np.abs(exact).max() * errors[number % 3].ravel()


@pytest.mark.parametrize("name", ["darcy2d", "darcy2d_lognormal", "poisson2d", "darcy3d"])
@pytest.mark.parametrize("number", range(3))
def test_bounds_of_diffusion_hold(name, number):
    """Lower ≤ true ≤ upper in the energy norm, no further apart than √(a_max / a_min)."""
    problem = draw(name, number)
    grid = problem.grid((9,) * 3 if name == "darcy3d" else (21, 20))
    exact, matrix = exact_and_operator(problem, grid)
    error = wrong_by(exact, grid.shape, number)
    field = Field(grid, (exact + error).reshape(1, *grid.shape), (problem.unknown,))
    true = np.sqrt(error @ (matrix @ error) / ((exact + error) @ (matrix @ (exact + error))))
    found = certify_field(problem, field)
    assert found.kind == "guaranteed"
    assert found.lower <= true * (1 + 1e-9)
    assert true <= found.upper * (1 + 1e-9)
    coefficient = problem.coefficient_on(grid) if name != "poisson2d" else np.ones(1)
    largest = np.sqrt(coefficient.max() / coefficient.min()) * (1 + 1e-9)
    assert 1 - 1e-9 <= found.effectivity(true) <= largest


@pytest.mark.parametrize("name", ["convection_diffusion1d", "convection_diffusion2d"])
@pytest.mark.parametrize("number", range(3))
def test_bound_with_convection_holds(name, number):
    """In the energy of the symmetric part."""
    problem = draw(name, number)
    grid = problem.grid((24, 20)[: problem.dimension])
    exact, matrix = exact_and_operator(problem, grid)
    error = wrong_by(exact, grid.shape, number)
    values = exact + error
    found = certify_field(problem, Field(grid, values.reshape(1, *grid.shape), (problem.unknown,)))
    true = np.sqrt(error @ (matrix @ error) / (values @ (matrix @ values)))
    assert found.kind == "guaranteed"
    assert np.isnan(found.lower)
    assert true <= found.upper < 30 * true
    assert "symmetric part" in found.statement


@pytest.mark.petsc
@pytest.mark.parametrize("number", range(2))
def test_bound_with_a_reaction_holds(number):
    problem = draw("one_sided_reaction2d", number)
    grid = problem.grid(16)
    exact = solve(problem, mesh=grid, solver_parameters={"snes_rtol": 1e-12}).on(grid).values[0]
    error = wrong_by(exact.ravel(), grid.shape, number).reshape(grid.shape)
    found = certify_field(problem, Field(grid, (exact + error)[None], ("u",)))
    laplacian = DarcyProblem(1.0, dimension=2).discretize(grid).stencil
    energy = [np.vdot(item, laplacian.apply(item)) for item in (error, exact + error)]
    true = np.sqrt(energy[0] / energy[1])
    assert found.kind == "guaranteed"
    assert true <= found.upper < 20 * true
    assert certify_field(problem, Field(grid, exact[None], ("u",))).upper < 1e-6


@pytest.mark.parametrize("number", range(3))
def test_bounds_on_a_periodic_box_hold(number):
    problem = DarcyProblem(
        lambda x: 2.0 + np.sin(2 * np.pi * x[0]) * np.cos(2 * np.pi * x[1]),
        lambda x: np.cos(2 * np.pi * x[0]),
        {"all": Periodic()},
    )
    grid = StructuredGrid((16, 15), periodic=True)
    system = problem.spectral_system(grid)
    answer = solve(problem, mesh=grid, backend="spectral", solver_parameters={"ksp_rtol": 1e-12})
    exact = answer.on(grid).values[0]
    error = wrong_by(exact.ravel(), grid.shape, number).reshape(grid.shape)
    found = certify_field(
        problem, Field(grid, (exact + error)[None], ("pressure",)), backend="spectral"
    )
    energies = [np.vdot(item, system.operator.apply(item)) for item in (error, exact + error)]
    true = np.sqrt(energies[0] / energies[1])
    assert (found.kind, found.backend) == ("guaranteed", "spectral")
    assert found.lower <= true * (1 + 1e-6)
    assert true <= found.upper * (1 + 1e-6)
    assert found.upper / found.lower == pytest.approx(np.sqrt(3.0), rel=0.1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("heat2d", "one state of an equation in time"),
        ("burgers1d", "one state of an equation in time"),
        ("elasticity2d", "no equations on grids"),
    ],
)
def test_where_nothing_is_known_words_say_so(name, reason):
    """No number that could be taken for a bound."""
    problem = draw(name)
    grid = problem.grid(8)
    found = certify_field(problem, Field(grid, np.ones((1, *grid.shape)), (problem.unknown,)))
    assert found.kind == "none"
    assert np.isnan(found.upper)
    assert np.isnan(found.lower)
    assert reason in found.statement
    assert reason in dict(found.rows())["error"]
    with pytest.raises(InputError, match="no estimate to compare"):
        found.effectivity(0.1)


def test_reaction_with_other_sides():
    problem = OneSidedReactionProblem(1.0, boundary_conditions={"all": Robin(1.0, 0.0)})
    grid = problem.grid(6)
    found = certify_field(problem, Field(grid, np.ones((1, 6, 6)), ("u",)))
    assert (found.kind, found.norm) == ("estimate", "Dirichlet energy")
    mixed = OneSidedReactionProblem(
        1.0,
        boundary_conditions={
            "x_lower": Dirichlet(1.0),
            **dict.fromkeys(("x_upper", "y_lower", "y_upper"), Neumann(0.0)),
        },
    )
    assert certify_field(mixed, Field(grid, np.ones((1, 6, 6)), ("u",))).kind == "guaranteed"


def test_bad_predictions():
    problem = draw("darcy2d")
    grid = problem.grid(8)
    with pytest.raises(InputError, match="not finite"):
        certify_field(problem, Field(grid, np.full((1, 8, 8), np.nan), ("pressure",)))
    zero = certify_field(problem, Field(grid, np.zeros((1, 8, 8)), ("pressure",)))
    assert (zero.kind, zero.residual) == ("none", 1.0)
    assert "prediction is zero" in zero.statement
    other = certify_field(problem, Field(grid, np.ones((1, 8, 8)), ("velocity",)))
    assert "no channel 'pressure'" in other.statement


def test_rows():
    both = Certificate("guaranteed", "grid", "energy", 0.0213, 0.0102, 0.5, "said")
    assert ("error in the energy norm", "1 % to 2.1 %") in both.rows()
    upper = Certificate("guaranteed", "grid", "energy", 0.0213, statement="said")
    assert ("error in the energy norm", "at most 2.1 %") in upper.rows()
    guess = Certificate("estimate", "spectral", "energy", 0.0213, statement="said")
    assert ("error in the energy norm", "about 2.1 %") in guess.rows()
    assert upper.to_dict()["kind"] == "guaranteed"
    assert upper.effectivity(0.0) == np.inf


def test_trajectory():
    """The estimate of a flow follows its error within a constant, and is small for a solution."""
    problem = draw("taylor_green2d", num_times=21)
    grid = problem.grid(24)
    frames = torch.as_tensor(evolve(problem, mesh=grid).on(grid))
    solved = certify_trajectory(problem, grid, problem.times, frames, 3)
    assert solved.kind == "estimate"
    assert solved.upper < 1e-4
    found = []
    for size in (0.01, 0.1):
        wrong = frames.clone()
        growth = torch.arange(1, 19, dtype=torch.float64)[:, None, None, None] / 18
        wrong[3:] += size * growth * torch.as_tensor(np.sin(grid.points()[0]))
        found.append(certify_trajectory(problem, grid, problem.times, wrong, 3).upper)
    assert found[1] / found[0] == pytest.approx(10, rel=0.3)


def test_rollout():
    """Of a surrogate that repeats the last frame."""
    problem = draw("taylor_green2d", num_times=11)
    grid = problem.grid(16)
    frames = evolve(problem, mesh=grid).on(grid)
    repeats = SimpleNamespace(
        family="taylor_green2d",
        time_step=0.1,
        rollout=lambda history, count, _: np.repeat(history[:, -1:], count, axis=1),
    )
    found = certify_rollout(repeats, problem, grid, frames[:3], 8)
    assert found.kind == "estimate"
    solved = certify_trajectory(problem, grid, problem.times, frames, 3)
    assert found.upper > 1e3 * solved.upper
    with pytest.raises(InputError, match="trained on the family 'taylor_green2d'"):
        certify_rollout(repeats, draw("navier_stokes2d"), grid, frames[:3], 8)
    repeats.family = "burgers1d_inviscid"
    shocks = draw("burgers1d_inviscid")
    kept = certify_rollout(repeats, shocks, shocks.grid(8), np.ones((3, 1, 8)), 2)
    assert kept.kind == "none"
    assert "periodic boxes only" in kept.statement


def untrained_surrogate():
    """Of darcy2d at 12 x 12; its predictions are far off."""
    torch.manual_seed(0)
    model = FNO(1, 1, (3, 3), 6, projection_width=8)
    normalizers = [GaussianNormalizer(1), GaussianNormalizer(1)]
    for normalizer in normalizers:
        normalizer.fit([torch.rand(5, 1, 12, 12)], {"sha256": ["a"]})
    metadata = {
        "family": "darcy2d",
        "model": {"name": "fno"},
        "inputs": ["coefficient"],
        "outputs": ["pressure"],
        "lower": [0.0, 0.0],
        "upper": [1.0, 1.0],
        "location": "cell",
        "shape": [12, 12],
        "parameter_ranges": {"coefficient": [3.0, 12.0]},
        "data": {},
    }
    return Surrogate(model, *normalizers, metadata)


def test_of_a_surrogate():
    """Prediction and certificate in one call."""
    surrogate = untrained_surrogate()
    problem = draw("darcy2d")
    grid = problem.grid(12)
    found = certify(surrogate, problem, grid)
    exact, matrix = exact_and_operator(problem, grid)
    values = surrogate.predict(problem, grid).values.ravel()
    error = exact - values
    true = np.sqrt(error @ (matrix @ error) / (values @ (matrix @ values)))
    assert found.lower <= true <= found.upper
    assert found.seconds > 0


@pytest.mark.parametrize(
    "name", ["darcy2d", pytest.param("one_sided_reaction2d", marks=pytest.mark.petsc)]
)
def test_effectivity_over_samples(name):
    """Bounds beside true errors of several samples; the certificates hold for each."""
    problems = [draw(name, index) for index in range(3)]
    grid = problems[0].grid(10)
    targets, predictions = [], []
    for index, problem in enumerate(problems):
        if name == "darcy2d":
            exact = exact_and_operator(problem, grid)[0].reshape(grid.shape)
        else:  # whatever the prediction is, its certificate must hold for the solution
            tight = {"snes_rtol": 1e-12}
            exact = solve(problem, mesh=grid, solver_parameters=tight).on(grid).values[0]
        targets.append(exact[None])
        predictions.append(
            exact[None] + wrong_by(exact.ravel(), grid.shape, index).reshape(1, 10, 10)
        )
    arrays = np.array(predictions), np.array(targets)
    found, remark = certified_errors(problems, *arrays, grid, (problems[0].unknown,))
    assert remark == ""
    assert found.num_samples == 3
    assert found.least_effectivity >= 1 - 1e-9
    assert found.largest_effectivity < (2 + 1e-9 if name == "darcy2d" else 20)
    assert found.mean_error < found.mean_bound <= found.worst_bound


def test_effectivity_where_nothing_is_known():
    problems = [draw("heat2d")]
    ones = np.ones((1, 1, 8, 8))
    names = (problems[0].unknown,)
    found, remark = certified_errors(problems, ones, ones, problems[0].grid(8), names)
    assert found is None
    assert "one state of an equation in time" in remark
    assert certified_errors([], ones, ones, problems[0].grid(8), names)[0] is None
