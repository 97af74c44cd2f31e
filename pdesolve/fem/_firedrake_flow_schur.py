"""Approximate inverses of the pressure's Schur complement in flow problems."""

from __future__ import annotations

from typing import Any

from pdesolve.fem._firedrake import firedrake


class NegativeMass(firedrake.MassInvPC):  # type: ignore[misc]
    """−ν M⁻¹ for S = −B A⁻¹ Bᵀ, the Schur complement of the symmetric Stokes form.

    Firedrake's ``MassInvPC`` with the sign that goes with −∫ q ∇·u; ν is ``mu`` in the
    form's context. Use it as PETSc's preconditioner of type ``python`` with
    ``pc_python_type`` ``pdesolve.fem._firedrake_flow_schur.NegativeMass``; options of the
    mass matrix have the prefix ``Mp_``.
    """

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """Apply to a residual x, giving a correction y."""
        super().apply(pc, x, y)
        y.scale(-1.0)
