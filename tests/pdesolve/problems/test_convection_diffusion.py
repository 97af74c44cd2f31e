"""Convection and diffusion on grids and elements."""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np
import pytest

from benchmarks.families.convection_diffusion import layer, orders
from meshes import InputError
from pdesolve import Dirichlet, Neumann, Periodic, get_family, sample_generator, solve
from pdesolve.problems.boundary import Robin
from pdesolve.problems.convection_diffusion import (
    ConvectionDiffusionFamily,
    ConvectionDiffusionProblem,
    boundary_layer,
)

HAS_FIREDRAKE = importlib.util.find_spec("firedrake") is not None
needs_firedrake = [
    pytest.mark.firedrake,
    pytest.mark.skipif(not HAS_FIREDRAKE, reason="needs firedrake"),
]


@pytest.mark.petsc
@pytest.mark.parametrize(
    "study",
    [
        pytest.param(
            study,
            id=f"{study.family} {study.backend} {study.quantity}",
            marks=needs_firedrake if study.backend.startswith("fem") else [],
        )
        for study in orders()
    ],
)
def test_orders(study):
    study.check()


def swirl(scheme: str, diffusivity: float = 2e-4) -> ConvectionDiffusionProblem:
    """A velocity with all directions, u between 0 and 1 on the sides, no source."""
    velocity = (lambda x: 0.5 - x[1] + 0 * x[0], lambda x: x[0] - 0.5)
    sides = {
        "x_lower": Dirichlet(lambda x: (x[1] > 0.5) * 1.0),
        "x_upper": Dirichlet(0.0),
        "y_lower": Robin(2.0, 1.0),
        "y_upper": Neumann(0.0),
    }
    return ConvectionDiffusionProblem(diffusivity, velocity, 0.0, sides, scheme=scheme)


@pytest.mark.petsc
@pytest.mark.parametrize("scheme", ["upwind", "exponential"])
def test_discrete_maximum_principle(scheme):
    """An M-matrix with row sums that are not negative, at cell Péclet numbers up to 100."""
    problem = swirl(scheme)
    system = problem.discretize(problem.grid(25))
    matrix = system.stencil.to_csr().toarray()
    off = matrix - np.diag(np.diag(matrix))
    assert off.max() <= 0
    assert np.diag(matrix).min() > 0
    assert matrix.sum(axis=1).min() > -1e-10 * np.abs(matrix).max()
    values = solve(problem, mesh=25).field.values
    assert values.min() > -1e-7
    assert values.max() < 1 + 1e-7


@pytest.mark.petsc
def test_central_differences_overshoot_and_say_so():
    problem = swirl("central")
    with pytest.warns(
        UserWarning, match=r"cell Péclet number .* is 96.*wiggles above 2.*1200 cells"
    ):
        solution = solve(problem, mesh=25, check=False)
    assert "central differences above their limit" in solution.result.notes[0]
    # below the limit there is no warning
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        result = solve(swirl("central", 0.02), mesh=25).result
    assert result.notes == ()


@pytest.mark.petsc
@pytest.mark.parametrize("number", [1.0, 10.0, 100.0])
def test_boundary_layers(number):
    """A layer thinner than a cell; the smooth part is f/b x."""
    error, overshoot = layer("exponential", "grid", number)
    assert error < 0.011  # half a cell of the slope 1: fitted to f = 0
    assert overshoot < 1e-8
    _, overshoot = layer("upwind", "grid", number)
    assert overshoot < 1e-8
    if number > 2:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _, overshoot = layer("central", "grid", number)
        assert overshoot > 1


@pytest.mark.firedrake
@pytest.mark.skipif(not HAS_FIREDRAKE, reason="needs firedrake")
@pytest.mark.parametrize("number", [1.0, 10.0, 100.0])
def test_boundary_layers_of_elements(number):
    """SUPG is exact in the vertices in 1D; in 2D it overshoots where the layer meets sides."""
    error, overshoot = layer("exponential", "fem", number)
    assert error < 1e-8
    assert overshoot < 1e-8
    _, overshoot = layer("exponential", "fem", number, 2)
    assert overshoot < 0.25


def test_exponential_fitting_is_exact_without_a_source():
    """−ε u'' + u' = 0, u(0) = 0, u(1) = 1, and with a Robin condition at the outflow."""
    eps, rate = 0.03, 1 / 0.03
    for outflow in (Dirichlet(1.0), None):
        exact = boundary_layer(eps, 1.0)

        def u(x, exact=exact):
            return x[0] - exact(x)

        condition = outflow
        if condition is None:
            slope = rate / -np.expm1(-rate)
            condition = Robin(3.0, eps * slope + 3.0)
        sides = {"x_lower": Dirichlet(0.0), "x_upper": condition}
        problem = ConvectionDiffusionProblem(eps, 1.0, 0.0, sides, dimension=1)
        grid = problem.grid(10)
        system = problem.discretize(grid)
        found = np.linalg.solve(system.stencil.to_csr().toarray(), system.right_hand_side)
        np.testing.assert_allclose(found, u(grid.points()), rtol=0, atol=1e-12)


def test_without_velocity_it_is_diffusion():
    from pdesolve import DarcyProblem

    for scheme in ("central", "upwind", "exponential"):
        still = ConvectionDiffusionProblem(lambda x: 1 + x[0], (0.0, 0.0), scheme=scheme)
        moving, diffusion = still.discretize(still.grid(6)), DarcyProblem(lambda x: 1 + x[0])
        plain = diffusion.discretize(diffusion.grid(6))
        np.testing.assert_allclose(
            moving.stencil.coefficients, plain.stencil.coefficients, rtol=1e-13
        )


def test_periodic_along_one_axis():
    sides = {
        "x_lower": Periodic(), "x_upper": Periodic(),
        "y_lower": Dirichlet(0.0), "y_upper": Dirichlet(1.0),
    }  # fmt: skip
    problem = ConvectionDiffusionProblem(0.1, (1.0, 0.0), 0.0, sides)
    system = problem.discretize(problem.grid(6))
    y = problem.grid(6).points()[1]
    np.testing.assert_allclose(system.stencil.apply(y), system.right_hand_side, atol=1e-12)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: {"diffusivity": 0.0}, "the diffusivity must be positive and finite; it is 0.0"),
        (lambda: {"diffusivity": lambda x: x[0] - 0.5}, "the diffusivity must be positive"),
        (lambda: {"velocity": (1.0,)}, "for each of the 2 axes"),
        (lambda: {"velocity": 1.0}, "for each of the 2 axes"),
        (lambda: {"velocity": (np.nan, 0.0)}, "nan is not a finite number"),
        (lambda: {"velocity": (lambda x: x[0] / 0.0, 0.0)}, "the velocity along x is not finite"),
        (lambda: {"scheme": "upwnd"}, "Did you mean 'upwind'?"),
        (lambda: {"boundary_conditions": {"all": Neumann(0.0)}}, "no side fixes u"),
        (lambda: {"boundary_conditions": {"all": Periodic()}}, "no side fixes u"),
        (lambda: {"boundary_conditions": {"all": Robin(-2.0)}}, "must not be negative; it is -2"),
        (lambda: {"dimension": 0}, "dimension=0 must be 1, 2 or 3"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_problems_that_are_refused(build, text):
    def discretize():
        problem = ConvectionDiffusionProblem(**build())
        problem.discretize(problem.grid(8))

    with pytest.raises(InputError) as caught:
        discretize()
    assert text in str(caught.value)


@pytest.mark.petsc
def test_conjugate_gradients_are_refused():
    with pytest.raises(InputError, match="'cg' needs a symmetric operator"):
        solve(ConvectionDiffusionProblem(), mesh=8, solver_parameters={"ksp_type": "cg"})


@pytest.mark.firedrake
@pytest.mark.skipif(not HAS_FIREDRAKE, reason="needs firedrake")
def test_what_elements_refuse():
    with pytest.raises(InputError, match="element='RT' has no form for convection"):
        solve(ConvectionDiffusionProblem(), mesh=4, backend="fem", element="RT")
    singular = ConvectionDiffusionProblem(boundary_conditions={"all": Neumann(0.0)})
    with pytest.raises(InputError, match="no side fixes u"):
        solve(singular, mesh=4, backend="fem")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dimension": 3}, "dimension"),
        ({"speed": 0.0}, "speed=0.0 must be positive"),
        ({"least_diffusivity": 0.5}, "must be finite with lower <= upper"),
        ({"scheme": "downwind"}, "there is no scheme 'downwind'"),
    ],
)
def test_families_that_are_refused(options, text):
    with pytest.raises(InputError) as caught:
        get_family("convection_diffusion2d", **options)
    assert text in str(caught.value)


def test_directions_on_the_sphere():
    """Every draw has the length `speed`; means of b and of its squares are those of a sphere."""
    family = get_family("convection_diffusion3d", speed=2.0, num_modes=2)
    draws = [family.sample(sample_generator(0, "train", index)) for index in range(2000)]
    velocities = np.array([family.problem(draw).velocity for draw in draws])
    np.testing.assert_allclose(np.linalg.norm(velocities, axis=1), 2.0, rtol=1e-12)
    np.testing.assert_allclose(velocities.mean(axis=0), 0.0, atol=0.1)
    moments = velocities.T @ velocities / len(velocities)
    np.testing.assert_allclose(moments, 4.0 / 3.0 * np.eye(3), atol=0.1)
    down = family.problem({**draws[0], "velocity_z": -2.0}).velocity
    assert down == pytest.approx((0.0, 0.0, -2.0))
    with pytest.raises(InputError, match="dimension=4 must be 1, 2 or 3"):
        ConvectionDiffusionFamily(4)


@pytest.mark.petsc
def test_backends_agree_on_a_draw():
    if not HAS_FIREDRAKE:
        pytest.skip("needs firedrake")
    family = get_family("convection_diffusion2d", least_diffusivity=0.05)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    one = solve(problem, mesh=64).gather()
    other = solve(problem, mesh=32, backend="fem", degree=2).on(one.mesh)
    difference = np.linalg.norm(one.values - other.values) / np.linalg.norm(one.values)
    assert difference < 0.01


def test_family_and_exact_solution():
    family = get_family("convection_diffusion1d")
    assert family.problem(family.sample(sample_generator(0, "test", 0))).scheme == "exponential"
    u = family.exact({"diffusivity": 0.05, "velocity": -1.0, "source": 2.0})
    np.testing.assert_allclose(u(np.array([[0.0, 1.0]])), 0, atol=1e-12)
    assert u(np.array([[0.1]]))[0] > 1


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_largest_cell_peclet_number(dimension):
    family = ConvectionDiffusionFamily(dimension)
    least = family.parameters.parameters[0].lower
    assert 97 < family.speed / family.default_shape[0] / least < 98


@pytest.mark.parametrize("dimension", [2, 3])
def test_any_finite_speed_gives_a_finite_velocity(dimension):
    family = get_family(f"convection_diffusion{dimension}d", speed=1e200)
    problem = family.problem(family.sample(np.random.default_rng(0)))
    assert np.linalg.norm(np.divide(problem.velocity, 1e200)) == pytest.approx(1.0)
