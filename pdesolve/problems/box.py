"""What problems on boxes check of a grid that they are given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.problems.boundary import Condition, periodic_axes

if TYPE_CHECKING:
    from pdesolve.problems.base import Problem


def check_grid(problem: Problem, grid: StructuredGrid) -> None:
    """Refuse a grid of another box.

    Raises
    ------
    InputError
        If dimension or corners differ.
    """
    if grid.dimension != problem.dimension:
        raise InputError(f"the problem is {problem.dimension}D, the grid {grid.dimension}D")
    corners = zip(grid.lower + grid.upper, problem.lower + problem.upper, strict=True)
    if not all(math.isclose(here, there, rel_tol=1e-12) for here, there in corners):
        raise InputError(
            f"the grid's box {grid.lower} to {grid.upper} is not the problem's, {problem.lower} "
            f"to {problem.upper}; make the grid with problem.grid(shape)"
        )


def conditions_on_sides(problem: Problem, grid: StructuredGrid) -> dict[str, Condition]:
    """The problem's conditions without those of axes that wrap.

    Raises
    ------
    InputError
        If the grid wraps along other axes than the problem.

    Examples
    --------
    >>> from pdesolve import DarcyProblem, Periodic
    >>> periodic = DarcyProblem(1.0, boundary_conditions={"all": Periodic()})
    >>> conditions_on_sides(periodic, periodic.grid(4))
    {}
    """
    wraps = periodic_axes(problem.boundary_conditions, problem.dimension)
    if wraps != grid.periodic:
        raise InputError(
            f"the problem's axes wrap as {wraps}, the grid's as {grid.periodic}; make the grid "
            "with problem.grid(shape)"
        )
    if all(wraps):
        return {}
    wrapped = {f"{axis}_" for axis, wrap in zip("xyz", wraps, strict=False) if wrap}
    return {
        side: condition
        for side, condition in problem.boundary_conditions.items()
        if side[:2] not in wrapped
    }
