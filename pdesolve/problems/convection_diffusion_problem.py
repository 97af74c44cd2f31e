"""Steady convection and diffusion: −∇·(ε ∇u) + b·∇u = f."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import SpatialFunction, as_spatial_function
from pdesolve.grid.block_data import BlockCoefficient, on_block
from pdesolve.grid.convection import Convection, Scheme, cell_peclet
from pdesolve.grid.finite_volume import block_system
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.problems.base import LinearSystem, Problem
from pdesolve.problems.boundary import USUAL, Condition, Dirichlet
from pdesolve.problems.boxes import check_grid, complete_domain, conditions_on
from pdesolve.problems.channels import input_channels

CENTRAL_LIMIT = 2.0
"""Cell Péclet number |b| h/ε up to which central differences give no wiggles."""

# measured: benchmarks/families/convection_diffusion.py
SOLVER_PARAMETERS: Mapping[str, Any] = {
    "ksp_type": "bcgs",
    "ksp_pc_side": "right",
    "pc_type": "bjacobi",
    "sub_pc_type": "ilu",
    "ksp_max_it": 5000,
}


@dataclass(frozen=True, eq=False)
class ConvectionDiffusionProblem(Problem):
    """−∇·(ε ∇u) + b·∇u = f, in this advective form, with u or its flux given on the sides.

    Where ∇·b = 0 it is the conservative form ∇·(b u − ε ∇u) = f.

    Parameters
    ----------
    diffusivity
        ε > 0: a number, a function of points of shape ``(dimension, ...)``, a scalar
        Field, or a draw.
    velocity
        b: one of these for each axis, in a tuple; in one dimension also one alone.
    source
        f, given in the same ways.
    boundary_conditions
        By side name, or ``"all"``. ``Neumann`` and ``Robin`` give ε ∂u/∂n and
        ε ∂u/∂n + r u.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    scheme
        For the backend ``grid``: ``"exponential"`` (exponential fitting: second order,
        no wiggles at any cell Péclet number), ``"upwind"`` (first order, no wiggles), or
        ``"central"`` (second order; warns above the cell Péclet number 2, where wiggles
        can appear). See :class:`pdesolve.grid.convection.Convection`. The backend
        ``fem`` takes streamline-upwind Petrov–Galerkin stabilisation.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    Raises
    ------
    InputError
        Also by the backends, if no side gives u or a Robin condition: the matrix is then
        singular, and what the data must satisfy is not known beforehand.

    Examples
    --------
    >>> from pdesolve import solve
    >>> problem = ConvectionDiffusionProblem(0.01, 1.0, dimension=1)
    >>> float(solve(problem, mesh=50).field.values.max()) < 1.0
    True
    """

    diffusivity: object = 1.0
    velocity: object = (1.0, 0.0)
    source: object = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    scheme: Scheme = "exponential"
    name: str = "convection_diffusion"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "concentration"

    def __post_init__(self) -> None:
        complete_domain(self)
        given = self.velocity
        if self.dimension == 1 and not isinstance(given, tuple | list):
            given = (given,)
        if not isinstance(given, tuple | list) or len(given) != self.dimension:
            raise InputError(
                f"velocity={self.velocity!r} must be a tuple with a number, function or Field for "
                f"each of the {self.dimension} axes"
            )
        object.__setattr__(self, "velocity", tuple(given))
        _ = self.convection  # checks scheme and velocity

    @cached_property
    def velocity_functions(self) -> tuple[SpatialFunction, ...]:
        """The components of b as functions of space."""
        given: tuple[object, ...] = self.velocity  # type: ignore[assignment]
        return tuple(as_spatial_function(part) for part in given)

    @cached_property
    def convection(self) -> Convection:
        """Velocity and scheme."""
        return Convection(self.velocity_functions, self.scheme)

    @cached_property
    def diffusivity_function(self) -> SpatialFunction:
        """The diffusivity ε as a function of space."""
        return as_spatial_function(self.diffusivity)

    @cached_property
    def source_function(self) -> SpatialFunction:
        """The source f as a function of space."""
        return as_spatial_function(self.source)

    def grid_solver_parameters(self, grid: StructuredGrid, num_ranks: int) -> Mapping[str, Any]:
        """BiCGStab with incomplete factors of each process's rows, by measurement."""
        del grid, num_ranks
        return SOLVER_PARAMETERS

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Source, diffusivity and the components of the velocity."""
        parts = {"source": self.source_function, "diffusivity": self.diffusivity_function}
        for axis, component in zip(AXIS_NAMES, self.velocity_functions, strict=False):
            parts[f"velocity_{axis}"] = component
        known = {name: partial(part.on, grid) for name, part in parts.items()}
        return input_channels(grid, known, self.input_names)

    def discretize(self, grid: StructuredGrid) -> LinearSystem:
        """Finite volumes by the problem's scheme."""
        return self.discretize_block(GridBlock.whole(grid)).linear_system()

    def discretize_block(self, block: GridBlock) -> StencilRows:
        """The same, the rows of a block only."""
        check_grid(self, block.grid)
        conditions = conditions_on(self, block.grid, USUAL)
        diffusivity = BlockCoefficient.of_function(
            self.diffusivity_function, block, name="diffusivity"
        )
        rows = block_system(
            block,
            diffusivity,
            on_block(self.source_function, block),
            conditions,
            self.convection,
        )
        if rows.constant_null_space:
            raise InputError(NO_SIDE_FIXES)
        if self.scheme != "central":
            return rows
        number = cell_peclet(block, self.convection, diffusivity.values)
        if number <= CENTRAL_LIMIT:
            return rows
        warnings.warn(self._central_message(block.grid, number), UserWarning, stacklevel=2)
        note = f"central differences above their limit, the cell Péclet number {CENTRAL_LIMIT:g}"
        return replace(rows, notes=(note,))

    def _central_message(self, grid: StructuredGrid, number: float) -> str:
        cells = max(math.ceil(size * number / CENTRAL_LIMIT) for size in grid.shape)
        return (
            f"the cell Péclet number |b| h/ε is {number:.3g}; central differences can give wiggles "
            f"above {CENTRAL_LIMIT:g}. Take scheme='exponential' or 'upwind', or about {cells} "
            "cells an axis"
        )

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements with streamline-upwind Petrov–Galerkin terms."""
        from pdesolve.problems._firedrake_convection_diffusion import convection_diffusion_form

        return convection_diffusion_form(self, context)


NO_SIDE_FIXES = (
    "no side fixes u: with ε ∂u/∂n given or periodic sides everywhere the problem is singular, "
    "and for convection the condition on f is not known beforehand. Give one side Dirichlet, or "
    "Robin with a positive coefficient"
)


def boundary_layer(
    diffusivity: float, velocity: float, source: float = 1.0
) -> Callable[[FloatArray], FloatArray]:
    """The solution of −ε u'' + b u' = f on [0, 1] with u(0) = u(1) = 0 and numbers ε, b, f.

    u = f/b (x − (e^(b (x−1)/ε) − e^(−b/ε)) / (1 − e^(−b/ε))): a layer of width ε/b at the
    outflow.

    Parameters
    ----------
    diffusivity, velocity, source
        ε > 0, b ≠ 0 and f.

    Returns
    -------
    callable
        Takes points ``(1, ...)`` (further axes are not looked at) and gives ``(...)``.

    Examples
    --------
    >>> u = boundary_layer(0.01, 1.0)
    >>> [round(float(v), 6) for v in u(np.array([[0.0, 0.5, 0.99, 1.0]]))]
    [0.0, 0.5, 0.622121, 0.0]
    """
    if not (is_finite_number(diffusivity) and diffusivity > 0):
        raise InputError(f"diffusivity={diffusivity!r} must be positive and finite")
    if not is_finite_number(velocity) or velocity == 0:
        raise InputError(f"velocity={velocity!r} must be finite and not zero")
    number = abs(velocity) / diffusivity

    def solution(points: FloatArray) -> FloatArray:
        x = points[0] if velocity > 0 else 1.0 - points[0]
        layer = (np.exp(number * (x - 1)) - math.exp(-number)) / -math.expm1(-number)
        values: FloatArray = source / abs(velocity) * (x - layer)
        return values

    return solution
