"""Guesses out of solved neighbours: best in their norm, exact in the span."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.sequences import NeighborProjection, guess_parameters
from tests.mpi import run_parallel

SIZE = 30


def positive_matrices(count, size=SIZE, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        vectors = np.linalg.qr(rng.standard_normal((size, size)))[0]
        yield vectors @ np.diag(np.geomspace(1.0, 1e3, size)) @ vectors.T


def filled(solutions, **options):
    guesses = NeighborProjection(solutions.shape[1], len(solutions), **options)
    for solution in solutions:
        guesses.add(solution)
    return guesses


@pytest.mark.parametrize("norm", ["energy", "residual"])
@pytest.mark.parametrize("dependent", [False, True])
def test_exact_where_the_solution_lies_in_the_span(norm, dependent):
    rng = np.random.default_rng(1)
    solutions = rng.standard_normal((5, SIZE)) * np.array([[1e-6], [1.0], [1e6], [1.0], [1.0]])
    if dependent:
        solutions[3] = 2 * solutions[1] - solutions[4]
        solutions[0] = 0.0
    guesses = filled(solutions, norm=norm)
    for matrix in positive_matrices(3):
        exact = rng.standard_normal(5) @ solutions
        found = guesses.guess(lambda block, a=matrix: a @ block, matrix @ exact)
        assert np.linalg.norm(found.values - exact) < 1e-10 * np.linalg.norm(exact)
        assert found.num_vectors == (3 if dependent else 5)
        assert found.relative_residual < 1e-10
        assert found.norm == norm


def test_energy_error_is_the_least_of_the_span():
    rng = np.random.default_rng(2)
    solutions = rng.standard_normal((4, SIZE))
    guesses = filled(solutions)
    for matrix in positive_matrices(3):
        exact = rng.standard_normal(SIZE)
        found = guesses.guess(lambda block, a=matrix: a @ block, matrix @ exact)
        root = np.linalg.cholesky(matrix).T
        best = np.linalg.lstsq(root @ solutions.T, root @ exact)[0] @ solutions
        assert found.values == pytest.approx(best, abs=1e-10)
        error = found.values - exact
        assert error @ matrix @ error <= exact @ matrix @ exact
        left = matrix @ error
        assert found.relative_residual == pytest.approx(
            np.linalg.norm(left) / np.linalg.norm(matrix @ exact)
        )


@pytest.mark.parametrize("kind", ["general", "indefinite", "singular"])
def test_residual_is_the_least_of_the_span(kind):
    rng = np.random.default_rng(3)
    solutions = rng.standard_normal((4, SIZE))
    matrix = rng.standard_normal((SIZE, SIZE))
    if kind == "indefinite":  # asked for the energy, which is none
        matrix = matrix + matrix.T
    if kind == "singular":  # A U is dependent where U is not
        matrix[:, :27] = 0.0
    right = rng.standard_normal(SIZE)
    guesses = filled(solutions, norm="energy" if kind == "indefinite" else "residual")
    found = guesses.guess(lambda block: matrix @ block, right)
    best = np.linalg.lstsq(matrix @ solutions.T, right)[0] @ solutions
    left, least = right - matrix @ found.values, right - matrix @ best
    assert found.norm == "residual"
    assert np.linalg.norm(left) == pytest.approx(np.linalg.norm(least), rel=1e-10)
    assert found.relative_residual == pytest.approx(
        np.linalg.norm(left) / np.linalg.norm(right), rel=1e-10
    )
    assert found.relative_residual < 1.0


def test_recent_or_nearest_solutions():
    guesses = NeighborProjection(1, count=2, capacity=4)
    for number in range(6):
        guesses.add(np.ones(1), np.array([float(number)]))
    assert guesses.num_solutions == 4  # features 2, 3, 4, 5
    assert guesses.chosen() == [3, 2]
    assert guesses.chosen(np.array([2.2])) == [0, 1]
    assert guesses.chosen(np.array([3.5])) == [2, 1]  # a tie goes to the recent one
    guesses.add(np.ones(1))
    assert guesses.chosen(np.array([2.2])) == [3, 2]  # one without features
    guesses.clear()
    assert guesses.guess(lambda block: block, np.ones(1)) is None


def test_a_kept_solution_is_a_copy():
    guesses = NeighborProjection(2, 1)
    solution = np.array([1.0, 0.0])
    guesses.add(solution)
    solution[:] = np.nan
    assert guesses.guess(lambda block: block, np.ones(2)).values.tolist() == [1.0, 0.0]


def test_nothing_to_guess_from():
    guesses = NeighborProjection(3, 2)
    guesses.add(np.zeros(3))
    assert guesses.guess(lambda block: block, np.ones(3)) is None
    guesses.add(np.ones(3))
    assert guesses.guess(lambda block: block, np.zeros(3)) is None
    assert guesses.guess(lambda block: block * np.nan, np.ones(3)) is None
    assert guesses.guess(lambda block: block, np.full(3, np.nan)) is None


@pytest.mark.parametrize("norm", ["energy", "residual"])
@pytest.mark.parametrize("cuts", [[10, 20], [2, 3], [0, 29]])
def test_rows_spread_over_processes(norm, cuts):
    """Also with fewer rows than solutions on a process, or none."""
    rng = np.random.default_rng(4)
    solutions = rng.standard_normal((5, SIZE))
    (matrix,) = positive_matrices(1)
    right = rng.standard_normal(SIZE)
    whole = filled(solutions, norm=norm).guess(lambda block: matrix @ block, right)
    parts = np.split(np.arange(SIZE), cuts)
    barrier, board = threading.Barrier(3, timeout=20), [None] * 3

    def total_at(rank):
        def total(values):
            board[rank] = np.array(values)
            barrier.wait()
            found = sum(board)
            barrier.wait()
            return found

        return total

    answers, blocks = [None] * 3, [None] * 3

    def work(rank):
        def apply(block):
            blocks[rank] = block
            barrier.wait()
            product = (matrix @ np.concatenate(blocks))[parts[rank]]
            barrier.wait()
            return product

        own = solutions[:, parts[rank]]
        guesses = filled(own, norm=norm, total=total_at(rank))
        answers[rank] = guesses.guess(apply, right[parts[rank]])

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = np.concatenate([answer.values for answer in answers])
    assert together == pytest.approx(whole.values, abs=1e-11)
    assert {answer.num_vectors for answer in answers} == {5}


def test_messages():
    with pytest.raises(InputError, match=r"count=3 must be positive and at most capacity=2"):
        NeighborProjection(4, 3, capacity=2)
    with pytest.raises(InputError, match="norm='max' must be 'energy' or 'residual'"):
        NeighborProjection(4, 3, norm="max")
    guesses = NeighborProjection(4, 3)
    with pytest.raises(InputError, match=r"shape \(3,\) must have shape \(4,\)"):
        guesses.add(np.ones(3))
    with pytest.raises(InputError, match="a solution that is not finite"):
        guesses.add(np.full(4, np.inf))
    with pytest.raises(InputError, match=r"b of shape \(5,\) must have shape \(4,\)"):
        guesses.guess(lambda block: block, np.ones(5))
    with pytest.raises(InputError, match=r"no guess 'fisher'. Did you mean 'fischer'"):
        guess_parameters("fisher")
    with pytest.raises(InputError, match="count=0 must be a positive integer"):
        guess_parameters("pod", 0)


def laplacian(PETSc, shift, size=60):
    matrix = PETSc.Mat().createAIJ((size, size), nnz=3, comm=PETSc.COMM_SELF)
    fill(matrix, shift)
    return matrix


def fill(matrix, shift):
    for row in range(matrix.getSize()[0]):
        matrix.setValue(row, row, 2.0 + shift)
        for column in (row - 1, row + 1):
            if 0 <= column < matrix.getSize()[0]:
                matrix.setValue(row, column, -1.0)
    matrix.assemble()


def solver(PETSc, matrix, options):
    prefix = "test_guesses_"
    database = PETSc.Options(prefix)
    ksp = PETSc.KSP().create(comm=PETSc.COMM_SELF)
    ksp.setOptionsPrefix(prefix)
    ksp.setOperators(matrix)
    given = {"ksp_type": "cg", "pc_type": "none", "ksp_rtol": 1e-10, **options}
    for key, value in given.items():
        database[key] = value
    ksp.setFromOptions()
    ksp.setUp()
    for key in given:
        database.delValue(key)
    return ksp


@pytest.mark.petsc
@pytest.mark.parametrize("kind", ["assembled", "shell"])
def test_block_product(kind):
    pytest.importorskip("petsc4py")
    from petsc4py import PETSc

    from pdesolve.sequences._petsc_guesses import block_product

    matrix = laplacian(PETSc, 0.5)
    dense = matrix.convert("dense").getDenseArray().copy()
    if kind == "shell":
        matrix = PETSc.Mat().createTranspose(matrix)
    block = np.random.default_rng(5).standard_normal((60, 3))
    assert block_product(matrix, block) == pytest.approx(dense @ block, abs=1e-13)


@pytest.mark.petsc
def test_krylov_method_starts_from_the_guess():
    pytest.importorskip("petsc4py")
    from petsc4py import PETSc

    from pdesolve.sequences._petsc_guesses import PetscNeighborGuess

    matrix = laplacian(PETSc, 0.1)
    ksp = solver(PETSc, matrix, {})
    u, b = matrix.createVecs()
    rng = np.random.default_rng(6)
    sources = rng.standard_normal((2, 60))
    guesses = PetscNeighborGuess(b, 4, symmetric=True)
    b.array = sources[0]
    assert not guesses.make(matrix, b, u)
    for source in sources:
        b.array = source
        ksp.solve(b, u)
        guesses.add(u)
    from_zero = ksp.getIterationNumber()
    assert from_zero > 20
    b.array = sources.sum(axis=0)
    assert guesses.make(matrix, b, u)
    assert guesses.last.num_vectors == 2
    ksp.setInitialGuessNonzero(True)
    ksp.solve(b, u)
    assert ksp.getIterationNumber() <= 2
    fill(matrix, 0.11)  # another operator, near by
    assert guesses.make(matrix, b, u)
    assert guesses.last.relative_residual < 0.1
    guesses.destroy()
    assert not guesses.make(matrix, b, u)


@pytest.mark.petsc
@pytest.mark.parametrize("name", ["fischer", "pod"])
def test_what_petsc_does_with_its_own_guesses(name):
    pytest.importorskip("petsc4py")
    from petsc4py import PETSc

    matrix = laplacian(PETSc, 0.1)
    u, b = matrix.createVecs()
    rng = np.random.default_rng(7)
    sources = rng.standard_normal((3, 60))

    def iterations(options, shifts, given=None):
        fill(matrix, 0.1)
        ksp = solver(PETSc, matrix, options)
        counts = []
        # the third is a combination of the first two, the last a new one
        every = (*sources[:2], sources[:2].sum(axis=0), sources[2])
        for source, shift in zip(every, shifts, strict=True):
            if shift is not None:
                fill(matrix, shift)
            b.array = source
            u.zeroEntries()
            ksp.setInitialGuessNonzero(given is not None)
            if given is not None:
                u.array = given(source)
            ksp.solve(b, u)
            counts.append(ksp.getIterationNumber())
        return counts

    options = guess_parameters(name, 5)
    same = [None] * 4
    plain, guessed = iterations({}, same), iterations(options, same)
    assert guessed[0] == plain[0]
    assert guessed[2] <= 2 < plain[2]
    # values of the matrix that change, even to the same ones, empty the memory ...
    changing = [0.1] * 4
    assert iterations(options, changing) == plain
    # ... unless the preconditioner is reused
    kept = iterations({**options, "ksp_reuse_preconditioner": "true"}, changing)
    assert kept[2] <= 2
    # a guess that is given is not read: here the exact answer
    dense = matrix.convert("dense").getDenseArray().copy()
    exact = iterations({}, same, lambda source: np.linalg.solve(dense, source))
    assert max(exact) <= 1
    ignored = iterations(options, same, lambda source: np.linalg.solve(dense, source))
    assert ignored[0] == plain[0]
    assert ignored[3] > 20


@pytest.mark.petsc
@pytest.mark.parallel
def test_three_processes():
    pytest.importorskip("petsc4py")
    run_parallel(
        """
import numpy as np
from petsc4py import PETSc
from pdesolve.sequences._petsc_guesses import PetscNeighborGuess

matrix = PETSc.Mat().createAIJ((20, 20), nnz=3)
for row in range(*matrix.getOwnershipRange()):
    matrix.setValue(row, row, 3.0 + row)
    for column in (row - 1, row + 1):
        if 0 <= column < 20:
            matrix.setValue(row, column, -1.0)
matrix.assemble()
u, b = matrix.createVecs()
rng = np.random.default_rng(8)
solutions = rng.standard_normal((4, 20))
mine = slice(*matrix.getOwnershipRange())
for symmetric in (True, False):
    guesses = PetscNeighborGuess(b, 4, symmetric)
    for solution in solutions:
        u.array = solution[mine]
        guesses.add(u)
    exact = np.array([1.0, -2.0, 3.0, 4.0]) @ solutions
    u.array = exact[mine]
    matrix.mult(u, b)
    u.zeroEntries()
    assert guesses.make(matrix, b, u)
    assert np.abs(u.array - exact[mine]).max() < 1e-10, u.array - exact[mine]
    assert guesses.last.num_vectors == 4
""",
        3,
    )
