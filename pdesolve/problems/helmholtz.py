"""Waves of one frequency: −Δu − k² u = f."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import (
    ConstantFunction,
    FormulaFunction,
    SpatialFunction,
    as_spatial_function,
)
from pdesolve.grid.helmholtz import helmholtz_system
from pdesolve.grid.systems import BlockLinearSystem
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Absorbing, Condition, Dirichlet, Neumann, Periodic
from pdesolve.problems.boxes import check_grid, complete_domain, conditions_on, values_on
from pdesolve.problems.channels import input_channels
from pdesolve.problems.helmholtz_families import (
    helmholtz1d,
    helmholtz2d,
    helmholtz2d_random,
    helmholtz3d_random,
)

__all__ = [
    "HelmholtzProblem",
    "complex_parts",
    "helmholtz1d",
    "helmholtz2d",
    "helmholtz2d_random",
    "helmholtz3d_random",
    "part_of_conditions",
    "points_per_wavelength",
]

FEWEST_POINTS = 6.0
FEW_POINTS = 10.0
# k² this close to an eigenvalue of the discrete −Δ, relative to it, is a resonance
RESONANCE = 1e-9


def complex_parts(value: object) -> tuple[object, object]:
    """Real and imaginary part of data: a pair, a complex number, or real data.

    Examples
    --------
    >>> complex_parts(2.0), complex_parts(1 + 2j)
    ((2.0, 0.0), (1.0, 2.0))
    """
    if isinstance(value, tuple):
        if len(value) != 2:
            raise InputError(
                f"{value!r} has {len(value)} entries; complex data are a pair (real, imaginary)"
            )
        return value[0], value[1]
    if isinstance(value, complex):
        return value.real, value.imag
    return value, 0.0


def _is_zero(value: object) -> bool:
    if hasattr(value, "ufl_shape"):
        return False
    return as_spatial_function(value) == ConstantFunction(0.0)


def part_of_conditions(conditions: Mapping[str, Condition], part: int) -> dict[str, Condition]:
    """The conditions with the real (0) or imaginary (1) part of their data."""
    found: dict[str, Condition] = {}
    for side, condition in conditions.items():
        if isinstance(condition, Dirichlet):
            condition = Dirichlet(complex_parts(condition.value)[part])
        elif isinstance(condition, Neumann):
            condition = Neumann(complex_parts(condition.flux)[part])
        found[side] = condition
    return found


def points_per_wavelength(largest: float, width: str = "") -> float:
    """2π over the largest k h (h over the degree for elements), checked.

    Parameters
    ----------
    largest
        The largest k h.
    width
        What to make finer, for the message.

    Raises
    ------
    InputError
        Below six.

    Examples
    --------
    >>> round(points_per_wavelength(0.5), 1)
    12.6
    """
    points = 2 * math.pi / largest
    if points < FEWEST_POINTS:
        more = math.ceil(10 * FEWEST_POINTS / points) / 10
        raise InputError(
            f"the mesh has {points:.2g} points per wavelength 2π/k; fewer than {FEWEST_POINTS:g} "
            f"do not resolve it, and even with more the phase drifts over many wavelengths. Take "
            f"{more:g} times as many {width or 'cells along each axis'}, or better twice that"
        )
    return points


@dataclass(frozen=True, eq=False)
class HelmholtzProblem(Problem):
    """−Δu − k² u = f, the amplitude of a wave Re(u e^(−iωt)).

    With the time factor e^(−iωt) waves e^(i k·x) run in the direction of k, and
    ``Absorbing()`` sides, ∂u/∂n = i k u, let those pass that run straight out (Engquist
    and Majda's condition of first order); what meets them at an angle is reflected in
    part. u is complex where a side absorbs or data are complex: two real unknowns
    ``u_real`` and ``u_imaginary``. Otherwise it is real, one unknown ``u``.

    Parameters
    ----------
    wavenumber
        k > 0 in 1/m: a number, a function of points ``(dimension, ...)``, a Field, or a
        draw.
    source
        f, given in the same ways; a pair for real and imaginary part, or a complex
        number.
    boundary_conditions
        By side name or ``"all"``: Absorbing, Dirichlet, Neumann (∂u/∂n), Periodic (on
        grids); data may be pairs or complex numbers.
    dimension
        1, 2 or 3.
    lower, upper
        The box; the unit box when left out.
    preconditioner_shift
        β > 0 makes the preconditioner (``pc_type``) from −Δ − (1 + i β) k², the shifted
        Laplacian, in the place of the equation itself (backend ``grid``, complex u).
    name
        Used in messages and to match surrogates.
    input_names
        Channels of :meth:`input_fields`; when empty, all that are no part of the statement.

    Notes
    -----
    Six points per wavelength are asked for; below ten a warning says how many there are.
    The phase error of second differences, k³ h² L / 24 over a length L, grows with k at
    fixed points per wavelength (pollution; Ihlenburg and Babuška).

    References
    ----------
    Engquist, Majda (1977), Absorbing boundary conditions for the numerical simulation of
    waves, Mathematics of Computation 31(139), doi:10.1090/S0025-5718-1977-0436612-4.
    Ihlenburg, Babuška (1995), Finite element solution of the Helmholtz equation with high
    wave number, Computers & Mathematics with Applications 30(9),
    doi:10.1016/0898-1221(95)00144-N.

    Examples
    --------
    A wave that enters at the lower end and leaves at the upper one:

    >>> from pdesolve import solve
    >>> sides = {"x_lower": Dirichlet(1.0), "x_upper": Absorbing()}
    >>> wave = solve(HelmholtzProblem(10.0, 0.0, sides, dimension=1), mesh=400).field
    >>> wave.names, bool(abs(wave["u_real"][-1] - np.cos(10.0)) < 0.02)
    (('u_real', 'u_imaginary'), True)
    """

    wavenumber: object = 10.0
    source: object = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Absorbing()}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    preconditioner_shift: float = 0.0
    name: str = "helmholtz"
    input_names: tuple[str, ...] = ()

    unknown: ClassVar[str] = "u"

    def __post_init__(self) -> None:
        complete_domain(self, example="Absorbing()")
        if is_finite_number(self.wavenumber) and self.wavenumber <= 0:  # type: ignore[operator]
            raise InputError(f"wavenumber={self.wavenumber!r} must be positive")
        if not is_finite_number(self.preconditioner_shift) or self.preconditioner_shift < 0:
            raise InputError(
                f"preconditioner_shift={self.preconditioner_shift!r} must be finite and not "
                "negative"
            )
        for value in (self.wavenumber, *complex_parts(self.source)):
            if not hasattr(value, "ufl_shape"):  # finite elements take such as well
                as_spatial_function(value)
        _ = self.is_complex  # checks the data on sides

    @property
    def wavenumber_function(self) -> SpatialFunction:
        """The wavenumber as a function of space."""
        return as_spatial_function(self.wavenumber)

    @property
    def is_complex(self) -> bool:
        """Whether u has an imaginary part."""
        data: list[object] = [self.source]
        for condition in self.boundary_conditions.values():
            if isinstance(condition, Absorbing):
                return True
            if isinstance(condition, Dirichlet | Neumann):
                data.append(condition.value if isinstance(condition, Dirichlet) else condition.flux)
        return any(not _is_zero(complex_parts(value)[1]) for value in data)

    @property
    def unknowns(self) -> tuple[str, ...]:
        """Names of the channels of the answer."""
        return ("u_real", "u_imaginary") if self.is_complex else ("u",)

    def wavenumber_on(self, grid: StructuredGrid) -> FloatArray:
        """The wavenumber at the grid's points, checked to be positive and finite."""
        values = values_on("wavenumber", self.wavenumber_function, grid)
        if values.min() <= 0:
            where = tuple(int(i) for i in np.argwhere(values <= 0)[0])
            raise InputError(
                f"the wavenumber must be positive; it is {values[where]} at index {where}"
            )
        return values

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The wavenumber, and the source where it is a field or a draw.

        A number or a formula belongs to the statement of the problem.
        """
        channels: dict[str, Callable[[], FloatArray]]
        channels = {"wavenumber": lambda: self.wavenumber_on(grid)}
        parts = [as_spatial_function(part) for part in complex_parts(self.source)]
        for name, part in zip(("source", "source_imaginary"), parts, strict=True):
            if not isinstance(part, ConstantFunction | FormulaFunction):
                channels[name] = partial(values_on, name, part, grid)
        return input_channels(grid, channels, self.input_names)

    def block_system(self, block: GridBlock) -> BlockLinearSystem:
        """Second differences; two unknowns a cell where u is complex."""
        grid = block.grid
        check_grid(self, grid)
        conditions = conditions_on(self, grid, (Absorbing, Dirichlet, Neumann, Periodic))
        here = block.own_grid()
        wavenumber = self.wavenumber_on(here)
        points = points_per_wavelength(float(wavenumber.max()) * max(grid.spacing))
        if points < FEW_POINTS and not any(block.start):
            warnings.warn(
                f"{points:.1f} points per wavelength: the phase error adds up over the box; ten "
                "or more are better, and more the more wavelengths there are",
                UserWarning,
                stacklevel=2,
            )
        self._refuse_resonance(grid)
        names = self.unknowns
        parts = range(len(names))
        sources = tuple(
            values_on("source", complex_parts(self.source)[part], here) for part in parts
        )
        return helmholtz_system(
            block,
            wavenumber,
            sources,
            tuple(part_of_conditions(conditions, part) for part in parts),
            names,
            shift=self.preconditioner_shift,
            notes=(f"{points:.3g} points per wavelength at least",),
            hint=""
            if self.is_complex
            else (
                "Without absorbing sides there are resonances: if k² is an eigenvalue of −Δ on "
                "this box, no solution exists; change k, or let a side absorb."
            ),
        )

    def _refuse_resonance(self, grid: StructuredGrid) -> None:
        """Where the eigenvalues of −Δ and of the discrete −Δ are known, k² must be none."""
        number = self.wavenumber_function
        closed = all(isinstance(c, Dirichlet) for c in self.boundary_conditions.values())
        if not closed or not isinstance(number, ConstantFunction):
            return
        discrete, continuous = np.zeros(()), np.zeros(())
        for n, h, length in zip(grid.shape, grid.spacing, grid.extent, strict=True):
            modes = np.arange(1, n + 1)
            discrete = np.add.outer(discrete, (2 / h * np.sin(np.pi * modes / (2 * n))) ** 2)
            continuous = np.add.outer(continuous, (np.pi * modes / length) ** 2)
        for name, eigenvalues in (("−Δ", continuous), ("the discrete −Δ", discrete)):
            distance = np.abs(eigenvalues / number.value**2 - 1.0)
            if distance.min() < RESONANCE:
                place = np.unravel_index(np.argmin(distance), distance.shape)
                mode = tuple(int(i) + 1 for i in place)
                raise InputError(
                    f"k = {number.value:.12g} is a resonance of this box: k² is the eigenvalue of "
                    f"{name} of mode {mode} to {distance.min():.0e}. Change k, or let a side absorb"
                )

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements; real and imaginary part as a mixed space."""
        from pdesolve.problems._firedrake_helmholtz import helmholtz_form

        return helmholtz_form(self, context)
