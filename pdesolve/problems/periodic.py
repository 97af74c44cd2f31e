"""What problems and families on periodic boxes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.random_fields import is_finite_number
from pdesolve.problems.boundary import Condition, Periodic, conditions_by_side
from pdesolve.problems.boxes import complete_box


def all_periodic() -> dict[str, Condition]:
    """Every side periodic."""
    return {"all": Periodic()}


def complete_periodic_box(problem: Any, dimensions: tuple[int, ...]) -> None:
    """Check and fill in box and times of a problem whose sides are all periodic.

    Raises
    ------
    InputError
        If a side is not periodic, or the box or the times cannot be used.
    """
    complete_box(problem, dimensions)
    given: Mapping[str, Condition] = problem.boundary_conditions
    sides = StructuredGrid((2,) * problem.dimension).side_names
    conditions_by_side(given, sides, allowed=(Periodic,))


def check_positive(**numbers: object) -> None:
    """Refuse numbers that are not positive and finite, by name.

    Raises
    ------
    InputError
        With the name and the value.

    Examples
    --------
    >>> check_positive(length=2.0)
    """
    for name, value in numbers.items():
        if not is_finite_number(value) or not value > 0:  # type: ignore[operator]
            raise InputError(f"{name}={value!r} must be positive and finite")


def periodic_box(dimension: int, length: float) -> dict[str, Any]:
    """Domain and sides of [0, length]^dimension for a data card."""
    return {
        "domain": {"lower": [0.0] * dimension, "upper": [float(length)] * dimension},
        "boundary conditions": {"all": "periodic"},
    }
