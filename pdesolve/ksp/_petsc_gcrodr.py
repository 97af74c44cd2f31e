"""GCRO-DR: GMRES with deflated restarts that recycles its space for the next system."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from petsc4py import PETSc
from scipy.linalg import solve_triangular

from meshes.errors import InputError
from meshes.structured import FloatArray
from pdesolve.ksp._petsc_basis import VectorBlock
from pdesolve.ksp._petsc_recycling import Reason, RecyclingSolver, finite, integer_option
from pdesolve.ksp.harmonic_ritz import harmonic_ritz_space

# what Arnoldi's step leaves of a product, relative to it, when the space is exhausted
_BREAKDOWN = 1e-14

# The residual is updated without a product; if at the end the true one differs by more than
# this part of it, it replaces the updated one and the iteration goes on.
_DRIFT = 1e-2


class GCRODR(RecyclingSolver):
    r"""Generalised conjugate residuals with inner orthogonalisation and deflated restarts.

    GCRO-DR(m, k) keeps k vectors U and C = op(U) with CᵀC = I, where op is M⁻¹A with left
    and AM⁻¹ with right preconditioning. Each cycle makes m − k Arnoldi steps with
    (I − CCᵀ) op, minimises the residual over range(U) plus the Krylov space, and takes as
    the new U the k harmonic Ritz vectors of least magnitude. U stays for the next system:
    its C costs k products if the operator has changed and none if not, and the first
    residual is projected, r ← r − CCᵀr, before the first iteration.

    Choose it by options, with the solver's prefix: ``ksp_type=python``,
    ``ksp_python_type=pdesolve.ksp.GCRODR``, ``gcrodr_restart`` (m, default 40) and
    ``gcrodr_recycle`` (k, default 20; 0 gives GMRES(m)). ``ksp_pc_side=left`` tests the
    preconditioned residual, ``right`` the true one. A preconditioner must be a linear map
    that stays the same during a solve, which is not checked.

    The iteration number counts Arnoldi steps, as with GMRES(m). Where the projection alone
    meets the tolerance, it counts as one iteration. Before a solve is reported converged,
    the residual is computed once from its definition. A complex conjugate pair of Ritz
    vectors that k would cut is left out (``k = 1``: both are kept). k is lowered to
    n − 1 for systems of n unknowns.

    Attributes
    ----------
    restart
        m, the dimension of the largest space.
    recycle
        k, the number of vectors carried over.
    matvecs
        Products with the operator in the last solve, those for U included.
    recycle_matvecs
        Products of the last solve that made C from U.
    total_matvecs, total_iterations
        The same over all solves.

    Raises
    ------
    InputError
        By ``setFromOptions``, ``setUp`` and ``solve`` of the KSP, if restart or recycle are
        out of range or side and norm do not go together.

    References
    ----------
    Parks, de Sturler, Mackey, Johnson, Maiti (2006), Recycling Krylov subspaces for
    sequences of linear systems, SIAM J. Sci. Comput. 28:1651, doi:10.1137/040607277.

    Examples
    --------
    >>> matrix = PETSc.Mat().createAIJ((50, 50), nnz=1, comm=PETSc.COMM_SELF)
    >>> matrix.setDiagonal(PETSc.Vec().createWithArray(np.arange(1.0, 51), comm=matrix.comm))
    >>> ksp = PETSc.KSP().create(matrix.comm)
    >>> ksp.setOperators(matrix)
    >>> ksp.setType("python")
    >>> ksp.setPythonType("pdesolve.ksp.GCRODR")
    >>> ksp.getPC().setType("none")
    >>> x, b = matrix.createVecs()
    >>> b.set(1.0)
    >>> ksp.solve(b, x)
    >>> ksp.getConvergedReason() > 0, ksp.getPythonContext().num_recycled
    (True, 20)
    """

    def __init__(self) -> None:
        super().__init__()
        self.restart, self.recycle = 40, 20
        self._right = False
        self._krylov: VectorBlock | None = None  # C, then Arnoldi's vectors
        self._recycled: VectorBlock | None = None  # U
        self._spare: FloatArray = np.zeros((0, 0))
        self._small: FloatArray = np.zeros((0, 0))
        self._rotated: FloatArray = np.zeros((0, 0))
        self._target: list[float] = []
        self._steps = 0

    # --- set-up -----------------------------------------------------------------------

    def setFromOptions(self, ksp: Any) -> None:  # noqa: N802
        """Read ``gcrodr_restart`` and ``gcrodr_recycle``."""
        self.restart = integer_option(ksp, "gcrodr_restart", self.restart)
        self.recycle = integer_option(ksp, "gcrodr_recycle", self.recycle)
        self._check()

    def setUp(self, ksp: Any) -> None:  # noqa: N802
        """Check the parameters, the side and the norm."""
        self._check()
        side, norm = ksp.getPCSide(), ksp.getNormType()
        sides, norms = PETSc.PC.Side, PETSc.KSP.NormType
        fitting = {sides.LEFT: norms.PRECONDITIONED, sides.RIGHT: norms.UNPRECONDITIONED}
        if side not in fitting or norm not in {fitting[side], norms.NONE}:
            names = {getattr(norms, name): name.lower() for name in ("PRECONDITIONED", "NATURAL")}
            names[norms.UNPRECONDITIONED] = "unpreconditioned"
            which = {sides.LEFT: "left", sides.RIGHT: "right", sides.SYMMETRIC: "symmetric"}
            raise InputError(
                f"GCRODR cannot test the {names.get(norm, norm)} norm with ksp_pc_side "
                f"{which.get(side, side)}; it has left with preconditioned and right with "
                "unpreconditioned. Leave out ksp_norm_type, or change ksp_pc_side"
            )
        self._right = side == sides.RIGHT

    def view(self, ksp: Any, viewer: Any) -> None:
        """Print the parameters (``-ksp_view``)."""
        if viewer.getType() == PETSc.Viewer.Type.ASCII:
            viewer.printfASCII(
                f"  GCRO-DR: restart={self.restart}, recycle={self.recycle}, "
                f"{self.num_recycled} vectors recycled now\n"
                f"  products with the operator: {self.total_matvecs}, "
                f"iterations: {self.total_iterations}\n"
            )

    def _check(self) -> None:
        if self.restart < 2:
            raise InputError(
                f"gcrodr_restart={self.restart} is below 2, the least space in which Ritz vectors "
                "can be chosen; give 2 or more (usual: 40)"
            )
        if not 0 <= self.recycle < self.restart:
            raise InputError(
                f"gcrodr_recycle={self.recycle} must be at least 0 (no recycling) and below "
                f"gcrodr_restart={self.restart}; half of it is usual"
            )

    def _sizes(self) -> tuple[int, ...]:
        return self.restart, self.recycle

    def _allocate(self, template: Any) -> None:
        columns = self.restart + 2
        self._krylov = VectorBlock(template, columns)
        # one more than k, for a pair (k = 1)
        self._recycled = VectorBlock(template, self.recycle + 1)
        self._work = VectorBlock(template, 3)
        self._spare = np.zeros((self.recycle + 1, self._krylov.local_size))
        self._small = np.zeros((columns, columns))
        self._rotated = np.zeros((columns, columns))

    def _free(self) -> None:
        super()._free()
        for block in (self._krylov, self._recycled, self._work):
            if block is not None:
                block.destroy()
        self._krylov = self._recycled = self._work = None

    # --- one solve --------------------------------------------------------------------

    def solve(self, ksp: Any, b: Any, x: Any) -> None:
        """Solve one system; PETSc calls this."""
        self.setUp(ksp)
        self._begin(ksp, b, x)
        assert self._work is not None
        try:
            self._iterate(b, ksp.getInitialGuessNonzero())
        finally:
            self._end()

    def _iterate(self, b: Any, guess: bool) -> None:
        assert self._work is not None
        residual, correction = self._work.rows[0], self._work.rows[1]
        correction[:] = 0
        self._steps = 0
        if guess:
            self._true_residual(b)
        else:
            self._residual_of(b)
        norm = self._work.norm(residual)
        if self._preconditioner_failed():
            norm = math.nan
        if self._report(0, norm):
            return
        if self.num_recycled:
            self._renew_image()
            norm = self._project(norm)
            if self._test(1, norm):
                self._report(1, norm)
                self._verify(b, norm, norm, False)
        while not self._reason:
            # the residual has lost digits, and with them its being orthogonal to C
            norm = old = self._project(norm)
            if norm == 0.0:
                self._reason = self._test(max(self._iterations, 1), norm)
                self._reason = self._reason or int(Reason.CONVERGED_ATOL)
                break
            norm, exhausted = self._cycle(norm)
            if self._reason > 0 or exhausted or not math.isfinite(norm):
                norm = self._verify(b, norm, old, exhausted)
        self._apply_correction()

    def _residual_of(self, vector: Any) -> None:
        """Put a right-hand side or true residual into the working residual."""
        assert self._work is not None
        residual = self._work.vectors[0]
        if self._right:
            vector.copy(residual)
        else:
            self._precondition(vector, residual)

    def _true_residual(self, b: Any) -> None:
        assert self._work is not None
        scratch = self._work.vectors[2]
        self._multiply(self._solution, scratch)
        scratch.aypx(-1.0, b)
        self._residual_of(scratch)

    def _apply_correction(self) -> None:
        """Right preconditioning gathers its correction and preconditions it once."""
        assert self._work is not None
        correction, scratch = self._work.vectors[1:3]
        self._steps = 0
        if self._right:
            self._work.changed(1)
            self._precondition(correction, scratch)
            self._solution.axpy(1.0, scratch)
        else:
            self._work.changed(1)
            self._solution.axpy(1.0, correction)
        self._work.rows[1][:] = 0
        self._work.changed(1)

    def _operate(self, source: Any, target: Any) -> None:
        assert self._work is not None
        between = self._work.vectors[2]
        if self._right:
            self._precondition(source, between)
            self._multiply(between, target)
        else:
            self._multiply(source, between)
            self._precondition(between, target)

    def _renew_image(self) -> None:
        """C = op(U), orthonormal; nothing to do if the operator is that of the last solve."""
        assert self._krylov is not None
        assert self._recycled is not None
        key = self._operator_key()
        if key is not None and key == self._key:
            return
        count = self.num_recycled
        before = self.matvecs
        for source, target in zip(
            self._recycled.vectors[:count], self._krylov.vectors[:count], strict=True
        ):
            self._operate(source, target)
        self.recycle_matvecs += self.matvecs - before
        kept, transform = self._krylov.orthonormalize(count)
        self._recycled.rows[: len(kept)] = transform.T @ self._recycled.rows[kept]
        self._recycled.changed(*range(len(kept)))
        self.num_recycled = len(kept)
        self._key = self._operator_key()

    def _project(self, norm: float) -> float:
        """Take from the residual its part in range(C)."""
        assert self._krylov is not None
        assert self._recycled is not None
        assert self._work is not None
        count = self.num_recycled
        if not count:
            return norm
        residual, correction = self._work.rows[:2]
        part = self._krylov.dots(count, residual)
        correction += part @ self._recycled.rows[:count]
        residual -= part @ self._krylov.rows[:count]
        self._work.changed(0, 1)
        return self._work.norm(residual)

    def _cycle(self, norm: float) -> tuple[float, bool]:
        """Arnoldi steps up to the restart; the new residual's norm, and whether it broke down."""
        krylov = self._krylov
        assert krylov is not None
        assert self._work is not None
        first = self.num_recycled
        steps = max(1, self.restart - first)
        small, rotated = self._small, self._rotated
        np.multiply(self._work.rows[0], 1.0 / norm, out=krylov.rows[first])
        krylov.changed(first)
        target, rotations = [norm], []
        self._target = target
        exhausted = False
        for j in range(steps):
            column = first + j
            self._operate(krylov.vectors[column], krylov.vectors[column + 1])
            coefficients = small[column]
            before, after = krylov.extend(column + 1, coefficients)
            if not (math.isfinite(before) and math.isfinite(after)):
                self._report(self._iterations + 1, math.nan)
                break
            exhausted = after <= _BREAKDOWN * before
            # Givens rotations; Arnoldi's Hessenberg matrix is the part below C's rows
            h = coefficients[first : column + 2].tolist()
            if exhausted:
                h[-1] = 0.0
            for i, (cosine, sine) in enumerate(rotations):
                upper, lower = h[i], h[i + 1]
                h[i] = cosine * upper + sine * lower
                h[i + 1] = cosine * lower - sine * upper
            radius = math.hypot(h[j], h[j + 1])
            if radius == 0.0:  # the operator is singular on this space
                exhausted = True
                break
            cosine, sine = h[j] / radius, h[j + 1] / radius
            h[j] = radius
            rotations.append((cosine, sine))
            rotated[j, : j + 1] = h[: j + 1]
            last = target[j]
            target[j] = cosine * last
            target.append(-sine * last)
            self._steps = j + 1
            if self._report(self._iterations + 1, abs(target[j + 1])) or exhausted:
                break
        return self._finish_cycle(norm), exhausted

    def _minimizer(self) -> FloatArray:
        """Coefficients of the correction in Arnoldi's vectors."""
        steps = self._steps
        triangle = self._rotated[:steps, :steps]
        solution: FloatArray = solve_triangular(
            triangle, np.array(self._target[:steps]), trans="T", lower=True, check_finite=False
        )
        return solution

    def _finish_cycle(self, norm: float) -> float:
        """Correct solution and residual, choose the space to recycle."""
        assert self._krylov is not None
        assert self._recycled is not None
        assert self._work is not None
        krylov, steps, first = self._krylov, self._steps, self.num_recycled
        if not steps:
            return norm
        y = self._minimizer()
        hessenberg = self._small[first : first + steps, : first + steps + 1].T
        product = hessenberg @ y  # rows of C above, those of Arnoldi's vectors below
        residual, correction = self._work.rows[:2]
        correction += y @ krylov.rows[first : first + steps]
        if first:
            correction -= product[:first] @ self._recycled.rows[:first]
        left = -product[first:]
        left[0] += norm
        np.dot(left, krylov.rows[first : first + steps + 1], out=residual)
        self._work.changed(0, 1)
        self._steps = 0
        if self.recycle and self._reason != int(Reason.DIVERGED_NANORINF):
            self._choose_space(first, steps)
        return float(np.linalg.norm(left))

    def _choose_space(self, first: int, steps: int) -> None:
        """Replace U and C by the harmonic Ritz vectors of least magnitude."""
        assert self._krylov is not None
        assert self._recycled is not None
        krylov, recycled = self._krylov, self._recycled
        size = first + steps
        projected = np.zeros((size + 1, size))
        projected[:, first:] = self._small[first:size, : size + 1].T
        inner = np.eye(size + 1, size)
        if first:
            lengths = np.sqrt(
                recycled.sum_over_processes(
                    np.einsum("ij,ij->i", recycled.rows[:first], recycled.rows[:first])
                )
            )
            projected[range(first), range(first)] = 1 / lengths
            inner[:, :first] = krylov.dots(size + 1, recycled.rows[:first]) / lengths
        if not (finite(projected) and finite(inner)):
            self.clear()
            return
        wanted = min(self.recycle, krylov.global_size - 1)
        space = harmonic_ritz_space(projected, inner, wanted)
        count = space.source.shape[1]
        if count >= self.restart:
            self.clear()
            return
        np.dot(space.source[first:].T, krylov.rows[first:size], out=self._spare[:count])
        if first:
            shares = (space.source[:first] / lengths[:, np.newaxis]).T
            self._spare[:count] += shares @ recycled.rows[:first]
        recycled.rows[:count] = self._spare[:count]
        np.dot(space.image.T, krylov.rows[: size + 1], out=self._spare[:count])
        krylov.rows[:count] = self._spare[:count]
        recycled.changed(*range(count))
        krylov.changed(*range(count))
        self.num_recycled = count
        self._key = self._operator_key()

    def _verify(self, b: Any, norm: float, old: float, exhausted: bool) -> float:
        """Compute the residual from its definition; go on if the updated one was wrong."""
        assert self._work is not None
        if not math.isfinite(norm) or self._reason < 0:
            return norm
        claimed = self._reason
        self._apply_correction()
        self._true_residual(b)
        true = self._work.norm(self._work.rows[0])
        if claimed and abs(true - norm) <= _DRIFT * norm:
            return true
        self._reason = self._test(max(self._iterations, 1), true)
        if self._reason:
            return true
        if exhausted and true > (1 - _DRIFT) * old:
            self._reason = int(Reason.DIVERGED_BREAKDOWN)
            return true
        # the recycled pair may be what is wrong: make C anew
        if self.num_recycled and not exhausted:
            self._key = None
            self._renew_image()
        return self._project(true)

    def buildSolution(self, ksp: Any, x: Any) -> None:  # noqa: ARG002, N802
        """The iterate at this moment, for monitors."""
        if not x.handle:
            raise InputError(
                "this KSP builds its iterate into a vector of the caller, and none was given; "
                "use -ksp_monitor_true_residual or ksp.buildSolution(x) with a vector"
            )
        if self._ksp is None or self._work is None:
            return
        assert self._krylov is not None
        assert self._recycled is not None
        first, steps = self.num_recycled, self._steps
        total = self._work.rows[1].copy()
        if steps:
            y = self._minimizer()
            total += y @ self._krylov.rows[first : first + steps]
            shares = self._small[first : first + steps, :first].T @ y
            total -= shares @ self._recycled.rows[:first]
        update = self._work.vectors[1].duplicate()
        update.array = total
        if self._right:
            moved = update.duplicate()
            self._precondition(update, moved)
            update, moved = moved, update
            moved.destroy()
        self._solution.copy(x)
        x.axpy(1.0, update)
        update.destroy()
