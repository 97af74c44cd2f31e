"""Estimates on meshes: near the true error where no bound is known."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates import certify_on_mesh
from neural.certificates.finite_elements import energy_error_on_mesh
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.nonlinear_elliptic import BratuProblem, OneSidedReactionProblem

pytestmark = [pytest.mark.torch, pytest.mark.firedrake]
SLOW = pytest.mark.slow


def draw(name, **options):
    family = get_family(name, **options)
    return family.problem(family.sample(sample_generator(0, "test", 0)))


def wrong_by(exact):
    """The solution at the vertices, and three ways to be off by a tenth."""
    points, size = exact.mesh.points, np.abs(exact.values).max(axis=1, keepdims=True)
    bump = np.prod(np.sin(np.pi * points / points.max(axis=0)), axis=1)
    rough = np.random.default_rng(0).standard_normal(exact.values.shape)
    changes = {
        "interpolant": 0.0 * exact.values,
        "factor": 0.1 * exact.values,
        "smooth": 0.1 * size * bump,
        "rough": 0.03 * size * rough,
    }
    return {
        name: Field(exact.mesh, exact.values + change, exact.names)
        for name, change in changes.items()
    }


def true_error(problem, mesh, field, solution):
    """In the certificate's norm, against the solution with the richer elements."""
    from neural.certificates._firedrake_estimates import as_elements
    from neural.certificates._firedrake_norms import posed
    from pdesolve.fem._firedrake import firedrake

    found = posed(problem, mesh, "CG", 1)
    values, exact = as_elements(found, field), firedrake.Function(found.space)
    for mine, other in zip(exact.subfunctions, solution.native.subfunctions, strict=True):
        mine.dat.data[:] = other.dat.data_ro
    difference = firedrake.Function(found.space).assign(exact - values)
    return np.sqrt(found.size(difference) / found.size(values))


@pytest.mark.parametrize(
    ("name", "least", "largest"),
    [
        ("p_laplacian2d", 0.5, 1.1),
        pytest.param("bratu2d", 0.9, 1.1, marks=SLOW),
        ("elasticity2d", 0.4, 1.1),
        pytest.param("neo_hookean2d", 0.4, 1.1, marks=SLOW),
        pytest.param("convection_diffusion1d", 0.5, 2.0, marks=SLOW),
        ("helmholtz1d", 0.3, 1.2),
        pytest.param("helmholtz2d", 0.3, 1.2, marks=SLOW),
        ("lid_driven_cavity", 0.4, 1.5),
    ],
)
def test_estimates_are_near_the_error(name, least, largest):
    problem = draw(name)
    cells = {"helmholtz1d": 128, "helmholtz2d": 48}.get(name, 12)
    mesh = (cells,) * problem.dimension
    solution = solve(problem, backend="fem", mesh=mesh, degree=2)
    for field in wrong_by(solution.gather()).values():
        found = certify_on_mesh(problem, field, mesh)
        assert (found.kind, found.backend) == ("estimate", "fem")
        true = true_error(problem, mesh, field, solution)
        assert least < found.effectivity(true) < largest


def test_a_growing_reaction_has_a_bound():
    problem = draw("one_sided_reaction2d")
    solution = solve(problem, backend="fem", mesh=(12, 12), degree=2)
    for field in wrong_by(solution.gather()).values():
        found = certify_on_mesh(problem, field, (12, 12))
        assert (found.kind, "guaranteed" in found.statement) == ("guaranteed", True)
        # the kink of the reaction is not integrated exactly
        assert 0.999 < found.effectivity(true_error(problem, (12, 12), field, solution)) < 20


def test_the_error_between_two_fields():
    problem = draw("elasticity2d")
    grid = problem.grid(4)
    rng = np.random.default_rng(0)
    names = ("displacement_x", "displacement_y")
    one = Field(grid, rng.standard_normal((2, 4, 4)), names)
    assert energy_error_on_mesh(problem, one, one, (4, 4)) == 0.0
    zero = Field(grid, np.zeros((2, 4, 4)), names)
    assert energy_error_on_mesh(problem, one, zero, (4, 4)) == pytest.approx(1.0)
    with pytest.raises(InputError, match="norm is zero"):
        energy_error_on_mesh(problem, zero, one, (4, 4))
    assert "zero" in certify_on_mesh(problem, zero, (4, 4)).statement


def test_without_dirichlet_sides_values_count_too():
    """With Robin sides no bound of diffusion is known on meshes."""
    problem = DarcyProblem(1.0, boundary_conditions={"all": Robin(1.0, 0.0)})
    field = Field(problem.grid(4), np.full((1, 4, 4), 0.1), ("pressure",))
    found = certify_on_mesh(problem, field, (4, 4))
    assert (found.kind, found.norm) == ("estimate", "H1")


def test_what_is_refused():
    problem = draw("elasticity2d")
    grid = problem.grid(4)
    names = ("displacement_x", "displacement_y")
    one = Field(grid, np.ones((1, 4, 4)), names[:1])
    assert "no channel 'displacement_y'" in certify_on_mesh(problem, one, (4, 4)).statement
    with pytest.raises(InputError, match="lacks 'displacement_y'"):
        energy_error_on_mesh(problem, one, one, (4, 4))
    with pytest.raises(InputError, match="not finite"):
        certify_on_mesh(problem, Field(grid, np.full((2, 4, 4), np.inf), names), (4, 4))
    with pytest.raises(InputError, match="no values at points"):
        certify_on_mesh(problem, Field(grid, np.ones((2, 4, 4)), names), (4, 4), element="RT")
    heat = draw("heat2d")
    field = Field(heat.grid(4), np.ones((1, 4, 4)), (heat.unknown,))
    assert "in time" in certify_on_mesh(heat, field, (4, 4)).statement
    with pytest.raises(InputError, match="in time"):
        energy_error_on_mesh(heat, field, field, (4, 4))


def test_constants_that_the_equations_do_not_see_do_not_count():
    problem = draw("lid_driven_cavity")
    grid = problem.grid(6)
    values = 0.1 * np.random.default_rng(0).standard_normal((3, 6, 6))
    names = ("velocity_x", "velocity_y", "pressure")
    shifted = values + np.array([0.0, 0.0, 50.0])[:, None, None]
    one, two = (
        certify_on_mesh(problem, Field(grid, part, names), (6, 6)).upper
        for part in (values, shifted)
    )
    assert two == pytest.approx(one, rel=1e-6)


def test_values_that_overflow_have_no_number():
    problem = BratuProblem(1.0)
    grid = problem.grid(4)
    found = certify_on_mesh(problem, Field(grid, np.full((1, 4, 4), 800.0), ("u",)), (4, 4))
    assert (found.kind, "not finite" in found.statement) == ("none", True)


def test_a_reaction_with_robin_sides_is_estimated():
    """They may give instead of take."""
    sides = {"x_lower": Dirichlet(0.0), "x_upper": Robin(-0.9, 0.0)}
    sides |= {"y_lower": Neumann(0.0), "y_upper": Neumann(0.0)}
    problem = OneSidedReactionProblem(1.0, 1.0, sides)
    field = Field(problem.grid(4), np.full((1, 4, 4), 0.1), ("u",))
    assert certify_on_mesh(problem, field, (4, 4)).kind == "estimate"


def test_far_from_any_solution():
    """Beyond the turning point the derivative is not positive, and no number is given."""
    problem = BratuProblem(6.0, boundary_conditions={"all": Dirichlet(0.0)})
    grid = problem.grid(8)
    bump = np.prod(np.sin(np.pi * grid.points()), axis=0)
    found = certify_on_mesh(problem, Field(grid, 6.0 * bump[None], ("u",)), (8, 8))
    assert (found.kind, "not positive" in found.statement) == ("none", True)
