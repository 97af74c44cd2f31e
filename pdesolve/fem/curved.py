"""A mesh together with the curve that one of its sides follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from meshes.unstructured import UnstructuredMesh


@dataclass(frozen=True, eq=False)
class CurvedMesh:
    """Straight cells, and how the backend ``fem`` bends those at one side.

    A mesh for :func:`pdesolve.solve`; see
    :func:`pdesolve.fem._firedrake_curved.curve_boundary`.

    Parameters
    ----------
    mesh
        The straight cells.
    side
        Name of the part of the boundary.
    project
        Takes points ``(n, dimension)`` and gives the nearest points of the curve.

    Raises
    ------
    InputError
        If the mesh has no such side.

    Examples
    --------
    >>> from pdesolve.problems.cylinder_geometry import CylinderChannel, cylinder_channel_mesh
    >>> channel = CylinderChannel()
    >>> CurvedMesh(cylinder_channel_mesh(0.1), "obstacle", channel.project).side
    'obstacle'
    """

    mesh: UnstructuredMesh
    side: str
    project: Callable[[FloatArray], FloatArray]

    def __post_init__(self) -> None:
        names = self.mesh.boundary_names
        if self.side not in names:
            raise InputError(f"the mesh has no side '{self.side}'. {suggest(self.side, names)}")
