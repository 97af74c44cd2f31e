"""Boundary values of fluxes."""

from __future__ import annotations

from typing import Any

import numpy as np
from petsc4py import PETSc

from pdesolve.fem._firedrake import firedrake, ufl


def normal_flux(space: Any, value: Any, number: int) -> Any:
    """A function of an H(div) space with a given normal component on one side (collective).

    The least-squares fit on each facet of the side; zero away from it.

    Parameters
    ----------
    space
        Raviart–Thomas space.
    value
        σ·n as a UFL expression.
    number
        Firedrake's number of the side.

    Examples
    --------
    >>> mesh = firedrake.UnitSquareMesh(2, 2)
    >>> space = firedrake.FunctionSpace(mesh, "RT", 1)
    >>> flux = normal_flux(space, firedrake.Constant(3.0), 1)
    >>> normal = ufl.FacetNormal(mesh)
    >>> round(float(firedrake.assemble(ufl.dot(flux, normal) * ufl.ds(1))), 12)
    3.0
    """
    mesh = space.mesh()
    sigma, tau = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    normal, side = ufl.FacetNormal(mesh), ufl.ds(number, domain=mesh)
    matrix = firedrake.assemble(ufl.dot(sigma, normal) * ufl.dot(tau, normal) * side).petscmat
    right = firedrake.assemble(value * ufl.dot(tau, normal) * side)
    # functions of other facets and of the interior have no part in this: give them a one
    first, last = matrix.getOwnershipRange()
    facets = firedrake.DirichletBC(space, firedrake.Function(space), number).nodes
    others = np.setdiff1d(np.arange(last - first), facets).astype(PETSc.IntType)
    matrix.zeroRowsColumns(others + first, 1.0)
    result = firedrake.Function(space)
    ksp = PETSc.KSP().create(comm=mesh.comm)
    ksp.setOptionsPrefix("pdesolve_normal_flux_")
    ksp.setOperators(matrix)
    # facets do not couple, so the incomplete factors of each process are complete
    ksp.setType("cg")
    ksp.getPC().setType("bjacobi")
    ksp.setTolerances(rtol=1e-14, atol=1e-50, max_it=200)
    right.dat.data_wo[others] = 0.0
    with right.dat.vec_ro as b, result.dat.vec as x:
        ksp.solve(b, x)
    ksp.destroy()
    return result
