"""Boundary conditions: exactly one a side."""

from __future__ import annotations

import pytest

from meshes import InputError
from pdesolve import DarcyProblem, Dirichlet, Neumann, Periodic
from pdesolve.problems.boundary import conditions_by_side, periodic_axes

SIDES = ("x_lower", "x_upper", "y_lower", "y_upper")


def test_conditions_by_side():
    one, two = Dirichlet(1.0), Neumann(2.0)
    assert conditions_by_side({"all": one}, SIDES) == dict.fromkeys(SIDES, one)
    given = {"y_upper": two, "x_upper": one, "x_lower": one, "y_lower": two}
    assert list(conditions_by_side(given, SIDES)) == list(SIDES)
    assert conditions_by_side(given, SIDES)["y_upper"] is two


def test_periodic_axes():
    wraps = {
        "y_lower": Periodic(),
        "y_upper": Periodic(),
        "x_lower": Dirichlet(),
        "x_upper": Neumann(),
    }
    assert periodic_axes(wraps, 2) == (False, True)
    assert periodic_axes({"all": Periodic()}, 3) == (True, True, True)
    grid = DarcyProblem(1.0, boundary_conditions=wraps).grid((4, 6))
    assert grid.periodic == (False, True)
    assert grid.side_names == ("x_lower", "x_upper")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"x_lower": Dirichlet()}, "no boundary condition for: x_upper, y_lower, y_upper"),
        ({"x_lower": Dirichlet(), "x_uper": Dirichlet()}, "Did you mean 'x_upper'?"),
        ({"all": Dirichlet(), "x_lower": Neumann()}, "side 'x_lower' has two conditions"),
        ({"all": Dirichlet(), "lefty": Neumann()}, "the mesh has no side 'lefty'"),
        ({"all": 0.0}, "the condition of side 'all' is 0.0; use Dirichlet(value)"),
        ({**dict.fromkeys(SIDES, Dirichlet()), "z_lower": Neumann()}, "no side 'z_lower'"),
    ],
)  # fmt: skip
def test_rejections(given, text):
    problem = DarcyProblem(1.0, boundary_conditions=given)
    for build in (
        lambda: conditions_by_side(given, SIDES),
        lambda: problem.discretize(problem.grid(8)),
    ):
        with pytest.raises(InputError) as caught:
            build()
        assert text in str(caught.value)


def test_one_sided_periodicity_is_refused():
    sides = dict.fromkeys(SIDES, Dirichlet())
    problem = DarcyProblem(1.0, boundary_conditions={**sides, "x_lower": Periodic()})
    with pytest.raises(InputError, match="axis x is periodic on one side only"):
        problem.grid(8)
    with pytest.raises(InputError, match="must map side names to conditions"):
        DarcyProblem(1.0, boundary_conditions=Dirichlet())
