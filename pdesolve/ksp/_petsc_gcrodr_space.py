"""The vectors of GCRO-DR: what is recycled, its image, and Arnoldi's basis."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshes.structured import FloatArray
from pdesolve.ksp._petsc_basis import VectorBlock
from pdesolve.ksp._petsc_operator import PreconditionedOperator
from pdesolve.ksp._petsc_orthonormal import orthonormalize
from pdesolve.ksp.harmonic_ritz import harmonic_ritz_space


class DeflatedKrylovSpace:
    """U and C = op(U), CᵀC = I, followed by Arnoldi's vectors of (I − CCᵀ) op.

    C and Arnoldi's vectors lie in one block, so that one product orthogonalises against
    both: op(V̂) = Ŵ G with V̂ = [U D, V], Ŵ = [C, V, v₊], D = diag(1/‖uᵢ‖), and G kept
    column by column.

    Parameters
    ----------
    template
        PETSc vector with the layout.
    restart
        Most vectors of V̂.
    recycle
        Most vectors of U.

    Attributes
    ----------
    basis
        C and Arnoldi's vectors.
    recycled
        U.
    work
        Residual, correction, and two vectors of scratch.
    num_recycled
        How many columns U and C have now.
    """

    def __init__(self, template: Any, restart: int, recycle: int) -> None:
        self.restart, self.recycle = restart, recycle
        self.num_recycled = 0
        self.basis = VectorBlock(template, restart + 2)
        self.recycled = VectorBlock(template, recycle + 1)  # one more: a pair and k = 1
        self.work = VectorBlock(template, 4)
        self._spare = np.zeros((recycle + 1, self.basis.local_size))
        # row i: column i of G
        self._columns = np.zeros((restart + 2, restart + 2))
        self._identity: tuple[Any, ...] | None = None

    def destroy(self) -> None:
        """Free PETSc's vectors."""
        for block in (self.basis, self.recycled, self.work):
            block.destroy()

    def clear(self) -> None:
        """Drop U and C."""
        self.num_recycled = 0
        self.forget_image()

    def forget_image(self) -> None:
        """Have C made anew from U by the next :meth:`renew`."""
        self._identity = None

    def renew(self, operator: PreconditionedOperator) -> int:
        """C = op(U) made orthonormal, unless the operator is that which made it.

        Returns
        -------
        int
            Products spent.
        """
        identity = operator.identity()
        if not self.num_recycled or (identity is not None and identity == self._identity):
            return 0
        before, count = operator.products, self.num_recycled
        for source, target in zip(
            self.recycled.vectors[:count], self.basis.vectors[:count], strict=True
        ):
            operator.apply(source, target)
        kept, transform = orthonormalize(self.basis, count)
        count = self.num_recycled = len(kept)
        self.recycled.rows[:count] = transform.T @ self.recycled.rows[kept]
        self.recycled.changed(*range(count))
        self._identity = operator.identity()
        return operator.products - before

    def project(self) -> float:
        """Take the part in range(C) from the residual; its norm."""
        residual, correction = self.work.rows[:2]
        count = self.num_recycled
        if count:
            part = self.basis.dots(count, residual)
            correction += part @ self.recycled.rows[:count]
            residual -= part @ self.basis.rows[:count]
            self.work.changed(0, 1)
        return self.work.norm(residual)

    def start(self, norm: float) -> None:
        """Arnoldi's first vector: the residual over its norm."""
        first = self.num_recycled
        np.multiply(self.work.rows[0], 1.0 / norm, out=self.basis.rows[first])
        self.basis.changed(first)

    def step(self, j: int, operator: PreconditionedOperator) -> tuple[FloatArray, float, float]:
        """Arnoldi step j: its column of the Hessenberg matrix, norms before and after."""
        column = self.num_recycled + j
        operator.apply(self.basis.vectors[column], self.basis.vectors[column + 1])
        entries = self._columns[column]
        before, after = self.basis.extend(column + 1, entries)
        return entries[self.num_recycled : column + 2], before, after

    def correction(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Σ yⱼ vⱼ − U B y, and the coefficients H̲ y of its image in Arnoldi's vectors."""
        first, steps = self.num_recycled, len(y)
        product = y @ self._columns[first : first + steps, : first + steps + 1]
        total = y @ self.basis.rows[first : first + steps]
        if first:
            total -= product[:first] @ self.recycled.rows[:first]
        return total, product[first:]

    def choose(self, steps: int, operator: PreconditionedOperator) -> None:
        """Take the harmonic Ritz vectors of least magnitude as the new U, with their C."""
        first, basis, recycled = self.num_recycled, self.basis, self.recycled
        size = first + steps
        projected = np.zeros((size + 1, size))
        projected[:, first:] = self._columns[first:size, : size + 1].T
        inner = np.eye(size + 1, size)
        scale = np.ones(first)
        if first:
            old = recycled.rows[:first]
            scale /= np.sqrt(recycled.sum_over_processes(np.einsum("ij,ij->i", old, old)))
            projected[range(first), range(first)] = scale
            inner[:, :first] = basis.dots(size + 1, old) * scale
        wanted = min(self.recycle, basis.global_size - 1)
        if not (np.isfinite(projected).all() and np.isfinite(inner).all()):
            wanted = 0
        space = harmonic_ritz_space(projected, inner, wanted)
        count = space.source.shape[1]
        if not 0 < count < self.restart:
            self.clear()
            return
        spare = self._spare[:count]
        np.dot(space.source[first:].T, basis.rows[first:size], out=spare)
        if first:
            spare += (space.source[:first].T * scale) @ recycled.rows[:first]
        recycled.rows[:count] = spare
        np.dot(space.image.T, basis.rows[: size + 1], out=spare)
        basis.rows[:count] = spare
        recycled.changed(*range(count))
        basis.changed(*range(count))
        self.num_recycled = count
        self._identity = operator.identity()
