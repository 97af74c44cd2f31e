"""GCRO-DR against GMRES and against the relations that define it."""

from __future__ import annotations

import numpy as np
import pytest

petsc = pytest.importorskip("petsc4py.PETSc")

from pdesolve.ksp._petsc_basis import VectorBlock  # noqa: E402
from pdesolve.ksp._petsc_orthonormal import orthonormalize  # noqa: E402
from tests.pdesolve.ksp.sequences import (  # noqa: E402
    GCRODR,
    Systems,
    dense_matrix,
    make_solver,
)

pytestmark = pytest.mark.petsc
TIGHT = {"ksp_rtol": 1e-9}


@pytest.fixture(scope="module")
def convection():
    return Systems("convection_diffusion2d", 24, 5)


@pytest.fixture(scope="module")
def darcy():
    return Systems("darcy2d", 24, 6)


def gmres(restart, **more):
    return {"ksp_type": "gmres", "ksp_gmres_restart": restart, **TIGHT, **more}


def gcrodr(restart, recycle, **more):
    sizes = {"gcrodr_restart": restart, "gcrodr_recycle": recycle}
    return {**GCRODR, **sizes, **TIGHT, **more}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("preconditioner", ["none", "jacobi", "ilu"])
def test_without_recycling_it_is_gmres(convection, preconditioner, side):
    more = {"pc_type": preconditioner, "ksp_pc_side": side}
    _, expected = convection.run(gmres(8, **more), [0, 1])
    ours, iterations = convection.run(gcrodr(8, 0, **more), [0, 1])
    assert min(expected) > 8  # restarts took part
    # rounding may tip one step near the tolerance
    assert np.abs(np.subtract(iterations, expected)).max() <= 1
    assert ours.getPythonContext().num_recycled == 0


def test_the_first_cycle_of_the_first_system_is_gmres(convection):
    theirs, _ = convection.run(gmres(20, pc_type="jacobi"), [0])
    ours, _ = convection.run(gcrodr(20, 8, pc_type="jacobi"), [0])
    np.testing.assert_allclose(
        ours.getConvergenceHistory()[:21], theirs.getConvergenceHistory()[:21], rtol=1e-10
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("family", ["darcy", "convection"])
def test_the_recycled_pair_after_every_solve(family, side, request):
    systems = request.getfixturevalue(family)
    systems.load(0)
    solver = make_solver(
        systems.mat, gcrodr(16, 6, pc_type="jacobi", ksp_pc_side=side, ksp_rtol=1e-11)
    )
    middle, image = systems.b.duplicate(), systems.b.duplicate()
    for number in range(4):
        systems.load(number)
        solver.solve(systems.b, systems.x)
        space = solver.getPythonContext()._space
        count = space.num_recycled
        assert 5 <= count <= 6
        c, preconditioner = space.basis.columns[:, :count], solver.getPC()
        assert np.abs(c.T @ c - np.eye(count)).max() < 1e-12
        for i in range(count):
            systems.mat.mult(space.recycled.vectors[i], image)
            if side == "left":
                image.copy(middle)
                preconditioner.apply(middle, image)
            # tolerance: rounding, times the condition of the projected operator
            np.testing.assert_allclose(image.array, c[:, i], atol=1e-9)


def test_arnoldi_stays_orthogonal_to_the_image(darcy):
    """Also late in a solve, when the residual has lost many digits."""
    darcy.load(0)
    solver = make_solver(darcy.mat, gcrodr(20, 10, pc_type="icc", ksp_rtol=1e-12))
    worst = []

    def monitor(solver, number, norm):
        space = solver.getPythonContext()._space
        problem = solver.getPythonContext()._running._problem
        if problem is not None and problem.num_columns:
            rows = space.basis.rows[: space.num_recycled + problem.num_columns + 1]
            worst.append(np.abs(rows @ rows.T - np.eye(len(rows))).max())

    solver.setMonitor(monitor)
    for number in (0, 1):
        darcy.load(number)
        solver.solve(darcy.b, darcy.x)
    assert len(worst) > 20
    assert max(worst) < 1e-10


@pytest.mark.parametrize("preconditioner", ["none", "jacobi", "ilu"])
def test_recycling_saves_products(darcy, preconditioner):
    _, plain = darcy.run(gmres(20, pc_type=preconditioner))
    _, recycled = darcy.run(gcrodr(20, 10, pc_type=preconditioner))
    # the k products for the new operator are counted against it
    spent = sum(recycled[1:]) + 10 * len(recycled[1:])
    assert spent < 0.85 * sum(plain[1:]), (plain, recycled)


@pytest.mark.parametrize("preconditioner", ["jacobi", "ilu"])
def test_right_preconditioning_recycles_as_well_as_left(darcy, preconditioner):
    """Though M changes with the system: what is kept are approximate solutions' directions."""
    counts = {
        side: darcy.run(gcrodr(20, 10, pc_type=preconditioner, ksp_pc_side=side))[1]
        for side in ("left", "right")
    }
    assert sum(counts["right"][1:]) < 1.3 * sum(counts["left"][1:]), counts


def test_right_hand_sides_for_one_nonsymmetric_operator(convection):
    """The space serves the operator: the second solve starts where the first one was slow."""
    _, (first, second) = convection.run(gcrodr(40, 20, pc_type="jacobi"), [0, 0])
    assert second < 0.7 * first


def test_complex_pairs():
    """Rotations, whose eigenvalues are all complex, and a real solution all the same."""
    size = 30
    matrix = np.zeros((2 * size, 2 * size))
    for i, (angle, length) in enumerate(
        zip(np.linspace(0.2, 1.2, size), np.linspace(0.05, 2, size), strict=True)
    ):
        cosine, sine = length * np.cos(angle), length * np.sin(angle)
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[cosine, -sine], [sine, cosine]]
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal(matrix.shape))
    matrix = turn @ matrix @ turn.T
    mat = dense_matrix(matrix)
    x, b = mat.createVecs()
    for recycle, kept in ((7, {6, 7}), (6, {6}), (1, {2})):
        solver = make_solver(mat, gcrodr(24, recycle, pc_type="none"))
        iterations = []
        for number in range(3):
            b.array = np.cos(np.arange(2 * size) * (1.0 + number))
            solver.solve(b, x)
            iterations.append(solver.getIterationNumber())
            np.testing.assert_allclose(matrix @ x.array, b.array, atol=1e-7)
        assert solver.getPythonContext().num_recycled in kept
        if recycle > 1:
            assert iterations[2] < iterations[0]


def test_happy_breakdown():
    mat = dense_matrix(np.diag([1.0, 1, 1, 2, 2, 2, 5, 5]))
    x, b = mat.createVecs()
    b.set(1.0)
    solver = make_solver(mat, gcrodr(6, 2, pc_type="none", ksp_rtol=1e-13))
    for _ in range(2):
        solver.solve(b, x)
        assert solver.getConvergedReason() > 0
        assert solver.getIterationNumber() <= 3
        np.testing.assert_allclose(mat(x).array, 1.0, rtol=1e-12)


def test_a_singular_system_without_solution_breaks_down():
    mat = dense_matrix(np.diag([0.0, 1, 2, 3]))
    x, b = mat.createVecs()
    b.set(1.0)
    solver = make_solver(mat, gcrodr(3, 1, pc_type="none", ksp_max_it=200))
    solver.solve(b, x)
    assert solver.getConvergedReason() < 0
    assert np.isfinite(x.array).all()


def test_an_unreachable_tolerance_is_not_called_converged():
    generator = np.random.default_rng(2)
    left, _ = np.linalg.qr(generator.standard_normal((40, 40)))
    right, _ = np.linalg.qr(generator.standard_normal((40, 40)))
    mat = dense_matrix(left @ np.diag(np.logspace(0, -13, 40)) @ right)
    x, b = mat.createVecs()
    b.array = generator.standard_normal(40)
    solver = make_solver(mat, gcrodr(20, 8, pc_type="none", ksp_rtol=1e-12, ksp_max_it=400))
    solver.solve(b, x)
    true = (mat(x) - b).norm() / b.norm()
    assert (solver.getConvergedReason() > 0) == (true <= 1.02e-12)


@pytest.mark.parametrize("kind", ["independent", "dependent", "zero", "nan"])
def test_orthonormal_blocks(kind):
    template = petsc.Vec().createMPI(50, comm=petsc.COMM_SELF)
    block = VectorBlock(template, 5)
    generator = np.random.default_rng(0)
    block.rows[:] = generator.standard_normal((5, 50))
    block.rows[4] *= 1e-30  # length is no matter
    if kind == "dependent":
        block.rows[2] = 3 * block.rows[0] - 1e6 * block.rows[1]
    if kind == "zero":
        block.rows[3] = 0
    if kind == "nan":
        block.rows[3, 7] = np.nan
    old = block.columns.copy()
    kept, transform = orthonormalize(block, 5)
    assert len(kept) == (5 if kind == "independent" else 4)
    new = block.columns[:, : len(kept)]
    assert np.abs(new.T @ new - np.eye(len(kept))).max() < 1e-13
    np.testing.assert_allclose(old[:, kept] @ transform, new, atol=1e-9)
