"""Which problems may share a mesh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import periodic_axes
from pdesolve.problems.slit_plate import SlitPlateProblem

GEOMETRY: Mapping[type, tuple[str, ...]] = {SlitPlateProblem: ("mesh_size", "graded")}
"""By kind of problem, the attributes that :meth:`pdesolve.Problem.default_mesh` depends on.

Problems of one kind with equal attributes share a mesh. The other problems with a mesh of
their own, those of flow, draw their geometry for each sample.
"""


def geometry_of(problem: Problem, *, own_mesh: bool) -> tuple[Any, ...] | None:
    """Equal for problems that may share a mesh; None for one that can share it with none.

    Boxes share a mesh when their corners and periodic axes are the same, problems with a
    mesh of their own when the attributes named by :data:`GEOMETRY` are.

    Examples
    --------
    >>> geometry_of(SlitPlateProblem(mesh_size=0.1), own_mesh=True)[1:]
    (0.1, True)
    """
    kind = type(problem)
    if not own_mesh:
        wraps = periodic_axes(problem.boundary_conditions, problem.dimension)
        return ("box", tuple(problem.lower), tuple(problem.upper), wraps)
    if kind not in GEOMETRY:
        return None
    return (kind, *(getattr(problem, name) for name in GEOMETRY[kind]))
