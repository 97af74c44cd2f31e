"""The preconditioned operator of a PETSc solver, with its products counted."""

from __future__ import annotations

from typing import Any

from petsc4py import PETSc

# PETSc cannot tell when these change
_STATE_UNKNOWN = ("shell", "python", "nest", "composite", "mffd")


class PreconditionedOperator:
    """M⁻¹A (left) or AM⁻¹ (right) for one solve.

    Parameters
    ----------
    ksp
        The PETSc solver.
    between
        Vector for what lies between matrix and preconditioner.

    Attributes
    ----------
    products
        Products with A so far.
    right
        Whether the preconditioner is applied first.
    """

    def __init__(self, ksp: Any, between: Any) -> None:
        self.products = 0
        self.right = ksp.getPCSide() == PETSc.PC.Side.RIGHT
        self._matrix, self._preconditioning_matrix = ksp.getOperators()
        self._pc = ksp.getPC()
        null_space = self._matrix.getNullSpace()
        self._null_space = null_space if null_space.handle else None
        self._between = between

    def multiply(self, source: Any, target: Any) -> None:
        """Set target = A source."""
        self._matrix.mult(source, target)
        self.products += 1

    def precondition(self, source: Any, target: Any) -> None:
        """Set target = M⁻¹ source, without its part in the matrix's null space."""
        self._pc.apply(source, target)
        if self._null_space is not None:
            self._null_space.remove(target)

    def apply(self, source: Any, target: Any) -> None:
        """Set target = M⁻¹A source, or AM⁻¹ source."""
        if self.right:
            self.precondition(source, self._between)
            self.multiply(self._between, target)
        else:
            self.multiply(source, self._between)
            self.precondition(self._between, target)

    def residual(self, b: Any, x: Any, target: Any) -> None:
        """Set target = b − A x."""
        self.multiply(x, target)
        target.aypx(-1.0, b)

    def identity(self) -> tuple[Any, ...] | None:
        """What is equal as long as the operator is the same; None where PETSc cannot tell."""
        key: list[Any] = [self.right]
        for one in (self._matrix, self._preconditioning_matrix, self._pc):
            kind = one.getType()
            if kind in _STATE_UNKNOWN:
                return None
            key += [one.handle, kind, one.stateGet()]
        return tuple(key)
