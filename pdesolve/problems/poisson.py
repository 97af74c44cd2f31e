"""Poisson's equation −Δu = f."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import FieldParameter, ParameterSpace
from operators.random_fields import (
    Boundary,
    GaussianRandomField,
    RandomFieldSample,
    is_finite_number,
)
from operators.spatial import SpatialFunction
from pdesolve.grid.block_data import ENDS
from pdesolve.grid.multigrid import geometric_multigrid
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.problems.base import LinearSystem, Problem, ProblemFamily, SpectralSystem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Periodic, Robin
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

    def grid_solver_parameters(self, grid: StructuredGrid, num_ranks: int) -> Mapping[str, Any]:
        """Geometric multigrid where it fits and some side fixes u; else the general default.

        Measured in ``benchmarks/families/poisson.py`` and ``benchmarks/poisson3d.py``.
        """
        slopes_only = all(
            isinstance(condition, Neumann | Periodic)
            for condition in self.boundary_conditions.values()
        )
        return {} if slopes_only else geometric_multigrid(grid, num_ranks)

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


Sides = Literal["dirichlet", "neumann", "robin", "mixed", "periodic"]
_MIXED = {
    "x_lower": "dirichlet",
    "x_upper": "robin",
    "y_lower": "neumann",
    "y_upper": "dirichlet",
    "z_lower": "neumann",
    "z_upper": "robin",
}


@dataclass(frozen=True)
class PoissonFamily(ProblemFamily):
    """−Δu = f on the unit box with random f and random data g on the sides.

    f ~ N(0, σ² (−Δ + τ²)^−α), scaled to a standard deviation, in the basis of the sides'
    boundary condition where they are all of one kind; g is the trace of another Gaussian
    field. Kinds of sides:

    - ``"dirichlet"``: u = g; ``"robin"``: ∂u/∂n + r u = g;
    - ``"mixed"``: u = g on x_lower and y_upper, ∂u/∂n = g on y_lower and z_lower,
      ∂u/∂n + r u = g on x_upper and z_upper;
    - ``"neumann"``: ∂u/∂n = 0, f and u of mean zero; ``"periodic"``: the same without
      sides.

    Parameters
    ----------
    dimension
        1, 2 or 3.
    sides
        One of the kinds.
    alpha, tau, num_modes
        Of f, see :class:`operators.GaussianRandomField`.
    standard_deviation
        Of f.
    boundary_deviation
        Standard deviation of g; 0 for g = 0.
    boundary_alpha
        Smoothness of g.
    transfer
        r ≥ 0, not 0 for ``"robin"``.
    name
        Name in the registry.

    References
    ----------
    Hackbusch (2017), Elliptic Differential Equations, doi:10.1007/978-3-662-54961-2.

    Lord, Powell, Shardlow (2014), An Introduction to Computational Stochastic PDEs,
    doi:10.1017/CBO9781139017329.

    Examples
    --------
    The exact solution is known where g = 0 and the sides are of one kind:

    >>> family = PoissonFamily(2, boundary_deviation=0.0, num_modes=8)
    >>> draw = family.sample(np.random.default_rng(0))
    >>> u = family.exact(draw)
    >>> bool(np.abs(u(np.array([[0.0, 1.0], [0.3, 0.6]]))).max() < 1e-12)  # on the sides
    True
    """

    dimension: int = 2
    sides: Sides = "dirichlet"
    alpha: float = 2.0
    tau: float = 3.0
    num_modes: int | None = None
    standard_deviation: float = 10.0
    boundary_deviation: float = 0.3
    boundary_alpha: float = 3.0
    transfer: float = 1.0
    name: str = ""

    outputs: ClassVar[tuple[str, ...]] = ("potential",)
    units: ClassVar[Mapping[str, str]] = {
        "source": "V m^-2",
        "boundary_values": "V (given u), V m^-1 (given slope)",
        "potential": "V",
        "length": "m",
    }
    equation: ClassVar[str] = "-lap u = f in the unit box; u, du/dn or du/dn + r u given"
    citation: ClassVar[str] = "Hackbusch (2017), doi:10.1007/978-3-662-54961-2"

    def __post_init__(self) -> None:
        kinds = get_args(Sides)
        if self.sides not in kinds:
            raise InputError(f"sides={self.sides!r}. {suggest(str(self.sides), kinds)}")
        for key in ("boundary_deviation", "transfer"):
            value = getattr(self, key)
            if not (is_finite_number(value) and value >= 0):
                raise InputError(f"{key}={value!r} must be finite and not negative")
        if self.sides == "robin" and self.transfer == 0:
            raise InputError(
                "transfer=0 leaves no side that fixes u; give a positive one, or sides='neumann'"
            )
        if not self.name:
            object.__setattr__(self, "name", f"poisson{self.dimension}d")
        _ = self.parameters  # checks the numbers of the random fields

    @property
    def backends(self) -> tuple[str, ...]:  # type: ignore[override]
        """Finite volumes and elements, and Fourier modes without sides."""
        return ("grid", "fem", "spectral") if self.sides == "periodic" else ("grid", "fem")

    @property
    def has_boundary_values(self) -> bool:
        """Whether the sides' data are random."""
        return self.sides not in ("neumann", "periodic") and self.boundary_deviation > 0

    @property
    def inputs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Channels of a surrogate's input."""
        return ("source", "boundary_values") if self.has_boundary_values else ("source",)

    @property
    def symmetries(self) -> tuple[str, ...]:  # type: ignore[override]
        """Flips and exchanged axes, but for sides of several kinds."""
        return () if self.sides == "mixed" else ("square",)

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given."""
        return {1: (256,), 2: (64, 64), 3: (32, 32, 32)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """Random source and random boundary values."""
        basis: dict[str, Boundary] = {"dirichlet": "dirichlet", "periodic": "periodic"}
        source = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            basis.get(self.sides, "neumann"),
            self.num_modes,
            self.standard_deviation,
        )
        found = [FieldParameter("source", source, self.units["source"], "f")]
        if self.has_boundary_values:
            values = GaussianRandomField(
                self.dimension,
                self.boundary_alpha,
                self.tau,
                "neumann",
                self.num_modes,
                self.boundary_deviation,
                zero_mean=False,
            )
            unit = self.units["boundary_values"]
            found.append(FieldParameter("boundary_values", values, unit, "g on the sides"))
        return ParameterSpace(tuple(found))

    def problem(self, parameters: Mapping[str, Any]) -> PoissonProblem:
        """The problem with this source and these boundary values."""
        values = self.parameters.check(parameters)
        given = values.get("boundary_values")
        return PoissonProblem(
            values["source"],
            self._conditions(0.0 if given is None else given),
            self.dimension,
            boundary_values=given,
            name=self.name,
        )

    def _conditions(self, given: object) -> dict[str, Condition]:
        every: dict[str, Condition] = {
            "dirichlet": Dirichlet(given),
            "neumann": Neumann(given),
            "robin": Robin(self.transfer, given),
            "periodic": Periodic(),
        }
        if self.sides != "mixed":
            return {"all": every[self.sides]}
        return {name: every[_MIXED[name]] for name in self._names}

    def exact(self, parameters: Mapping[str, Any]) -> Callable[[FloatArray], FloatArray] | None:
        """The solution mode by mode, for homogeneous sides of one kind."""
        source = self.parameters.check(parameters)["source"]
        same = {"dirichlet": "dirichlet", "neumann": "neumann", "periodic": "periodic"}
        if (
            not isinstance(source, RandomFieldSample)
            or self.has_boundary_values
            or same.get(self.sides) != source.field.boundary
        ):
            return None
        solved = source.inverse_laplacian()

        def potential(points: FloatArray) -> FloatArray:
            flat = np.reshape(points, (self.dimension, -1)).T
            return solved.evaluate(flat).reshape(np.shape(points)[1:])

        return potential

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain and the sides."""
        kinds = dict.fromkeys(["all"], self.sides) if self.sides != "mixed" else dict(_MIXED)
        return {
            **super().describe(),
            "domain": {"lower": [0.0] * self.dimension, "upper": [1.0] * self.dimension},
            "boundary conditions": {
                side: kind for side, kind in kinds.items() if side in ("all", *self._names)
            },
            "transfer": self.transfer,
        }

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(f"{axis}_{end}" for axis in "xyz"[: self.dimension] for end in ENDS)


def poisson1d(**options: Any) -> PoissonFamily:
    """Poisson's equation on the unit interval."""
    return PoissonFamily(1, **options)


def poisson2d(**options: Any) -> PoissonFamily:
    """Poisson's equation on the unit square."""
    return PoissonFamily(2, **options)


def poisson3d(**options: Any) -> PoissonFamily:
    """Poisson's equation on the unit cube."""
    return PoissonFamily(3, **options)
