"""Blocks of distributed vectors, seen both as PETSc vectors and as one local array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mpi4py import MPI
from petsc4py import PETSc
from scipy.linalg.blas import dgemv

from meshes.structured import FloatArray


class VectorBlock:
    """Vectors of one layout as the columns of a Fortran-ordered local array.

    Parameters
    ----------
    template
        PETSc vector whose layout the columns have.
    num_vectors
        Number of columns.

    Attributes
    ----------
    columns
        Local part, shape ``(local size, num_vectors)``.
    rows
        Its transpose, in C order.
    vectors
        The columns as PETSc vectors that share the memory.
    """

    def __init__(self, template: Any, num_vectors: int) -> None:
        self.local_size, self.global_size = template.getSizes()
        self.rows: FloatArray = np.zeros((num_vectors, self.local_size))
        self.columns: FloatArray = self.rows.T
        comm = template.getComm()
        self.vectors: list[Any] = [
            PETSc.Vec().createWithArray(
                row,
                size=(self.local_size, self.global_size),
                bsize=template.getBlockSize(),
                comm=comm,
            )
            for row in self.rows
        ]
        self._comm = comm.tompi4py() if comm.getSize() > 1 else None
        self._dots: FloatArray = np.zeros(num_vectors)

    def destroy(self) -> None:
        """Free the PETSc vectors."""
        for vector in self.vectors:
            vector.destroy()

    def sum_over_processes(self, values: FloatArray) -> FloatArray:
        """Add an array up over the processes, in place."""
        if self._comm is not None:
            self._comm.Allreduce(MPI.IN_PLACE, values)
        return values

    def from_all_processes(self, rows: FloatArray) -> tuple[FloatArray, int]:
        """Small blocks of rows of all processes, stacked; and where this one's begin."""
        if self._comm is None:
            return rows, 0
        every = self._comm.allgather(rows)
        return np.vstack(every), sum(len(one) for one in every[: self._comm.rank])

    def changed(self, *numbers: int) -> None:
        """Tell PETSc that columns were written through the array."""
        for number in numbers:
            self.vectors[number].stateIncrease()

    def dots(self, count: int, values: FloatArray) -> FloatArray:
        """Inner products of the first `count` columns with a vector or a block of rows."""
        return self.sum_over_processes(np.ascontiguousarray(self.rows[:count] @ values.T))

    def norm(self, values: FloatArray) -> float:
        """Euclidean norm of a distributed vector, given by its local part."""
        return math.sqrt(float(self.sum_over_processes(np.array([values @ values]))[0]))

    def extend(self, count: int, coefficients: FloatArray) -> tuple[float, float]:
        """Make column `count` orthonormal to those before it, which are orthonormal.

        Classical Gram-Schmidt, two passes (Giraud, Langou, Rozložník 2005,
        doi:10.1016/j.camwa.2005.08.009), with one reduction each: the column's own norm
        comes along.

        Parameters
        ----------
        count
            Number of columns before it.
        coefficients
            Its first ``count + 1`` entries get the column's coefficients in the basis.

        Returns
        -------
        tuple
            Norms before and after; where nothing is left the column is not scaled.
        """
        rows, column = self.rows[: count + 1], self.rows[count]
        dots, basis = self._dots[: count + 1], self.columns[:, :count]
        before = 0.0
        for sweep in (0, 1):
            np.dot(rows, column, out=dots)
            if self._comm is not None:
                self._comm.Allreduce(MPI.IN_PLACE, dots)
            if sweep == 0:
                before = float(dots[count])
                coefficients[:count] = dots[:count]
            else:
                coefficients[:count] += dots[:count]
            if self.local_size and count:
                dgemv(-1.0, basis, dots[:count], 1.0, column, overwrite_y=1)
        # the second correction is small: what it takes away may be subtracted
        after = float(dots[count]) - float(dots[:count] @ dots[:count])
        before = math.sqrt(before) if before > 0 else before
        after = 0.0 if after <= 0 else math.sqrt(after) if after > 0 else after  # NaN stays
        coefficients[count] = after
        if after > 0 and math.isfinite(after):
            column *= 1.0 / after
        self.vectors[count].stateIncrease()
        return before, after
