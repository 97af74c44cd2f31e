"""The vectors of deflated conjugate gradients: what is recycled, and the first directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshes.structured import FloatArray
from pdesolve.ksp._petsc_basis import VectorBlock
from pdesolve.ksp._petsc_operator import PreconditionedOperator

# Eigenvalues of WᵀAW, scaled to a unit diagonal, below this belong to dependent vectors.
_RANK_TOLERANCE = 1e-10


class DeflationSpace:
    """W with WᵀAW = I, and the first search directions of a solve, A-orthonormal to it.

    With B = [W, p₀, p₁, …] and BᵀAB = I, the harmonic Ritz values of M⁻¹A in range(B) are
    the eigenvalues of the symmetric matrix (AB)ᵀM⁻¹(AB). Its columns for the directions
    come from the numbers of the iteration, since M⁻¹Apⱼ = (zⱼ − zⱼ₊₁)/αⱼ; its block for W
    costs an application of M⁻¹ for each vector of a new operator.

    Parameters
    ----------
    template
        PETSc vector with the layout.
    recycle
        Most vectors of W.
    directions
        Most search directions.

    Attributes
    ----------
    num_recycled
        How many vectors W has now.
    num_directions
        How many search directions were taken in.
    basis, images
        B and AB.
    work
        r, z, p, A p and two vectors of scratch.
    """

    def __init__(self, template: Any, recycle: int, directions: int) -> None:
        self.recycle, self.directions = recycle, directions
        self.num_recycled = self.num_directions = 0
        self.basis = VectorBlock(template, recycle + directions)
        self.images = VectorBlock(template, recycle + directions)
        self.work = VectorBlock(template, 6)
        self._energy: FloatArray = np.zeros((recycle + directions, recycle + directions))
        self._identity: tuple[Any, ...] | None = None
        self._scale = 0.0

    def destroy(self) -> None:
        """Free PETSc's vectors."""
        for block in (self.basis, self.images, self.work):
            block.destroy()

    def clear(self) -> None:
        """Drop W."""
        self.num_recycled = self.num_directions = 0
        self._identity = None

    @property
    def count(self) -> int:
        """Vectors of B."""
        return self.num_recycled + self.num_directions

    def renew(self, operator: PreconditionedOperator) -> bool:
        """Make W A-orthonormal; False if A is not positive on it.

        AW costs a product for each vector unless the operator is that of the last solve.
        """
        self.num_directions = 0
        identity, count = operator.identity(), self.num_recycled
        if not count:
            return True
        if identity is None or identity != self._identity:
            for source, target in zip(
                self.basis.vectors[:count], self.images.vectors[:count], strict=True
            ):
                operator.multiply(source, target)
        for _ in range(2):  # as in Cholesky QR, the second time to rounding
            definite, kept = self._orthonormalize()
            if not definite:
                self.clear()
                return False
            if not kept:
                return True
        self._identity = operator.identity()
        count = self.num_recycled
        preconditioned = self.work.rows[4]
        for i in range(count):
            operator.precondition(self.images.vectors[i], self.work.vectors[4])
            self._energy[:count, i] = self.images.rows[:count] @ preconditioned
        block = np.ascontiguousarray(self._energy[:count, :count])
        self._energy[:count, :count] = self.basis.sum_over_processes(block)
        return True

    def _orthonormalize(self) -> tuple[bool, int]:
        count = self.num_recycled
        energy = self.basis.dots(count, self.images.rows[:count])
        energy = 0.5 * (energy + energy.T)
        diagonal = np.diagonal(energy)
        if not np.isfinite(energy).all():
            self.clear()
            return True, 0
        if (diagonal <= 0).any():
            return False, 0
        scale = 1 / np.sqrt(diagonal)
        values, vectors = np.linalg.eigh(energy * scale * scale[:, np.newaxis])
        if values[0] < -_RANK_TOLERANCE:
            return False, 0
        good = values > _RANK_TOLERANCE
        transform = scale[:, np.newaxis] * vectors[:, good] / np.sqrt(values[good])
        self.num_recycled = kept = transform.shape[1]
        for block in (self.basis, self.images):
            block.rows[:kept] = transform.T @ block.rows[:count]
            block.changed(*range(kept))
        return True, kept

    def project(self, x: FloatArray) -> None:
        """Take the part along W from the error: Wᵀr = 0 afterwards."""
        count, residual = self.num_recycled, self.work.rows[0]
        if count:
            part = self.basis.dots(count, residual)
            x += part @ self.basis.rows[:count]
            residual -= part @ self.images.rows[:count]
            self.work.changed(0)

    def conjugate(self, vector: FloatArray, count: int) -> None:
        """Make a vector A-orthogonal to the first vectors of B, in place."""
        if count:
            vector -= self.images.dots(count, vector) @ self.basis.rows[:count]

    def add(self, energy: float) -> None:
        """Take in the present search direction, whose pᵀAp is given."""
        place = self.count
        self._scale = float(np.sqrt(energy))
        np.multiply(self.work.rows[2], 1 / self._scale, out=self.basis.rows[place])
        np.multiply(self.work.rows[3], 1 / self._scale, out=self.images.rows[place])
        self.basis.changed(place)
        self.images.changed(place)
        self.num_directions += 1

    def record(self, before: FloatArray, after: FloatArray, step: float) -> None:
        """The newest direction's column of (AB)ᵀM⁻¹(AB), from (AB)ᵀz before and after it."""
        place = self.count - 1
        column = np.append(before[:place], self._scale) - after[: place + 1]
        column /= step * self._scale
        self._energy[: place + 1, place] = self._energy[place, : place + 1] = column

    def choose(self, operator: PreconditionedOperator) -> None:
        """Take the harmonic Ritz vectors of least value as the new W, with AW."""
        count = self.count
        matrix = self._energy[:count, :count]
        wanted = min(self.recycle, count, self.basis.global_size - 1)
        if not self.num_directions or not wanted or not np.isfinite(matrix).all():
            return
        _, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
        chosen = vectors[:, :wanted].T
        for block in (self.basis, self.images):
            block.rows[:wanted] = chosen @ block.rows[:count]
            block.changed(*range(wanted))
        self.num_recycled, self.num_directions = wanted, 0
        self._identity = operator.identity()
