"""Sequences of systems, and solvers for them, for the tests of this folder."""

from __future__ import annotations

import itertools

import numpy as np
from petsc4py import PETSc
from scipy.sparse import csr_array
from scipy.sparse.linalg import spsolve

from operators import StencilMatrix
from pdesolve import get_family, sample_generator

GCRODR = {"ksp_type": "python", "ksp_python_type": "pdesolve.ksp.GCRODR"}
DEFLATED = {"ksp_type": "python", "ksp_python_type": "pdesolve.ksp.DeflatedCG"}
_NUMBER = itertools.count()


class Systems:
    """Systems of one family that take turns in one PETSc matrix."""

    def __init__(self, family: str, size: int, count: int) -> None:
        kind = get_family(family)
        problems = [kind.problem(kind.sample(sample_generator(5, "t", i))) for i in range(count)]
        self.grid = problems[0].grid((size, size))
        self.systems = [problem.discretize(self.grid) for problem in problems]
        self.matrix = StencilMatrix(self.grid, self.systems[0].stencil.offsets)
        self.mat = self.matrix.mat
        self.x, self.b = self.mat.createVecs()

    def __len__(self) -> int:
        return len(self.systems)

    def load(self, number: int) -> None:
        system = self.systems[number]
        self.matrix.set_values(system.stencil)
        self.mat.setOption(PETSc.Mat.Option.SYMMETRIC, system.symmetric)
        self.b.array = system.right_hand_side[self.matrix.local_window].ravel()

    def relative_residual(self) -> float:
        residual = self.b.duplicate()
        self.mat.mult(self.x, residual)
        residual.aypx(-1.0, self.b)
        return residual.norm() / self.b.norm()

    def run(self, options, numbers=None):
        """Solve the systems in turn with one solver; the solver and its iteration numbers."""
        numbers = range(len(self)) if numbers is None else numbers
        self.load(numbers[0])
        solver = make_solver(self.mat, options)
        iterations = []
        for number in numbers:
            self.load(number)
            solver.solve(self.b, self.x)
            assert solver.getConvergedReason() > 0, solver.getConvergedReason()
            iterations.append(solver.getIterationNumber())
        return solver, iterations


def make_solver(mat, options):
    prefix = f"t{next(_NUMBER)}_"
    given = PETSc.Options(prefix)
    for name, value in options.items():
        given[name] = value
    solver = PETSc.KSP().create(mat.comm)
    solver.setOptionsPrefix(prefix)
    solver.setOperators(mat)
    solver.setConvergenceHistory(reset=True)
    try:
        solver.setFromOptions()
    finally:
        for name in options:
            given.delValue(name)
    return solver


def dense_matrix(array):
    return PETSc.Mat().createDense(np.shape(array), array=np.array(array), comm=PETSc.COMM_SELF)


def sparse_matrix(array):
    rows = csr_array(np.array(array, dtype=float))
    return PETSc.Mat().createAIJ(
        rows.shape, csr=(rows.indptr, rows.indices, rows.data), comm=PETSc.COMM_SELF
    )


def direct_solution(mat, b):
    start, columns, values = mat.getValuesCSR()
    return spsolve(csr_array((values, columns, start), shape=mat.getSize()).tocsc(), b.array)


def cause(error):
    """The text of an exception and of what it came from."""
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__
    return "\n".join(texts)
