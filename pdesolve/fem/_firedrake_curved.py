"""Meshes whose boundary cells follow a curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from meshes.errors import InputError, suggest
from meshes.gmsh_curved import CurvedEdges
from meshes.structured import FloatArray
from pdesolve.fem._firedrake import firedrake, raise_together, ufl
from pdesolve.fem._firedrake_meshes import NamedMesh

Projection = Callable[[FloatArray], FloatArray]


def curve_boundary(named: NamedMesh, side: str, project: Projection) -> NamedMesh:
    """A mesh with coordinates of degree 2, whose nodes on a side lie on a curve (collective).

    Corners and the middles of the edges (and faces' edges in 3D) on the side are moved; the
    cells away from it stay straight. Elements of degree 2 on it (isoparametric ones) keep
    their order of accuracy: the curve is met to the third order of the cells' size.

    Parameters
    ----------
    named
        A mesh with straight cells and vertices near the curve.
    side
        Name of the part of the boundary.
    project
        Takes points ``(n, dimension)`` and gives the nearest points of the curve.

    Raises
    ------
    InputError
        If the mesh has no such side, or a cell would be turned inside out.

    References
    ----------
    Lenoir (1986), Optimal isoparametric finite elements and error estimates for domains
    involving curved boundaries, SIAM J. Numer. Anal. 23, doi:10.1137/0723036.

    Examples
    --------
    >>> from meshes._firedrake import boundary_numbers, to_firedrake
    >>> from pdesolve.problems.cylinder_geometry import CylinderChannel, cylinder_channel_mesh
    >>> channel = CylinderChannel()
    >>> mesh = to_firedrake(cylinder_channel_mesh(0.1))
    >>> straight = NamedMesh(mesh, boundary_numbers(mesh))
    >>> curved = curve_boundary(straight, "obstacle", channel.project)
    >>> length = firedrake.assemble(1.0 * ufl.ds(curved.sides["obstacle"], domain=curved.mesh))
    >>> bool(abs(length / (np.pi * channel.diameter) - 1) < 1e-5)
    True
    """
    if side not in named.sides:
        raise InputError(f"the mesh has no side '{side}'. {suggest(side, tuple(named.sides))}")
    mesh = named.mesh
    space = firedrake.VectorFunctionSpace(mesh, "CG", 2)
    where = firedrake.Function(space).interpolate(ufl.SpatialCoordinate(mesh))
    zero = firedrake.Constant((0.0,) * int(mesh.geometric_dimension))
    nodes = firedrake.DirichletBC(space, zero, named.sides[side]).nodes
    points = where.dat.data_ro_with_halos[nodes]
    moved, error = points, None
    try:
        moved = np.asarray(project(points), dtype=np.float64)
        if moved.shape != points.shape or not np.isfinite(moved).all():
            raise InputError(
                f"project gave shape {moved.shape} for points of shape {points.shape}; it must "
                "give as many finite points"
            )
    except Exception as problem:  # the other processes must learn of it, whatever it is
        error = problem
    raise_together(mesh.comm, error)
    where.dat.data_with_halos[nodes] = moved
    return _with_coordinates(named, where, f"at side '{side}' ")


def bend_edges(named: NamedMesh, edges: CurvedEdges) -> NamedMesh:
    """A mesh with coordinates of degree 2, whose edges run through given points (collective).

    Parameters
    ----------
    named
        A mesh with straight triangles or tetrahedra.
    edges
        The edges that bend; the same on all processes.

    Raises
    ------
    InputError
        If a cell would be turned inside out.
    """
    mesh = named.mesh
    space = firedrake.VectorFunctionSpace(mesh, "CG", 2)
    where = firedrake.Function(space).interpolate(ufl.SpatialCoordinate(mesh))
    points = where.dat.data_with_halos
    if len(points):
        span = float(np.ptp(edges.straight, axis=0).max()) or 1.0
        distance, number = cKDTree(edges.straight).query(points)
        near = distance < 1e-9 * span
        points[near] = edges.curved[np.asarray(number)[near]]
    return _with_coordinates(named, where, "")


def _with_coordinates(named: NamedMesh, where: Any, place: str) -> NamedMesh:
    """The mesh with other coordinates, checked for cells that are turned inside out."""
    mesh = named.mesh
    curved = firedrake.Mesh(where, name=f"{mesh.name}_curved")
    if mesh.comm.allreduce(int(np.count_nonzero(_volumes(mesh) * _volumes(curved) <= 0))):
        raise InputError(
            f"cells {place}are too coarse to follow the curve: one turns inside out; use a finer "
            "mesh there"
        )
    return replace(named, mesh=curved, evaluators={})


def _volumes(mesh: Any) -> FloatArray:
    """The Jacobian's determinant at corners and middles of edges of the cells, with a sign."""
    space = firedrake.FunctionSpace(mesh, "DG", 2, variant="equispaced")
    found = firedrake.Function(space).interpolate(ufl.JacobianDeterminant(mesh))
    return np.asarray(found.dat.data_ro, dtype=np.float64)
