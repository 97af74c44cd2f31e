"""Steady incompressible flow: u·∇u − ∇·(ν ∇u) + ∇p = f, ∇·u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pdesolve.problems.flow import FlowProblem


@dataclass(frozen=True, eq=False)
class NavierStokesProblem(FlowProblem):
    """u·∇u − ∇·σ = f, ∇·u = 0, with σ = ν ∇u − p I (or 2 ν ε(u) − p I), on ``fem``.

    Elements, conditions and pressure are those of :class:`pdesolve.StokesProblem`, the
    parameters those of :class:`pdesolve.problems.flow.FlowProblem`. Solved by Newton's
    method; where it fails from rest, the flow is approached from more viscous ones, and
    where that ends too, a ``NonlinearSolveFailure`` carries the last iterate: a steady
    flow may not exist, or need a finer mesh.

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.boundary import Dirichlet
    >>> wall = Dirichlet(0.0)
    >>> problem = NavierStokesProblem(0.1, boundary_conditions={
    ...     "x_lower": wall, "x_upper": wall, "y_lower": wall,
    ...     "y_upper": Dirichlet((lambda x: 16 * (x[0] * (1 - x[0]))**2, 0.0))})
    >>> solve(problem, mesh=4).result.converged
    True
    """

    name: str = "navier_stokes"

    def weak_form(self, context: Any) -> Any:
        """Taylor–Hood form, for Newton's method."""
        from pdesolve.problems._firedrake_navier_stokes import navier_stokes_form

        return navier_stokes_form(self, context)
