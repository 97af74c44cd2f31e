"""Poisson's equation and Robin sides."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from benchmarks.families.poisson import orders
from meshes import Field, InputError
from pdesolve import DarcyProblem, Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.grid.multigrid import geometric_multigrid
from pdesolve.problems.boundary import Robin
from pdesolve.problems.poisson import PoissonFamily, PoissonProblem

HAS_FIREDRAKE = importlib.util.find_spec("firedrake") is not None
STUDIES = orders()


@pytest.mark.petsc
@pytest.mark.parametrize(
    "study",
    [
        pytest.param(
            study,
            id=f"{study.family} {study.backend} {study.quantity}",
            marks=[pytest.mark.firedrake] if study.backend.startswith("fem") else [],
        )
        for study in STUDIES
    ],
)
def test_orders(study):
    if study.backend.startswith("fem") and not HAS_FIREDRAKE:
        pytest.skip("needs firedrake")
    study.check()


def test_robin_is_between_dirichlet_and_neumann():
    """With u'' = 0 finite volumes are exact: 1D heat conduction through a wall and a film."""
    sides = {"x_lower": Dirichlet(1.0), "x_upper": Robin(2.0, 0.0)}
    problem = PoissonProblem(0.0, sides, dimension=1)
    system = problem.discretize(problem.grid(8))
    found = np.linalg.solve(system.stencil.to_csr().toarray(), system.right_hand_side)
    x = problem.grid(8).axes()[0]
    np.testing.assert_allclose(found, 1 - x * 2.0 / 3.0, rtol=0, atol=1e-13)
    # and exact for a coefficient that jumps at a face
    wall = DarcyProblem(lambda x: np.where(x[0] < 0.5, 1.0, 4.0), 0.0, sides, dimension=1)
    system = wall.discretize(wall.grid(8))
    found = np.linalg.solve(system.stencil.to_csr().toarray(), system.right_hand_side)
    flux = 1.0 / (0.5 / 1.0 + 0.5 / 4.0 + 1 / 2.0)
    exact = np.where(x < 0.5, 1 - flux * x, 1 - flux * (0.5 + (x - 0.5) / 4.0))
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-13)


def test_robin_limits():
    def matrix(condition):
        problem = PoissonProblem(1.0, {"x_lower": Dirichlet(0.0), "x_upper": condition}, 1)
        system = problem.discretize(problem.grid(6))
        return system.stencil.to_csr().toarray(), system.right_hand_side

    for robin, limit in ((Robin(0.0, 3.0), Neumann(3.0)), (Robin(1e13, 2e13), Dirichlet(2.0))):
        for one, other in zip(matrix(robin), matrix(limit), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10)


def test_robin_everywhere_fixes_u_and_zero_robin_does_not():
    problem = PoissonProblem(1.0, {"all": Robin(1.0, 0.0)})
    assert not problem.discretize(problem.grid(4)).constant_null_space
    for zero in (0.0, lambda x: 0 * x[0]):
        problem = PoissonProblem(lambda x: np.cos(np.pi * x[0]), {"all": Robin(zero, 0.0)})
        assert problem.discretize(problem.grid(4)).constant_null_space


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (lambda: PoissonProblem(1.0, {"all": Robin(-1.0)}), "must not be negative; it is -1"),
        (
            lambda: PoissonProblem(1.0, {"all": Robin(lambda x: x[0] - 0.5)}),
            "the Robin coefficient on 'x_lower' must not be negative",
        ),
        (lambda: PoissonProblem(1.0, {"all": Robin(lambda x: np.inf * x[0])}), "not finite"),
        (lambda: PoissonProblem(1.0, {"all": Robin(float("nan"))}), "nan is not a finite number"),
        (lambda: PoissonProblem(1.0, {"all": Neumann(0.0)}), "sources and fluxes must balance"),
        (lambda: PoissonProblem(1.0, {"x_lower": Robin()}), "no boundary condition for: x_upper"),
        (lambda: PoissonProblem(lambda x: np.nan * x[0]), "right-hand side is not finite at"),
        (lambda: PoissonProblem(1.0, dimension=4), "dimension=4 must be 1, 2 or 3"),
        (lambda: PoissonProblem(1.0, Robin()), "must map side names to conditions"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value")
def test_problems_that_are_refused(problem, text):
    def discretize():
        given = problem()
        given.discretize(given.grid(8))

    with pytest.raises(InputError) as caught:
        discretize()
    assert text in str(caught.value)


@pytest.mark.firedrake
@pytest.mark.skipif(not HAS_FIREDRAKE, reason="needs firedrake")
@pytest.mark.parametrize(
    ("coefficient", "element", "text"),
    [
        (lambda x: x[0] - 0.5, "CG", "the Robin coefficient on 'x_lower' must not be negative"),
        (0.0, "RT", "the Robin coefficient on 'x_lower' of a mixed form must be positive"),
    ],
)
def test_robin_coefficients_that_elements_refuse(coefficient, element, text):
    problem = PoissonProblem(1.0, {"all": Robin(coefficient, 0.0)})
    with pytest.raises(InputError) as caught:
        solve(problem, mesh=4, backend="fem", element=element)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"sides": "dirchlet"}, "Did you mean 'dirichlet'?"),
        ({"boundary_deviation": -1.0}, "boundary_deviation=-1.0 must be finite and not negative"),
        ({"sides": "robin", "transfer": 0.0}, "transfer=0 leaves no side that fixes u"),
        ({"standard_deviation": 0.0}, "standard_deviation=0.0 must be positive"),
        ({"alpha": 0.5}, "alpha=0.5 must exceed 1.0"),
    ],
)
def test_families_that_are_refused(options, text):
    with pytest.raises(InputError) as caught:
        get_family("poisson2d", **options)
    assert text in str(caught.value)


@pytest.mark.petsc
@pytest.mark.parametrize("sides", ["dirichlet", "neumann", "robin", "mixed", "periodic"])
def test_every_kind_of_family_is_solved(sides):
    family = PoissonFamily(2, sides)
    draw = family.sample(sample_generator(0, "test", 0))
    solution = solve(family.problem(draw), mesh=16)
    assert solution.result.converged
    assert family.problem(draw).input_fields(solution.field.mesh).names == family.inputs
    assert ("boundary_values" in family.inputs) == (sides not in ("neumann", "periodic"))
    assert ("spectral" in family.backends) == (sides == "periodic")
    assert family.describe()["boundary conditions"]


def test_random_fields_invert_the_laplacian():
    family = PoissonFamily(2, "neumann", num_modes=6)
    draw = family.sample(sample_generator(0, "test", 0))
    u, h = family.exact(draw), 1e-3
    x = np.array([[0.3], [0.6]])
    steps = h * np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    laplacian = (u(x + steps).sum() - 4 * u(x)) / h**2
    np.testing.assert_allclose(-laplacian, draw["source"].evaluate(x.T), rtol=1e-4)
    assert PoissonFamily(2).exact(PoissonFamily(2).sample(np.random.default_rng(0))) is None


class TestMultigrid:
    def test_where_it_fits(self):
        grid = PoissonProblem(1.0, dimension=3).grid
        assert geometric_multigrid(grid(32))["pc_mg_levels"] == 4
        assert geometric_multigrid(grid(32), 8)["pc_mg_levels"] == 3
        assert geometric_multigrid(grid((32, 32, 31))) == {}
        assert geometric_multigrid(grid((64, 16, 16))) == {}  # long cells
        assert geometric_multigrid(grid(34)) == {}  # 17³ is too many to factorise
        assert geometric_multigrid(grid(32), 64) == {}
        assert geometric_multigrid(PoissonProblem(1.0, dimension=1).grid(32)) == {}

    @pytest.mark.petsc
    def test_iterations_grow_slowly_and_options_win(self):
        family = PoissonFamily(2)
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
        counts = [solve(problem, mesh=size).result for size in (16, 32, 64, 128)]
        assert {result.solver for result in counts} == {"cg + mg"}
        # piecewise constant interpolation: a little more on every finer grid
        assert [result.iterations for result in counts] == sorted(r.iterations for r in counts)
        assert counts[-1].iterations <= 18
        other = solve(problem, mesh=32, solver_parameters={"pc_type": "gamg"})
        assert other.result.solver == "cg + gamg"
        mg = solve(problem, mesh=32)
        difference = np.abs(other.field.values - mg.field.values).max()
        assert difference < 1e-6 * np.abs(mg.field.values).max()

    @pytest.mark.petsc
    @pytest.mark.parametrize("name", ["poisson2d", "poisson3d"])
    def test_singular_systems_meet_tight_tolerances(self, name):
        """The coarsest matrix is singular to rounding; its factors would be noise."""
        for sides in ("neumann", "periodic"):
            family = get_family(name, sides=sides)
            problem = family.problem(family.sample(sample_generator(0, "test", 1)))
            result = solve(problem, mesh=16, solver_parameters={"ksp_rtol": 1e-12}).result
            assert result.relative_residual < 1e-11
            assert result.iterations < 25


@pytest.mark.petsc
def test_a_field_as_source_is_taken_cell_by_cell():
    problem = PoissonProblem(1.0)
    grid = problem.grid(8)
    values = np.arange(64.0).reshape(8, 8)
    system = PoissonProblem(Field(grid, values)).discretize(grid)
    np.testing.assert_array_equal(system.right_hand_side, values)


@pytest.mark.parametrize("transfer", [0.3, 20.0])
def test_error_bounds_with_robin_sides(transfer):
    from pdesolve.grid.error_bounds import error_bounds

    sides = {
        "x_lower": Robin(transfer, 1.0),
        "x_upper": Neumann(0.0),
        "y_lower": Dirichlet(0.0),
        "y_upper": Robin(1.0, 0.0),
    }
    problem = DarcyProblem(lambda x: 1 + 4 * (x[0] > 0.5), 1.0, sides)
    system = problem.discretize(problem.grid((8, 7)))
    matrix = system.stencil.to_csr().toarray()
    u = np.linalg.solve(matrix, system.right_hand_side.ravel())
    v = u * (1 + 0.1 * np.random.default_rng(0).standard_normal(u.size))
    found = error_bounds(system, problem.boundary_conditions, v.reshape(8, 7))
    true = np.sqrt((u - v) @ matrix @ (u - v) / (v @ matrix @ v))
    assert found.lower <= true <= found.upper
    varying = {**sides, "x_lower": Robin(lambda x: 1 + x[1], 1.0)}
    system = DarcyProblem(1.0, 1.0, varying).discretize(problem.grid((8, 7)))
    assert np.isnan(error_bounds(system, varying, v.reshape(8, 7)).upper)
