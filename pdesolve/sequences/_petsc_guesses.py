"""First guesses out of earlier solutions for PETSc's solvers."""

from __future__ import annotations

from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.structured import FloatArray
from pdesolve.sequences.guesses import NeighborProjection, ProjectedGuess


def block_product(matrix: Any, block: FloatArray) -> FloatArray:
    """A X for the process's rows of X, shape ``(local size, k)`` (collective).

    One pass over an assembled matrix; k products with any other.

    Examples
    --------
    >>> matrix = PETSc.Mat().createAIJ((2, 2), nnz=2, comm=PETSc.COMM_SELF)
    >>> matrix.setValues([0, 1], [0, 1], [1.0, 2.0, 3.0, 4.0])
    >>> matrix.assemble()
    >>> block_product(matrix, np.array([[1.0, 0.0], [0.0, 1.0]])).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    count = block.shape[1]
    if matrix.getType() in (PETSc.Mat.Type.SEQAIJ, PETSc.Mat.Type.MPIAIJ):
        dense = PETSc.Mat().createDense(
            (matrix.getSizes()[1], (None, count)), array=np.asfortranarray(block), comm=matrix.comm
        )
        product = matrix.matMult(dense)
        found = np.array(product.getDenseArray(readonly=True))
        product.destroy()
        dense.destroy()
        return found
    right, left = matrix.createVecs()
    found = np.empty((left.getLocalSize(), count), order="F")
    for column in range(count):
        right.array = block[:, column]
        matrix.mult(right, left)
        found[:, column] = left.array_r
    right.destroy()
    left.destroy()
    return found


class PetscNeighborGuess:
    """First guesses for a sequence of PETSc's linear systems of one size.

    See :class:`pdesolve.sequences.NeighborProjection` for what is computed and its cost.

    Parameters
    ----------
    right
        A vector like the right-hand sides, for its size and communicator.
    neighbors
        Solutions that a guess is made from.
    symmetric
        Whether the matrices are symmetric: the guess is then best in the energy norm where
        the projected matrix is positive definite, and in the residual's otherwise.
    capacity
        Solutions that are kept, see there.

    Attributes
    ----------
    last
        The last guess, a :class:`pdesolve.sequences.ProjectedGuess`, or None.

    Examples
    --------
    >>> matrix = PETSc.Mat().createConstantDiagonal(3, 2.0, comm=PETSc.COMM_SELF)
    >>> u, b = matrix.createVecs()
    >>> b.set(6.0)
    >>> guesses = PetscNeighborGuess(b, 4, symmetric=True)
    >>> guesses.make(matrix, b, u)
    False
    >>> u.set(1.0)
    >>> guesses.add(u)
    >>> guesses.make(matrix, b, u), u.array.round(12).tolist()
    (True, [3.0, 3.0, 3.0])
    """

    def __init__(
        self, right: Any, neighbors: int, symmetric: bool, capacity: int | None = None
    ) -> None:
        self._projection = NeighborProjection(
            right.getLocalSize(),
            neighbors,
            norm="energy" if symmetric else "residual",
            capacity=capacity,
            total=_sum_over(right.comm),
        )
        self.last: ProjectedGuess | None = None

    def make(
        self, matrix: Any, right: Any, vector: Any, features: FloatArray | None = None
    ) -> bool:
        """Write the guess for a system into a vector (collective).

        Parameters
        ----------
        matrix, right
            A and b.
        vector
            Overwritten with the guess; left as it is where there is none.
        features
            Of this system, to choose the nearest solutions by.

        Returns
        -------
        bool
            Whether there is a guess.
        """
        self.last = self._projection.guess(
            lambda block: block_product(matrix, block), right.array_r, features
        )
        if self.last is None:
            return False
        vector.array = self.last.values
        return True

    def add(self, vector: Any, features: FloatArray | None = None) -> None:
        """Keep a copy of a solution."""
        self._projection.add(vector.array_r, features)

    def destroy(self) -> None:
        """Forget all solutions."""
        self._projection.clear()
        self.last = None


def _sum_over(comm: Any) -> Any:
    if comm.getSize() == 1:
        return None
    world = comm.tompi4py()

    def total(values: FloatArray) -> FloatArray:
        own = np.ascontiguousarray(values, dtype=np.float64)
        found = np.empty_like(own)
        world.Allreduce(own, found)
        return found

    return total
