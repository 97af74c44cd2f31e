"""Linear problems with finite elements, one after another on what is kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from pdesolve import Dirichlet, Neumann, Problem, get_family, sample_generator, solve
from pdesolve.problems.boundary import Condition

pytestmark = [pytest.mark.petsc, pytest.mark.firedrake]

DIRECT = {"ksp_type": "preonly", "pc_type": "lu", "ksp_rtol": 1e-10}
CLOSE = 1e-12  # relative to the largest value; both ways solve with LU


def problems_of(family: Any, count: int = 3) -> list[Any]:
    return [family.problem(family.sample(sample_generator(0, "train", i))) for i in range(count)]


def new_source(family: Any, problems: list[Any], shape: tuple[int, ...], **options: Any) -> Any:
    from pdesolve.sequences._firedrake_source import form_source_for

    found = form_source_for(family, problems[0].grid(shape), problems[0], options)
    assert found is not None
    return found


def answer(source: Any, problem: Any) -> Any:
    from pdesolve.sequences._petsc_sequence_solver import SequenceSolver

    system = source.load(problem)
    solver = SequenceSolver(source.defaults(), DIRECT)
    values = source.values(solver.solve(system)[0], system)
    solver.destroy()
    return values


def assert_same(values: Any, expected: Any) -> None:
    assert values.shape == expected.shape
    np.testing.assert_allclose(values, expected, rtol=0, atol=CLOSE * np.abs(expected).max())


@pytest.mark.parametrize(
    ("name", "shape", "options"),
    [
        ("darcy2d", (12, 12), {}),
        ("darcy2d_lognormal", (8, 8), {"degree": 2}),
        ("poisson2d", (9, 12), {}),
        ("poisson2d", (8, 8), {"degree": 2}),
        ("poisson2d", (8, 8), {"element": "Q"}),
        ("convection_diffusion2d", (12, 12), {}),
        ("elasticity2d", (6, 6), {}),
        ("elasticity2d", (5, 5), {"degree": 2}),
        ("slit_plate", (20, 32), {}),
        ("slit_plate", (10, 16), {"degree": 2}),
    ],
)
def test_the_answers_are_those_of_solves_one_by_one(
    name: str, shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    family: Any = get_family(name)
    if family.has_own_mesh:
        family = family.with_options(mesh_size=0.1)
    problems = problems_of(family)
    grid = problems[0].grid(shape)
    source = new_source(family, problems, shape, **options)
    matrices = set()
    for problem in problems:
        expected = solve(
            problem,
            mesh=None if family.has_own_mesh else shape,
            backend="fem",
            solver_parameters=DIRECT,
            **options,
        ).on(grid)
        assert_same(answer(source, problem), expected.select(family.outputs).values)
        matrices.add(source.load(problem).matrix.handle)
    assert len(matrices) == 1
    source.close()


@pytest.mark.parametrize(
    ("name", "repeats"), [("slit_plate", True), ("poisson2d", True), ("darcy2d", False)]
)
def test_a_matrix_is_touched_only_where_the_operator_changes(name: str, repeats: bool) -> None:
    family: Any = get_family(name)
    problems = problems_of(family)
    source = new_source(family, problems, (10, 16) if family.has_own_mesh else (8, 8))
    marks = [source.fingerprint(problem) for problem in problems]
    assert len(set(marks)) == (1 if repeats else 3)
    first = source.load(problems[0])
    before = first.matrix.stateGet()
    right = np.array(first.right.array_r)
    second = source.load(problems[1])
    assert second.matrix.handle == first.matrix.handle
    assert (second.matrix.stateGet() == before) == repeats
    assert np.abs(second.right.array_r - right).max() > 0 or name == "darcy2d"
    # an operator that comes back is not taken for the one before
    source.load(problems[0])
    np.testing.assert_array_equal(first.right.array_r, right)


@pytest.mark.parametrize(
    ("name", "one"), [("slit_plate", True), ("poisson2d", True), ("darcy2d", False)]
)
def test_a_source_finds_out_whether_there_is_one_operator(name: str, one: bool) -> None:
    family: Any = get_family(name)
    source = new_source(family, problems_of(family, 1), (10, 16) if one else (8, 8))
    assert source._assembly.one_operator == one


@pytest.mark.parametrize("name", ["slit_plate", "elasticity2d", "poisson2d"])
def test_right_hand_sides_depend_on_nothing_before(name: str) -> None:
    family: Any = get_family(name)
    problems = problems_of(family)
    shape = (10, 16) if family.has_own_mesh else (8, 8)
    source = new_source(family, problems, shape)
    source.load(problems[0])
    later = np.array(source.load(problems[2]).right.array_r)
    alone = new_source(family, problems, shape)
    np.testing.assert_array_equal(alone.load(problems[2]).right.array_r, later)


def test_looking_at_another_problem_spoils_nothing() -> None:
    family: Any = get_family("slit_plate")
    problems = problems_of(family)
    source = new_source(family, problems, (10, 16))
    first = answer(source, problems[0])
    system = source.load(problems[0])
    source.fingerprint(problems[1])
    from pdesolve.sequences._petsc_sequence_solver import SequenceSolver

    solver = SequenceSolver(source.defaults(), DIRECT)
    np.testing.assert_array_equal(source.values(solver.solve(system)[0], system), first)
    np.testing.assert_array_equal(answer(source, problems[0]), first)


def test_a_plate_with_another_mesh_is_refused() -> None:
    from pdesolve.sequences.geometry import geometry_of

    family: Any = get_family("slit_plate")
    problems = problems_of(family, 2)
    other = replace(problems[1], mesh_size=0.1)
    source = new_source(family, problems, (10, 16))
    with pytest.raises(InputError, match="one geometry"):
        source.load(other)
    assert geometry_of(other, own_mesh=True) != geometry_of(problems[1], own_mesh=True)
    longer = new_source(family.with_options(mesh_size=0.1), [other], (10, 16))
    assert longer.describe()["unknowns"] < source.describe()["unknowns"]


def test_problems_that_may_share_a_mesh_have_the_same_one() -> None:
    from pdesolve.problems.registry import FAMILIES
    from pdesolve.sequences.geometry import geometry_of

    shared = set()
    for name in FAMILIES:
        family: Any = get_family(name)
        if family.has_own_mesh:
            one, other = problems_of(family, 2)
            key = geometry_of(one, own_mesh=True)
            if key is not None and key == geometry_of(other, own_mesh=True):
                shared.add(name)
                meshes = one.default_mesh(), other.default_mesh()
                np.testing.assert_array_equal(meshes[0].points, meshes[1].points)
                np.testing.assert_array_equal(meshes[0].cells, meshes[1].cells)
    assert shared == {"slit_plate"}


def test_a_box_of_another_size_is_refused() -> None:
    family: Any = get_family("poisson2d")
    problems = problems_of(family, 2)
    source = new_source(family, problems, (6, 6))
    with pytest.raises(InputError, match="one geometry"):
        source.load(replace(problems[1], upper=(2.0, 1.0)))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("stokes_channel", {}),  # the obstacle is drawn
        ("helmholtz2d", {}),  # real and imaginary part are a mixed space
        ("bratu2d", {}),  # not linear
        ("darcy2d", {"element": "RT"}),
        ("darcy2d", {"solver": "another argument"}),
    ],
)
def test_other_problems_have_no_source(name: str, options: dict[str, Any]) -> None:
    from pdesolve.sequences._firedrake_source import form_source_for

    family: Any = get_family(name)
    problem = problems_of(family, 1)[0]
    grid = problem.grid(family.default_shape if family.has_own_mesh else 24)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert form_source_for(family, grid, problem, options) is None


@dataclass(frozen=True, eq=False)
class Reaction(Problem):
    """−∇·(a ∇u) + c u = f whose form makes its own Firedrake objects."""

    reaction: float = 1.0
    slope: float = 0.0
    kind: str = "usual"
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Neumann(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = (0.0, 0.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    name: str = "reaction"

    def input_fields(self, grid: StructuredGrid) -> Field:
        return Field(grid, np.full(grid.shape, self.reaction), ("reaction",))

    def weak_form(self, context: Any) -> Any:
        import firedrake as fd

        from pdesolve.fem import LinearForm

        space = context.space()
        u, v = fd.TrialFunction(space), fd.TestFunction(space)
        x, y = fd.SpatialCoordinate(context.mesh)
        a = fd.Function(space).interpolate(1 + self.slope * x)
        bilinear = (a * fd.inner(fd.grad(u), fd.grad(v)) + fd.Constant(self.reaction) * u * v) * (
            fd.dx
        )
        linear = fd.Constant(2.0 + self.slope) * v * fd.dx
        if self.kind == "sides":
            linear += context.data(lambda p: 1 + p[1] * self.slope, name="flux") * v * fd.ds(1)
        if self.kind == "inside":
            linear += context.data(lambda p: 1 + p[1] * self.slope, name="flux") * v * fd.dx
        if self.kind == "facets":
            bilinear += fd.jump(u) * fd.jump(v) * fd.dS
        strong = context.dirichlet(space, self.boundary_conditions)
        if self.kind == "own":
            strong = (fd.DirichletBC(space, self.slope * y + 1, 2),)
        return LinearForm(
            bilinear,
            linear,
            strong,
            finish=(lambda _: None) if self.kind == "finish" else None,
            solver_parameters={"pc_type": "fieldsplit"} if self.kind == "split" else {},
            context={"nu": 1} if self.kind == "context" else {},
        )


def own_source(reference: Problem, shape: Any = (8, 8), **options: Any) -> Any:
    from pdesolve.sequences._firedrake_source import FormSource

    return FormSource(reference.grid((8, 8)), reference, shape_or_mesh=shape, **options)


def test_forms_with_new_objects_have_their_values_copied() -> None:
    sides = {
        "x_lower": Neumann(0.0),
        "x_upper": Dirichlet(lambda p: p[1]),
        "y_lower": Dirichlet(2.0),
        "y_upper": Neumann(0.0),
    }
    sequence = [
        Reaction(1.0, 0.0),
        Reaction(2.0, 0.5),
        Reaction(2.0, 0.5, "sides"),
        Reaction(2.0, 0.25, "sides"),
        Reaction(2.0, 0.75, "inside"),  # the flux was read along one side until now
        Reaction(2.0, 0.5, "own"),
        Reaction(1.0, 0.25, "own"),
        Reaction(3.0, 0.25, boundary_conditions=sides),
        Reaction(1.0, 0.0),
    ]
    source = own_source(sequence[0])
    grid = sequence[0].grid((8, 8))
    marks = []
    for problem in sequence:
        expected = solve(problem, mesh=(8, 8), backend="fem", solver_parameters=DIRECT).on(grid)
        assert_same(answer(source, problem), expected.values)
        marks.append(source.fingerprint(problem))
    # the operator of those with a = 1 + x/2 and no fixed nodes
    assert marks[1] == marks[2] != marks[3]
    assert marks[0] == marks[8]
    assert marks[5] != marks[1]


def test_functions_that_belong_to_the_problems_are_left_alone() -> None:
    import firedrake as fd

    from pdesolve.fem import box_mesh
    from pdesolve.problems.darcy import DarcyProblem

    mesh = box_mesh(StructuredGrid((6, 6)))
    space = fd.FunctionSpace(mesh.mesh, "DG", 0)
    functions = [fd.Function(space), fd.Function(space)]
    rng = np.random.default_rng(0)
    for function in functions:
        function.dat.data[...] = rng.uniform(1.0, 3.0, len(function.dat.data))
    values = [function.dat.data_ro.copy() for function in functions]
    problems = [DarcyProblem(function, dimension=2) for function in functions]
    source = own_source(problems[0], mesh, outputs=("pressure",))
    for number in (0, 1, 0, 0, 1):
        expected = solve(problems[number], mesh=mesh, solver_parameters=DIRECT)
        assert_same(answer(source, problems[number]), expected.on(source.grid).values)
        for function, value in zip(functions, values, strict=True):
            np.testing.assert_array_equal(function.dat.data_ro, value)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("facets", "interior_facet"),
        ("finish", "singular"),
        ("split", "pc_type='fieldsplit'"),
        ("context", "context of the form"),
    ],
)
def test_a_form_that_is_not_taken_says_why(kind: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        own_source(Reaction(kind=kind))


def test_a_channel_that_is_not_there() -> None:
    problem = Reaction()
    source = own_source(problem, outputs=("w",))
    with pytest.raises(InputError, match="no channel 'w'"):
        source.load(problem)


def test_a_point_outside_the_mesh() -> None:
    from pdesolve.sequences._firedrake_source import FormSource

    problem = Reaction()
    grid = StructuredGrid((4, 4), (0.0, 0.0), (2.0, 1.0))
    with pytest.raises(InputError, match="outside the mesh"):
        FormSource(grid, problem, shape_or_mesh=(8, 8)).load(problem)


def test_what_is_made_once_is_made_once() -> None:
    from pdesolve.fem._firedrake import communicator
    from pdesolve.fem._firedrake_forms import FormContext
    from pdesolve.fem._firedrake_meshes import named_mesh
    from pdesolve.sequences._firedrake_context import KeptContext

    named = named_mesh(Reaction(), (4, 4), communicator(None))
    made: list[Any] = []

    def make(*parts: Any) -> object:
        made.append(parts)
        return object()

    kept, plain = KeptContext(named), FormContext(named)
    space = kept.space()
    first = kept.once(make, space, (1, kept.data(2.0)))
    kept.restart()
    assert kept.once(make, kept.space(), (1, kept.data(3.0))) is first
    assert kept.once(make, space, (2, kept.data(3.0))) is not first
    assert len(made) == 2
    assert kept.once(make, space, 1) is not kept.once(make, space, True)
    with pytest.raises(InputError, match="may change"):
        kept.once(make, space, [1])
    oldest = kept.once(make, -1)
    for number in range(40):
        kept.once(make, number)
    assert kept.once(make, -1) is not oldest  # not everything is kept for good
    assert plain.once(make, space) is not plain.once(make, space)


def test_data_along_a_side_are_read_there_only() -> None:
    seen: list[Any] = []

    def flux(points: Any) -> Any:
        seen.append(np.array(points))
        return np.sin(3 * points[1])

    family: Any = get_family("slit_plate", mesh_size=0.1)
    problem = problems_of(family, 1)[0]
    sides = {**problem.boundary_conditions, "right": Neumann(flux)}
    solve(replace(problem, boundary_conditions=sides), solver_parameters=DIRECT)
    family = family.with_options(name="other")
    source = new_source(family, [replace(problem, boundary_conditions=sides)] * 2, (10, 16))
    source.load(replace(problem, boundary_conditions=sides))
    assert len(seen) == 3
    assert min(points[0].min() for points in seen) > 0.5


def test_strategy_with_error_estimate_and_blocks() -> None:
    from pdesolve.data.any_backend import MeshStrategy
    from pdesolve.data.error_estimate import coarse_grid
    from pdesolve.data.samples import SampleTask
    from pdesolve.data.sequences import HalfResolutionEstimator, SequenceSettings, SequenceStrategy
    from pdesolve.sequences._firedrake_source import FormSource

    family: Any = get_family("poisson2d")
    problems = problems_of(family)
    tasks = [SampleTask(index, problem, {}) for index, problem in enumerate(problems)]
    grid = problems[0].grid((12, 12))
    coarse = coarse_grid(grid)
    assert coarse is not None
    usual = MeshStrategy(grid, 1e-10, outputs=family.outputs)
    expected = list(usual.solve(tasks))
    halved = FormSource(grid, problems[0], shape_or_mesh=coarse.shape, outputs=family.outputs)
    estimator = HalfResolutionEstimator(halved, grid, grid, {"ksp_rtol": 1e-10})
    settings = SequenceSettings(block=3, solver_parameters={"ksp_type": "preonly", "pc_type": "lu"})
    kept = SequenceStrategy(
        new_source(family, problems, (12, 12)),
        grid,
        1e-10,
        settings,
        backend="fem",
        estimator=estimator,
    )
    assert kept.describe()["discretization"]["method"] == "finite elements"
    for record, other in zip(kept.solve(tasks), expected, strict=True):
        scale = np.abs(other.outputs).max()
        np.testing.assert_allclose(record.outputs, other.outputs, rtol=0, atol=1e-8 * scale)
        assert record.error_estimate == pytest.approx(other.error_estimate, rel=1e-5)
    kept.close()
    usual.close()
