"""Linear and neo-Hookean elasticity: accuracy, exact states, invariance, energy, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.families import elasticity
from meshes import InputError, StructuredGrid
from operators.failures import NonlinearSolveFailure
from pdesolve import Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.problems.elasticity import (
    ElasticityFamily,
    ElasticityProblem,
    cauchy_stress,
    strain_energy,
)
from tests.mpi import run_parallel

FAMILIES = ("elasticity2d", "elasticity3d", "neo_hookean2d", "neo_hookean3d")
TIGHT = {"ksp_rtol": 1e-12}


def sides(dimension: int, **conditions):
    free = {
        f"{axis}_{end}": Neumann(0.0) for axis in "xyz"[:dimension] for end in ("lower", "upper")
    }
    return free | conditions


def sample(name: str, index: int = 0, **options):
    family = get_family(name, **options)
    return family, family.problem(family.sample(sample_generator(3, "test", index)))


@pytest.mark.parametrize("name", FAMILIES)
def test_family_without_a_solver(name):
    family, problem = sample(name)
    assert family.name == name
    assert problem.backends == family.backends == ("fem",)
    grid = StructuredGrid((4,) * family.dimension)
    inputs = problem.input_fields(grid)
    assert inputs.names == family.inputs
    assert inputs["young_modulus"].min() > 0
    # tractions do not vary along x
    np.testing.assert_array_equal(inputs["traction_x"][0], inputs["traction_x"][-1])
    assert np.ptp(inputs["traction_x"]) > 0
    described = family.describe()
    assert json.loads(json.dumps(described)) == described
    assert family.with_options(poisson_ratio=0.2).describe() != described


@pytest.mark.firedrake
@pytest.mark.parametrize("study", elasticity.orders(), ids=lambda s: f"{s.family} {s.backend}")
def test_order(study):
    study.check()


@pytest.mark.firedrake
@pytest.mark.parametrize("name", FAMILIES)
def test_solve(name):
    family, problem = sample(name)
    solution = solve(problem, mesh=5)
    assert solution.result.converged
    grid = StructuredGrid((3,) * family.dimension)
    assert solution.on(grid).names == family.outputs
    assert solution.field.names == family.outputs
    energy = strain_energy(solution)
    assert energy > 0
    stress = cauchy_stress(solution)
    assert stress.ufl_shape == (family.dimension, family.dimension)


@pytest.mark.firedrake
@pytest.mark.parametrize("material", ["linear", "neo_hookean"])
@pytest.mark.parametrize("dimension", [2, 3])
def test_patch(dimension, material):
    """Displacements linear in space are met exactly, on cells of any shape."""
    from pdesolve.fem._firedrake import firedrake

    mesh = firedrake.UnitSquareMesh(3, 3) if dimension == 2 else firedrake.UnitCubeMesh(2, 2, 2)
    where = mesh.coordinates.dat.data_with_halos
    inner = ((where > 1e-9) & (where < 1 - 1e-9)).all(axis=1)
    where[inner] += 0.07 * np.sin(7.0 * np.arange(where.size)).reshape(where.shape)[inner]
    gradient = 0.1 * np.cos(np.arange(dimension**2)).reshape(dimension, dimension)

    def linear(x):
        return np.einsum("ij,j...->i...", gradient, x)

    problem = ElasticityProblem(
        2.0,
        0.3,
        boundary_conditions={"all": Dirichlet(linear)},
        dimension=dimension,
        material=material,
    )
    solution = solve(problem, mesh=mesh, solver_parameters="direct")
    values = solution.field.values
    np.testing.assert_allclose(values, linear(solution.field.mesh.points.T), atol=1e-9)
    stress = cauchy_stress(solution).dat.data_ro
    np.testing.assert_allclose(stress, np.broadcast_to(stress[0], stress.shape), atol=1e-8)
    np.testing.assert_allclose(stress[0], stress[0].T, atol=1e-10)


@pytest.mark.firedrake
def test_a_pulled_bar_with_rollers():
    """u = t/E (x, −ν y) in plane stress; in plane strain with E/(1 − ν²) and ν/(1 − ν)."""
    modulus, ratio, pull = 5.0, 0.25, 0.1
    conditions = sides(
        2,
        x_lower=Dirichlet(0.0, component=0),
        y_lower=Dirichlet((None, 0.0)),
        x_upper=Neumann((pull, 0.0)),
    )
    for plane, stiffness, contraction in (
        ("stress", modulus, ratio),
        ("strain", modulus / (1 - ratio**2), ratio / (1 - ratio)),
    ):
        problem = ElasticityProblem(
            modulus, ratio, boundary_conditions=conditions, plane=plane, upper=(2.0, 1.0)
        )
        solution = solve(problem, mesh=(4, 2), solver_parameters=TIGHT)
        x, y = solution.field.mesh.points.T
        expected = pull / stiffness * np.stack([x, -contraction * y])
        np.testing.assert_allclose(solution.field.values, expected, atol=1e-10)
        np.testing.assert_allclose(
            cauchy_stress(solution).dat.data_ro, [[[pull, 0.0], [0.0, 0.0]]] * 16, atol=1e-9
        )
        # half of the work of the pull
        work = pull * (pull / stiffness * 2.0) * 1.0
        assert strain_energy(solution) == pytest.approx(work / 2, rel=1e-9)


@pytest.mark.firedrake
@pytest.mark.parametrize("name", ["elasticity2d", "elasticity3d"])
def test_energy_is_half_of_the_work(name):
    from pdesolve.fem import FormContext
    from pdesolve.fem._firedrake import firedrake
    from pdesolve.fem._firedrake_meshes import named_mesh

    _, problem = sample(name)
    named = named_mesh(problem, 5, firedrake.COMM_WORLD)
    solution = solve(problem, mesh=named, solver_parameters=TIGHT)
    form = problem.weak_form(FormContext(named))
    answer = firedrake.Function(form.linear.arguments()[0].function_space()).assign(solution.native)
    work = firedrake.assemble(firedrake.action(form.linear, answer))
    assert strain_energy(solution) == pytest.approx(work / 2, rel=1e-9)


@pytest.mark.firedrake
def test_small_loads_are_linear():
    """The neo-Hookean displacement differs from the linear one to second order in the load."""
    differences = []
    for load in (0.02, 0.01, 0.005):
        conditions = sides(2, x_lower=Dirichlet(0.0), x_upper=Neumann((load, load)))
        linear, large = (
            solve(
                ElasticityProblem(1.0, 0.3, boundary_conditions=conditions, material=material),
                mesh=6,
                solver_parameters="direct",
            ).field.values
            for material in ("linear", "neo_hookean")
        )
        differences.append(np.abs(large - linear).max())
    order = np.polyfit(np.log([0.02, 0.01, 0.005]), np.log(differences), 1)[0]
    assert abs(order - 2) < 0.1
    assert differences[-1] < 1e-3


@pytest.mark.firedrake
def test_rigid_motions_cost_no_energy():
    """A turned and shifted solid: finite rotations for the neo-Hookean, small ones for both."""
    angle = 1.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def moved(x):
        return np.einsum("ij,j...->i...", turn - np.eye(2), x) + 0.3

    problem = ElasticityProblem(
        boundary_conditions={"all": Dirichlet(moved)}, material="neo_hookean"
    )
    solution = solve(problem, mesh=4)
    np.testing.assert_allclose(
        solution.field.values, moved(solution.field.mesh.points.T), atol=1e-8
    )
    assert abs(strain_energy(solution)) < 1e-10
    # pulling a turned solid is turning a pulled one
    load, fixed = np.array([0.05, 0.02]), Dirichlet(0.0)
    plain = solve(
        ElasticityProblem(
            boundary_conditions=sides(2, x_lower=fixed, x_upper=Neumann(tuple(load))),
            material="neo_hookean",
        ),
        mesh=4,
    )
    turned = solve(
        ElasticityProblem(
            boundary_conditions=sides(
                2, x_lower=Dirichlet(moved), x_upper=Neumann(tuple(turn @ load))
            ),
            material="neo_hookean",
        ),
        mesh=4,
    )
    points = plain.field.mesh.points.T
    expected = np.einsum("ij,jn->in", turn, points + plain.field.values) + 0.3 - points
    np.testing.assert_allclose(turned.field.values, expected, atol=1e-6)
    assert strain_energy(turned) == pytest.approx(strain_energy(plain), rel=1e-6)


@pytest.mark.firedrake
def test_free_bodies():
    """Balanced pulls on a free solid; what they leave open is taken out of the answer."""
    from pdesolve.fem._firedrake import firedrake, ufl

    conditions = sides(2, x_lower=Neumann((-0.1, 0.0)), x_upper=Neumann((0.1, 0.0)))
    problem = ElasticityProblem(1.0, 0.25, boundary_conditions=conditions, plane="stress")
    solution = solve(problem, mesh=4, solver_parameters=TIGHT)
    x, y = solution.field.mesh.points.T
    expected = 0.1 * np.stack([x - 0.5, -0.25 * (y - 0.5)])
    np.testing.assert_allclose(solution.field.values, expected, atol=1e-9)
    for component in range(2):
        assert abs(firedrake.assemble(solution.native[component] * ufl.dx)) < 1e-10
    # a roller leaves one shift free
    rolling = sides(2, x_lower=Dirichlet(0.0, component=0), x_upper=Neumann((0.1, 0.0)))
    problem = ElasticityProblem(1.0, 0.25, boundary_conditions=rolling, plane="stress")
    solution = solve(problem, mesh=4, solver_parameters=TIGHT)
    np.testing.assert_allclose(
        solution.field.values, expected + np.array([[0.05], [0.0]]), atol=1e-9
    )
    unbalanced = sides(2, x_upper=Neumann((0.1, 0.0)))
    with pytest.raises(InputError, match="must balance"):
        solve(ElasticityProblem(boundary_conditions=unbalanced), mesh=4)
    with pytest.raises(InputError, match="leave rigid motions free"):
        solve(ElasticityProblem(boundary_conditions=rolling, material="neo_hookean"), mesh=4)


@pytest.mark.firedrake
def test_multigrid_with_rigid_motions_needs_few_iterations():
    iterations = [
        solve(sample("elasticity2d")[1], mesh=cells).result.iterations for cells in (16, 32, 64)
    ]
    assert max(iterations) <= 25
    without = elasticity.WithoutRigidMotions(**vars(sample("elasticity2d")[1]))
    assert solve(without, mesh=64).result.iterations > 1.3 * iterations[-1]


@pytest.mark.firedrake
def test_large_loads_are_applied_in_steps_or_refused():
    conditions = sides(2, x_lower=Dirichlet(0.0), x_upper=Neumann((0.0, 0.25)))
    bent = ElasticityProblem(
        boundary_conditions=conditions, material="neo_hookean", upper=(3.0, 1.0)
    )
    few = {"snes_max_it": 6}
    solution = solve(bent, mesh=(9, 3), solver_parameters=few)
    assert "steps" in solution.result.notes[0]
    in_one = solve(bent, mesh=(9, 3))
    np.testing.assert_allclose(solution.field.values, in_one.field.values, atol=1e-6)
    crushed = sides(2, x_lower=Dirichlet(0.0), x_upper=Neumann((-5.0, 0.0)))
    problem = ElasticityProblem(boundary_conditions=crushed, material="neo_hookean")
    with pytest.raises(NonlinearSolveFailure, match="of the load") as caught:
        solve(problem, mesh=4)
    assert np.isfinite(caught.value.solution.field.values).all()


@pytest.mark.firedrake
def test_locking_is_warned_of_and_goes_with_degree_two():
    def tip(ratio: float, degree: int) -> float:
        conditions = sides(2, x_lower=Dirichlet(0.0), x_upper=Neumann((0.0, 0.01)))
        problem = ElasticityProblem(1.0, ratio, boundary_conditions=conditions, upper=(4.0, 1.0))
        solution = solve(problem, mesh=(16, 4), degree=degree, solver_parameters="direct")
        return float(solution.on(StructuredGrid((2, 2), (0.0, 0.0), (4.0, 1.0))).values[1, 1, 0])

    with pytest.warns(UserWarning, match="lock for a Poisson ratio of 0.4999"):
        locked = tip(0.4999, 1)
    assert locked < 0.15 * tip(0.4999, 2)
    assert tip(0.3, 1) > 0.75 * tip(0.3, 2)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ElasticityProblem(poisson_ratio=0.5), "less than 0.5; an incompressible"),
        (lambda: ElasticityProblem(poisson_ratio=-1.0), "greater than -1"),
        (lambda: ElasticityProblem(poisson_ratio=float("nan")), "poisson_ratio=nan"),
        (lambda: ElasticityProblem(dimension=1), "must be 2 or 3"),
        (lambda: ElasticityProblem(material="rubber"), "material='rubber'"),
        (lambda: ElasticityProblem(plane="stres"), "Did you mean 'stress'"),
        (lambda: ElasticityProblem(plane="stress", dimension=3), "linear material in 2D"),
        (lambda: ElasticityProblem(boundary_conditions=[]), "must map side names"),
        (lambda: ElasticityFamily(4), "must be 2 or 3"),
        (lambda: ElasticityFamily(2, mean_modulus=0.0), "mean_modulus=0.0"),
        (lambda: ElasticityFamily(2, traction_deviation=-1.0), "traction_deviation=-1.0"),
        (lambda: get_family("neo_hookean2d", plane="stress"), "linear material in 2D"),
    ],
)
def test_bad_problems(build, text):
    with pytest.raises(InputError, match=text):
        build()


@pytest.mark.firedrake
def test_bad_data():
    with pytest.raises(InputError, match="Young's modulus must be positive"):
        solve(ElasticityProblem(lambda x: x[0] - 0.5), mesh=3)
    with pytest.raises(InputError, match="give one for each of the 2 components"):
        solve(ElasticityProblem(boundary_conditions=sides(2, x_upper=Neumann(1.0))), mesh=3)
    with pytest.raises(InputError, match="has no form for elasticity"):
        solve(ElasticityProblem(), mesh=3, element="RT")
    with pytest.raises(InputError, match="has no form for the backend 'grid'"):
        solve(ElasticityProblem(), mesh=3, backend="grid")


PROGRAM = """
import json
from meshes import StructuredGrid
from pdesolve import get_family, sample_generator, solve
found = {}
for name, cells, tight in (
    ("elasticity2d", 8, {"ksp_rtol": 1e-13}),
    ("neo_hookean2d", 6, {"snes_rtol": 1e-13}),
    ("slit_plate", None, {"ksp_rtol": 1e-13}),
):
    family = get_family(name)
    problem = family.problem(family.sample(sample_generator(3, "test", 0)))
    grid = problem.grid((5, 8)[: family.dimension])
    solution = solve(problem, mesh=cells, solver_parameters=tight)
    found[name] = solution.on(grid).values.ravel().tolist()
    found[name] += [solution.gather().norm()]
from pdesolve.fem._firedrake import firedrake
if firedrake.COMM_WORLD.rank == 0:
    print("RESULT" + json.dumps(found))
"""


@pytest.mark.firedrake
@pytest.mark.parallel
def test_the_same_answers_on_three_processes():
    pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)
    one, three = (
        json.loads(run_parallel(PROGRAM, ranks, timeout=300).partition("RESULT")[2])
        for ranks in (1, 3)
    )
    assert set(one) == {"elasticity2d", "neo_hookean2d", "slit_plate"}
    for name, values in one.items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(three[name], values, rtol=0, atol=1e-10 * scale, err_msg=name)
