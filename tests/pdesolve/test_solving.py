"""The function solve: choice of backend and mesh, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from pdesolve import DarcyProblem, Dirichlet, Neumann, Problem, solve

PROBLEM = DarcyProblem(1.0)
NEUMANN = {"all": Neumann(0.0)}


@pytest.mark.petsc
def test_meshes_that_mean_the_same():
    reference = solve(PROBLEM, mesh=(8, 8)).field
    for mesh in (8, np.int64(8), [8, 8], np.array([8, 8]), StructuredGrid((8, 8))):
        field = solve(PROBLEM, mesh=mesh).field
        assert field.mesh == reference.mesh
        np.testing.assert_array_equal(field.values, reference.values)
    assert solve(PROBLEM, mesh=8).backend == "grid"


def test_input_fields_hold_the_coefficient():
    problem = DarcyProblem(lambda x: 1 + x[0], dimension=1)
    field = problem.input_fields(problem.grid(4))
    assert field.names == ("coefficient",)
    np.testing.assert_allclose(field.values, [[1.125, 1.375, 1.625, 1.875]])


@pytest.mark.petsc
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"problem": "darcy2d", "mesh": 8}, "problem is a str; give a Problem"),
        ({}, "mesh is missing; give cells an axis"),
        ({"mesh": 8, "backend": "gird"}, "no backend 'gird'. Did you mean 'grid'?"),
        ({"mesh": "box.msh", "backend": "grid"}, "solves on boxes, and mesh is the file 'box.msh'"),
        ({"mesh": 3.5, "backend": "grid"}, "solves on boxes, and mesh is float"),
        ({"mesh": (8, 8, 8)}, "has 3 axes; 'darcy' is 2D"),
        ({"mesh": 0}, "must hold positive sizes, not 0"),
        ({"mesh": (8, 8.5)}, "must hold integers, not 8.5"),
        ({"mesh": True}, "must hold integers"),
        ({"mesh": (8, 1)}, "the grid has only (8, 1). Use a larger grid"),
        ({"mesh": StructuredGrid((8,))}, "the problem is 2D, the grid 1D"),
        ({"mesh": StructuredGrid((8, 8), upper=2.0)}, "make the grid with problem.grid(shape)"),
        ({"mesh": StructuredGrid((8, 8), periodic=True)}, "the grid's as (True, True)"),
        ({"mesh": StructuredGrid((8, 8), location="vertex")}, "need a grid with location='cell'"),
        ({"mesh": 8, "backend": "grid", "degree": 2}, "degree=2 choose finite elements"),
        ({"mesh": 8, "backend": "grid", "element": "RT"}, "element='RT' and degree=1 choose"),
        ({"mesh": 8, "x0": Field(StructuredGrid((8, 8)), np.zeros((8, 8))), "accelerate": "c.ckpt"},
         "x0 and accelerate both give an initial guess"),
    ],
    ids=str,
)  # fmt: skip
def test_rejections(arguments, text):
    with pytest.raises(InputError) as caught:
        solve(**{"problem": PROBLEM, **arguments})
    assert text in str(caught.value)


@pytest.mark.petsc
@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (lambda: DarcyProblem(-1.0), "must be positive and finite; it is -1.0 at index (0, 0) (64"),
        (lambda: DarcyProblem(lambda x: x[0] - 0.1), "(8 of 64 values)"),
        (lambda: DarcyProblem(lambda x: 1 / (x[0] - 0.0625)), "must be positive and finite; it is"),
        (lambda: DarcyProblem(2j), "2j is no function of space"),
        (lambda: DarcyProblem(np.ones((8, 8))), "wrap it: Field(StructuredGrid(array.shape)"),
        (lambda: DarcyProblem(np.eye(2)), "(solve(..., backend='fem')); 'grid' takes scalar ones"),
        (lambda: DarcyProblem(1.0, lambda x: np.nan * x[0]), "right-hand side is not finite at"),
        (lambda: DarcyProblem(1.0, lambda x: 1j * x[0]), "gave complex values"),
        (lambda: DarcyProblem(1.0, "one"), "'one' is no function of space"),
        (lambda: DarcyProblem(1.0, 1.0, {"all": Dirichlet(np.ones(8))}), "wrap it"),
        (lambda: DarcyProblem(1.0, 1.0, {"all": Dirichlet(float("nan"))}), "nan is not a finite"),
        (lambda: DarcyProblem(1.0, 1.0, {"all": Neumann("in")}), "'in' is no function of space"),
        (lambda: DarcyProblem(1.0, 1.0, NEUMANN), "sources and fluxes must balance"),
        (lambda: DarcyProblem(1.0, dimension=0), "dimension=0 must be 1, 2 or 3"),
        (lambda: DarcyProblem(1.0, dimension="2"), "dimension='2' must be 1, 2 or 3"),
        (lambda: DarcyProblem(1.0, lower=1.0), "upper=1.0 must be greater than lower=1.0"),
        (lambda: DarcyProblem(Field(StructuredGrid((4, 4), upper=0.5), np.ones((4, 4)))),
         "points lie outside the box"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_problems_that_are_refused(problem, text):
    with pytest.raises(InputError) as caught:
        solve(problem(), mesh=8, backend="grid")
    assert text in str(caught.value)


@pytest.mark.parametrize("n", [2, 4, 8, 16, 64])
def test_unbalanced_data_are_refused_on_every_grid(n):
    problem = DarcyProblem(1.0, 1.0, NEUMANN)
    with pytest.raises(InputError, match=r"they leave 1 \(100.0% of their size\)"):
        problem.discretize(problem.grid(n))
    # a flux that carries the source away balances
    sides = dict.fromkeys(("x_lower", "x_upper", "y_lower", "y_upper"), Neumann(-0.25))
    system = DarcyProblem(1.0, 1.0, sides).discretize(problem.grid(n))
    assert system.constant_null_space
    assert system.notes == ()


def test_quadrature_error_of_balanced_data_is_spread():
    # ∫ (1 - 3 x²) = 0, the midpoint rule leaves h²/4
    problem = DarcyProblem(1.0, lambda x: 1 - 3 * x[0] ** 2, NEUMANN)
    system = problem.discretize(problem.grid(16))
    assert abs(system.right_hand_side.sum()) < 1e-10
    assert "spread evenly" in system.notes[0]
    shift = system.right_hand_side - problem.source_function.on(problem.grid(16))
    np.testing.assert_allclose(shift, -1 / (4 * 16**2), rtol=1e-9)


def test_problems_without_a_form_say_so():
    class Bare(Problem):
        name, dimension, lower, upper = "bare", 1, (0.0,), (1.0,)
        boundary_conditions = {"all": Dirichlet(0.0)}  # noqa: RUF012

        def input_fields(self, grid):
            return Field(grid, np.zeros(grid.shape))

    bare = Bare()
    assert bare.backends == ()
    with pytest.raises(InputError, match="'bare' has no form for the backend 'grid'"):
        solve(bare, mesh=8, backend="grid")
    for form in (bare.discretize, bare.weak_form):
        with pytest.raises(InputError, match="problem 'bare' has no form"):
            form(bare.grid(4))


@pytest.mark.petsc
def test_saving_needs_the_right_suffix(tmp_path):
    with pytest.raises(InputError, match=r"must end in \.pvd"):
        solve(PROBLEM, mesh=4).save(tmp_path / "u.vtk")
