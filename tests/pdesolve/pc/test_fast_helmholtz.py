"""The fast Helmholtz preconditioner against direct solves, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve import get_family, sample_generator, solve
from pdesolve.pc import ComplexAxis, FastHelmholtzSolver
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Periodic
from pdesolve.problems.convection_diffusion import ConvectionDiffusionProblem
from pdesolve.problems.helmholtz import HelmholtzProblem

FAST = {
    "ksp_type": "gmres",
    "ksp_gmres_restart": 100,
    "ksp_pc_side": "right",
    "pc_type": "python",
    "pc_python_type": "pdesolve.pc.FastHelmholtz",
    "ksp_rtol": 1e-10,
}
DIRECT = {"ksp_type": "preonly", "pc_type": "lu"}
KINDS = {"d": Dirichlet(0.0), "n": Neumann(0.0), "a": Absorbing(), "p": Periodic()}


def sides_of(kinds):
    return {
        f"{'xyz'[axis]}_{end}": KINDS[kind]
        for axis, pair in enumerate(kinds)
        for end, kind in zip(("lower", "upper"), pair, strict=True)
    }


def block_matrix(grid, problem):
    """The matrix in PETSc, and its system."""
    from petsc4py import PETSc

    from operators._petsc_block import BlockMatrix, DistributedGrid

    system = problem.block_system(GridBlock(grid, (0,) * grid.dimension, grid.shape, 1))
    distributed = DistributedGrid(grid, len(system.names), 1, PETSc.COMM_SELF)
    matrix = BlockMatrix(distributed, system.offsets, system.couplings)
    matrix.set_values(system.coefficients)
    return matrix.mat, distributed


def preconditioner(matrix):
    from petsc4py import PETSc

    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setType("python")
    pc.setPythonType("pdesolve.pc.FastHelmholtz")
    pc.setOperators(matrix)
    try:
        pc.setUp()
    except PETSc.Error as error:  # PETSc chains what Python code raises inside it
        raise error.__cause__ or error from None
    return pc


def residual_of_inverse(matrix):
    """‖A M b − b‖ / ‖b‖ for a random b."""
    pc = preconditioner(matrix)
    right, image = matrix.createVecs()
    answer = right.duplicate()
    right.array = np.random.default_rng(0).standard_normal(right.getLocalSize())
    pc.apply(right, answer)
    matrix.mult(answer, image)
    image.axpy(-1.0, right)
    pc.destroy()
    return image.norm() / right.norm()


@pytest.mark.parametrize("size", [2, 3, 8, 9, 40])
@pytest.mark.parametrize(
    ("lower", "upper", "periodic"),
    [
        (2.0, 2.0, False),
        (0.0, 2.0, False),
        (0.1 - 0.4j, 0.1 - 0.4j, False),
        (0.1 - 0.4j, 2.0, False),
        (0.05 - 0.2j, 0.3 - 0.7j, False),
        (2.0, 2.0, True),
    ],
)
def test_axes_are_diagonalised(size, lower, upper, periodic):
    axis = ComplexAxis(size, lower, upper, periodic)
    matrix = 2.0 * np.eye(size, dtype=complex) - np.eye(size, k=1) - np.eye(size, k=-1)
    if periodic:
        matrix[0, -1] -= 1.0
        matrix[-1, 0] -= 1.0
    else:
        matrix[0, 0], matrix[-1, -1] = 1.0 + lower, 1.0 + upper
    values = np.random.default_rng(0).standard_normal((3, size, 2, 2)) @ [1.0, 1j]
    image = axis.backward(axis.forward(values, 1) * axis.eigenvalues[:, None], 1)
    np.testing.assert_allclose(image, np.einsum("ij,ajb->aib", matrix, values), atol=1e-10)
    last = np.moveaxis(values, 1, 2)
    np.testing.assert_allclose(axis.backward(axis.forward(last, 2), 2), last, atol=1e-10)


def test_the_solver_inverts_the_kronecker_sum():
    axes = [ComplexAxis(5, 0.1 - 0.4j, 2.0), ComplexAxis(4, periodic=True), ComplexAxis(3, 0.0, 0)]
    weights, shift = (25.0, 16.0, 9.0), -20.0 - 1.0j
    solver = FastHelmholtzSolver(axes, weights, shift)
    matrix = shift * np.eye(60, dtype=complex)
    for number, axis in enumerate(axes):
        line = axis.backward(np.diag(axis.eigenvalues) @ axis.forward(np.eye(axis.size) + 0j, 0), 0)
        before, after = np.eye((1, 5, 20)[number]), np.eye((12, 3, 1)[number])
        matrix += weights[number] * np.kron(np.kron(before, line), after)
    right = np.random.default_rng(0).standard_normal((60, 2)) @ [1.0, 1j]
    expected = np.linalg.solve(matrix, right)
    np.testing.assert_allclose(solver.solve(right.reshape(5, 4, 3)).ravel(), expected, atol=1e-11)


@pytest.mark.petsc
@pytest.mark.parametrize("source", [1.0, 1.0 + 2.0j], ids=["real", "complex"])
@pytest.mark.parametrize("kinds", [("dn",), ("dd", "nn"), ("pp", "nd"), ("dd", "pp", "nn")])
def test_it_inverts_constant_wavenumbers_between_walls(kinds, source):
    shape = (9, 8, 7)[: len(kinds)]
    periodic = tuple(pair == "pp" for pair in kinds)
    grid = StructuredGrid(shape, (), (1.0, 0.8, 1.3)[: len(kinds)], periodic=periodic)
    problem = HelmholtzProblem(4.3, source, sides_of(kinds), len(kinds), upper=grid.upper)
    matrix, _ = block_matrix(grid, problem)
    assert residual_of_inverse(matrix) < 1e-9


@pytest.mark.petsc
@pytest.mark.parametrize("kinds", [("aa",), ("aa", "aa"), ("da", "an"), ("aa", "aa", "aa")])
def test_absorbing_sides_with_a_constant_wavenumber_take_few_iterations(kinds):
    shape = (32, 24, 16)[: len(kinds)]
    problem = HelmholtzProblem(6.0, 1.0, sides_of(kinds), len(kinds))
    fast = solve(problem, mesh=shape, solver_parameters=FAST)
    exact = solve(problem, mesh=shape, solver_parameters=DIRECT)
    # the weights of the sides are rounded to three percent, all else is exact
    assert fast.result.iterations <= 10
    scale = np.abs(exact.field.values).max()
    np.testing.assert_allclose(fast.field.values, exact.field.values, atol=1e-7 * scale)


@pytest.mark.petsc
@pytest.mark.parametrize("beta", [0.0, 0.3])
@pytest.mark.parametrize(
    ("name", "shape"), [("helmholtz2d_random", 40), ("helmholtz3d_random", 16)]
)
def test_random_media_agree_with_a_direct_solve(name, shape, beta):
    family = get_family(name).with_options(median=6.0)
    drawn = family.problem(family.sample(sample_generator(0, "train", 3)))
    problem = HelmholtzProblem(
        drawn.wavenumber, drawn.source, dimension=drawn.dimension, preconditioner_shift=beta
    )
    mesh = (shape,) * problem.dimension
    fast = solve(problem, mesh=mesh, solver_parameters=FAST)
    exact = solve(drawn, mesh=mesh, solver_parameters=DIRECT)
    scale = np.abs(exact.field.values).max()
    np.testing.assert_allclose(fast.field.values, exact.field.values, atol=1e-7 * scale)


@pytest.mark.petsc
@pytest.mark.parametrize("amplitude", [0.05, 0.3])
@pytest.mark.parametrize("distance", [0.0, 1e-11, -1e-5])
def test_a_mean_at_a_resonance_is_none_of_the_medium(amplitude, distance):
    size = 16
    resonance = 8 * size**2 * np.sin(np.pi / (2 * size)) ** 2 * (1 + distance)

    def wavenumber(x):
        return np.sqrt(resonance * (1 + amplitude * np.sin(2 * np.pi * x[0])))

    problem = HelmholtzProblem(wavenumber, lambda x: 1.0 + x[0], sides_of(("dd", "dd")))
    fast = solve(problem, mesh=(size, size), solver_parameters=FAST)
    exact = solve(problem, mesh=(size, size), solver_parameters=DIRECT).field.values
    assert fast.result.iterations <= 12
    np.testing.assert_allclose(fast.field.values, exact, atol=1e-5 * np.abs(exact).max())


@pytest.mark.petsc
def test_iterations_do_not_grow_with_the_grid():
    family = get_family("helmholtz2d_random").with_options(median=8.0)
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    coarse, fine = (
        solve(problem, mesh=(n, n), solver_parameters=FAST).result.iterations for n in (24, 72)
    )
    assert fine <= coarse + 2


@pytest.mark.petsc
def test_samples_share_eigenvectors(monkeypatch):
    from pdesolve.pc import _petsc_fast_helmholtz as module
    from pdesolve.sequences._petsc_sequence_solver import SequenceSolver
    from pdesolve.sequences._petsc_sources import BlockSource

    made = []

    def counted(*given):
        made.append(given)
        return ComplexAxis(*given)

    monkeypatch.setattr(module, "ComplexAxis", counted)
    family = get_family("helmholtz2d_random").with_options(median=8.0)
    problems = [family.problem(family.sample(sample_generator(0, "train", i))) for i in range(12)]
    source = BlockSource(StructuredGrid((20, 20)), problems[0], family.outputs)
    solver = SequenceSolver(source.defaults(), FAST)
    for problem in problems:
        assert solver.solve(source.load(problem))[1].converged
    solver.destroy()
    source.close()
    assert 1 <= len(made) < len(problems)  # of 24 axes


@pytest.mark.petsc
@pytest.mark.parametrize("kinds", [("dn", "nd"), ("aa", "da")])
def test_it_is_symmetric_for_methods_that_apply_the_transpose(kinds):
    grid = StructuredGrid((9, 8))
    problem = HelmholtzProblem(lambda x: 4 + x[0], 1.0, sides_of(kinds))
    matrix, _ = block_matrix(grid, problem)
    pc = preconditioner(matrix)
    one, other = matrix.createVecs()
    image, back = matrix.createVecs()
    one.array, other.array = np.random.default_rng(0).standard_normal((2, one.getLocalSize()))
    pc.apply(one, image)
    pc.applyTranspose(other, back)
    assert image.dot(other) == pytest.approx(back.dot(one), rel=1e-9)
    pc.destroy()
    options = {
        key: value
        for key, value in FAST.items()
        if key in ("pc_type", "pc_python_type", "ksp_rtol")
    }
    options |= {"ksp_type": "bicg", "ksp_pc_side": "left"}
    found = solve(problem, mesh=(9, 8), solver_parameters=options)
    exact = solve(problem, mesh=(9, 8), solver_parameters=DIRECT).field.values
    np.testing.assert_allclose(found.field.values, exact, atol=1e-7 * np.abs(exact).max())


@pytest.mark.petsc
def test_what_it_refuses():
    grid = StructuredGrid((8, 8))
    family = get_family("darcy2d")
    darcy = family.problem(family.sample(sample_generator(0, "train", 0))).discretize(grid)
    from petsc4py import PETSc

    from operators._petsc_stencil import stencil_matrix

    with pytest.raises(InputError, match="must be the same everywhere"):
        preconditioner(stencil_matrix(darcy.stencil, PETSc.COMM_SELF).mat)
    # convection whose entries add up to those of a Laplacian
    askew = ConvectionDiffusionProblem(0.1, (1.0, -1.0), 1.0, scheme="central").discretize(grid)
    with pytest.raises(InputError, match="must be the same everywhere"):
        preconditioner(stencil_matrix(askew.stencil, PETSc.COMM_SELF).mat)
    uneven, _ = block_matrix(grid, HelmholtzProblem(3.0, 1.0))
    near = uneven.getValue(54, 56)
    uneven.setValue(54, 56, 1.5 * near)
    uneven.setValue(54, 52, 0.5 * near)
    uneven.assemble()
    with pytest.raises(InputError, match="must be the same everywhere"):
        preconditioner(uneven)
    thin, _ = block_matrix(StructuredGrid((8, 2)), HelmholtzProblem(0.1, 1.0))
    with pytest.raises(InputError, match="three cells or more"):
        preconditioner(thin)
    plain = PETSc.Mat().createAIJ((4, 4), nnz=1, comm=PETSc.COMM_SELF)
    plain.setUp()
    plain.assemble()
    with pytest.raises(InputError, match="FastHelmholtz needs a matrix that knows its grid"):
        preconditioner(plain)
    broken, _ = block_matrix(grid, HelmholtzProblem(3.0, 1.0))
    broken.setValue(0, 0, np.nan)
    broken.assemble()
    with pytest.raises(InputError, match="not finite"):
        preconditioner(broken)
    with pytest.raises(InputError, match="2 to 1024"):
        ComplexAxis(2000)
    with pytest.raises(InputError, match="must be finite"):
        ComplexAxis(8, complex(np.nan, 0.0))
