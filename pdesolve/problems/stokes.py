"""Slow incompressible flow: −∇·(ν ∇u) + ∇p = f, ∇·u = 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pdesolve.problems.channel import ChannelFamily
from pdesolve.problems.flow import FlowProblem


@dataclass(frozen=True, eq=False)
class StokesProblem(FlowProblem):
    """−∇·σ = f, ∇·u = 0, with σ = ν ∇u − p I (or 2 ν ε(u) − p I), on the backend ``fem``.

    Taylor–Hood elements: velocities of degree k (the option `degree`, 2 or more; 1 stands
    for 2, the lowest stable pair), pressures of degree k − 1. Pressures are divided by the
    density (m² s⁻²). With velocities given all around, the pressure is the one with mean
    zero, and the velocities must let as much in as out.

    The parameters are those of :class:`pdesolve.problems.flow.FlowProblem`.

    Examples
    --------
    >>> from pdesolve import solve
    >>> from pdesolve.problems.boundary import Dirichlet, Neumann
    >>> problem = StokesProblem(boundary_conditions={
    ...     "x_lower": Dirichlet((lambda x: x[1] * (1 - x[1]), 0.0)), "x_upper": Neumann(0.0),
    ...     "y_lower": Dirichlet(0.0), "y_upper": Dirichlet(0.0)})
    >>> solution = solve(problem, mesh=4)
    >>> round(float(solution.field.evaluate([[0.75, 0.5]])[0, 0]), 6)
    0.25
    """

    name: str = "stokes"

    def weak_form(self, context: Any) -> Any:
        """Taylor–Hood form."""
        from pdesolve.problems._firedrake_stokes import stokes_form

        return stokes_form(self, context)


def stokes_channel(**options: Any) -> ChannelFamily:
    """Stokes flow through a channel past a disk, with a random inflow profile."""
    return ChannelFamily(False, **options)
