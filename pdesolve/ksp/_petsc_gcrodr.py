"""GCRO-DR: GMRES with deflated restarts that recycles its space for the next system."""

from __future__ import annotations

from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve.ksp._petsc_gcrodr_iteration import GCRODRIteration
from pdesolve.ksp._petsc_gcrodr_space import DeflatedKrylovSpace
from pdesolve.ksp._petsc_operator import PreconditionedOperator
from pdesolve.ksp._petsc_progress import SolveProgress
from pdesolve.ksp._petsc_recycling import RecyclingSolver, integer_option, support_norm

_SIDES = {PETSc.PC.Side.LEFT: "left", PETSc.PC.Side.RIGHT: "right"}
_NORMS = {
    PETSc.KSP.NormType.PRECONDITIONED: "preconditioned",
    PETSc.KSP.NormType.UNPRECONDITIONED: "unpreconditioned",
    PETSc.KSP.NormType.NATURAL: "natural",
    PETSc.KSP.NormType.NONE: "none",
}
_TESTED = {"left": ("preconditioned", "none"), "right": ("unpreconditioned", "none")}


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
    that stays the same during a solve, which is not checked. With right preconditioning U is
    kept in the space of solutions, M⁻¹ times what the cited paper keeps, with the harmonic
    Ritz vectors of M⁻¹A: so it is of use to the next system though M has changed, for the
    storage of another m + 2 vectors.

    The iteration number counts Arnoldi steps, as with GMRES(m). Where the projection alone
    meets the tolerance, it counts as one iteration. Before a solve is reported converged,
    the residual is computed once from its definition. A complex conjugate pair of Ritz
    vectors that k would cut is left out (``k = 1``: both are kept). k is lowered to
    n − 1 for systems of n unknowns. A change of the operator is known by PETSc's object
    states; for matrices and preconditioners of type shell, python, nest and composite,
    whose state says nothing, C is made anew in each solve.

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
        In ``setFromOptions`` and ``solve`` of the KSP, if restart or recycle are out of
        range or side and norm do not go together. PETSc may wrap it: then it is the
        ``__cause__`` of a ``PETSc.Error``.

    References
    ----------
    Parks, de Sturler, Mackey, Johnson, Maiti (2006), Recycling Krylov subspaces for
    sequences of linear systems, SIAM J. Sci. Comput. 28:1651, doi:10.1137/040607277.

    Examples
    --------
    >>> matrix = PETSc.Mat().createAIJ((50, 50), nnz=1, comm=PETSc.COMM_SELF)
    >>> diagonal, b = matrix.createVecs()
    >>> diagonal.array = range(1, 51)
    >>> matrix.setDiagonal(diagonal)
    >>> ksp = PETSc.KSP().create(matrix.comm)
    >>> ksp.setOperators(matrix)
    >>> ksp.setType("python")
    >>> ksp.setPythonType("pdesolve.ksp.GCRODR")
    >>> ksp.getPC().setType("none")
    >>> b.set(1.0)
    >>> ksp.solve(b, diagonal.duplicate())
    >>> ksp.getConvergedReason() > 0, ksp.getPythonContext().num_recycled
    (True, 20)
    """

    def __init__(self) -> None:
        super().__init__()
        self.restart, self.recycle = 40, 20
        self._space: DeflatedKrylovSpace | None = None
        self._running: GCRODRIteration | None = None

    def create(self, ksp: Any) -> None:
        """Allow to iterate without a test of the residual."""
        for side in _SIDES:
            support_norm(ksp, PETSc.KSP.NormType.NONE, side, 1)

    def setFromOptions(self, ksp: Any) -> None:  # noqa: N802
        """Read ``gcrodr_restart`` and ``gcrodr_recycle``."""
        self.restart = integer_option(ksp, "gcrodr_restart", self.restart)
        self.recycle = integer_option(ksp, "gcrodr_recycle", self.recycle)
        self._check()

    def setUp(self, ksp: Any) -> None:
        """Check the parameters, the side and the norm."""
        self._check()
        side = _SIDES.get(ksp.getPCSide(), "symmetric")
        norm = _NORMS[ksp.getNormType()]
        if norm not in _TESTED.get(side, ()):
            raise InputError(
                f"GCRODR cannot test the {norm} norm with ksp_pc_side {side}; it has left with "
                "preconditioned and right with unpreconditioned. Leave out ksp_norm_type, or "
                "change ksp_pc_side"
            )

    def view(self, ksp: Any, viewer: Any) -> None:  # noqa: ARG002
        """Print the parameters (``-ksp_view``)."""
        if viewer.getType() == PETSc.Viewer.Type.ASCII:
            viewer.printfASCII(
                f"  GCRO-DR: restart={self.restart}, recycle={self.recycle}; "
                f"{self.num_recycled} vectors recycled now, "
                f"{self.total_matvecs} products with the operator so far\n"
            )

    def solve(self, ksp: Any, b: Any, x: Any) -> None:
        """Solve one system; PETSc calls this."""
        self.setUp(ksp)
        operator = PreconditionedOperator(ksp)
        space = self._storage(ksp, b, operator.right)
        progress = SolveProgress(ksp)
        self._running = GCRODRIteration(space, operator, progress, b, x)
        try:
            self._running.run(ksp.getInitialGuessNonzero())
        finally:
            self._count(ksp, operator, progress, self._running.renewal)
            self._running = None

    def _check(self) -> None:
        if self.restart < 2:
            raise InputError(
                f"gcrodr_restart={self.restart} is below 2, the least space from which vectors "
                "can be chosen; give 2 or more (usual: 40)"
            )
        if not 0 <= self.recycle < self.restart:
            raise InputError(
                f"gcrodr_recycle={self.recycle} must be at least 0 (no recycling) and below "
                f"gcrodr_restart={self.restart}; half of it is usual"
            )

    def _storage(self, ksp: Any, b: Any, right: bool) -> DeflatedKrylovSpace:
        fits = self._fits(b, self.restart, self.recycle, right)
        if self._space is None or not fits:
            self.reset(ksp)
            self._space = DeflatedKrylovSpace(b, self.restart, self.recycle, right)
        return self._space
