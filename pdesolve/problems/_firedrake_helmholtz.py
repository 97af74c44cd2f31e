"""Weak form of the Helmholtz equation."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from petsc4py import PETSc

from pdesolve.fem._firedrake import firedrake, raise_together, ufl
from pdesolve.fem._firedrake_data import require_positive
from pdesolve.fem._firedrake_forms import FormContext, LinearForm
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann

if TYPE_CHECKING:
    from pdesolve.problems.helmholtz import HelmholtzProblem

DIRECT: dict[str, Any] = {
    "ksp_type": "gmres",
    "ksp_pc_side": "right",
    "pc_type": "cholesky",  # L D Lᵀ with pivots: the form is symmetric, not definite
    "pc_factor_mat_solver_type": "mumps",
    "mat_mumps_icntl_14": 200,  # room for delayed pivots
}


def helmholtz_form(problem: HelmholtzProblem, context: FormContext) -> LinearForm:
    """Weak form of −Δu − k² u = f with u in a Lagrange space.

    For u = v + i w find v, w with a(v, φ) + ∮_absorbing k w φ = ∫ Re f φ + ∮ Re(flux) φ
    and −a(w, ψ) + ∮_absorbing k v ψ = −∫ Im f ψ − ∮ Im(flux) ψ, where
    a(u, φ) = ∫ ∇u·∇φ − k² u φ: a symmetric form on pairs.
    """
    from pdesolve.problems.helmholtz import complex_parts, part_of_conditions

    k = context.data(problem.wavenumber, name="wavenumber", check=require_positive("wavenumber"))
    _check_resolution(k, context)
    given = context.conditions(problem.boundary_conditions, (Absorbing, Dirichlet, Neumann))
    names = problem.unknowns
    space = context.space("CG")
    if len(names) == 2:
        space = space * space
    trial, test = firedrake.TrialFunction(space), firedrake.TestFunction(space)
    trials, tests = (ufl.split(trial), ufl.split(test)) if len(names) == 2 else ((trial,), (test,))
    bilinear = linear = 0
    strong: list[Any] = []
    inputs = [k]
    for part, (u, v) in enumerate(zip(trials, tests, strict=True)):
        sign = -1.0 if part else 1.0
        f = context.data(
            complex_parts(problem.source)[part], name=("source", "source_imaginary")[part]
        )
        inputs.append(f)
        bilinear += sign * (ufl.inner(ufl.grad(u), ufl.grad(v)) - k**2 * u * v) * ufl.dx
        linear += sign * f * v * ufl.dx
        conditions = part_of_conditions(given, part)
        for name, condition in conditions.items():
            if isinstance(condition, Absorbing):
                bilinear += k * trials[1 - part] * v * context.side(name)
            elif isinstance(condition, Neumann):
                flux = context.data(condition.flux, name=f"flux on '{name}'")
                linear += sign * flux * v * context.side(name)
        strong += context.dirichlet(space.sub(part) if len(names) == 2 else space, conditions)
    return LinearForm(
        bilinear,
        linear,
        tuple(strong),
        names,
        solver_parameters=DIRECT if PETSc.Sys.hasExternalPackage("mumps") else {},
        inputs=tuple(value for value in inputs if isinstance(value, firedrake.Function)),
        outputs=names,
    )


def _check_resolution(k: Any, context: FormContext) -> None:
    """Refuse too few points per wavelength; h is the edge of a right-angled cell."""
    from pdesolve.problems.helmholtz import FEW_POINTS, points_per_wavelength

    mesh, size = context.mesh, context.dimension
    cells = firedrake.FunctionSpace(mesh, "DG" if mesh.ufl_cell().is_simplex else "DQ", 0)
    corners = math.factorial(size) if mesh.ufl_cell().is_simplex else 1
    width = (corners * ufl.CellVolume(mesh)) ** (1.0 / size)
    product = firedrake.Function(cells).interpolate(k * width / context.degree)
    with product.dat.vec_ro as vector:
        largest = float(vector.max()[1])
    error: Exception | None = None
    try:
        points = points_per_wavelength(largest, "cells along each axis, or a higher degree")
        if points < FEW_POINTS and mesh.comm.rank == 0:
            warnings.warn(
                f"{points:.1f} points per wavelength: the phase error adds up over the domain",
                UserWarning,
                stacklevel=2,
            )
    except Exception as problem:
        error = problem
    raise_together(mesh.comm, error)
