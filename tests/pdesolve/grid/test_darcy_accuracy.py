"""Finite volumes for Darcy flow: order 2, conservation, agreement with SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from meshes import Field
from pdesolve import DarcyProblem, Dirichlet, Neumann, get_family, sample_generator, solve
from tests.pdesolve.grid.manufactured import CASES, Manufactured

# the algebraic error is far below the smallest discretisation error met here (2e-5)
TIGHT = {"ksp_rtol": 1e-12}


def relative_error(case: Manufactured, refinement: int) -> float:
    problem = case.problem()
    grid = problem.grid(tuple(n * refinement for n in case.shape))
    found = solve(problem, mesh=grid, solver_parameters=TIGHT).field.values[0]
    exact = case.u(grid.points())
    difference = found - exact
    if case.up_to_a_constant:
        assert abs(found.mean()) < 1e-10 * np.abs(found).max()  # the one with mean zero
        difference -= difference.mean()
        exact = exact - exact.mean()
    return Field(grid, difference).norm() / Field(grid, exact).norm()


@pytest.mark.petsc
@pytest.mark.parametrize("name", CASES)
def test_order_two(name):
    case = CASES[name]
    refinements = np.array([1, 2, 4])
    errors = [relative_error(case, int(r)) for r in refinements]
    order = -np.polyfit(np.log(refinements), np.log(errors), 1)[0]
    assert order == pytest.approx(2.0, abs=0.15), errors
    assert errors[-1] < case.cap


@pytest.mark.petsc
@pytest.mark.parametrize("name", ["1d-mixed", "2d", "2d-mixed", "3d-mixed", "2d-jump-in-x"])
def test_fluxes_balance_sources(name):
    """What leaves through the sides is what sources and given fluxes bring in."""
    case = CASES[name]
    problem = case.problem()
    grid = problem.grid(case.shape)
    pressure = solve(problem, mesh=grid, solver_parameters=TIGHT).field.values[0]
    brought_in = case.source(grid.points()).sum() * grid.cell_volume
    leaves = turned_over = 0.0
    for side, kind in case.sides.items():
        axis, upper = "xyz".index(side[0]), side.endswith("upper")
        h = grid.spacing[axis]
        axes = list(grid.axes())
        axes[axis] = np.array([grid.upper[axis] if upper else grid.lower[axis]])
        faces = np.stack(np.meshgrid(*axes, indexing="ij"))
        cells = [slice(None)] * grid.dimension
        cells[axis] = slice(-1, None) if upper else slice(0, 1)
        if kind == "neumann":
            outward = 1.0 if upper else -1.0
            flux = -outward * case.a(faces) * case.gradient(faces)[axis]
        else:
            near = case.a(grid.points()[(slice(None), *cells)])
            flux = near * (pressure[tuple(cells)] - case.u(faces)) / (h / 2)
        leaves += flux.sum() * grid.cell_volume / h
        turned_over += np.abs(flux).sum() * grid.cell_volume / h
    assert leaves == pytest.approx(brought_in, rel=0, abs=1e-10 * turned_over)
    assert turned_over > 0.1


@pytest.mark.parametrize("name", ["1d-neumann", "2d-periodic", "2d-periodic-and-neumann"])
def test_constants_are_the_null_space(name):
    problem = CASES[name].problem()
    system = problem.discretize(problem.grid(CASES[name].shape))
    assert system.constant_null_space
    size = np.abs(system.stencil.coefficients).max()
    ones = np.ones(system.stencil.grid.shape)
    # columns as well as rows sum to zero: fluxes between cells cancel
    assert np.abs(system.stencil.apply(ones)).max() <= 1e-13 * size
    assert np.abs(system.stencil.apply_transpose(ones)).max() <= 1e-13 * size
    right = system.right_hand_side
    assert abs(right.sum()) <= 1e-12 * np.abs(right).sum()


@pytest.mark.petsc
@pytest.mark.parametrize("name", ["1d", "2d-mixed", "2d-periodic-in-x", "2d-jump-in-y", "3d"])
def test_agrees_with_a_direct_solve_by_scipy(name):
    problem = CASES[name].problem()
    grid = problem.grid(CASES[name].shape)
    system = problem.discretize(grid)
    direct = spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side.ravel())
    found = solve(problem, mesh=grid, solver_parameters=TIGHT).field.values.ravel()
    np.testing.assert_allclose(found, direct, rtol=0, atol=1e-8 * np.abs(direct).max())


@pytest.mark.petsc
def test_harmonic_average_is_exact_in_one_dimension():
    """Through layers in series the flux is (u_0 − u_1) / Σ h / a_i, on any grid of the layers."""
    layers = np.array([1.0, 100.0, 0.01, 5.0])
    grid = DarcyProblem(1.0, dimension=1).grid(4)
    problem = DarcyProblem(
        Field(grid, layers),
        0.0,
        {"x_lower": Dirichlet(2.0), "x_upper": Dirichlet(-1.0)},
        dimension=1,
    )
    flux = 3.0 / np.sum(0.25 / layers)
    for n in (4, 12):
        u = solve(problem, mesh=n, solver_parameters=TIGHT).field.values[0]
        first = layers[0] * (2.0 - u[0]) / (0.5 / n)
        assert first == pytest.approx(flux, rel=1e-8)


@pytest.mark.petsc
def test_maximum_principle_and_mirror_symmetry():
    family = get_family("darcy2d")
    draw = family.sample(sample_generator(0, "train", 0))
    grid = family.problem(draw).grid(20)
    values = family.problem(draw).coefficient_on(grid)

    def pressure(coefficient):
        problem = DarcyProblem(Field(grid, coefficient))
        return solve(problem, mesh=grid, solver_parameters=TIGHT).field.values[0]

    u = pressure(values)
    assert u.min() > 0
    scale = np.abs(u).max()
    np.testing.assert_allclose(pressure(values[::-1]), u[::-1], rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(pressure(values.T), u.T, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(pressure(2 * values), u / 2, rtol=0, atol=1e-9 * scale)


@pytest.mark.petsc
def test_neumann_data_flow_in():
    """−u'' = 0, u(0) = 0, u'(1) = 3: u = 3 x, to solver accuracy."""
    problem = DarcyProblem(
        1.0, 0.0, {"x_lower": Dirichlet(0.0), "x_upper": Neumann(3.0)}, dimension=1
    )
    u = solve(problem, mesh=10, solver_parameters=TIGHT).field
    np.testing.assert_allclose(u.values[0], 3 * u.mesh.axes()[0], rtol=1e-9)
