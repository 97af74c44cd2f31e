"""Lagged preconditioners in Newton's method, parameter studies and optimisation."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.structured import StructuredGrid
from operators.stencil import Stencil
from pdesolve.grid.finite_volume import diffusion_offsets, diffusion_system
from pdesolve.problems.registry import get_family
from pdesolve.sequences.lagging import LagSettings
from tests.pdesolve.sequences.lagged_systems import GAMG, box

pytestmark = pytest.mark.petsc

GMRES = {**GAMG, "ksp_type": "gmres", "ksp_pc_side": "right"}
SETTINGS = {
    "smooth": LagSettings(),
    "none": LagSettings(scaling="none"),
    "cost": LagSettings(setup_cost=12.0),
}


@pytest.fixture(params=sorted(SETTINGS))
def pair(request, sequence):
    """The same systems with a lagged preconditioner, and each with one of its own."""

    def make(grid, options):
        return (
            sequence(grid, options, SETTINGS[request.param]),
            sequence(grid, options, LagSettings(most=0)),
        )

    return make


def check(lagged, own, *, made, iterations=1.4):
    """Few were made, and they served nearly as well; every answer has been checked."""
    assert own.done.count("fresh") == len(own.done)
    count = lagged.lagged._rescaled.made
    assert count == len(lagged.done) - lagged.done.count("kept")
    assert 1 <= count <= made * len(lagged.done)
    assert own.spent == sum(own.iterations)
    assert lagged.spent <= iterations * own.spent
    assert max(lagged.errors) < 1e-6


def newton_stencil(grid, u, strength):
    """F(u) and its Jacobian for −∇·(κ(u) ∇u) = 1 with κ = 1 + s u², u = 0 on the sides.

    Not symmetric: κ'(u) ∇u acts like a velocity.
    """
    offsets = diffusion_offsets(2)
    coefficients = np.zeros((5, *grid.shape))
    residual = -np.ones(grid.shape)
    slope = 2 * strength * u
    value = 1 + strength * u**2
    for axis, spacing in enumerate(1 / np.array(grid.shape)):
        for number, step in ((1 + 2 * axis, -1), (2 + 2 * axis, 1)):
            other, other_value, other_slope = (np.roll(f, -step, axis) for f in (u, value, slope))
            edge = [slice(None)] * 2
            edge[axis] = 0 if step < 0 else -1
            edge = tuple(edge)
            other[edge] = -u[edge]  # zero between them
            other_value[edge], other_slope[edge] = value[edge], -slope[edge]
            face, drop = (value + other_value) / 2, u - other
            residual += face * drop / spacing**2
            coefficients[0] += (face + slope * drop / 2) / spacing**2
            there = (-face + other_slope * drop / 2) / spacing**2
            coefficients[0][edge] -= there[edge]
            there[edge] = 0
            coefficients[number] = there
    return residual, Stencil(grid, offsets, coefficients)


def test_the_jacobian_is_that_of_the_residual():
    grid = StructuredGrid((6, 5))
    rng = np.random.default_rng(0)
    u, step = rng.random((2, *grid.shape))
    _, jacobian = newton_stencil(grid, u, 3.0)
    ends = [newton_stencil(grid, u + sign * 1e-6 * step, 3.0)[0] for sign in (1, -1)]
    assert jacobian.apply(step) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6, abs=1e-5)
    assert not jacobian.is_symmetric()


def test_newton_iterations_along_a_parameter(pair):
    grid, _ = box(20)
    lagged, own = pair(grid, GMRES)
    for solver in (lagged, own):
        u = np.zeros(grid.shape)
        for strength in np.linspace(0.0, 3000.0, 9):
            for _ in range(12):
                residual, jacobian = newton_stencil(grid, u, strength)
                if np.linalg.norm(residual) <= 1e-7 * np.sqrt(residual.size):
                    break
                u -= solver.solve(jacobian, residual)
            else:
                pytest.fail("Newton's method did not converge")
    assert len(lagged.done) == len(own.done) > 20
    check(lagged, own, made=0.5)


def parametrised(grid, sides, parameters):
    """−∇·(a ∇u) = 1 with log a a combination of a few waves."""
    x, y = grid.points()
    waves = (np.sin(3 * x) * np.cos(2 * y), np.cos(5 * x * y), np.sin(4 * (x + y)))
    log = sum(value * wave for value, wave in zip(parameters, waves, strict=False))
    return diffusion_system(grid, np.exp(log), np.ones(grid.shape), sides)


def test_a_study_of_two_parameters_row_by_row(pair):
    grid, sides = box(20)
    lagged, own = pair(grid, GAMG)
    values = np.linspace(-0.8, 0.8, 6)
    for row, first in enumerate(values):
        for second in values if row % 2 == 0 else values[::-1]:
            system = parametrised(grid, sides, (first, second))
            for solver in (lagged, own):
                solver.solve(system.stencil, system.right_hand_side)
    check(lagged, own, made=0.5)


def test_an_optimisation_with_line_search(pair):
    """Gradient descent with backtracking; the adjoint has the matrix of the state."""
    grid, sides = box(16)
    target = np.array([0.9, -0.6, 0.4])
    lagged, own = pair(grid, GAMG)
    exact = parametrised(grid, sides, target)
    wanted = own.solve(exact.stencil, exact.right_hand_side)
    own.done.clear()
    own.iterations.clear()
    own.spent = 0
    steps = []
    for solver in (lagged, own):
        parameters, length = np.zeros(3), 4e4

        def misfit(values, solver=solver):
            system = parametrised(grid, sides, values)
            state = solver.solve(system.stencil, system.right_hand_side)
            return 0.5 * float(np.mean((state - wanted) ** 2)), state, system

        value, state, system = misfit(parameters)
        first, taken = value, 0
        for _ in range(15):
            adjoint = solver.solve(system.stencil, (state - wanted) / state.size)
            slopes = []
            for number in range(3):
                ends = [
                    parametrised(grid, sides, parameters + sign * 1e-4 * np.eye(3)[number])
                    for sign in (1, -1)
                ]
                change = ends[0].stencil.apply(state) - ends[1].stencil.apply(state)
                slopes.append(-float(np.sum(adjoint * change)) / 2e-4)
            gradient = np.array(slopes)
            while length > 1.0:
                trial = misfit(parameters - length * gradient)
                if trial[0] <= value - 1e-4 * length * gradient @ gradient:
                    break
                length /= 2
            parameters = parameters - length * gradient
            value, state, system = trial
            length *= 2
            taken += 1
        assert value < 0.05 * first
        steps.append(taken)
    assert steps[0] == steps[1]
    check(lagged, own, made=0.5)


def unrelated(kind, grid, sides, count):
    rng = np.random.default_rng(3)
    for _ in range(count):
        if kind == "white noise":
            coefficient = 10.0 ** rng.uniform(-2, 2, grid.shape)
            yield diffusion_system(grid, coefficient, np.ones(grid.shape), sides)
        elif kind == "threshold":
            family = get_family("darcy2d", above=1000.0, below=1.0)
            yield family.problem(family.sample(rng)).discretize(grid)
        else:
            family = get_family("darcy2d_lognormal", standard_deviation=3.0)
            yield family.problem(family.sample(rng)).discretize(grid)


@pytest.mark.parametrize("kind", ["white noise", "threshold", "log-normal"])
@pytest.mark.parametrize("closest", [None, np.inf])
@pytest.mark.parametrize("scaling", ["smooth", "none"])
def test_unrelated_fields_are_never_answered_wrongly(kind, closest, scaling, sequence):
    grid, sides = box(20)
    # without the test before, only the iterations after can tell
    settings = LagSettings(closest=closest, scaling=scaling, growth=1.2)
    lagged, own = sequence(grid, GAMG, settings), sequence(grid, GAMG, LagSettings(most=0))
    for system in unrelated(kind, grid, sides, 25):
        for solver in (lagged, own):
            solver.solve(system.stencil, system.right_hand_side)
    check(lagged, own, made=1.0, iterations=1.0 if closest is None else 1.75)
    assert lagged.lagged._rescaled.made >= 0.8 * len(lagged.done)
