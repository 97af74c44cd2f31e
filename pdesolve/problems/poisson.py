"""Poisson's equation −Δu = f."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from meshes.block import GridBlock
from meshes.field import Field
from meshes.structured import StructuredGrid
from operators.spatial import SpatialFunction
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.problems.base import LinearSystem, Problem, SpectralSystem
from pdesolve.problems.boundary import Condition, Dirichlet
from pdesolve.problems.darcy import DarcyProblem


@dataclass(frozen=True, eq=False)
class PoissonProblem(Problem):
    """−Δu = f with u, ∂u/∂n or ∂u/∂n + r u given on each side, or periodic sides.

    Parameters
    ----------
    source
        f: a number, a function of points of shape ``(dimension, ...)``, a scalar Field,
        or a draw of a random field.
    boundary_conditions
        By side name: ``x_lower``, ``x_upper``, ``y_lower``, ... on boxes, physical names
        on Gmsh meshes, or ``"all"``.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    boundary_values
        A function of space that the sides' data are traces of; the second input of a
        surrogate where it is given.
    name
        Used in messages and to match surrogates.

    Notes
    -----
    With ∂u/∂n given (or periodic sides) everywhere, u is defined up to a constant; the
    answer is the one with mean zero, and f and the fluxes must balance.

    The discretisations are those of :class:`pdesolve.DarcyProblem` with a = 1: finite
    volumes (the usual 2 d + 1 point stencil; at a side with u given the value is half a
    cell away), continuous or mixed finite elements, Fourier modes.

    Examples
    --------
    >>> from pdesolve import solve
    >>> solution = solve(PoissonProblem(1.0, dimension=1), mesh=64)
    >>> round(float(solution.field.evaluate([[0.5]])[0, 0]), 3)
    0.125
    """

    source: object = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    boundary_values: SpatialFunction | None = None
    name: str = "poisson"

    unknown: ClassVar[str] = "potential"

    def __post_init__(self) -> None:
        for name in ("lower", "upper", "boundary_conditions"):
            object.__setattr__(self, name, getattr(self.diffusion, name))

    @cached_property
    def diffusion(self) -> DarcyProblem:
        """The same as a problem of Darcy flow, a = 1."""
        return DarcyProblem(
            1.0,
            self.source,
            self.boundary_conditions,
            self.dimension,
            self.lower,
            self.upper,
            self.name,
        )

    @property
    def grid_solver_parameters(self) -> Mapping[str, Any]:
        """Conjugate gradients with algebraic multigrid, by measurement."""
        return SOLVER_PARAMETERS[self.dimension]

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The source, and the boundary values where the problem has them as one function."""
        source = self.diffusion.source_function.on(grid)
        if self.boundary_values is None:
            return Field(grid, source, ("source",))
        values = np.stack([source, self.boundary_values.on(grid)])
        return Field(grid, values, ("source", "boundary_values"))

    def discretize(self, grid: StructuredGrid) -> LinearSystem:
        """Finite volumes, 2 d + 1 points."""
        return self.diffusion.discretize(grid)

    def discretize_block(self, block: GridBlock) -> StencilRows:
        """The same, the rows of a block only."""
        return self.diffusion.discretize_block(block)

    def spectral_system(self, grid: StructuredGrid) -> SpectralSystem:
        """Fourier modes, for boxes that wrap on every axis."""
        return self.diffusion.spectral_system(grid)

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange or mixed Raviart–Thomas form, by the context's element."""
        from dataclasses import replace

        from pdesolve.problems._firedrake_darcy import darcy_form

        form = darcy_form(self.diffusion, context)
        return replace(form, names=(*form.names[:-1], self.unknown))


SOLVER_PARAMETERS: Mapping[int, Mapping[str, Any]] = {1: {}, 2: {}, 3: {}}
