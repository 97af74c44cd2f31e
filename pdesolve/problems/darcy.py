"""Steady flow in a porous medium: −∇·(a ∇u) = f."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.parameters import (
    FieldParameter,
    LogNormalField,
    ParameterSpace,
    ThresholdedField,
)
from operators.random_fields import Boundary, GaussianRandomField, is_finite_number
from operators.spatial import ConstantFunction, SpatialFunction, as_spatial_function
from pdesolve.grid.block_data import BlockCoefficient, on_block
from pdesolve.grid.finite_volume import block_system
from pdesolve.grid.stencil_rows import StencilRows
from pdesolve.problems.base import LinearSystem, Problem, ProblemFamily, SpectralSystem
from pdesolve.problems.boundary import USUAL, Condition, Dirichlet
from pdesolve.problems.boxes import check_grid, complete_domain, conditions_on


@dataclass(frozen=True, eq=False)
class DarcyProblem(Problem):
    """−∇·(a ∇u) = f with u, a ∂u/∂n or a ∂u/∂n + r u given on each side.

    Parameters
    ----------
    coefficient
        Permeability over viscosity a > 0: a number, a function of points of shape
        ``(dimension, ...)``, a scalar Field, or a draw of a random field. For the
        backend ``fem`` also a symmetric positive definite matrix: an array of shape
        ``(dimension, dimension)`` or a function that gives ``(dimension, dimension,
        ...)``.
    source
        f, given in the same ways.
    boundary_conditions
        By side name: ``x_lower``, ``x_upper``, ``y_lower``, ... on boxes, physical names
        on Gmsh meshes, or ``"all"``.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    name
        Used in messages and to match surrogates.

    Notes
    -----
    With a ∂u/∂n given (or periodic sides) everywhere, u is defined up to a constant; the
    answer is the one with mean zero, and f and the fluxes must balance.

    Examples
    --------
    >>> from pdesolve import solve
    >>> problem = DarcyProblem(lambda x: 1.0 + x[0], dimension=2)
    >>> float(solve(problem, mesh=(16, 16)).field.values.max()) > 0
    True
    """

    coefficient: object = 1.0
    source: object = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    name: str = "darcy"

    unknown: ClassVar[str] = "pressure"

    def __post_init__(self) -> None:
        complete_domain(self)

    @cached_property
    def has_tensor_coefficient(self) -> bool:
        """Whether a is a matrix."""
        if hasattr(self.coefficient, "ufl_shape"):
            return bool(self.coefficient.ufl_shape)
        if isinstance(self.coefficient, Field):
            return self.coefficient.num_channels > 1
        if isinstance(self.coefficient, np.ndarray):
            return bool(self.coefficient.shape == (self.dimension, self.dimension))
        if callable(self.coefficient) and not isinstance(self.coefficient, SpatialFunction):
            middle = (np.array(self.lower) + np.array(self.upper)) / 2
            try:
                return np.ndim(self.coefficient(middle.reshape(-1, 1))) == 3
            except Exception:  # the backend evaluates it again, and reports
                return False
        return False

    @cached_property
    def scalar_coefficient(self) -> SpatialFunction:
        """The coefficient as a scalar function of space.

        Raises
        ------
        InputError
            If a is a matrix.
        """
        if self.has_tensor_coefficient:
            raise InputError(
                "a matrix-valued coefficient needs the backend 'fem' "
                "(solve(..., backend='fem')); 'grid' takes scalar ones"
            )
        return as_spatial_function(self.coefficient)

    @cached_property
    def source_function(self) -> SpatialFunction:
        """The source as a function of space."""
        return as_spatial_function(self.source)

    @cached_property
    def _last_coefficient(self) -> dict[StructuredGrid, FloatArray]:
        return {}

    def coefficient_on(self, grid: StructuredGrid) -> FloatArray:
        """The coefficient at the grid's points, checked to be positive and finite.

        The array is read-only, and that of the last grid is kept, so that a random field
        is not summed once for the surrogate's input and again for the matrix.
        """
        if grid in self._last_coefficient:
            return self._last_coefficient[grid]
        values = self.scalar_coefficient.on(grid)
        if not np.isfinite(values).all() or values.min() <= 0:
            bad = ~(np.isfinite(values) & (values > 0))
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            raise InputError(
                f"the coefficient must be positive and finite; it is {values[where]} at index "
                f"{where} ({int(bad.sum())} of {values.size} values)"
            )
        values = values.view()
        values.flags.writeable = False
        self._last_coefficient.clear()
        self._last_coefficient[grid] = values
        return values

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The coefficient, one channel."""
        return Field(grid, self.coefficient_on(grid), ("coefficient",))

    def discretize(self, grid: StructuredGrid) -> LinearSystem:
        """Conservative finite volumes with harmonic face averages."""
        return self.discretize_block(GridBlock.whole(grid)).linear_system()

    def discretize_block(self, block: GridBlock) -> StencilRows:
        """The same, the rows of a block only."""
        grid = block.grid
        check_grid(self, grid)
        conditions = conditions_on(self, grid, USUAL)
        whole = block.shape == grid.shape and not isinstance(
            self.scalar_coefficient, ConstantFunction
        )
        coefficient = BlockCoefficient.of_function(
            self.scalar_coefficient, block, values=self.coefficient_on(grid) if whole else None
        )
        return block_system(block, coefficient, on_block(self.source_function, block), conditions)

    def spectral_system(self, grid: StructuredGrid) -> SpectralSystem:
        """Fourier pseudo-spectral form, for boxes that wrap on every axis."""
        from pdesolve.spectral.diffusion import diffusion_spectral_system

        check_grid(self, grid)
        return diffusion_spectral_system(
            grid, self.coefficient_on(grid), self.source_function.on(grid)
        )

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange or mixed Raviart–Thomas form, by the context's element."""
        from pdesolve.problems._firedrake_darcy import darcy_form

        return darcy_form(self, context)


@dataclass(frozen=True)
class DarcyFamily(ProblemFamily):
    """Darcy flow on the unit box with a random coefficient, f = 1 and u = 0 on the sides.

    −∇·(a ∇u) = f. The two-valued coefficient with the default numbers is the benchmark
    of Li et al. (2021): a = 12 where a Gaussian field with covariance (−Δ + 9)^−2
    (zero-Neumann Laplacian, no constant mode) is not negative, 3 elsewhere.

    Parameters
    ----------
    dimension
        1, 2 or 3.
    kind
        ``"threshold"`` or ``"lognormal"``.
    alpha, tau, covariance_boundary, num_modes
        Of the Gaussian field, see :class:`operators.GaussianRandomField`.
    above, below
        The two values.
    mean_log, standard_deviation
        Of the logarithm of a log-normal coefficient.
    source
        f, a number.
    name
        Name in the registry; made from dimension and kind when left out.

    References
    ----------
    Li, Kovachki, Azizzadenesheli, Liu, Bhattacharya, Stuart, Anandkumar (2021), Fourier
    Neural Operator for Parametric Partial Differential Equations, ICLR,
    doi:10.48550/arXiv.2010.08895.

    Examples
    --------
    >>> family = DarcyFamily(2)
    >>> draw = family.sample(np.random.default_rng(0))
    >>> grid = StructuredGrid((8, 8))
    >>> sorted(set(family.problem(draw).coefficient_on(grid).ravel().tolist()))
    [3.0, 12.0]
    """

    dimension: int = 2
    kind: Literal["threshold", "lognormal"] = "threshold"
    alpha: float = 2.0
    tau: float = 3.0
    covariance_boundary: Boundary = "neumann"
    num_modes: int | None = None
    above: float = 12.0
    below: float = 3.0
    mean_log: float = 0.0
    standard_deviation: float = 1.0
    source: float = 1.0
    name: str = ""

    backends: ClassVar[tuple[str, ...]] = ("grid", "fem")
    inputs: ClassVar[tuple[str, ...]] = ("coefficient",)
    outputs: ClassVar[tuple[str, ...]] = ("pressure",)
    units: ClassVar[Mapping[str, str]] = {
        "coefficient": "m^2 Pa^-1 s^-1",
        "pressure": "Pa",
        "source": "s^-1",
        "length": "m",
    }
    equation: ClassVar[str] = "-div(a grad u) = f in the unit box, u = 0 on its sides"
    citation: ClassVar[str] = "Li et al. (2021), doi:10.48550/arXiv.2010.08895"

    def __post_init__(self) -> None:
        if self.kind not in ("threshold", "lognormal"):
            raise InputError(
                f"kind='{self.kind}'. {suggest(self.kind, ('threshold', 'lognormal'))}"
            )
        if not is_finite_number(self.source):
            raise InputError(f"source={self.source!r} must be a finite number")
        if not self.name:
            object.__setattr__(self, "name", self._standard_name)
        _ = self.parameters  # checks the numbers of the random field

    @property
    def _standard_name(self) -> str:
        suffix = "" if self.kind == "threshold" else f"_{self.kind}"
        return f"darcy{self.dimension}d{suffix}"

    @property
    def symmetries(self) -> tuple[str, ...]:  # type: ignore[override]
        """The distribution, f and the sides do not change under flips or exchanged axes."""
        return ("square",)

    @property
    def default_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """Grid used when none is given."""
        return {1: (256,), 2: (64, 64), 3: (24, 24, 24)}[self.dimension]

    @cached_property
    def parameters(self) -> ParameterSpace:  # type: ignore[override]
        """The random coefficient."""
        gaussian = GaussianRandomField(
            self.dimension,
            self.alpha,
            self.tau,
            self.covariance_boundary,
            self.num_modes,
            self.standard_deviation if self.kind == "lognormal" else None,
        )
        distribution = (
            ThresholdedField(gaussian, self.above, self.below)
            if self.kind == "threshold"
            else LogNormalField(gaussian, self.mean_log)
        )
        return ParameterSpace(
            (
                FieldParameter(
                    "coefficient",
                    distribution,
                    self.units["coefficient"],
                    "permeability over viscosity",
                ),
            )
        )

    def problem(self, parameters: Mapping[str, Any]) -> DarcyProblem:
        """The problem with this coefficient."""
        values = self.parameters.check(parameters)
        return DarcyProblem(
            values["coefficient"], self.source, dimension=self.dimension, name=self.name
        )

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card, with the domain, the sides and f."""
        return {
            **super().describe(),
            "domain": {"lower": [0.0] * self.dimension, "upper": [1.0] * self.dimension},
            "boundary conditions": {"all": "pressure = 0"},
            "source": self.source,
        }

    def with_options(self, **options: Any) -> DarcyFamily:
        """The family with other numbers; a name that was made follows them."""
        if self.name == self._standard_name:
            options.setdefault("name", "")
        return replace(self, **options)


def darcy1d(**options: Any) -> DarcyFamily:
    """Two-valued coefficient on the unit interval."""
    return DarcyFamily(1, **options)


def darcy2d(**options: Any) -> DarcyFamily:
    """Two-valued coefficient on the unit square: the benchmark."""
    return DarcyFamily(2, **options)


def darcy3d(**options: Any) -> DarcyFamily:
    """Two-valued coefficient on the unit cube."""
    return DarcyFamily(3, **options)


def darcy1d_lognormal(**options: Any) -> DarcyFamily:
    """Log-normal coefficient on the unit interval."""
    return DarcyFamily(1, "lognormal", **options)


def darcy2d_lognormal(**options: Any) -> DarcyFamily:
    """Log-normal coefficient on the unit square."""
    return DarcyFamily(2, "lognormal", **options)


def darcy3d_lognormal(**options: Any) -> DarcyFamily:
    """Log-normal coefficient on the unit cube."""
    return DarcyFamily(3, "lognormal", **options)
