"""What Krylov methods that recycle a subspace have in common as PETSc solvers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve.ksp._petsc_basis import VectorBlock

Reason = PETSc.KSP.ConvergedReason

# PETSc cannot tell when these change
_STATE_UNKNOWN = ("shell", "python", "nest", "composite", "mffd")


def integer_option(ksp: Any, name: str, default: int) -> int:
    """An integer from PETSc's options, under the solver's prefix."""
    options = PETSc.Options(ksp.getOptionsPrefix())
    try:
        return int(options.getInt(name, default))
    except PETSc.Error:
        raise InputError(
            f"{name}={options.getString(name)!r} is not an integer; give a number such as {default}"
        ) from None


class RecyclingSolver:
    """Base of the PETSc solvers of type ``python`` that keep a subspace between solves.

    Attributes
    ----------
    matvecs
        Products with the operator in the last solve, those for the recycled space included.
    recycle_matvecs
        Products of the last solve that were spent on the recycled space.
    total_matvecs
        Products since the solver was made.
    total_iterations
        Iterations since the solver was made.
    num_recycled
        Vectors that the recycled space has now.
    """

    def __init__(self) -> None:
        self.matvecs = self.recycle_matvecs = 0
        self.total_matvecs = self.total_iterations = 0
        self.num_recycled = 0
        self._layout: tuple[Any, ...] | None = None
        self._key: tuple[Any, ...] | None = None
        self._ksp: Any = None
        self._matrix: Any = None
        self._pc: Any = None
        self._null_space: Any = None
        self._solution: Any = None
        self._most_iterations = 0
        self._iterations = 0
        self._reason = 0
        self._work: VectorBlock | None = None

    # --- what PETSc calls -------------------------------------------------------------

    def reset(self, ksp: Any) -> None:  # noqa: ARG002
        """Drop the recycled space and all storage."""
        self._free()

    def destroy(self, ksp: Any) -> None:  # noqa: ARG002
        """Free all storage."""
        self._free()

    def solveTranspose(self, ksp: Any, b: Any, x: Any) -> None:  # noqa: ARG002, N802
        """Refuse: the recycled space belongs to the operator, not to its transpose."""
        raise InputError(
            f"pdesolve.ksp.{type(self).__name__} solves with the operator only, not with its "
            "transpose; give the transposed matrix to a solver of its own"
        )

    def clear(self) -> None:
        """Forget the recycled space; the next solve starts from nothing."""
        self.num_recycled = 0
        self._key = None

    # --- for the methods --------------------------------------------------------------

    def _allocate(self, template: Any) -> None:
        raise NotImplementedError

    def _free(self) -> None:
        self.clear()
        self._layout = None

    def _begin(self, ksp: Any, b: Any, x: Any) -> None:
        """Take the operators and the layout; counters of the last solve to zero."""
        self._ksp, self._solution = ksp, x
        self._pc = ksp.getPC()
        self._matrix, _ = ksp.getOperators()
        null_space = self._matrix.getNullSpace()
        self._null_space = null_space if null_space.handle else None
        self._most_iterations = ksp.getTolerances()[3]
        self._iterations = self._reason = 0
        self.matvecs = self.recycle_matvecs = 0
        layout = (*b.getSizes(), b.getBlockSize(), *self._sizes())
        comm = b.getComm()
        if comm.getSize() > 1:  # a part that changes its size on one process concerns all
            same = comm.tompi4py().allreduce(int(layout == self._layout)) == comm.getSize()
        else:
            same = layout == self._layout
        if not same:
            self._free()
            self._allocate(b)
            self._layout = layout

    def _sizes(self) -> tuple[int, ...]:
        raise NotImplementedError

    def _end(self) -> None:
        self._ksp.setConvergedReason(self._reason)
        self.total_matvecs += self.matvecs
        self.total_iterations += self._iterations
        self._ksp = self._matrix = self._pc = self._null_space = self._solution = None

    def _multiply(self, source: Any, target: Any) -> None:
        self._matrix.mult(source, target)
        self.matvecs += 1

    def _precondition(self, source: Any, target: Any) -> None:
        self._pc.apply(source, target)
        if self._null_space is not None:
            self._null_space.remove(target)

    def _test(self, iteration: int, norm: float) -> int:
        """PETSc's own convergence test."""
        if not math.isfinite(norm):
            return int(
                Reason.DIVERGED_PC_FAILED
                if self._preconditioner_failed()
                else Reason.DIVERGED_NANORINF
            )
        return int(self._ksp.callConvergenceTest(iteration, norm))

    def _report(self, iteration: int, norm: float) -> bool:
        """Tell history and monitors; whether to stop."""
        ksp = self._ksp
        self._iterations = iteration
        ksp.setIterationNumber(iteration)
        ksp.setResidualNorm(norm)
        ksp.logConvergenceHistory(norm)
        ksp.monitor(iteration, norm)
        self._reason = self._test(iteration, norm)
        if not self._reason and iteration >= self._most_iterations:
            self._reason = int(Reason.DIVERGED_MAX_IT)
        return self._reason != 0

    def _preconditioner_failed(self) -> bool:
        failed = int(self._pc.getFailedReason()) != 0
        comm = self._ksp.getComm()
        return bool(comm.tompi4py().allreduce(int(failed))) if comm.getSize() > 1 else failed

    def _operator_key(self) -> tuple[Any, ...] | None:
        """What tells whether the preconditioned operator is that of the last solve.

        None where PETSc cannot tell. A preconditioner that is not a linear map is not
        noticed.
        """
        pmat = self._ksp.getOperators()[1]
        key: list[Any] = [int(self._ksp.getPCSide())]
        for one in (self._matrix, pmat, self._pc):
            kind = one.getType()
            if kind in _STATE_UNKNOWN:
                return None
            key += [one.handle, kind, one.stateGet()]
        return tuple(key)


def finite(values: Any) -> bool:
    """Whether all entries are finite."""
    return bool(np.isfinite(values).all())
