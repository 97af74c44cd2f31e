"""Bounds on the error of an approximation enclose the true one."""

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.stencil import Stencil
from pdesolve.grid.error_bounds import error_bounds
from pdesolve.problems.base import LinearSystem
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic
from pdesolve.problems.convection_diffusion_problem import ConvectionDiffusionProblem
from pdesolve.problems.darcy import DarcyProblem

SIDES = {
    "dirichlet 1D": (1, {"all": Dirichlet(1.0)}),
    "dirichlet 3D": (3, {"all": Dirichlet(0.0)}),
    "mixed with a periodic axis": (
        2,
        {
            "x_lower": Dirichlet(1.0),
            "x_upper": Neumann(2.0),
            "y_lower": Periodic(),
            "y_upper": Periodic(),
        },
    ),
    "neumann": (2, {"all": Neumann(0.0)}),
}


def exact(system):
    matrix = system.stencil.to_csr().toarray()
    values = np.linalg.lstsq(matrix, system.right_hand_side.ravel(), rcond=None)[0]
    return matrix, values


@pytest.mark.parametrize("name", SIDES)
def test_bounds_enclose_the_error(name):
    dimension, sides = SIDES[name]
    problem = DarcyProblem(
        lambda x: 1.0 + 5.0 * (x[0] > 0.4) + x[-1],
        lambda x: np.cos(np.pi * x[0]),
        sides,
        dimension=dimension,
    )
    system = problem.discretize(problem.grid((9, 8, 7)[:dimension]))
    matrix, values = exact(system)
    rng = np.random.default_rng(0)
    for size in (1e-3, 0.1, 10.0):
        approximation = values + size * rng.standard_normal(values.shape)
        error = values - approximation
        true = np.sqrt((error @ matrix @ error) / (approximation @ matrix @ approximation))
        found = error_bounds(system, sides, approximation.reshape(system.stencil.grid.shape))
        assert found.lower <= true * (1 + 1e-8)
        assert true <= found.upper * (1 + 1e-8)
        assert found.upper / found.lower < np.sqrt(7.0) + 1e-8
        residual = system.right_hand_side.ravel() - matrix @ approximation
        relative = np.linalg.norm(residual) / np.linalg.norm(system.right_hand_side)
        assert found.relative_residual == pytest.approx(relative, rel=1e-8)


def test_constant_coefficient_gives_the_error_itself():
    problem = DarcyProblem(2.5, dimension=2)
    system = problem.discretize(problem.grid((6, 5)))
    _, values = exact(system)
    found = error_bounds(system, problem.boundary_conditions, 1.25 * values.reshape(6, 5))
    assert found.lower == pytest.approx(0.2, rel=1e-10)
    assert found.upper == pytest.approx(0.2, rel=1e-10)


@pytest.mark.parametrize("scheme", ["exponential", "upwind", "central"])
def test_convection_has_an_upper_bound(scheme):
    """In the energy of the symmetric part, which the convection has no part in or adds to."""
    problem = ConvectionDiffusionProblem(
        0.2, (lambda x: 0.5 + x[1], 1.0), 1.0, {"all": Dirichlet(0.0)}, scheme=scheme
    )
    system = problem.discretize(problem.grid((12, 11)))
    matrix, values = exact(system)
    rng = np.random.default_rng(0)
    for error in (0.1 * rng.standard_normal(values.shape), 0.1 * values):
        approximation = values + error
        true = np.sqrt((error @ matrix @ error) / (approximation @ matrix @ approximation))
        found = error_bounds(system, problem.boundary_conditions, approximation.reshape(12, 11))
        assert np.isnan(found.lower)
        assert true <= found.upper * (1 + 1e-8)
        assert found.upper < 30 * true


def test_other_operators_have_a_residual_only():
    grid = StructuredGrid((5,))
    stencil = Stencil(grid, [[-1], [0], [1]], [-1.0, 3.0, -0.5])
    found = error_bounds(LinearSystem(stencil, np.ones(5)), {"all": Dirichlet(0.0)}, np.zeros(5))
    assert found.relative_residual == 1.0
    assert np.isnan(found.lower)
    assert np.isnan(found.upper)


def test_wrong_shape_is_refused():
    problem = DarcyProblem(dimension=2)
    system = problem.discretize(problem.grid(4))
    with pytest.raises(InputError, match=r"shape \(3, 3\) does not fit the grid's \(4, 4\)"):
        error_bounds(system, problem.boundary_conditions, np.zeros((3, 3)))
