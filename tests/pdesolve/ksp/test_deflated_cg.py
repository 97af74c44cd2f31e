"""Deflated CG against PETSc's CG and against the relations that define it."""

from __future__ import annotations

import numpy as np
import pytest

petsc = pytest.importorskip("petsc4py.PETSc")

from tests.pdesolve.ksp.sequences import DEFLATED, Systems, make_solver, sparse_matrix  # noqa: E402

pytestmark = pytest.mark.petsc
TIGHT = {"ksp_rtol": 1e-8}


@pytest.fixture(scope="module")
def darcy():
    return Systems("darcy2d", 28, 8)


@pytest.mark.parametrize("norm", ["preconditioned", "unpreconditioned", "natural"])
@pytest.mark.parametrize("preconditioner", ["none", "jacobi", "icc"])
def test_fewer_iterations_than_cg(darcy, preconditioner, norm):
    more = {**TIGHT, "pc_type": preconditioner, "ksp_norm_type": norm}
    _, plain = darcy.run({"ksp_type": "cg", **more})
    _, ours = darcy.run({**DEFLATED, "deflated_cg_recycle": 0, **more})
    assert np.abs(np.subtract(ours, plain)).max() <= 2
    _, deflated = darcy.run({**DEFLATED, **more})
    assert max(np.subtract(deflated, plain)) <= 2
    assert sum(deflated[4:]) < 0.8 * sum(plain[4:]), (plain, deflated)


def test_the_default_norm_is_that_of_cg(darcy):
    darcy.load(0)
    ours = make_solver(darcy.mat, DEFLATED)
    theirs = make_solver(darcy.mat, {"ksp_type": "cg"})
    assert ours.getNormType() == theirs.getNormType() == petsc.KSP.NormType.PRECONDITIONED


def test_the_recycled_space_is_orthonormal_in_energy(darcy):
    darcy.load(0)
    solver = make_solver(darcy.mat, {**DEFLATED, **TIGHT, "pc_type": "icc"})
    for number in range(4):
        darcy.load(number)
        solver.solve(darcy.b, darcy.x)
        space = solver.getPythonContext()._space
        count = space.num_recycled
        assert count == 20
        image = darcy.b.duplicate()
        for i in range(count):
            darcy.mat.mult(space.basis.vectors[i], image)
            np.testing.assert_allclose(image.array, space.images.rows[i], atol=1e-10 * image.norm())
        energy = space.basis.rows[:count] @ space.images.rows[:count].T
        assert np.abs(energy - np.eye(count)).max() < 1e-10


@pytest.mark.parametrize("preconditioner", ["none", "jacobi"])
def test_recycled_vectors_are_harmonic_ritz_vectors(darcy, preconditioner):
    """Against the dense eigenproblem in the space of all directions."""
    darcy.load(0)
    options = {
        **DEFLATED, **TIGHT, "pc_type": preconditioner, "deflated_cg_recycle": 6,
        "deflated_cg_directions": 15,
    }  # fmt: skip
    solver = make_solver(darcy.mat, options)
    start, columns, values = darcy.mat.getValuesCSR()
    dense = np.zeros(darcy.mat.getSize())
    for row in range(len(dense)):
        part = slice(start[row], start[row + 1])
        dense[row, columns[part]] = values[part]
    scaling = 1 / np.diagonal(dense) if preconditioner == "jacobi" else np.ones(len(dense))
    solver.setTolerances(max_it=15)
    solver.solve(darcy.b, darcy.x)
    found = solver.getPythonContext()._space.basis.columns[:, :6]
    # the Krylov space, orthonormalised as it grows
    krylov = [scaling * darcy.b.array]
    for _ in range(14):
        q, _ = np.linalg.qr(np.array(krylov).T)
        krylov = [*q.T, scaling * (dense @ q[:, -1])]
    q, _ = np.linalg.qr(np.array(krylov).T)
    image = dense @ q
    pencil = np.linalg.solve(q.T @ image, image.T @ (scaling[:, np.newaxis] * image))
    eigenvalues, vectors = np.linalg.eig(pencil)
    wanted = q @ vectors[:, np.argsort(eigenvalues.real)[:6]].real
    rest = wanted - found @ np.linalg.lstsq(found, wanted, rcond=None)[0]
    assert np.linalg.norm(rest, axis=0).max() < 1e-7


def test_indefinite_operators_are_refused():
    diagonal = np.linspace(1, 3, 20)
    reason = petsc.KSP.ConvergedReason
    definite = sparse_matrix(np.diag(diagonal))
    indefinite = sparse_matrix(np.diag(np.where(np.arange(20) == 4, -1.0, diagonal)))
    x, b = definite.createVecs()
    b.set(1.0)
    solver = make_solver(indefinite, {**DEFLATED, "pc_type": "none"})
    solver.solve(b, x)
    assert solver.getConvergedReason() == reason.DIVERGED_INDEFINITE_MAT
    solver = make_solver(definite, {**DEFLATED, "pc_type": "none", **TIGHT})
    solver.solve(b, x)
    assert solver.getConvergedReason() > 0
    solver.setOperators(sparse_matrix(np.diag(-diagonal)))
    solver.solve(b, x)  # seen on the recycled vectors
    assert solver.getConvergedReason() == reason.DIVERGED_INDEFINITE_MAT
    assert solver.getPythonContext().num_recycled == 0
    solver = make_solver(definite, {**DEFLATED, "pc_type": "jacobi"})
    solver.setOperators(definite, indefinite)
    b.array = np.where(np.arange(20) == 4, 100.0, 1.0)
    solver.solve(b, x)
    assert solver.getConvergedReason() == reason.DIVERGED_INDEFINITE_PC


def test_deflation_survives_a_tight_tolerance():
    """A few tiny eigenvalues: lost orthogonality would bring them back."""
    size = 200
    values = np.concatenate([np.logspace(-6, -4, 8), np.linspace(1, 2, size - 8)])
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))
    x = b = None
    options = {**DEFLATED, "pc_type": "none", "ksp_rtol": 1e-10, "deflated_cg_recycle": 8}
    matrices = [
        sparse_matrix((turn * (values * (1 + 0.01 * shift))) @ turn.T) for shift in range(3)
    ]
    solver = make_solver(matrices[0], options)
    iterations = []
    for matrix in matrices:
        x, b = matrix.createVecs()
        b.array = np.cos(np.arange(size))
        solver.setOperators(matrix)
        solver.solve(b, x)
        iterations.append(solver.getIterationNumber())
        assert solver.getConvergedReason() > 0
        assert (matrix(x) - b).norm() <= 1e-9 * b.norm()
    # with the tiny ones gone the condition number is 2: about 13 steps to 1e-10; the first
    # directions give rough vectors, which the second solve makes good
    assert iterations[0] > 40
    assert iterations[2] < 20
