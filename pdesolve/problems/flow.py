"""What incompressible flows have in common: velocities on sides, inflow, channels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import as_spatial_function
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Condition, Dirichlet
from pdesolve.problems.boxes import complete_domain

Stress = Literal["auto", "laplacian", "symmetric"]


@dataclass(frozen=True)
class Inflow(Dirichlet):
    """A velocity that points straight into the domain: u = −speed · profile(s) · n.

    s runs from 0 to 1 across the side, in the direction of growing y (or x, whichever
    changes more), whatever the side's place and size, so that one condition serves every
    mesh. The side must be straight (2D).

    Parameters
    ----------
    speed
        In the unit of u.
    profile
        Takes an array s in [0, 1] and gives one of its shape; the parabola 4 s (1 − s),
        whose largest value is 1, when left out.

    Examples
    --------
    >>> Inflow(speed=2.0).values(np.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 2.0, 0.0]
    """

    speed: float = 1.0
    profile: Callable[[FloatArray], FloatArray] | None = None

    def __post_init__(self) -> None:
        if not is_finite_number(self.speed):
            raise InputError(f"speed={self.speed!r} must be a finite number")

    def values(self, share: FloatArray) -> FloatArray:
        """The speed at shares s of the side's length."""
        profile = parabola if self.profile is None else self.profile
        return self.speed * np.asarray(profile(np.asarray(share)), dtype=np.float64)


def parabola(share: FloatArray) -> FloatArray:
    """4 s (1 − s), the profile of laminar flow between walls."""
    return 4.0 * share * (1.0 - share)


@dataclass(frozen=True, eq=False)
class FlowProblem(Problem):
    """An incompressible flow; pressure and forces are divided by the density.

    Parameters
    ----------
    viscosity
        ν > 0, the kinematic viscosity: a number, a function of points of shape
        ``(dimension, ...)``, or a Field.
    source
        f, the force per mass: a number (for all components), a tuple with a number or
        function for each component, or a function that gives ``(dimension, ...)``.
    boundary_conditions
        By side: ``Dirichlet((u_x, u_y))``, of numbers or functions, None leaving a
        component free; :class:`Inflow`; or ``Neumann((t_x, t_y))``, the traction σ n, with
        ``Neumann(0.0)`` for a free outflow.
    dimension
        2 or 3.
    lower, upper
        The box, for meshes made from a shape; the unit box when left out.
    stress
        ``"laplacian"``: σ = ν ∇u − p I, with which a Poiseuille flow leaves a channel
        undisturbed; ``"symmetric"``: σ = 2 ν ε(u) − p I, the physical stress; ``"auto"``:
        the first where ν is a number, the second (which is then the right one) elsewhere.
    input_functions
        Numbers or functions of points by name, the channels of :meth:`input_fields`; the
        viscosity when left out.
    make_mesh
        Makes the mesh where the caller of ``solve`` gives none.
    name
        Used in messages.
    """

    viscosity: object = 1.0
    source: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = ()
    upper: tuple[float, ...] = ()
    stress: Stress = "auto"
    input_functions: Mapping[str, object] = field(default_factory=dict)
    make_mesh: Callable[[], Any] | None = None
    name: str = "flow"

    unknown: ClassVar[str] = "velocity"
    lowest_degree: ClassVar[int] = 2

    def __post_init__(self) -> None:
        complete_domain(self, (2, 3))
        if self.stress not in ("auto", "laplacian", "symmetric"):
            raise InputError(f"stress={self.stress!r} must be 'auto', 'laplacian' or 'symmetric'")
        if is_finite_number(self.viscosity) and float(self.viscosity) <= 0:  # type: ignore[arg-type]
            raise InputError(f"viscosity={self.viscosity} must be positive")
        for side, condition in self.boundary_conditions.items():
            if isinstance(condition, Inflow) and self.dimension != 2:
                raise InputError(
                    f"side '{side}' has an Inflow, which is for 2D; give Dirichlet((u, v, w))"
                )

    @property
    def has_symmetric_stress(self) -> bool:
        """Whether the form is that with 2 ν ε(u)."""
        if self.stress == "auto":
            return not is_finite_number(self.viscosity)
        return self.stress == "symmetric"

    def default_mesh(self) -> Any:
        """The family's own geometry, if it has one."""
        return None if self.make_mesh is None else self.make_mesh()

    def input_fields(self, grid: StructuredGrid) -> Field:
        """The functions that the answer depends on, at the grid's points."""
        given = dict(self.input_functions) or {"viscosity": self.viscosity}
        values = [as_spatial_function(function).on(grid) for function in given.values()]
        return Field(grid, np.stack(values), tuple(given))


def side_names(value: object, option: str) -> tuple[str, ...]:
    """Names of sides from one name or number, a list of them, or a text with commas.

    Examples
    --------
    >>> side_names(4, "obstacle"), side_names("3,5", "walls"), side_names([3, 5], "walls")
    (('4',), ('3', '5'), ('3', '5'))
    """
    given = value if isinstance(value, list | tuple) else [value]
    names: list[str] = []
    for part in given:
        if isinstance(part, bool) or not isinstance(part, str | int):
            raise InputError(
                f"{option}={value!r} must name sides of the mesh, such as 'wall', 4 or '3,5'"
            )
        names += [word.strip() for word in str(part).split(",") if word.strip()]
    return tuple(names)


def require_positive_numbers(**given: object) -> None:
    """Refuse options that are not positive, finite numbers."""
    for name, value in given.items():
        if not is_finite_number(value) or float(value) <= 0:  # type: ignore[arg-type]
            raise InputError(f"{name}={value!r} must be a positive, finite number")


def mean_of_profile(profile: Callable[[FloatArray], FloatArray]) -> float:
    """∫₀¹ profile(s) ds by Gauss' rule, exact for polynomials up to degree 39."""
    points, weights = np.polynomial.legendre.leggauss(20)
    return float(math.fsum(weights * profile((points + 1) / 2)) / 2)
