"""Sizes of finite element residuals, and their Riesz representatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshes.errors import InputError
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_forms import LinearForm, NonlinearForm
from pdesolve.fem._firedrake_linear import LinearFormSolver


def riesz_representative(
    product: Any,
    residual: Any,
    conditions: Any,
    given: Mapping[str, Any] | None,
    **details: Any,
) -> Any:
    """The z with product(z, w) = r(w) for all w that vanish where values are given (collective).

    Raises
    ------
    InputError
        If the solver does not converge.
    """
    form = LinearForm(
        product, residual, tuple(condition.reconstruct(g=0) for condition in conditions), **details
    )
    riesz, result = LinearFormSolver(form, given, "certificate_").solve()
    if not result.converged:
        raise InputError(
            f"the Poisson problem of the certificate did not converge ({result.reason}); give "
            "other solver_parameters, such as {'pc_type': 'lu', 'ksp_type': 'preonly'}"
        )
    return riesz


def residual_size(form: LinearForm | NonlinearForm, functional: Any) -> float:
    """‖r‖₂ of an assembled functional, without the rows of given values (collective)."""
    zero = [condition.reconstruct(g=0) for condition in form.boundary_conditions]
    with firedrake.assemble(functional, bcs=zero).dat.vec_ro as vector:
        return float(vector.norm())
