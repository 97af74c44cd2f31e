"""Hybridisation of mixed forms whose fluxes are given on part of the boundary."""

from __future__ import annotations

from typing import Any

from pdesolve.fem._firedrake import firedrake


class FluxHybridization(firedrake.HybridizationPC):  # type: ignore[misc]
    """Firedrake's ``HybridizationPC`` with exact identity rows for given fluxes.

    The condensed solve meets given fluxes up to its own tolerance only, and what is left
    in their rows would go round as a source in the next iteration. Here those rows are
    taken out of the residual before, and put into the correction after, each application,
    so that an outer Krylov method reaches any tolerance.

    Use it as PETSc's preconditioner of type ``python`` with ``pc_python_type``
    ``pdesolve.fem._firedrake_hybridization.FluxHybridization``; its condensed system's
    options have the prefix ``hybridization_``.
    """

    def initialize(self, pc: Any) -> None:
        """Set the condensed system up, and find the rows of given fluxes."""
        super().initialize(pc)
        space = self.ctx.a.arguments()[0].function_space()
        self._fixed = firedrake.Function(space)  # one in those rows
        for condition in self.ctx.row_bcs:
            self._fixed.subfunctions[self.vidx].dat.data_with_halos[condition.nodes] = 1.0

    def apply(self, pc: Any, x: Any, y: Any) -> None:
        """Apply to a residual x, giving a correction y."""
        if not self.ctx.row_bcs:
            super().apply(pc, x, y)
            return
        with self._fixed.dat.vec_ro as fixed:
            given = x.duplicate()
            given.pointwiseMult(fixed, x)
            rest = x.copy()
            rest.axpy(-1.0, given)
            super().apply(pc, rest, y)
            rest.pointwiseMult(fixed, y)
            y.axpy(-1.0, rest)
            y.axpy(1.0, given)
            rest.destroy()
            given.destroy()
