"""The vectors of GCRO-DR: what is recycled, its image, and Arnoldi's basis."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

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

    With right preconditioning U and V̂ are kept in the space of solutions: A V̂ = Ŵ G with
    V̂ = [U D, M⁻¹V], and the harmonic Ritz vectors are those of M⁻¹A. So U outlives a change
    of M, and C costs no preconditioning; F = M⁻¹Ŵ is stored besides.

    Parameters
    ----------
    template
        PETSc vector with the layout.
    restart
        Most vectors of V̂.
    recycle
        Most vectors of U.
    right
        Whether to keep M⁻¹Ŵ, for right preconditioning.

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

    def __init__(self, template: Any, restart: int, recycle: int, right: bool) -> None:
        self.restart, self.recycle = restart, recycle
        self.num_recycled = 0
        self.basis = VectorBlock(template, restart + 2)
        self.recycled = VectorBlock(template, recycle + 1)  # one more: a pair and k = 1
        self.work = VectorBlock(template, 4)
        self.preconditioned = VectorBlock(template, restart + 2) if right else None
        # what corrections are made of, besides U
        self._trial = self.preconditioned or self.basis
        self._spare = np.zeros((recycle + 1, self.basis.local_size))
        # row i: column i of G
        self._columns = np.zeros((restart + 2, restart + 2))
        self._identity: tuple[Any, ...] | None = None

    def destroy(self) -> None:
        """Free PETSc's vectors."""
        for block in (self.basis, self.recycled, self.work, self.preconditioned):
            if block is not None:
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
            if self.preconditioned is None:
                operator.apply(source, self.work.vectors[3], target)
            else:
                operator.multiply(source, target)
        kept, transform = orthonormalize(self.basis, count)
        count = self.num_recycled = len(kept)
        self.recycled.rows[:count] = transform.T @ self.recycled.rows[kept]
        self.recycled.changed(*range(count))
        if self.preconditioned is not None:
            for number in range(count):
                self._precondition(number, operator)
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
        if self.preconditioned is None:
            vectors = self.basis.vectors
            operator.apply(vectors[column], self.work.vectors[3], vectors[column + 1])
        else:
            self._precondition(column, operator)
            operator.multiply(self.preconditioned.vectors[column], self.basis.vectors[column + 1])
        entries = self._columns[column]
        before, after = self.basis.extend(column + 1, entries)
        return entries[self.num_recycled : column + 2], before, after

    def correction(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Σ yⱼ vⱼ − U B y, and the coefficients H̲ y of its image in Arnoldi's vectors."""
        first, steps = self.num_recycled, len(y)
        product = y @ self._columns[first : first + steps, : first + steps + 1]
        total = y @ self._trial.rows[first : first + steps]
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
        if self.preconditioned is not None:
            self._precondition(size, operator)
            inner[:, :first] = self.preconditioned.dots(size + 1, recycled.rows[:first]) * scale
        source, image = self._wanted(projected, inner)
        count = source.shape[1]
        if not 0 < count < self.restart:
            self.clear()
            return
        spare = self._spare[:count]
        np.dot(source[first:].T, self._trial.rows[first:size], out=spare)
        if first:
            spare += (source[:first].T * scale) @ recycled.rows[:first]
        recycled.rows[:count] = spare
        for block in (basis, self.preconditioned):
            if block is not None:
                np.dot(image.T, block.rows[: size + 1], out=spare)
                block.rows[:count] = spare
                block.changed(*range(count))
        recycled.changed(*range(count))
        self.num_recycled = count
        self._identity = operator.identity()

    def _precondition(self, number: int, operator: PreconditionedOperator) -> None:
        if self.preconditioned is not None:
            operator.precondition(self.basis.vectors[number], self.preconditioned.vectors[number])

    def _wanted(self, projected: FloatArray, inner: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coefficients of the new U and C, without vectors where numbers are not finite.

        With right preconditioning M⁻¹A V̂ = F G, F = M⁻¹Ŵ; with FᵀF = LLᵀ this is the
        ordinary problem for LᵀG and L⁻¹FᵀV̂.
        """
        rows, columns = projected.shape
        wanted = min(self.recycle, self.basis.global_size - 1)
        block = self.preconditioned
        if block is not None:
            first = self.num_recycled
            gram = block.dots(rows, block.rows[:rows])
            if gram[-1, -1] == 0:  # the space is exhausted
                gram[-1, -1] = 1.0
            inner[:, first:] = gram[:, first:columns]
        if not (np.isfinite(projected).all() and np.isfinite(inner).all()):
            return np.zeros((columns, 0)), np.zeros((rows, 0))
        if block is None:
            space = harmonic_ritz_space(projected, inner, wanted)
            return space.source, space.image
        try:
            lower = np.linalg.cholesky(gram)
        except np.linalg.LinAlgError:  # M⁻¹ is not to be inverted: any of the old will do
            lower = np.diag(np.sqrt(np.abs(np.diagonal(gram)) + np.finfo(float).tiny))
        inner = solve_triangular(lower, inner, lower=True)
        space = harmonic_ritz_space(lower.T @ projected, inner, wanted)
        image, triangle = np.linalg.qr(projected @ space.source)
        source: FloatArray = solve_triangular(triangle, space.source.T, trans="T").T
        return source, image
