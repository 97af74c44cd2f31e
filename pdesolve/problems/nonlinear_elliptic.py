"""Nonlinear elliptic equations that minimise an energy: Bratu, p-Laplace, one-sided reaction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import ConstantFunction, as_spatial_function
from pdesolve.grid.nonlinear_diffusion import (
    dirichlet_energy,
    p_laplacian_system,
    semilinear_system,
)
from pdesolve.grid.systems import NonlinearSystem
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.boxes import values_on
from pdesolve.problems.channels import input_channels
from pdesolve.problems.elliptic_boxes import (
    complete_elliptic,
    elliptic_sides,
    require_positive_number,
    whole_with_ghosts,
)
from pdesolve.problems.nonlinear_elliptic_families import (
    bratu2d,
    one_sided_reaction2d,
    p_laplacian2d,
)

__all__ = [
    "BratuProblem",
    "OneSidedReactionProblem",
    "PLaplacianProblem",
    "bratu2d",
    "one_sided_reaction2d",
    "p_laplacian2d",
]

_SEMILINEAR = (Dirichlet, Neumann, Robin, Periodic)
# λ at which the two solutions with u = 0 on the sides of the unit interval and square meet
TURNING_POINTS = {1: 3.513830719, 2: 6.808124423}


@dataclass(frozen=True, eq=False)
class BratuProblem(Problem):
    """−Δu = λ e^u + f, the solution of smallest size (steady thermal explosion).

    Parameters
    ----------
    strength
        λ ≥ 0, in 1/m² for u without unit. With u = 0 on all sides and f = 0 there is no
        solution above the turning point: 3.5138 on the unit interval, 6.8081 on the unit
        square (over the squared side length for others); below it there are two, and the
        first guess 0 leads to the smaller one.
    source
        f: a number, a function of points ``(dimension, ...)``, a Field, or a draw.
    boundary_conditions
        By side name or ``"all"``: Dirichlet, Neumann (∂u/∂n), Robin, Periodic.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    name
        Used in messages and to match surrogates.

    Raises
    ------
    InputError
        If λ is negative, or above the turning point where that is known.

    References
    ----------
    Bratu (1914), Sur les équations intégrales non linéaires, Bulletin de la S. M. F. 42,
    doi:10.24033/bsmf.943.

    Examples
    --------
    >>> from pdesolve import solve
    >>> answer = solve(BratuProblem(6.0), mesh=(32, 32)).field
    >>> bool(0.6 < answer.values.max() < 0.9)
    True
    """

    strength: float = 1.0
    source: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    name: str = "bratu"

    unknown: ClassVar[str] = "u"

    def __post_init__(self) -> None:
        complete_elliptic(self)
        if not is_finite_number(self.strength) or self.strength < 0:
            raise InputError(f"strength={self.strength!r} must be finite and not negative")
        limit = self.largest_strength
        if self.strength > limit:
            raise InputError(
                f"strength={self.strength:g} is above {limit:.9g}, beyond which −Δu = λ e^u with "
                "u = 0 on the sides of this box has no solution; choose a smaller one"
            )

    @property
    def largest_strength(self) -> float:
        """The turning point or a bound on it; infinity where none is known.

        On the unit interval and square, scaled to intervals and squares, the computed
        turning points; on other boxes the first eigenvalue of −Δ over e, which no λ with
        a solution exceeds. Only for f = 0 and u = 0 on all sides.
        """
        if hasattr(self.source, "ufl_shape"):
            return math.inf
        free = ConstantFunction(0.0)
        plain = as_spatial_function(self.source) == free and all(
            isinstance(condition, Dirichlet) and condition.function == free
            for condition in self.boundary_conditions.values()
        )
        if not plain:
            return math.inf
        lengths = [high - low for low, high in zip(self.lower, self.upper, strict=True)]
        if self.dimension in TURNING_POINTS and math.isclose(min(lengths), max(lengths)):
            return TURNING_POINTS[self.dimension] / lengths[0] ** 2
        return math.pi**2 * sum(1.0 / length**2 for length in lengths) / math.e

    def input_fields(self, grid: StructuredGrid) -> Field:
        """λ everywhere, one channel."""
        return Field(grid, np.full(grid.shape, float(self.strength)), ("strength",))

    def nonlinear_system(self, block: GridBlock) -> NonlinearSystem:
        """Second differences on cell-centred grids."""
        return semilinear_system(
            block,
            elliptic_sides(self, block, _SEMILINEAR),
            name=self.unknown,
            reaction=lambda u: -self.strength * np.exp(u),
            derivative=lambda u: -self.strength * np.exp(u),
            source=values_on("source", self.source, block.own_grid()),
            initial=np.zeros(block.shape),
        )

    def energy(self, answer: Field) -> float:
        """∫ |∇u|²/2 − λ e^u − f u on a grid; the solution is a local minimum.

        Dirichlet sides only are meant: fluxes given on sides are not counted.
        """
        values, block = whole_with_ghosts(self, answer, _SEMILINEAR)
        u = answer.values[0]
        work = self.strength * np.exp(u) + values_on("source", self.source, block.grid) * u
        gradients = dirichlet_energy(values, block, lambda s: s / 2)
        return gradients - float(np.sum(work)) * block.grid.cell_volume

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements."""
        from pdesolve.problems._firedrake_nonlinear_elliptic import bratu_form

        return bratu_form(self, context)


@dataclass(frozen=True, eq=False)
class PLaplacianProblem(Problem):
    """−∇·((|∇u|² + ε²)^((p−2)/2) ∇u) = f, the p-Laplacian, regularised.

    The minimum of the convex energy ∫ (|∇u|² + ε²)^(p/2) / p − f u. ε keeps the equation
    elliptic where the gradient vanishes; the solution differs from that of the
    p-Laplacian by a distance that goes to zero with ε.

    Parameters
    ----------
    exponent
        p, from 1.1 to 6.
    source
        f: a number, a function of points ``(2, ...)``, a Field, or a draw.
    regularisation
        ε > 0, in the unit of the gradient.
    boundary_conditions
        By side name or ``"all"``: Dirichlet or Periodic.
    lower, upper
        The box; the unit square when left out.
    name
        Used in messages and to match surrogates.

    References
    ----------
    Barrett, Liu (1993), Finite element approximation of the p-Laplacian, Mathematics of
    Computation 61(204), doi:10.1090/S0025-5718-1993-1192966-4.

    Examples
    --------
    >>> from pdesolve import solve
    >>> float(solve(PLaplacianProblem(3.0), mesh=(16, 16)).field.values.max()) > 0
    True
    """

    exponent: float = 3.0
    source: object = 1.0
    regularisation: float = 1e-2
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    name: str = "p_laplacian"

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    unknown: ClassVar[str] = "u"

    def __post_init__(self) -> None:
        complete_elliptic(self)
        if not is_finite_number(self.exponent) or not 1.1 <= self.exponent <= 6.0:
            raise InputError(f"exponent={self.exponent!r} must lie between 1.1 and 6")
        require_positive_number("regularisation", self.regularisation)

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The source, one channel."""
        return Field(grid, values_on("source", self.source, grid), ("source",))

    def nonlinear_system(self, block: GridBlock) -> NonlinearSystem:
        """The derivative of a discrete energy, a scheme with nine points."""
        sides = elliptic_sides(self, block, (Dirichlet, Periodic))
        source = values_on("source", self.source, block.own_grid())
        systems = [
            p_laplacian_system(
                block,
                sides,
                name=self.unknown,
                exponent=exponent,
                regularisation=self.regularisation,
                source=source,
                initial=np.zeros(block.shape),
            )
            for exponent in (*easier_exponents(self.exponent), self.exponent)
        ]
        prepare = systems[0] if len(systems) > 1 and self.has_boundary_values else None
        return replace(systems[-1], easier=tuple(systems[:-1]), prepare=prepare, load=source[None])

    @property
    def has_boundary_values(self) -> bool:
        """Whether u is not zero on some side; the first guess is then that of p = 2.

        From zero the slopes next to such a side are those of a jump, and their power a
        residual so large that a small part of it is no small residual.
        """
        return any(
            isinstance(condition, Dirichlet) and condition.function != ConstantFunction(0.0)
            for condition in self.boundary_conditions.values()
        )

    def energy(self, answer: Field) -> float:
        """∫ (|∇u|² + ε²)^(p/2) / p − f u on a grid; the solution is its minimum."""
        values, block = whole_with_ghosts(self, answer, (Dirichlet, Periodic))
        work = values_on("source", self.source, block.grid) * answer.values[0]
        shift, power = self.regularisation**2, self.exponent / 2
        gradients = dirichlet_energy(values, block, lambda s: (s + shift) ** power / (2 * power))
        return gradients - float(np.sum(work)) * block.grid.cell_volume

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements."""
        from pdesolve.problems._firedrake_nonlinear_elliptic import p_laplacian_form

        return p_laplacian_form(self, context)


def easier_exponents(exponent: float) -> tuple[float, ...]:
    """Exponents from 2 towards the given one by which Newton's method is led to it.

    Examples
    --------
    >>> easier_exponents(4.0)
    (2.0, 3.0)
    """
    if exponent == 2.0:
        return ()
    step = 1.0 if exponent > 2.0 else -0.25
    count = math.ceil((exponent - 2.0) / step)
    return tuple(2.0 + step * n for n in range(count))


@dataclass(frozen=True, eq=False)
class OneSidedReactionProblem(Problem):
    """−Δu + κ max(0, u) = f: where u is positive it is taken away at the rate κ.

    The minimum of the convex energy ∫ |∇u|²/2 + κ max(0, u)²/2 − f u. The equation has a
    kink at u = 0; Newton's method with the one-sided derivative still converges in a few
    steps.

    Parameters
    ----------
    rate
        κ ≥ 0, in 1/m².
    source
        f: a number, a function of points ``(dimension, ...)``, a Field, or a draw.
    boundary_conditions
        By side name or ``"all"``: Dirichlet, Neumann (∂u/∂n), Robin, Periodic.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`, all when empty.

    Examples
    --------
    >>> from pdesolve import solve
    >>> solve(OneSidedReactionProblem(50.0), mesh=(16, 16)).result.converged
    True
    """

    rate: float = 1.0
    source: object = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    name: str = "one_sided_reaction"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "u"

    def __post_init__(self) -> None:
        complete_elliptic(self)
        if not is_finite_number(self.rate) or self.rate < 0:
            raise InputError(f"rate={self.rate!r} must be finite and not negative")
        kinds = [type(condition) for condition in self.boundary_conditions.values()]
        if not {Dirichlet, Robin} & set(kinds):
            raise InputError(
                "no side has Dirichlet or Robin: where u is negative nothing holds it then; give "
                "one side such a condition"
            )

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The source and κ, two channels."""
        known = {
            "source": lambda: values_on("source", self.source, grid),
            "rate": lambda: np.full(grid.shape, float(self.rate)),
        }
        return input_channels(grid, known, self.input_names)

    def nonlinear_system(self, block: GridBlock) -> NonlinearSystem:
        """Second differences on cell-centred grids."""
        return semilinear_system(
            block,
            elliptic_sides(self, block, _SEMILINEAR),
            name=self.unknown,
            reaction=lambda u: self.rate * np.maximum(u, 0.0),
            derivative=lambda u: np.where(u > 0.0, float(self.rate), 0.0),
            source=values_on("source", self.source, block.own_grid()),
            initial=np.zeros(block.shape),
        )

    def energy(self, answer: Field) -> float:
        """∫ |∇u|²/2 + κ max(0, u)²/2 − f u on a grid; the solution is its minimum.

        Dirichlet sides only are meant: fluxes given on sides are not counted.
        """
        values, block = whole_with_ghosts(self, answer, _SEMILINEAR)
        u = answer.values[0]
        work = values_on("source", self.source, block.grid) * u
        density = self.rate / 2 * np.maximum(u, 0.0) ** 2 - work
        gradients = dirichlet_energy(values, block, lambda s: s / 2)
        return gradients + float(np.sum(density)) * block.grid.cell_volume

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements."""
        from pdesolve.problems._firedrake_nonlinear_elliptic import one_sided_form

        return one_sided_form(self, context)
