"""The preconditioned operator of a PETSc solver, with its products counted."""

from __future__ import annotations

from typing import Any

from petsc4py import PETSc

# PETSc cannot tell when these change
_STATE_UNKNOWN = ("shell", "python", "nest", "composite", "mffd")


class PreconditionedOperator:
    """A and M⁻¹ for one solve.

    Parameters
    ----------
    ksp
        The PETSc solver.

    Attributes
    ----------
    products
        Products with A so far.
    right
        Whether the preconditioner is applied first; never where there is none.
    """

    def __init__(self, ksp: Any) -> None:
        self.products = 0
        self._matrix, self._preconditioning_matrix = ksp.getOperators()
        self._pc = ksp.getPC()
        right = ksp.getPCSide() == PETSc.PC.Side.RIGHT
        self.right = right and self._pc.getType() != PETSc.PC.Type.NONE
        null_space = self._matrix.getNullSpace()
        self._null_space = null_space if null_space.handle else None

    def multiply(self, source: Any, target: Any) -> None:
        """Set target = A source."""
        self._matrix.mult(source, target)
        self.products += 1

    def precondition(self, source: Any, target: Any) -> None:
        """Set target = M⁻¹ source, without its part in the matrix's null space."""
        self._pc.apply(source, target)
        if self._null_space is not None:
            self._null_space.remove(target)

    def apply(self, source: Any, between: Any, target: Any) -> None:
        """Set between = A source and target = M⁻¹A source."""
        self.multiply(source, between)
        self.precondition(between, target)

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
