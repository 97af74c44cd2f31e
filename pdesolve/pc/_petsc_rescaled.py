"""A preconditioner of an earlier matrix, scaled to the present one."""

from __future__ import annotations

from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from pdesolve.pc.constant_operator import RATIO_SCALINGS, RatioScaling, smoothed


class Rescaled:
    """S M₀ S, where M₀ preconditions an earlier matrix A₀ and S² = diag(A₀) / diag(A).

    For −∇·(a ∇u) with a local change of a: A ≈ S⁻¹ A₀ S⁻¹ up to a potential that is small
    where S varies slowly. Symmetric and positive definite as M₀ is. M₀ is any PETSc
    preconditioner, set by options with ``rescaled_`` before their names, and made for a
    copy of the first matrix; those that follow change S alone, until :attr:`keep` is
    False (:class:`pdesolve.sequences._petsc_lagging.LaggedKSP` sets it by a rule).

    Chosen by ``{"pc_type": "python", "pc_python_type": "pdesolve.pc.Rescaled"}``.

    Options (with the solver's prefix)

    - ``rescaled_pc_type`` and whatever it takes, such as ``rescaled_pc_gamg_threshold``;
    - ``rescaled_scaling``: ``smooth`` (default), log S passed through (1 − ℓ²Δ)⁻¹ where
      the matrix has a ``DMDA`` with one unknown a cell on one process, and as it is
      elsewhere; ``diagonal``; or ``none``.

    Parameters
    ----------
    inner
        M₀, a PETSc preconditioner whose options are set; made by options when left out.
    scaling
        As the option, where no options are read.

    Attributes
    ----------
    keep
        Whether M₀ is kept when values of the matrix change.
    made
        How many times M₀ was made.

    References
    ----------
    Concus, Golub (1973), Use of fast direct methods for the efficient numerical solution
    of nonseparable elliptic equations, SIAM Journal on Numerical Analysis 10(6),
    doi:10.1137/0710092.

    Examples
    --------
    >>> from meshes import StructuredGrid
    >>> from pdesolve import get_family, sample_generator
    >>> from pdesolve.grid._petsc_solver import GridSolver
    >>> options = {"pc_type": "python", "pc_python_type": "pdesolve.pc.Rescaled",
    ...            "rescaled_pc_type": "gamg"}
    >>> family, grid = get_family("darcy2d_lognormal"), StructuredGrid((32, 32))
    >>> solver = GridSolver(grid, options)
    >>> for index in range(3):
    ...     problem = family.problem(family.sample(sample_generator(0, "train", index)))
    ...     _, result = solver.solve(problem.discretize(grid))
    >>> result.iterations < 30
    True
    """

    def __init__(self, inner: Any = None, scaling: RatioScaling = "smooth") -> None:
        self.keep = True
        self.made = 0
        self._scaling = str(scaling)
        self._inner = inner
        self._reference: Any = None
        self._diagonal: FloatArray | None = None
        self._scale: Any = None
        self._work: Any = None

    def setFromOptions(self, pc: Any) -> None:  # noqa: N802
        """Read the options (called by PETSc)."""
        prefix = pc.getOptionsPrefix() or ""
        scaling = str(PETSc.Options(prefix).getString("rescaled_scaling", "smooth"))
        if scaling not in RATIO_SCALINGS:
            raise InputError(
                f"rescaled_scaling={scaling!r} is not known. {suggest(scaling, RATIO_SCALINGS)}"
            )
        self._scaling = scaling
        self._create(pc)
        self._inner.setFromOptions()

    def _create(self, pc: Any) -> None:
        if self._inner is None:
            self._inner = PETSc.PC().create(comm=pc.comm)
            self._inner.setOptionsPrefix(f"{pc.getOptionsPrefix() or ''}rescaled_")

    def setUp(self, pc: Any) -> None:
        """Make S, and M₀ where it is not kept (called by PETSc for a new or changed matrix)."""
        _, matrix = pc.getOperators()
        self._create(pc)
        if self._scale is None:
            self._scale, self._work = matrix.createVecs()
        matrix.getDiagonal(self._scale)
        diagonal = self._scale.array_r.copy()
        if self._reference is None or not self.keep or self._diagonal is None:
            self._renew(matrix)
            self._diagonal = diagonal
            self._scale.set(1.0)
            return
        with np.errstate(all="ignore"):
            ratio = self._diagonal / diagonal
        if not (np.isfinite(ratio).all() and ratio.min() > 0):
            row = int(np.argmin(np.isfinite(ratio) & (ratio > 0)))
            raise InputError(
                f"the diagonals of the matrix before and now have the ratio {ratio[row]:.6g} in "
                f"row {row}; it must be finite and positive. Take the preconditioner "
                f"'{self._inner.getType()}' itself, without pdesolve.pc.Rescaled"
            )
        self._scale.array = np.sqrt(self._smooth(ratio, matrix))

    def _renew(self, matrix: Any) -> None:
        self._reference = matrix_copy(matrix, self._reference)
        self._inner.setOperators(self._reference)
        self._inner.setUp()
        self.made += 1

    def _smooth(self, ratio: FloatArray, matrix: Any) -> FloatArray:
        if self._scaling == "none":
            return np.ones_like(ratio)
        dm = matrix.getDM()
        if (
            self._scaling == "diagonal"
            or matrix.comm.getSize() > 1
            or not isinstance(dm, PETSc.DMDA)
            or not dm.handle
            or dm.getDof() != 1
        ):
            return ratio
        shape = tuple(int(size) for size in reversed(dm.getSizes()))
        wraps = PETSc.DM.BoundaryType.PERIODIC
        periodic = tuple(kind == wraps for kind in reversed(dm.getBoundaryType()))
        if min(shape) < 3:
            return ratio
        return smoothed(ratio.reshape(shape), periodic).ravel()

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """Y = S M₀ S x (called by PETSc)."""
        del pc
        self._work.pointwiseMult(x, self._scale)
        self._inner.apply(self._work, y)
        y.pointwiseMult(y, self._scale)

    def view(self, pc: Any, viewer: Any) -> None:
        """Say what it is in ``-ksp_view`` (called by PETSc)."""
        del pc
        viewer.printfASCII(f"  rescaled by '{self._scaling}':\n")
        self._inner.view(viewer)

    def destroy(self, pc: Any) -> None:
        """Free the PETSc objects (called by PETSc)."""
        del pc
        for item in (self._inner, self._reference, self._scale, self._work):
            if item is not None:
                item.destroy()
        self._inner = self._reference = self._scale = self._work = None


def matrix_copy(matrix: Any, into: Any = None) -> Any:
    """A copy of an assembled matrix with all that preconditioners ask of it (collective).

    Parameters
    ----------
    matrix
        The matrix.
    into
        An earlier copy, to be overwritten; a new one is made when left out.
    """
    if into is not None:
        matrix.copy(into, PETSc.Mat.Structure.SAME_NONZERO_PATTERN)
        return into
    copy = matrix.duplicate(copy=True)
    for space, give in (
        (matrix.getNullSpace(), copy.setNullSpace),
        (matrix.getNearNullSpace(), copy.setNearNullSpace),
    ):
        if space.handle:
            give(space)
    dm = matrix.getDM()
    if dm is not None and dm.handle:
        copy.setDM(dm)
    known, symmetric = matrix.isSymmetricKnown()
    if known:
        copy.setOption(PETSc.Mat.Option.SYMMETRIC, symmetric)
    return copy
