"""Deflated conjugate gradients that recycle their space for the next system."""

from __future__ import annotations

from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve.ksp._petsc_deflated_cg_iteration import DeflatedCGIteration
from pdesolve.ksp._petsc_deflated_space import DeflationSpace
from pdesolve.ksp._petsc_operator import PreconditionedOperator
from pdesolve.ksp._petsc_progress import SolveProgress
from pdesolve.ksp._petsc_recycling import RecyclingSolver, integer_option, support_norm

_NORMS = {
    PETSc.KSP.NormType.PRECONDITIONED: "preconditioned",
    PETSc.KSP.NormType.UNPRECONDITIONED: "unpreconditioned",
    PETSc.KSP.NormType.NATURAL: "natural",
    PETSc.KSP.NormType.NONE: "none",
}


class DeflatedCG(RecyclingSolver):
    r"""Conjugate gradients that deflate, and pass on, approximate eigenvectors.

    def-CG(k, l) for sequences of symmetric positive definite systems with a symmetric
    positive definite preconditioner M: with W of k vectors, WᵀAW = I,

        x₀ ← x₀ + W Wᵀr₀,    pⱼ = zⱼ + βⱼ pⱼ₋₁ − W (AW)ᵀ(zⱼ + βⱼ pⱼ₋₁),

    so that the k eigenvalues of M⁻¹A that W stands for no longer slow the convergence. The
    next W are the k harmonic Ritz vectors of M⁻¹A of least value in the span of W and of
    the first l directions, which are kept A-orthonormal by full orthogonalisation; Wᵀr = 0
    is restored every 20 iterations.

    Choose it by options, with the solver's prefix: ``ksp_type=python``,
    ``ksp_python_type=pdesolve.ksp.DeflatedCG``, ``deflated_cg_recycle`` (k, default 20; 0
    gives plain CG) and ``deflated_cg_directions`` (l, default 40). ``ksp_norm_type`` is
    preconditioned (default), unpreconditioned or natural, as for PETSc's CG.

    A new operator costs k products for AW, and k applications of M. The iteration number
    counts steps; where the first projection alone meets the tolerance, it counts as one.
    Before a solve is reported converged, the residual is computed once from its
    definition. An operator or a preconditioner that shows itself to be indefinite ends the
    solve with ``DIVERGED_INDEFINITE_MAT`` or ``DIVERGED_INDEFINITE_PC``. A change of the
    operator is known as in :class:`GCRODR`.

    Attributes
    ----------
    recycle
        k, the number of vectors carried over.
    directions
        l, the number of search directions that W is chosen from.
    matvecs
        Products with A in the last solve, those for AW included.
    recycle_matvecs
        Products of the last solve that made AW.
    total_matvecs, total_iterations
        The same over all solves.

    Raises
    ------
    InputError
        In ``setFromOptions`` and ``solve`` of the KSP, if recycle or directions are out of
        range. PETSc may wrap it: then it is the ``__cause__`` of a ``PETSc.Error``.

    References
    ----------
    Saad, Yeung, Erhel, Guyomarc'h (2000), A deflated version of the conjugate gradient
    algorithm, SIAM J. Sci. Comput. 21:1909, doi:10.1137/S1064829598339761.

    Examples
    --------
    >>> matrix = PETSc.Mat().createAIJ((99, 99), nnz=1, comm=PETSc.COMM_SELF)
    >>> diagonal, b = matrix.createVecs()
    >>> diagonal.array = range(1, 100)
    >>> matrix.setDiagonal(diagonal)
    >>> ksp = PETSc.KSP().create(matrix.comm)
    >>> ksp.setOperators(matrix)
    >>> ksp.setType("python")
    >>> ksp.setPythonType("pdesolve.ksp.DeflatedCG")
    >>> ksp.getPC().setType("none")
    >>> b.set(1.0)
    >>> ksp.solve(b, diagonal)
    >>> first = ksp.getIterationNumber()
    >>> ksp.solve(b, diagonal)
    >>> ksp.getIterationNumber() < first
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.recycle, self.directions = 20, 40
        self._space: DeflationSpace | None = None
        self._running: DeflatedCGIteration | None = None

    def create(self, ksp: Any) -> None:
        """Allow the norms of PETSc's own conjugate gradients."""
        left = PETSc.PC.Side.LEFT
        for norm, priority in (("NATURAL", 2), ("UNPRECONDITIONED", 3), ("NONE", 1)):
            support_norm(ksp, getattr(PETSc.KSP.NormType, norm), left, priority)

    def setFromOptions(self, ksp: Any) -> None:  # noqa: N802
        """Read ``deflated_cg_recycle`` and ``deflated_cg_directions``."""
        self.recycle = integer_option(ksp, "deflated_cg_recycle", self.recycle)
        self.directions = integer_option(ksp, "deflated_cg_directions", self.directions)
        self._check()

    def setUp(self, ksp: Any) -> None:
        """Check the parameters and the side."""
        self._check()
        ksp.getNormType()
        if ksp.getPCSide() != PETSc.PC.Side.LEFT:
            raise InputError(
                "DeflatedCG takes ksp_pc_side left only, as any conjugate gradient method, in "
                "which the side makes no difference; leave ksp_pc_side out"
            )

    def view(self, ksp: Any, viewer: Any) -> None:  # noqa: ARG002
        """Print the parameters (``-ksp_view``)."""
        if viewer.getType() == PETSc.Viewer.Type.ASCII:
            viewer.printfASCII(
                f"  deflated CG: recycle={self.recycle}, directions={self.directions}; "
                f"{self.num_recycled} vectors recycled now, "
                f"{self.total_matvecs} products with the operator so far\n"
            )

    def solve(self, ksp: Any, b: Any, x: Any) -> None:
        """Solve one system; PETSc calls this."""
        self.setUp(ksp)
        fits = self._fits(b, self.recycle, self.directions)
        if self._space is None or not fits:
            self.reset(ksp)
            self._space = DeflationSpace(b, self.recycle, self.directions)
        space = self._space
        operator = PreconditionedOperator(ksp)
        progress = SolveProgress(ksp)
        norm = _NORMS[ksp.getNormType()]
        self._running = DeflatedCGIteration(space, operator, progress, norm, b, x)
        try:
            self._running.run(ksp.getInitialGuessNonzero())
            space.choose(operator)
        finally:
            self._count(ksp, operator, progress, self._running.renewal)
            self._running = None

    def _check(self) -> None:
        if self.recycle < 0:
            raise InputError(
                f"deflated_cg_recycle={self.recycle} must be at least 0 (no recycling); 20 is usual"
            )
        if self.recycle and self.directions < 1:
            raise InputError(
                f"deflated_cg_directions={self.directions} leaves nothing to choose the recycled "
                "vectors from; give 1 or more (usual: twice deflated_cg_recycle)"
            )
