"""What Krylov methods that recycle a subspace have in common as PETSc solvers."""

from __future__ import annotations

import ctypes
from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve.ksp._petsc_operator import PreconditionedOperator
from pdesolve.ksp._petsc_progress import SolveProgress


def integer_option(ksp: Any, name: str, default: int) -> int:
    """An integer from PETSc's options, under the solver's prefix."""
    options = PETSc.Options(ksp.getOptionsPrefix())
    try:
        return int(options.getInt(name, default))
    except PETSc.Error:
        raise InputError(
            f"{name}={options.getString(name)!r} is not an integer; give a number such as {default}"
        ) from None


def support_norm(ksp: Any, norm: int, side: int, priority: int) -> None:
    """Let a solver of type python test a norm (``KSPSetSupportedNorm``).

    petsc4py does not wrap the function. Where its library does not show it, PETSc goes on
    refusing the norm.
    """
    function = getattr(ctypes.CDLL(PETSc.__file__), "KSPSetSupportedNorm", None)
    if function is not None:
        function.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
        function(ksp.handle, int(norm), int(side), priority)


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
    """

    def __init__(self) -> None:
        self.matvecs = self.recycle_matvecs = 0
        self.total_matvecs = self.total_iterations = 0
        self._layout: tuple[Any, ...] | None = None
        self._space: Any = None  # with num_recycled, clear and destroy
        self._running: Any = None  # the solve that is under way, with iterate

    @property
    def num_recycled(self) -> int:
        """Vectors that the recycled space has now."""
        return 0 if self._space is None else self._space.num_recycled

    def clear(self) -> None:
        """Forget the recycled space; the next solve starts from nothing."""
        if self._space is not None:
            self._space.clear()

    def reset(self, ksp: Any) -> None:  # noqa: ARG002
        """Drop the recycled space and all storage; PETSc calls this."""
        if self._space is not None:
            self._space.destroy()
        self._space = None

    def buildSolution(self, ksp: Any, x: Any) -> None:  # noqa: N802
        """The iterate at this moment, for monitors."""
        if not x.handle:
            raise InputError(
                f"{type(self).__name__} builds its iterate into a vector of the caller's, and none "
                "was given; monitor with -ksp_monitor_true_residual or call ksp.buildSolution(x)"
            )
        if self._running is None:
            ksp.getSolution().copy(x)
        else:
            self._running.iterate(x)

    def destroy(self, ksp: Any) -> None:
        """Free all storage; PETSc calls this."""
        self.reset(ksp)

    def solveTranspose(self, ksp: Any, b: Any, x: Any) -> None:  # noqa: ARG002, N802
        """Refuse: the recycled space belongs to the operator, not to its transpose."""
        raise InputError(
            f"pdesolve.ksp.{type(self).__name__} solves with the operator only, not with its "
            "transpose; give the transposed matrix to a solver of its own"
        )

    def _fits(self, template: Any, *sizes: int) -> bool:
        """Whether storage of the last solve fits this one, on every process (collective)."""
        layout = (*template.getSizes(), template.getBlockSize(), *sizes)
        same = layout == self._layout
        comm = template.getComm()
        if comm.getSize() > 1:
            same = comm.tompi4py().allreduce(int(same)) == comm.getSize()
        self._layout = layout
        return same

    def _count(
        self, ksp: Any, operator: PreconditionedOperator, progress: SolveProgress, renewal: int
    ) -> None:
        """Take over what a solve did, however it ended."""
        ksp.setConvergedReason(progress.reason)
        self.matvecs, self.recycle_matvecs = operator.products, renewal
        self.total_matvecs += operator.products
        self.total_iterations += progress.iteration
