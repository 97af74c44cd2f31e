"""What every recycling solver must do, whatever the preconditioner."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from meshes.errors import InputError

petsc = pytest.importorskip("petsc4py.PETSc")

from tests.pdesolve.ksp.sequences import (  # noqa: E402
    DEFLATED,
    GCRODR,
    Systems,
    cause,
    direct_solution,
    make_solver,
    sparse_matrix,
)

pytestmark = pytest.mark.petsc
BOTH = pytest.mark.parametrize("method", [GCRODR, DEFLATED], ids=["gcrodr", "deflated_cg"])
PLAIN = {"pc_type": "none"}


def small(size=60):
    """A symmetric positive definite tridiagonal matrix."""
    return sparse_matrix(2.02 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1))


def start(matrix, value=1.0):
    x, b = matrix.createVecs()
    b.set(value)
    return x, b


@pytest.fixture(scope="module")
def darcy():
    return Systems("darcy2d", 20, 5)


@pytest.fixture(scope="module")
def convection():
    return Systems("convection_diffusion2d", 20, 4)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize(
    ("family", "preconditioner"),
    [
        *itertools.product(("darcy", "convection"), ("none", "jacobi", "ilu")),
        ("darcy", "gamg"),
    ],
)
def test_gcrodr_gives_the_direct_solution(family, preconditioner, side, request):
    systems = request.getfixturevalue(family)
    options = {
        **GCRODR, "ksp_pc_side": side, "pc_type": preconditioner, "ksp_rtol": 1e-10,
        "gcrodr_restart": 20, "gcrodr_recycle": 8,
    }  # fmt: skip
    systems.load(0)
    solver = make_solver(systems.mat, options)
    for number in range(3):
        systems.load(number)
        solver.solve(systems.b, systems.x)
        assert solver.getConvergedReason() > 0
        expected = direct_solution(systems.mat, systems.b)
        # condition numbers are below 1e5
        np.testing.assert_allclose(
            systems.x.array, expected, rtol=0, atol=1e-5 * np.abs(expected).max()
        )
        if side == "right":
            assert systems.relative_residual() < 1.02e-10


@pytest.mark.parametrize("norm", ["preconditioned", "unpreconditioned", "natural"])
@pytest.mark.parametrize("preconditioner", ["none", "jacobi", "icc", "gamg"])
def test_deflated_cg_gives_the_direct_solution(darcy, preconditioner, norm):
    options = {
        **DEFLATED, "ksp_norm_type": norm, "pc_type": preconditioner, "ksp_rtol": 1e-10,
        "deflated_cg_recycle": 8, "deflated_cg_directions": 16,
        "mg_levels_ksp_max_it": 2, "mg_levels_pc_type": "jacobi",
    }  # fmt: skip
    darcy.load(0)
    solver = make_solver(darcy.mat, options)
    for number in range(3):
        darcy.load(number)
        solver.solve(darcy.b, darcy.x)
        assert solver.getConvergedReason() > 0
        expected = direct_solution(darcy.mat, darcy.b)
        np.testing.assert_allclose(
            darcy.x.array, expected, rtol=0, atol=1e-6 * np.abs(expected).max()
        )


@BOTH
def test_history_monitor_and_norm_agree(darcy, method):
    darcy.load(0)
    solver = make_solver(darcy.mat, {**method, "pc_type": "jacobi"})
    seen = []
    solver.setMonitor(lambda _, number, norm: seen.append((number, norm)))
    for number in (0, 1):
        seen.clear()
        darcy.load(number)
        solver.solve(darcy.b, darcy.x)
        history = solver.getConvergenceHistory()
        assert [number for number, _ in seen] == list(range(solver.getIterationNumber() + 1))
        np.testing.assert_array_equal(history, [norm for _, norm in seen])
        assert solver.getResidualNorm() == history[-1]
        assert history[-1] <= 1e-5 * history[0] < history[-2]


@pytest.mark.parametrize("side", ["left", "right"])
def test_gcrodr_builds_its_iterate_at_any_moment(darcy, side):
    norm = {"left": "preconditioned", "right": "unpreconditioned"}[side]
    options = {**GCRODR, "ksp_pc_side": side, "gcrodr_restart": 12, "gcrodr_recycle": 4}
    check_iterates(darcy, {**options, "pc_type": "jacobi"}, norm)


def test_deflated_cg_builds_its_iterate_at_any_moment(darcy):
    check_iterates(darcy, {**DEFLATED, "pc_type": "jacobi"}, "preconditioned")


def check_iterates(darcy, options, norm):
    darcy.load(0)
    solver = make_solver(darcy.mat, options)
    gaps = []

    def monitor(solver, number, value):
        residual = darcy.b - darcy.mat(solver.buildSolution(darcy.b.duplicate()))
        if norm == "preconditioned":
            solver.getPC().apply(residual.copy(), residual)
        gaps.append(abs(residual.norm() - value) / value)

    solver.setMonitor(monitor)
    for number in (0, 1):
        darcy.load(number)
        solver.solve(darcy.b, darcy.x)
    # number 0 of the second solve comes before the projection, and so does the iterate
    assert max(gaps) < 1e-8


@BOTH
def test_products_are_counted(darcy, method):
    """A matrix that counts agrees; operators of unknown state renew their images."""

    class Counting:
        products = 0

        def mult(self, _, x, y):
            Counting.products += 1
            darcy.mat.mult(x, y)

    darcy.load(0)
    shell = petsc.Mat().createPython(darcy.mat.getSizes(), Counting(), comm=darcy.mat.comm)
    shell.setUp()
    solver = make_solver(shell, {**method, **PLAIN})
    context = solver.getPythonContext()
    total = 0
    for _ in range(3):
        Counting.products = 0
        solver.solve(darcy.b, darcy.x)
        assert solver.getConvergedReason() > 0
        assert context.matvecs == Counting.products
        total += Counting.products
        expected = 0 if total == Counting.products else 20
        assert context.recycle_matvecs == expected
    assert context.total_matvecs == total
    assert context.total_iterations > 0


@BOTH
def test_the_image_is_renewed_only_when_the_operator_changed(darcy, method):
    darcy.load(0)
    solver = make_solver(darcy.mat, {**method, **PLAIN, "ksp_rtol": 1e-8})
    context = solver.getPythonContext()
    spent, iterations = [], []
    for number in (0, 0, 1, 1, 1):
        if number != 0 or not spent:
            darcy.load(number)
        if spent and len(spent) in (3, 4):
            darcy.b.scale(-2.0)
        solver.solve(darcy.b, darcy.x)
        spent.append(context.recycle_matvecs)
        iterations.append(solver.getIterationNumber())
        assert context.matvecs == iterations[-1] + spent[-1] + 1  # one to verify
        assert darcy.relative_residual() < 1.02e-8
    assert spent[:3] == [0, 0, 20]
    assert iterations[1] < iterations[0]
    context.clear()
    assert context.num_recycled == 0
    darcy.load(0)
    solver.solve(darcy.b, darcy.x)
    assert context.recycle_matvecs == 0
    assert abs(solver.getIterationNumber() - iterations[0]) <= 1


@BOTH
def test_another_preconditioner_for_the_same_matrix_renews_the_image(darcy, method):
    darcy.load(0)
    solver = make_solver(darcy.mat, {**method, "pc_type": "jacobi", "ksp_rtol": 1e-9})
    solver.solve(darcy.b, darcy.x)
    solver.getPC().setType("icc")
    solver.solve(darcy.b, darcy.x)
    if method is GCRODR:
        assert solver.getPythonContext().recycle_matvecs == 20
    assert solver.getConvergedReason() > 0
    expected = direct_solution(darcy.mat, darcy.b)
    np.testing.assert_allclose(darcy.x.array, expected, atol=1e-6 * np.abs(expected).max())


@BOTH
def test_a_good_guess_ends_at_once(darcy, method):
    darcy.load(0)
    solver = make_solver(darcy.mat, {**method, "pc_type": "jacobi", "ksp_rtol": 1e-8})
    solver.solve(darcy.b, darcy.x)
    solver.setInitialGuessNonzero(True)
    solver.setTolerances(rtol=1e-6)
    solver.solve(darcy.b, darcy.x)
    assert solver.getIterationNumber() == 0
    assert solver.getPythonContext().matvecs == 1
    darcy.load(1)
    solver.solve(darcy.b, darcy.x)  # from the answer of another system
    assert darcy.relative_residual() < 1e-5


@BOTH
def test_reasons_to_stop(method):
    matrix = small()
    x, b = start(matrix)

    def ends(options, right=b):
        solver = make_solver(matrix, {**method, **PLAIN, **options})
        solver.solve(right, x)
        return solver.getConvergedReason()

    reason = petsc.KSP.ConvergedReason
    assert ends({}) == reason.CONVERGED_RTOL
    assert ends({"ksp_rtol": 1e-30, "ksp_atol": 1e-6}) == reason.CONVERGED_ATOL
    assert ends({"ksp_max_it": 3}) == reason.DIVERGED_MAX_IT
    assert ends({"ksp_max_it": 0}) == reason.DIVERGED_MAX_IT
    assert ends({"ksp_norm_type": "none", "ksp_convergence_test": "skip", "ksp_max_it": 5}) == (
        reason.CONVERGED_ITS
    )
    zero = b.duplicate()
    zero.set(0)
    assert ends({}, zero) == reason.CONVERGED_ATOL
    assert x.norm() == 0
    broken = b.copy()
    broken[3] = math.nan
    assert ends({}, broken) == reason.DIVERGED_NANORINF


@BOTH
def test_a_test_of_ones_own(method):
    matrix = small()
    x, b = start(matrix)
    solver = make_solver(matrix, {**method, **PLAIN})
    solver.setConvergenceTest(lambda _, number, __: 77 if number == 4 else 0)
    solver.solve(b, x)
    assert (solver.getIterationNumber(), solver.getConvergedReason()) == (4, 77)


@BOTH
def test_nan_in_the_matrix_or_in_the_recycled_space(method):
    matrix = small()
    x, b = start(matrix)
    solver = make_solver(matrix, {**method, **PLAIN})
    solver.solve(b, x)
    matrix.setValue(5, 5, math.nan)
    matrix.assemble()
    solver.solve(b, x)
    assert solver.getConvergedReason() == petsc.KSP.ConvergedReason.DIVERGED_NANORINF
    matrix.setValue(5, 5, 2.02)
    matrix.assemble()
    solver.solve(b, x)
    assert solver.getConvergedReason() > 0
    np.testing.assert_allclose(x.array, direct_solution(matrix, b), rtol=1e-3)


@BOTH
def test_a_preconditioner_that_cannot_be_made(method):
    matrix = small(3)
    matrix.setValue(0, 0, 0.0)
    matrix.assemble()
    x, b = start(matrix)
    solver = make_solver(
        matrix, {**method, "pc_type": "lu", "pc_factor_mat_ordering_type": "natural"}
    )
    solver.solve(b, x)
    assert solver.getConvergedReason() == petsc.KSP.ConvergedReason.DIVERGED_PCSETUP_FAILED


@BOTH
@pytest.mark.parametrize("size", [1, 2, 5])
def test_fewer_unknowns_than_recycled_vectors(method, size):
    matrix = small(size)
    x, b = start(matrix)
    solver = make_solver(matrix, {**method, **PLAIN, "ksp_rtol": 1e-12})
    for value in (1.0, 3.0):
        b.array = value + np.arange(size)
        matrix.setValue(0, 0, 2.0 + value)
        matrix.assemble()
        solver.solve(b, x)
        assert solver.getConvergedReason() > 0
        np.testing.assert_allclose(x.array, direct_solution(matrix, b), rtol=1e-10)
        assert solver.getPythonContext().num_recycled < max(size, 1)


@BOTH
def test_an_operator_that_has_nothing_in_common_with_the_last_one(method):
    """Recycled vectors that become dependent under it are dropped."""
    size = 50
    diagonal = np.linspace(1, 100, size)
    matrix = sparse_matrix(np.diag(diagonal))
    x, b = start(matrix)
    solver = make_solver(matrix, {**method, **PLAIN, "ksp_rtol": 1e-10})
    solver.solve(b, x)
    assert solver.getPythonContext().num_recycled > 2
    low = 1e-14 * np.ones(size)
    low[:2] = 1.0
    low[2:] += 1e-13 * np.arange(size - 2)
    for entries in (low, np.ones(size), diagonal[::-1]):
        new = matrix.createVecLeft()
        new.array = entries
        matrix.setDiagonal(new)
        b.array = entries * np.cos(np.arange(size))
        solver.solve(b, x)
        assert np.isfinite(x.array).all()
        residual = entries * x.array - b.array
        assert np.linalg.norm(residual) <= 1.02e-10 * b.norm()
        assert solver.getConvergedReason() > 0


@BOTH
def test_a_system_of_another_size(method):
    matrix = small(30)
    solver = make_solver(matrix, {**method, **PLAIN})
    x, b = start(matrix)
    solver.solve(b, x)
    assert solver.getPythonContext().num_recycled > 0
    solver.reset()
    assert solver.getPythonContext().num_recycled == 0
    other = small(45)
    solver.setOperators(other)
    x, b = start(other)
    solver.solve(b, x)
    assert solver.getPythonContext().recycle_matvecs == 0
    np.testing.assert_allclose(x.array, direct_solution(other, b), rtol=1e-3)


@BOTH
def test_a_null_space_is_kept_out(method):
    size = 40
    matrix = 2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    matrix[0, 0] = matrix[-1, -1] = 1.0
    matrix = sparse_matrix(matrix)
    matrix.setNullSpace(petsc.NullSpace().create(constant=True, comm=matrix.comm))
    x, b = start(matrix)
    solver = make_solver(matrix, {**method, "pc_type": "jacobi", "ksp_rtol": 1e-10})
    for shift in (0, 3):
        b.array = np.sin(2 * np.pi * (np.arange(size) + shift) / size)
        b.shift(-b.sum() / size)
        matrix.scale(1.5)
        solver.solve(b, x)
        assert solver.getConvergedReason() > 0
        assert abs(x.sum()) < 1e-8 * x.norm()
        assert (matrix(x) - b).norm() < 1e-8 * b.norm()


@BOTH
def test_view_and_prefix(method, capfd):
    matrix = small()
    solver = make_solver(matrix, {**method, **PLAIN})
    x, b = start(matrix)
    solver.solve(b, x)
    solver.view(petsc.Viewer.STDOUT(matrix.comm))
    shown = capfd.readouterr().out
    assert method["ksp_python_type"] in shown
    assert "recycle=20" in shown


@BOTH
def test_the_transpose_is_refused(method):
    matrix = small()
    x, b = start(matrix)
    solver = make_solver(matrix, {**method, **PLAIN})
    with pytest.raises(petsc.Error) as caught:
        solver.solveTranspose(b, x)
    assert isinstance(caught.value.__cause__, InputError)
    assert "transposed matrix" in cause(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({**GCRODR, "gcrodr_restart": 1, "gcrodr_recycle": 0}, "gcrodr_restart=1 is below 2"),
        ({**GCRODR, "gcrodr_recycle": 40}, "gcrodr_recycle=40 must be at least 0"),
        ({**GCRODR, "gcrodr_recycle": -1}, "gcrodr_recycle=-1 must be at least 0"),
        ({**GCRODR, "gcrodr_restart": "many"}, "gcrodr_restart='many' is not an integer"),
        ({**DEFLATED, "deflated_cg_recycle": -2}, "deflated_cg_recycle=-2 must be"),
        ({**DEFLATED, "deflated_cg_directions": 0}, "deflated_cg_directions=0 leaves nothing"),
        ({**GCRODR, "ksp_norm_type": "unpreconditioned", "ksp_pc_side": "left"}, "cannot test"),
        ({**GCRODR, "ksp_norm_type": "preconditioned", "ksp_pc_side": "right"}, "cannot test"),
        ({**GCRODR, "ksp_pc_side": "symmetric"}, "ksp_pc_side symmetric"),
        ({**DEFLATED, "ksp_pc_side": "right"}, "ksp_pc_side left only"),
    ],
)
def test_bad_options(options, message):
    matrix = small()
    x, b = start(matrix)
    with pytest.raises((petsc.Error, InputError)) as caught:
        make_solver(matrix, options).solve(b, x)
    assert message in cause(caught.value)
    assert isinstance(caught.value, InputError) or isinstance(caught.value.__cause__, InputError)
