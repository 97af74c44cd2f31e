"""What nonlinear elliptic problems on boxes have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators.random_fields import is_finite_number
from operators.spatial import as_spatial_function
from pdesolve.grid.ghost_sides import GhostSide, fill_ghosts, ghost_sides
from pdesolve.problems.base import Problem
from pdesolve.problems.boxes import check_grid, complete_domain, conditions_on


def complete_elliptic(problem: Any) -> None:
    """Check and fill in dimension, box and boundary conditions."""
    complete_domain(problem)
    if not hasattr(problem.source, "ufl_shape"):  # finite elements take such as well
        as_spatial_function(problem.source)


def require_positive_number(name: str, value: object) -> None:
    """Refuse anything but a positive finite number."""
    if not (is_finite_number(value) and value > 0):  # type: ignore[operator]
        raise InputError(f"{name}={value!r} must be positive and finite")


def elliptic_sides(
    problem: Problem, block: GridBlock, allowed: tuple[type, ...]
) -> tuple[GhostSide, ...]:
    """The conditions on the sides that a block touches, its grid checked."""
    check_grid(problem, block.grid)
    return ghost_sides(block, conditions_on(problem, block.grid, allowed))


def whole_with_ghosts(
    problem: Problem, answer: Field, allowed: tuple[type, ...]
) -> tuple[FloatArray, GridBlock]:
    """A field on a grid of the problem with its ghosts filled."""
    if not isinstance(answer.mesh, StructuredGrid):
        raise InputError("the energy is computed on grids; give solution.on(problem.grid(shape))")
    block = GridBlock.whole(answer.mesh)
    sides = elliptic_sides(problem, block, allowed)
    wrap = [(1, 1) if wraps else (0, 0) for wraps in answer.mesh.periodic]
    rest = [(0, 0) if wraps else (1, 1) for wraps in answer.mesh.periodic]
    values = np.pad(np.pad(answer.values[0], wrap, mode="wrap"), rest)
    return fill_ghosts(values, sides), block
