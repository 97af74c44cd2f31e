"""Conformance of every problem family in the registry."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from operators.spatial import SpatialFunction
from pdesolve import Problem, ProblemFamily, evolve, get_family, sample_generator, solve
from pdesolve.problems.darcy import DarcyFamily
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.registry import FAMILIES
from tests.pdesolve.coarse_families import SMALL, coarse_family, every_backend, shape_of


@pytest.fixture(params=FAMILIES, ids=str)
def family(request) -> ProblemFamily:
    return get_family(request.param)


def problem_of(family: ProblemFamily, index: int = 0) -> Problem:
    return family.problem(family.sample(sample_generator(3, "test", index)))


def test_attributes(family):
    assert isinstance(family, ProblemFamily)
    assert FAMILIES[family.name]
    assert len(family.default_shape) == family.dimension
    assert family.equation
    assert family.citation
    assert set(family.backends) <= set(problem_of(family).backends)
    for name in (*family.inputs, *family.outputs, *family.parameters.names):
        assert family.units[name], name


def test_samples_depend_on_the_generator_alone(family):
    grid = StructuredGrid(SMALL[family.dimension])
    first, again, other = (
        problem_of(family, index).input_fields(grid).values for index in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    # drawing has not looked at any grid: the same state of the stream is left behind
    one, two = sample_generator(3, "test", 0), sample_generator(3, "test", 0)
    family.problem(family.sample(one)).input_fields(grid)
    family.sample(two)
    assert one.random() == two.random()


def test_one_problem_at_every_resolution(family):
    problem = problem_of(family)
    coarse = problem.grid(tuple(4 for _ in range(family.dimension)))
    fine = problem.grid(tuple(12 for _ in range(family.dimension)))
    first = 1 if problem.location == "cell" else 0
    window = (slice(None), *(slice(first, None, 3),) * family.dimension)
    np.testing.assert_allclose(
        problem.input_fields(coarse).values, problem.input_fields(fine).values[window], rtol=1e-12
    )


def test_input_fields_are_the_declared_channels(family):
    grid = problem_of(family).grid(SMALL[family.dimension])
    field = problem_of(family).input_fields(grid)
    assert field.names == family.inputs
    assert field.mesh == grid
    assert field.values.shape == (len(family.inputs), *grid.shape)


def families_with_stencils() -> list[str]:
    """Families of linear problems with one unknown a cell on grids."""
    found = []
    for name in FAMILIES:
        problem = problem_of(get_family(name))
        if problem.has_stencil and "grid" in problem.backends:
            found.append(name)
    return found


@pytest.mark.parametrize("name", families_with_stencils())
def test_discretisation_is_symmetric_positive_definite(name):
    problem = problem_of(get_family(name))
    system = problem.discretize(problem.grid(SMALL[problem.dimension]))
    assert system.symmetric == system.stencil.is_symmetric()
    matrix = system.stencil.to_csr().toarray()
    if not system.symmetric:  # convection: positive real parts
        assert np.linalg.eigvals(matrix).real.min() > 0
        return
    eigenvalues = np.linalg.eigvalsh(matrix)
    if system.constant_null_space:
        assert abs(eigenvalues[0]) < 1e-10 * eigenvalues[-1]
        eigenvalues = eigenvalues[1:]
    assert eigenvalues[0] > 1e-6 * eigenvalues[-1]


@pytest.mark.parametrize(("name", "backend"), every_backend())
def test_solve_works(name, backend):
    family = coarse_family(name)
    problem = problem_of(family)
    shape = shape_of(family)
    mesh = None if family.has_own_mesh else shape
    if isinstance(problem, EvolutionProblem):
        check_evolution(family, problem, mesh, backend)
        return
    solution = solve(problem, mesh=mesh, backend=backend)
    assert solution.backend == backend
    assert solution.problem is problem
    assert solution.result.converged
    assert solution.result.relative_residual <= 1e-8
    answer = solution.on(problem.grid(shape))
    assert answer.names == family.outputs
    assert np.isfinite(answer.values).all()
    assert np.ptp(answer.values) > 0
    if backend != "grid" or not problem.has_stencil:
        return  # the record's residual is tested with those solvers
    assert solution.field.names == family.outputs
    system = problem.discretize(problem.grid(shape))
    residual = system.right_hand_side - system.stencil.apply(solution.field.values[0])
    relative = np.linalg.norm(residual) / np.linalg.norm(system.right_hand_side)
    assert relative == pytest.approx(solution.result.relative_residual, rel=1e-4, abs=1e-13)


def check_evolution(family: ProblemFamily, problem: EvolutionProblem, mesh: Any, backend: str):
    """Solve up to a part of the first output time."""
    assert problem.times == family.times
    assert problem.unknowns == family.outputs
    first, second = problem.times[:2]
    times = (first, first + (second - first) / 10)
    trajectory = evolve(problem, mesh=mesh, times=times, backend=backend)
    assert trajectory.backend == backend
    assert trajectory.problem is problem
    assert trajectory.times == pytest.approx(times, rel=1e-12)
    assert trajectory.result.converged
    assert trajectory.result.reason == "CONVERGED_TIME"
    assert trajectory.result.num_steps > 0
    grid = problem.grid(shape_of(family))
    values = trajectory.on(grid)
    assert values.shape == (2, len(family.outputs), *grid.shape)
    assert np.isfinite(values).all()
    assert not np.array_equal(values[0], values[1])
    assert trajectory.states[-1].sample(grid).names == family.outputs
    assert trajectory.history
    for name, quantities in trajectory.history.items():
        assert quantities.shape == (2,), name
        assert np.isfinite(quantities).all(), name


def test_description_is_plain_json(family):
    described = family.describe()
    assert json.loads(json.dumps(described)) == described
    assert described["family"] == family.name
    assert set(described["parameters"]) == set(family.parameters.names)
    assert described["boundary conditions"]
    assert described["domain"]["upper"]


def test_description_tells_families_apart():
    """Two families whose samples or answers differ have different descriptions."""
    plain = DarcyFamily(2)
    for other in (
        DarcyFamily(2, source=2.0),
        DarcyFamily(2, above=4.0),
        DarcyFamily(2, tau=4.0),
        DarcyFamily(2, num_modes=16),
        DarcyFamily(2, covariance_boundary="dirichlet"),
        DarcyFamily(2, "lognormal"),
        DarcyFamily(3),
    ):
        assert other.describe() != plain.describe()


def test_names_follow_dimension_and_kind():
    assert DarcyFamily(1).name == "darcy1d"
    assert DarcyFamily(3, "lognormal").name == "darcy3d_lognormal"
    assert get_family("darcy2d").with_options(dimension=3).name == "darcy3d"
    assert DarcyFamily(2, name="mine").with_options(tau=4.0).name == "mine"
    for name in FAMILIES:
        assert get_family(name).name == name


def test_benchmark_numbers():
    """As the paper states them: 12 and 3, alpha 2, tau 3, zero-Neumann, no constant mode, f = 1."""
    family = get_family("darcy2d")
    (parameter,) = family.parameters
    gaussian = parameter.distribution.gaussian
    assert (gaussian.alpha, gaussian.tau, gaussian.boundary) == (2.0, 3.0, "neumann")
    assert gaussian.zero_mean
    assert (parameter.distribution.above, parameter.distribution.below) == (12.0, 3.0)
    problem = problem_of(family)
    assert isinstance(problem.scalar_coefficient, SpatialFunction)
    grid = problem.grid(8)
    assert (problem.source_function.on(grid) == 1.0).all()
    assert (grid.lower, grid.upper) == ((0.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: get_family("darcy2"), "no problem family 'darcy2'. Did you mean 'darcy2d'?"),
        (lambda: get_family("darcy2d", alfa=2.0), "has no option 'alfa'. Did you mean 'alpha'?"),
        (lambda: get_family("darcy2d", dimension=3), "fixes 'dimension'"),
        (lambda: get_family("darcy2d_lognormal", kind="threshold"), "fixes 'kind'"),
        (lambda: get_family("darcy2d", alpha="two"), "alpha='two' must exceed 1.0"),
        (lambda: get_family("darcy2d", kind="treshold"), "Did you mean 'threshold'?"),
        (lambda: get_family("darcy2d", above=-1.0), "above=-1.0 must be positive"),
        (lambda: get_family("darcy2d", source=float("inf")), "source=inf must be a finite number"),
        (lambda: get_family("darcy3d", alpha=1.2), "alpha=1.2 must exceed 1.5"),
        (lambda: get_family("nowhere.py:Family"), "there is no file 'nowhere.py'"),
        (lambda: DarcyFamily(4), "dimension=4 must be 1, 2 or 3"),
        (lambda: get_family("darcy2d").sample(0), "rng=0 must be a numpy.random.Generator"),
        (lambda: get_family("darcy2d").problem({}), "parameter missing: coefficient"),
        (lambda: get_family("darcy2d").problem({"coeficient": 1.0}), "Did you mean 'coefficient'?"),
        (lambda: get_family("darcy2d").problem({"coefficient": np.ones((4, 4))}), "wrap it"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_family_from_a_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from pdesolve import DarcyFamily\n"
        "def halved(**options):\n    return DarcyFamily(2, above=6.0, name='halved', **options)\n"
        "number = lambda: 3\n"
    )
    family = get_family(f"{file}:halved", below=1.5)
    assert (family.name, family.above, family.below) == ("halved", 6.0, 1.5)
    with pytest.raises(InputError, match=r"defines no 'halve'. Did you mean 'halved'\?"):
        get_family(f"{file}:halve")
    with pytest.raises(InputError, match="is a int, not a ProblemFamily"):
        get_family(f"{file}:number")
