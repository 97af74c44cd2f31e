"""Checks that problems on boxes have in common."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import AXIS_NAMES, FloatArray, StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import FieldFunction, as_spatial_function
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Condition, Dirichlet, conditions_by_side, periodic_axes
from pdesolve.step_sizes import checked_times


def complete_domain(
    problem: Any, dimensions: tuple[int, ...] = (1, 2, 3), example: str = "Dirichlet(0.0)"
) -> None:
    """Check and fill in `dimension`, `lower`, `upper` and `boundary_conditions`.

    Parameters
    ----------
    problem
        A problem on a box, while it is made.
    dimensions
        Those that it may have, two or more.
    example
        A condition that suits it, for the message.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """
    if problem.dimension not in dimensions:
        *first, last = map(str, dimensions)
        raise InputError(f"dimension={problem.dimension!r} must be {', '.join(first)} or {last}")
    if not isinstance(problem.boundary_conditions, Mapping):
        raise InputError(
            f"boundary_conditions={problem.boundary_conditions!r} must map side names to "
            f"conditions, such as {{'all': {example}}}"
        )
    box = StructuredGrid((2,) * problem.dimension, problem.lower, problem.upper)  # checks the box
    object.__setattr__(problem, "lower", box.lower)
    object.__setattr__(problem, "upper", box.upper)
    object.__setattr__(problem, "boundary_conditions", dict(problem.boundary_conditions))


def complete_box(problem: Any, dimensions: tuple[int, ...] = (1, 2, 3)) -> None:
    """As :func:`complete_domain` for a problem in time, with its `times`.

    Raises
    ------
    InputError
        If one of them cannot be used.
    """
    complete_domain(problem, dimensions, "Periodic()")
    object.__setattr__(problem, "times", checked_times(problem.times))


def wraps_everywhere(problem: Problem) -> bool:
    """Whether every side of the problem's box is periodic."""
    return all(periodic_axes(problem.boundary_conditions, problem.dimension))


def check_grid(problem: Problem, grid: StructuredGrid) -> None:
    """Refuse a grid of another dimension, box or periodicity, or one of vertices."""
    if grid.dimension != problem.dimension:
        raise InputError(f"the problem is {problem.dimension}D, the grid {grid.dimension}D")
    if grid.location != "cell":
        raise InputError("finite volumes need a grid with location='cell'")
    corners = zip(grid.lower + grid.upper, problem.lower + problem.upper, strict=True)
    if not all(math.isclose(here, there, rel_tol=1e-12, abs_tol=1e-14) for here, there in corners):
        raise InputError(
            f"the grid's box {grid.lower} to {grid.upper} is not the problem's, {problem.lower} "
            f"to {problem.upper}; make the grid with problem.grid(shape)"
        )
    wraps = periodic_axes(problem.boundary_conditions, problem.dimension)
    if wraps != grid.periodic:
        raise InputError(
            f"the problem's axes wrap as {wraps}, the grid's as {grid.periodic}; make the grid "
            "with problem.grid(shape)"
        )


def conditions_on(
    problem: Problem, grid: StructuredGrid, allowed: tuple[type, ...]
) -> dict[str, Condition]:
    """The condition of each side that does not wrap."""
    given = problem.boundary_conditions
    wrapped = {f"{axis}_" for axis, wrap in zip("xyz", grid.periodic, strict=False) if wrap}
    if all(grid.periodic):
        conditions_by_side(given, problem.grid(2).side_names or tuple(given), allowed)
        return {}
    kept = {side: condition for side, condition in given.items() if side[:2] not in wrapped}
    return conditions_by_side(kept, grid.side_names, allowed)


def values_on(name: str, function: object, grid: StructuredGrid) -> FloatArray:
    """A function of space at a grid's points, checked to be finite."""
    values = as_spatial_function(function).on(grid)
    if not np.isfinite(values).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise InputError(f"{name} is not finite: {values[where]} at index {where}")
    return values


def warn_of_jumps(problem: Problem, initial: object, values: FloatArray, block: GridBlock) -> None:
    """Warn where the initial state is not the value given on a side.

    The solution then has a layer next to that side, at the first times thinner than any
    cell. Arrays of cell values are not looked at: they do not say what is on the side.

    Parameters
    ----------
    problem
        With the conditions of the sides.
    initial
        The initial state as it was given.
    values
        The same at the cells of the block.
    block
        The part of the grid.
    """
    function = as_spatial_function(initial)
    if isinstance(function, FieldFunction):
        return
    for axis in range(block.dimension):
        for end in ("lower", "upper"):
            if not block.touches(axis, end):
                continue
            side = f"{AXIS_NAMES[axis]}_{end}"
            condition = problem.boundary_conditions.get(
                side, problem.boundary_conditions.get("all")
            )
            if not isinstance(condition, Dirichlet):
                continue
            points = block.side_points(axis, end).reshape(block.dimension, -1).T
            here, given = function.evaluate(points), condition.function.evaluate(points)
            jump = float(np.abs(here - given).max())
            if jump > 1e-6 * max(float(np.abs(values).max()), float(np.abs(given).max())):
                warnings.warn(
                    f"the initial state differs by {jump:.3g} from the value given on side "
                    f"'{side}'; the first steps have a layer there that the grid does not resolve",
                    UserWarning,
                    stacklevel=2,
                )


def output_times(final_time: object, num_times: object) -> tuple[float, ...]:
    """Equidistant output times from 0, both ends included.

    Examples
    --------
    >>> output_times(1.0, 3)
    (0.0, 0.5, 1.0)
    """
    if not is_finite_number(final_time) or not final_time > 0:  # type: ignore[operator]
        raise InputError(f"final_time={final_time!r} must be positive and finite")
    if isinstance(num_times, bool) or not isinstance(num_times, int) or num_times < 2:
        raise InputError(
            f"num_times={num_times!r} must be an integer of at least 2: the initial and the final "
            "time"
        )
    return tuple(float(time) for time in np.linspace(0.0, float(final_time), num_times))  # type: ignore[arg-type]
