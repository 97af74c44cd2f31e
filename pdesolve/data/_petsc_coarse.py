"""Rough solves of the coarse systems behind error estimates."""

from __future__ import annotations

from typing import Any

from petsc4py import PETSc

from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_stencil import StencilMatrix
from pdesolve.problems.base import LinearSystem

MAX_ITERATIONS = 500


class CoarseSolver:
    """Corrections e of guesses x on one grid, A e = b − A x, to a few per cent.

    Conjugate gradients with an incomplete Cholesky factorisation in the natural norm
    (GMRES with ILU for matrices that are not symmetric): for a loose tolerance this needs
    less time than setting up multigrid. Its state does not outlive a solve.

    Parameters
    ----------
    grid
        Grid of all systems.
    reduction
        Factor by which the residual is reduced.
    comm
        Communicator of one process.
    """

    def __init__(self, grid: StructuredGrid, reduction: float, comm: Any) -> None:
        self.grid = grid
        self.reduction = reduction
        self._comm = comm
        self._matrix: StencilMatrix | None = None
        self._kind: tuple[object, ...] = ()

    def _create(self, system: LinearSystem) -> StencilMatrix:
        matrix = StencilMatrix(self.grid, system.stencil.offsets, self._comm)
        if system.constant_null_space:
            matrix.mat.setNullSpace(PETSc.NullSpace().create(constant=True, comm=self._comm))
        matrix.mat.setOption(PETSc.Mat.Option.SYMMETRIC, system.symmetric)
        self._ksp = PETSc.KSP().create(comm=self._comm)
        self._ksp.setOperators(matrix.mat)
        factors = self._ksp.getPC()
        if system.symmetric:
            self._ksp.setType(PETSc.KSP.Type.CG)
            self._ksp.setNormType(PETSc.KSP.NormType.NATURAL)
            factors.setType(PETSc.PC.Type.ICC)
            factors.setFactorShift(PETSc.Mat.FactorShiftType.POSITIVE_DEFINITE)
        else:
            self._ksp.setType(PETSc.KSP.Type.GMRES)
            factors.setType(PETSc.PC.Type.ILU)
            factors.setFactorShift(PETSc.Mat.FactorShiftType.NONZERO)
        self._ksp.setTolerances(rtol=self.reduction, atol=1e-300, max_it=MAX_ITERATIONS)
        self._ksp.setErrorIfNotConverged(False)
        self._guess, self._right = matrix.vector(), matrix.vector()
        self._residual, self._correction = matrix.vector(), matrix.vector()
        return matrix

    def correction(self, system: LinearSystem, guess: FloatArray) -> FloatArray | None:
        """The correction, of shape ``grid.shape``, or None if it was not found."""
        kind = (system.stencil.offsets.tobytes(), system.symmetric, system.constant_null_space)
        if kind != self._kind:  # so that estimates do not depend on the systems before
            self.destroy()
        if self._matrix is None:
            self._matrix, self._kind = self._create(system), kind
        self._matrix.set_values(system.stencil)
        self._guess.array = guess.ravel()
        self._right.array = system.right_hand_side.ravel()
        self._matrix.mat.mult(self._guess, self._residual)
        self._residual.aypx(-1.0, self._right)
        try:
            self._ksp.solve(self._residual, self._correction)
        except PETSc.Error:
            return None
        if self._ksp.getConvergedReason() <= 0:
            return None
        if system.constant_null_space:
            self._correction.shift(-self._correction.sum() / self._correction.getSize())
        return self._matrix.local_array(self._correction)

    def destroy(self) -> None:
        """Free the PETSc objects."""
        if self._matrix is not None:
            vectors = (self._guess, self._right, self._residual, self._correction)
            for item in (self._ksp, *vectors, self._matrix):
                item.destroy()
            self._matrix = None
