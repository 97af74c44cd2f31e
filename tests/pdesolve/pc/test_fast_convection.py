"""The fast convection–diffusion preconditioner against direct solves, and when it steps back."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve import solve
from pdesolve.pc import ConstantRows, FastConvectionSolver
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.convection_diffusion import ConvectionDiffusionProblem
from pdesolve.problems.darcy import DarcyProblem

pytestmark = pytest.mark.petsc

FAST = {
    "ksp_type": "gmres",
    "ksp_rtol": 1e-10,
    "pc_type": "python",
    "pc_python_type": "pdesolve.pc.FastConvection",
}
DIRECT = {"ksp_type": "preonly", "pc_type": "lu"}
VELOCITY = (0.5, -0.7, 0.3)
SHAPE = (12, 9, 10)


def view_of(problem, shape, **options):
    """What the preconditioner says that it does, its inner one, and the residual it leaves."""
    from petsc4py import PETSc

    from operators._petsc_stencil import stencil_matrix

    system = problem.discretize(StructuredGrid(shape))
    matrix = stencil_matrix(system.stencil, PETSc.COMM_SELF).mat
    prefix = "fast_convection_test_"
    base = PETSc.Options(prefix)
    given = {"pc_type": "python", "pc_python_type": FAST["pc_python_type"], **options}
    for key, value in given.items():
        base[key] = value
    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setOptionsPrefix(prefix)
    pc.setOperators(matrix)
    try:
        pc.setFromOptions()
        pc.setUp()
    except PETSc.Error as error:  # PETSc chains what Python code raises inside it
        raise error.__cause__ or error from None
    finally:
        for key in given:
            del base[key]
    right, image = matrix.createVecs()
    answer = right.duplicate()
    right.array = np.random.default_rng(0).standard_normal(right.getLocalSize())
    pc.apply(right, answer)
    matrix.mult(answer, image)
    image.axpy(-1.0, right)
    own = pc.getPythonContext()
    exact = own._solver is not None
    inner = (own._inner.getType(), own._inner.getFactorSolverType())
    pc.destroy()
    return exact, inner, image.norm() / right.norm()


@pytest.mark.parametrize("shape", [(7,), (3, 4), (5, 4, 6)])
def test_the_solver_inverts_constant_rows(shape):
    dimension = len(shape)
    rows = ConstantRows(
        shape,
        20.0,
        (-1.0, -4.0, -2.0)[:dimension],
        (-3.0, -0.1, -2.0)[:dimension],
        ((1.0, 2.0), (0.0, 0.5), (0.3, 0.0))[:dimension],
    )
    size = int(np.prod(shape))
    matrix = np.stack([rows.times(row.reshape(shape)).ravel() for row in np.eye(size)], axis=1)
    solver = FastConvectionSolver(rows)
    right = np.random.default_rng(0).standard_normal(shape)
    expected = np.linalg.solve(matrix, right.ravel()).reshape(shape)
    np.testing.assert_allclose(solver.solve(right), expected, atol=1e-12)
    assert solver.growth == pytest.approx(sum(rows.growths) - max(rows.growths))


def test_what_the_solver_cannot_do():
    with pytest.raises(ArithmeticError, match="pivot"):
        FastConvectionSolver(ConstantRows((4,), -1.0, (-1.0,), (-1.0,), ((0.0, 0.0),)))
    entries = (-1.0, 1.0)
    with pytest.raises(ArithmeticError, match="overflow"):
        FastConvectionSolver(ConstantRows((4, 4), 9.0, entries[::-1], entries, ((0.0, 0.0),) * 2))


@pytest.mark.parametrize("angle", [0.0, 0.02])
def test_a_flow_along_an_axis_may_be_strong(angle):
    velocity = (np.cos(angle), np.sin(angle))
    problem = ConvectionDiffusionProblem(1e-3, velocity, 1.0)
    exact, _, residual = view_of(problem, (24, 20))
    assert exact
    assert residual < 1e-9


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("scheme", ["exponential", "central", "upwind"])
def test_it_inverts_constant_coefficients(dimension, scheme):
    problem = ConvectionDiffusionProblem(
        0.15, VELOCITY[:dimension], 1.0, dimension=dimension, scheme=scheme
    )
    exact, _, residual = view_of(problem, SHAPE[:dimension])
    assert exact
    assert residual < 1e-9
    fast = solve(problem, mesh=SHAPE[:dimension], solver_parameters=FAST)
    expected = solve(problem, mesh=SHAPE[:dimension], solver_parameters=DIRECT).field.values
    assert fast.result.iterations == 1
    np.testing.assert_allclose(fast.field.values, expected, atol=1e-9 * np.abs(expected).max())


@pytest.mark.parametrize(
    "sides",
    [
        {"x_lower": Dirichlet(1.0), "x_upper": Neumann(0.0), "y_lower": Neumann(0.0),
         "y_upper": Dirichlet(0.0)},
        {"x_lower": Robin(2.0, 1.0), "x_upper": Dirichlet(0.0), "y_lower": Dirichlet(0.0),
         "y_upper": Robin(0.5, 0.0)},
    ],
)  # fmt: skip
def test_other_sides_agree_with_a_direct_solve(sides):
    problem = ConvectionDiffusionProblem(0.3, (0.4, 0.3), 1.0, sides)
    fast = solve(problem, mesh=(14, 11), solver_parameters=FAST).field.values
    expected = solve(problem, mesh=(14, 11), solver_parameters=DIRECT).field.values
    np.testing.assert_allclose(fast, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize(
    "problem",
    [
        ConvectionDiffusionProblem(5e-3, (-0.6, 0.8), 1.0),
        ConvectionDiffusionProblem(1e-3, (0.6, 0.8), 1.0, scheme="central"),
        ConvectionDiffusionProblem(lambda x: 0.1 + 0.05 * x[0], (0.6, 0.8), 1.0),
        ConvectionDiffusionProblem(0.1, (lambda x: x[1] - 0.5, lambda x: 0.5 - x[0]), 1.0),
        DarcyProblem(lambda x: 1 + x[0] ** 2, dimension=2),
    ],
    ids=["strong convection", "positive entries", "diffusivity varies", "velocity varies", "darcy"],
)
def test_an_inner_preconditioner_takes_the_rest(problem):
    exact, inner, residual = view_of(problem, (16, 12))
    assert not exact
    assert inner[0] == "ilu"
    assert residual > 1e-9
    exact, inner, residual = view_of(problem, (16, 12), fast_convection_pc_type="lu")
    assert inner[0] == "lu"
    assert residual < 1e-9
    fast = solve(problem, mesh=(16, 12), solver_parameters=FAST).field.values
    expected = solve(problem, mesh=(16, 12), solver_parameters=DIRECT).field.values
    np.testing.assert_allclose(fast, expected, atol=1e-7 * np.abs(expected).max())


def test_unknown_inner_preconditioners_are_refused():
    problem = ConvectionDiffusionProblem(0.1, (0.6, -0.8), 1.0)
    options = {**FAST, "fast_convection_pc_type": "nonsense"}
    with pytest.raises(InputError, match=r"fast_convection_.*PC type nonsense"):
        solve(problem, mesh=(8, 8), solver_parameters=options)


def test_long_axes_are_left_to_the_inner_one():
    problem = ConvectionDiffusionProblem(0.3, (0.5,), 1.0, dimension=1)
    assert view_of(problem, (512,))[0]
    assert not view_of(problem, (513,))[0]


@pytest.mark.parametrize("name", ["FastPoisson", "FastHelmholtz", "FastConvection"])
def test_matrices_of_another_size_than_their_grid_are_refused(name):
    from petsc4py import PETSc

    matrix = PETSc.Mat().createAIJ((4, 4), nnz=1, comm=PETSc.COMM_SELF)
    matrix.setUp()
    matrix.assemble()
    matrix.setDM(PETSc.DMDA().create((5, 5), dof=1, comm=PETSc.COMM_SELF))
    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setType("python")
    pc.setPythonType(f"pdesolve.pc.{name}")
    pc.setOperators(matrix)
    with pytest.raises(PETSc.Error) as error:
        pc.setUp()
    assert isinstance(error.value.__cause__, InputError)
    assert "4 rows and 4 columns, and its grid of shape (5, 5)" in str(error.value.__cause__)


def test_matrices_without_a_grid_are_refused():
    from petsc4py import PETSc

    plain = PETSc.Mat().createAIJ((4, 4), nnz=1, comm=PETSc.COMM_SELF)
    plain.setUp()
    plain.assemble()
    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setType("python")
    pc.setPythonType(FAST["pc_python_type"])
    pc.setOperators(plain)
    with pytest.raises(PETSc.Error) as error:
        pc.setUp()
    assert isinstance(error.value.__cause__, InputError)
    assert "FastConvection needs a matrix that knows its grid" in str(error.value.__cause__)


@pytest.mark.parametrize(
    ("problem", "shape"),
    [
        (ConvectionDiffusionProblem(0.1, (0.6, -0.8), 1.0), (10, 9)),
        (ConvectionDiffusionProblem(0.012, (0.6, -0.4), 1.0), (16, 12)),
        (ConvectionDiffusionProblem(lambda x: 0.1 + 0.05 * x[0], (0.6, -0.8), 1.0), (10, 9)),
    ],
    ids=["exact", "corrected", "inner"],
)
def test_methods_that_apply_the_transpose(problem, shape):
    from petsc4py import PETSc

    from operators._petsc_stencil import stencil_matrix

    matrix = stencil_matrix(problem.discretize(StructuredGrid(shape)).stencil, PETSc.COMM_SELF).mat
    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setType("python")
    pc.setPythonType(FAST["pc_python_type"])
    pc.setOperators(matrix)
    pc.setUp()
    one, other = matrix.createVecs()
    image, back = matrix.createVecs()
    rng = np.random.default_rng(0)
    one.array, other.array = rng.standard_normal((2, one.getLocalSize()))
    pc.apply(one, image)
    pc.applyTranspose(other, back)
    assert image.dot(other) == pytest.approx(back.dot(one), rel=1e-8)
    pc.destroy()
    options = {
        **FAST, "ksp_type": "bicg", "ksp_pc_side": "left", "ksp_norm_type": "preconditioned",
    }  # fmt: skip
    found = solve(problem, mesh=shape, solver_parameters=options)
    expected = solve(problem, mesh=shape, solver_parameters=DIRECT).field.values
    np.testing.assert_allclose(found.field.values, expected, atol=1e-7 * np.abs(expected).max())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("size", [3, 4, 5, 13])
def test_singular_and_indefinite_matrices_are_left_to_the_inner_one(size, dimension):
    # without flux on all sides: a pivot is zero up to rounding
    lower, upper = (7.7 * 1.3, 7.7) if dimension == 1 else (100 / 3, 100 / 3)
    fluxless = ConstantRows(
        (size,) * dimension,
        dimension * (lower + upper),
        (-lower,) * dimension,
        (-upper,) * dimension,
        ((-lower, -upper),) * dimension,
    )
    with pytest.raises(ArithmeticError, match="pivot"):
        FastConvectionSolver(fluxless)
    one = (1.0,) * dimension  # a pivot that is zero to the last bit
    negative = tuple(-value for value in one)
    indefinite = ConstantRows(
        (size,) * dimension, 1.0, negative, negative, ((0.0, 0.0),) * dimension
    )
    with pytest.raises(ArithmeticError, match="pivot"):
        FastConvectionSolver(indefinite)


def test_it_says_what_it_does_and_lets_go_of_the_matrix(tmp_path):
    from petsc4py import PETSc

    from operators._petsc_stencil import stencil_matrix

    for diffusivity, words in ((0.012, "elimination"), (lambda x: 1 + x[0], "type: ilu")):
        problem = ConvectionDiffusionProblem(diffusivity, (0.6, -0.4), 1.0)
        system = problem.discretize(StructuredGrid((16, 12)))
        matrix = stencil_matrix(system.stencil, PETSc.COMM_SELF).mat
        held = matrix.getRefCount()
        pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
        pc.setType("python")
        pc.setPythonType(FAST["pc_python_type"])
        pc.setOperators(matrix)
        pc.setUp()
        context = pc.getPythonContext()
        viewer = PETSc.Viewer().createASCII(str(tmp_path / "view"), comm=PETSc.COMM_SELF)
        pc.view(viewer)
        viewer.destroy()
        assert words in (tmp_path / "view").read_text()
        pc.destroy()
        assert context is not None
        assert matrix.getRefCount() == held
