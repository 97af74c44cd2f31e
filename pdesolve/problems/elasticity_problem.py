"""Elastic solids at rest: the problem of one solid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from meshes.errors import InputError, suggest
from meshes.field import Field
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import as_spatial_function, is_spatial_function
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.boxes import complete_domain

if TYPE_CHECKING:
    from pdesolve.solution import Solution

Material = Literal["linear", "neo_hookean"]
Plane = Literal["strain", "stress"]


@dataclass(frozen=True, eq=False)
class ElasticityProblem(Problem):
    """A solid in equilibrium: −∇·P(∇u) = f with displacement u or traction P·n on the sides.

    For the linear material P = σ = λ (∇·u) I + 2 μ ε, ε = (∇u + ∇uᵀ)/2. For the
    neo-Hookean one P is the first Piola–Kirchhoff stress of the energy

        ψ(F) = μ/2 (tr FᵀF − d − 2 ln J) + λ/2 (ln J)²,   F = I + ∇u,   J = det F,

    P = μ (F − F⁻ᵀ) + λ ln J F⁻ᵀ, and coordinates, forces and tractions refer to the
    undeformed solid (dead loads). λ = E ν / ((1 + ν)(1 − 2ν)), μ = E / (2 (1 + ν)). Both
    agree to first order in the load.

    Parameters
    ----------
    young_modulus
        E > 0: a number, a function of points of shape ``(dimension, ...)``, a Field, or a
        draw of a random field, in the unit of a stress.
    poisson_ratio
        ν, greater than −1 and less than 0.5.
    body_force
        f: a number for all components, a tuple with an entry for each (given like E), or
        a function of points that gives ``(dimension, ...)``; force per volume.
    boundary_conditions
        By side. ``Dirichlet((u_x, u_y))`` gives the displacement, ``Dirichlet(value,
        component=i)`` or a None in the tuple leaves the other components free (a roller),
        ``Neumann((t_x, t_y))`` gives the traction, ``Neumann(0)`` none.
    dimension
        2 or 3.
    lower, upper
        The box; the unit box when left out.
    material
        ``"linear"`` or ``"neo_hookean"``.
    plane
        In 2D, ``"strain"`` (a thick solid, no strain across the plane) or ``"stress"`` (a
        thin plate, no stress across it; linear material).
    name
        Used in messages and to match surrogates.

    Notes
    -----
    Conditions that leave rigid motions free are allowed for the linear material if the
    loads balance; the answer is then the one with no mean rigid motion.

    Continuous elements lock as ν approaches 0.5: with degree 1, displacements are too
    small by a factor that grows without bound. ν > 0.49 with degree 1 is warned of; take
    degree 2.

    References
    ----------
    Bonet, Wood (2008), Nonlinear Continuum Mechanics for Finite Element Analysis,
    doi:10.1017/CBO9780511755446.

    Examples
    --------
    >>> problem = ElasticityProblem(1.0, 0.3, boundary_conditions={
    ...     "x_lower": Dirichlet((0.0, 0.0)), "x_upper": Neumann((0.1, 0.0)),
    ...     "y_lower": Neumann(), "y_upper": Neumann()})
    >>> round(problem.lame_factors[1], 3)
    0.385
    """

    young_modulus: object = 1.0
    poisson_ratio: float = 0.3
    body_force: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    material: Material = "linear"
    plane: Plane = "strain"
    name: str = "elasticity"

    unknown: ClassVar[str] = "displacement"

    def __post_init__(self) -> None:
        complete_domain(self, (2, 3))
        check_material(self.material, self.plane, self.dimension)
        check_poisson_ratio(self.poisson_ratio)

    @property
    def lame_factors(self) -> tuple[float, float]:
        """λ / E and μ / E; in plane stress λ is replaced by 2 λ μ / (λ + 2 μ)."""
        nu = self.poisson_ratio
        if self.dimension == 2 and self.plane == "stress":
            first = nu / (1.0 - nu**2)
        else:
            first = nu / ((1.0 + nu) * (1.0 - 2.0 * nu))
        return first, 1.0 / (2.0 * (1.0 + nu))

    @property
    def _axes(self) -> tuple[str, ...]:
        return tuple(AXIS_NAMES[: self.dimension])

    def input_fields(self, grid: StructuredGrid) -> Field:
        """Young's modulus, body force, and the tractions of the box's loaded sides.

        A traction's channel holds at each point the value at the nearest point of its
        side.
        """
        names, values = ["young_modulus"], [as_spatial_function(self.young_modulus).on(grid)]
        names += [f"body_force_{axis}" for axis in self._axes]
        values += self._components(self.body_force, grid.points())
        loaded = {
            side: condition.flux
            for side, condition in self.boundary_conditions.items()
            if isinstance(condition, Neumann) and not is_zero(condition.flux) and side[1:2] == "_"
        }
        for side, traction in loaded.items():
            prefix = "traction_" if len(loaded) == 1 else f"traction_{side}_"
            names += [f"{prefix}{axis}" for axis in self._axes]
            points = np.array(grid.points(), dtype=np.float64)
            axis = AXIS_NAMES.index(side[0])
            points[axis] = (self.lower if side.endswith("lower") else self.upper)[axis]
            values += self._components(traction, points)
        return Field(grid, np.stack(values), tuple(names))

    def _components(self, value: Any, points: FloatArray) -> list[FloatArray]:
        """Each component at points ``(dimension, ...)``."""
        shape = points.shape[1:]
        if callable(value) and not is_spatial_function(value):
            given = value(points)
            return [np.broadcast_to(np.asarray(part, np.float64), shape) for part in given]
        parts = value if isinstance(value, list | tuple | np.ndarray) else [value] * self.dimension
        flat = points.reshape(self.dimension, -1).T
        return [as_spatial_function(part).evaluate(flat).reshape(shape) for part in parts]

    def weak_form(self, context: Any) -> Any:
        """Continuous Lagrange elements for the displacement."""
        from pdesolve.problems._firedrake_elasticity import elasticity_form

        return elasticity_form(self, context)


def check_material(material: str, plane: str, dimension: int) -> None:
    """Refuse unknown materials and planes, and pairs of them that have no form."""
    materials, planes = ("linear", "neo_hookean"), ("strain", "stress")
    if material not in materials:
        raise InputError(f"material='{material}'. {suggest(material, materials)}")
    if plane not in planes:
        raise InputError(f"plane='{plane}'. {suggest(plane, planes)}")
    if plane == "stress" and (material != "linear" or dimension != 2):
        raise InputError(
            "plane='stress' is for the linear material in 2D; use plane='strain', or a thin solid "
            "in 3D"
        )


def check_poisson_ratio(ratio: object) -> None:
    """Refuse ratios at which the Lamé factors are not positive and finite."""
    if not is_finite_number(ratio) or not -1.0 < ratio < 0.5:  # type: ignore[operator]
        raise InputError(
            f"poisson_ratio={ratio!r} must be greater than -1 and less than 0.5; an incompressible "
            "solid (0.5) needs a mixed form with the pressure as an unknown"
        )


def is_zero(value: object) -> bool:
    """Whether a given vector is made of zeros.

    Examples
    --------
    >>> is_zero(0), is_zero((0.0, 0.0)), is_zero((0.0, 1.0))
    (True, True, False)
    """
    parts = value if isinstance(value, list | tuple) else (value,)
    return all(isinstance(part, int | float) and part == 0 for part in parts)


def strain_energy(solution: Solution) -> float:
    """∫ ψ over the solid, of an elasticity solution (collective), force times length.

    For the linear material ψ = σ:ε/2, and the energy is half of the work of the loads.
    """
    from pdesolve.problems._firedrake_elasticity import energy_of

    return energy_of(solution)


def cauchy_stress(solution: Solution) -> Any:
    """The Cauchy stress as a matrix-valued Firedrake function (collective).

    σ for the linear material, P Fᵀ / J for the neo-Hookean one, by polynomials of one
    degree less than the displacement that jump between cells.
    """
    from pdesolve.problems._firedrake_elasticity import stress_of

    return stress_of(solution)
