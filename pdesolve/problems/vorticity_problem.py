"""One problem of two-dimensional incompressible flow on a periodic box."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import FloatArray, Location, StructuredGrid
from operators.random_fields import is_finite_number
from pdesolve.problems.boundary import Condition, Periodic, conditions_by_side
from pdesolve.problems.boxes import complete_box, values_on
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.spectral.evolution import SpectralEvolution

_INPUTS = ("initial_vorticity", "viscosity")


@dataclass(frozen=True, eq=False)
class VorticityProblem(EvolutionProblem):
    """∂ω/∂t + u·∇ω = −ν (−Δ)^p ω − μ ω + f, with u = (∂_y ψ, −∂_x ψ) and Δψ = −ω.

    The box is periodic; vorticity, forcing and velocity have mean zero. Grid points are at
    i / N times the length, i = 0 .. N − 1.

    Parameters
    ----------
    initial
        ω at the first time, 1/s: a function of points of shape ``(2, ...)``, a scalar
        Field, or a draw of a random field.
    viscosity
        ν ≥ 0, m²/s for p = 1.
    forcing
        f, 1/s², given like `initial`; constant in time.
    drag
        μ ≥ 0, 1/s.
    viscosity_order
        p, 1 for Newton's viscosity, 2 and more for hyperviscosity.
    lower, upper
        The box; the unit square when left out.
    times
        Output times, the initial time first.
    report_velocity
        Report the channels ``velocity_x`` and ``velocity_y`` too.
    input_names
        Channels of :meth:`input_fields`: ``initial_vorticity`` and, where it differs
        between problems, ``viscosity``.
    name
        Used in messages and to match surrogates.

    Examples
    --------
    >>> from pdesolve import evolve
    >>> problem = VorticityProblem(
    ...     lambda x: np.sin(2 * np.pi * x[0]) * np.sin(2 * np.pi * x[1]), viscosity=1e-2
    ... )
    >>> history = evolve(problem, mesh=16).history
    >>> bool(np.isclose(history["energy"][-1], history["energy"][0] * np.exp(-0.16 * np.pi**2)))
    True
    """

    initial: object
    viscosity: float = 1e-3
    forcing: object = 0.0
    drag: float = 0.0
    viscosity_order: int = 1
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    times: tuple[float, ...] = (0.0, 1.0)
    report_velocity: bool = False
    input_names: tuple[str, ...] = ("initial_vorticity",)
    name: str = "vorticity"
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Periodic()}
    )

    dimension: ClassVar[int] = 2  # type: ignore[misc]
    location: ClassVar[Location] = "vertex"
    unknown: ClassVar[str] = "vorticity"

    def __post_init__(self) -> None:
        for name in ("viscosity", "drag"):
            value = getattr(self, name)
            if not (is_finite_number(value) and value >= 0):
                raise InputError(f"{name}={value!r} must be finite and not negative")
        order = self.viscosity_order
        if isinstance(order, bool) or not isinstance(order, int) or order < 1:
            raise InputError(f"viscosity_order={order!r} must be a positive integer")
        for name in self.input_names:
            if name not in _INPUTS:
                raise InputError(f"there is no input '{name}'. {suggest(name, _INPUTS)}")
        complete_box(self)
        conditions_by_side(self.boundary_conditions, ("x_lower", "y_lower"), (Periodic,))

    @property
    def unknowns(self) -> tuple[str, ...]:  # type: ignore[override]
        """Channels that are reported."""
        velocity = ("velocity_x", "velocity_y") if self.report_velocity else ()
        return ("vorticity", *velocity)

    def initial_on(self, grid: StructuredGrid) -> FloatArray:
        """The initial vorticity at the grid's points, shape ``grid.shape``."""
        return values_on("the initial vorticity", self.initial, grid)

    def forcing_on(self, grid: StructuredGrid) -> FloatArray:
        """The forcing at the grid's points, shape ``grid.shape``."""
        return values_on("the forcing", self.forcing, grid)

    def check_grid(self, grid: StructuredGrid) -> None:
        """Refuse a grid of another box."""
        same = grid.dimension == 2 and np.allclose(
            (*grid.lower, *grid.upper), (*self.lower, *self.upper), rtol=1e-12, atol=1e-14
        )
        if not same:
            raise InputError(
                f"the grid's box {grid.lower} to {grid.upper} is not the problem's, {self.lower} "
                f"to {self.upper}; make the grid with problem.grid(shape)"
            )

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Initial vorticity, and viscosity where it is a channel."""
        known: dict[str, Callable[[], FloatArray]] = {
            "initial_vorticity": lambda: self.initial_on(grid),
            "viscosity": lambda: np.full(grid.shape, float(self.viscosity)),
        }
        values = [known[name]() for name in self.input_names]
        return Field(grid, np.stack(values), self.input_names)

    def spectral_evolution(self, grid: StructuredGrid) -> SpectralEvolution:
        """Fourier form with the 2/3 rule."""
        from pdesolve.spectral.vorticity import vorticity_evolution

        return vorticity_evolution(self, grid)
