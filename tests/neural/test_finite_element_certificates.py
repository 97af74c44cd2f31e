"""Certificates on meshes, by a Poisson problem that Firedrake solves."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.field import Field
from neural.certificates import certify_on_mesh
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.darcy import DarcyProblem

pytestmark = [pytest.mark.torch, pytest.mark.firedrake]


def energy_of(problem, field, mesh, degree):
    """√a(v, v) of the difference to the solution of that degree, and of the field."""
    from neural.certificates._firedrake_riesz import _as_elements
    from pdesolve.fem._firedrake import communicator, firedrake
    from pdesolve.fem._firedrake_forms import FormContext
    from pdesolve.fem._firedrake_meshes import named_mesh

    context = FormContext(named_mesh(problem, mesh, communicator(None)), "CG", degree + 1)
    form = problem.weak_form(context)
    space = form.bilinear.arguments()[-1].function_space()
    values = _as_elements(problem, field, context.space("CG", degree), space)
    for condition in form.boundary_conditions:
        condition.apply(values)
    exact = firedrake.Function(space)
    firedrake.solve(form.bilinear == form.linear, exact, bcs=list(form.boundary_conditions))
    found = []
    for item in (firedrake.Function(space).assign(exact - values), values):
        image = firedrake.action(form.bilinear, item)
        found.append(np.sqrt(firedrake.assemble(firedrake.action(image, item))))
    return found


@pytest.mark.parametrize("sides", ["dirichlet", pytest.param("mixed", marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [0.01, 0.3])
def test_bounds_enclose_the_error(sides, size):
    """Of a perturbed answer, against elements of one degree more."""
    if sides == "dirichlet":
        family = get_family("darcy2d")
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    else:
        problem = DarcyProblem(
            lambda x: 2.0 + np.sin(3 * x[0]),
            1.0,
            {
                "x_lower": Dirichlet(1.0),
                "x_upper": Neumann(0.5),
                "y_lower": Neumann(0.0),
                "y_upper": Dirichlet(1.0),
            },
        )
    grid = problem.grid(12)
    exact = solve(problem, mesh=grid).on(grid)
    noise = np.random.default_rng(0).standard_normal(exact.values.shape)
    field = Field(grid, exact.values * (1 + size * noise), exact.names)
    error, norm = energy_of(problem, field, (12, 12), 1)
    found = certify_on_mesh(problem, field, (12, 12))
    assert (found.kind, found.backend) == ("guaranteed", "fem")
    assert found.lower <= error / norm * (1 + 1e-6)
    assert error / norm <= found.upper * (1 + 1e-6)
    assert found.upper / found.lower <= 2.0 + 1e-9


def test_bad_input():
    problem = DarcyProblem(1.0)
    grid = problem.grid(4)
    with pytest.raises(InputError, match="not finite"):
        certify_on_mesh(problem, Field(grid, np.full((1, 4, 4), np.nan), ("pressure",)), 4)
    with pytest.raises(InputError, match="the unknown is 'pressure'"):
        certify_on_mesh(problem, Field(grid, np.ones((1, 4, 4)), ("velocity",)), 4)
    with pytest.raises(InputError, match="no values at points"):
        certify_on_mesh(problem, Field(grid, np.ones((1, 4, 4)), ("pressure",)), 4, element="RT")
