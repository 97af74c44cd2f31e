"""Boundary conditions by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshes.errors import InputError, suggest
from operators.spatial import SpatialFunction, as_spatial_function


@dataclass(frozen=True)
class Dirichlet:
    """u = value.

    Parameters
    ----------
    value
        A number, a function of points ``(dimension, ...)``, or a Field, in the unit of u.
        Of a vector (backend ``fem``) also one of these for each component, in a tuple.
    component
        Fix only this component of a vector; the others are left free.

    Examples
    --------
    >>> Dirichlet(1.0).function.evaluate([[0.0, 0.0]])
    array([1.])
    """

    value: object = 0.0
    component: int | None = None

    @property
    def function(self) -> SpatialFunction:
        """The value as a function of space."""
        return as_spatial_function(self.value)


@dataclass(frozen=True)
class Neumann:
    """a ∂u/∂n = flux, with n pointing out of the domain.

    Parameters
    ----------
    flux
        A number, a function of points, or a Field; positive flows in.
    """

    flux: object = 0.0

    @property
    def function(self) -> SpatialFunction:
        """The flux as a function of space."""
        return as_spatial_function(self.flux)


@dataclass(frozen=True)
class Robin:
    """a ∂u/∂n + coefficient · u = value, with n pointing out of the domain.

    Parameters
    ----------
    coefficient
        A number, a function of points, or a Field; not negative where the problem is to
        be well posed (heat transfer: the transfer coefficient).
    value
        The right-hand side, given in the same ways (heat transfer: the coefficient times
        the temperature outside).
    """

    coefficient: object = 1.0
    value: object = 0.0

    @property
    def coefficient_function(self) -> SpatialFunction:
        """The coefficient as a function of space."""
        return as_spatial_function(self.coefficient)

    @property
    def function(self) -> SpatialFunction:
        """The right-hand side as a function of space."""
        return as_spatial_function(self.value)


@dataclass(frozen=True)
class Absorbing:
    """∂u/∂n − i k u = 0: waves e^(−iωt) leave, to first order (Helmholtz)."""


@dataclass(frozen=True)
class Periodic:
    """The side is the opposite side."""


Condition = Dirichlet | Neumann | Robin | Absorbing | Periodic
USUAL = (Dirichlet, Neumann, Robin, Periodic)


def conditions_by_side(
    given: Mapping[str, Condition],
    sides: Sequence[str],
    allowed: tuple[type, ...] = (Dirichlet, Neumann, Periodic),
) -> dict[str, Condition]:
    """Exactly one condition for each side.

    Parameters
    ----------
    given
        Condition by side name; the name ``"all"`` stands for every side and must then
        be alone.
    sides
        The names that the mesh has.
    allowed
        Kinds of conditions that the problem can take.

    Returns
    -------
    dict
        In the order of `sides`.

    Raises
    ------
    InputError
        For an unknown name, a side without a condition, or a side given two.
    """
    for name, condition in given.items():
        if not isinstance(condition, allowed):
            raise InputError(
                f"the condition of side '{name}' is {condition!r}; use "
                f"{_one_of([_EXAMPLES[kind] for kind in allowed])}"
            )
    for name in given:
        if name != "all" and name not in sides:
            raise InputError(f"the mesh has no side '{name}'. {suggest(name, sides)}")
    if "all" in given:
        others = [name for name in given if name != "all"]
        if others:
            raise InputError(
                f"side '{others[0]}' has two conditions, its own and that of 'all'; name every "
                f"side instead: {', '.join(sides)}"
            )
        return dict.fromkeys(sides, given["all"])
    missing = [side for side in sides if side not in given]
    if missing:
        raise InputError(
            f"no boundary condition for: {', '.join(missing)}. Give each side "
            f"{_one_of([kind.__name__ for kind in allowed])} (Neumann(0) lets nothing through)"
        )
    return {side: given[side] for side in sides}


_EXAMPLES = {
    Dirichlet: "Dirichlet(value)",
    Neumann: "Neumann(flux)",
    Robin: "Robin(coefficient, value)",
    Absorbing: "Absorbing()",
    Periodic: "Periodic()",
}


def _one_of(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def periodic_axes(conditions: Mapping[str, Condition], dimension: int) -> tuple[bool, ...]:
    """Which axes of a box wrap.

    Raises
    ------
    InputError
        If only one of two opposite sides is periodic.
    """
    wraps = []
    for axis in "xyz"[:dimension]:
        pair = [
            isinstance(conditions.get(name, conditions.get("all")), Periodic)
            for name in (f"{axis}_lower", f"{axis}_upper")
        ]
        if pair[0] != pair[1]:
            raise InputError(
                f"axis {axis} is periodic on one side only; give both {axis}_lower and "
                f"{axis}_upper Periodic(), or neither"
            )
        wraps.append(pair[0])
    return tuple(wraps)
