"""Default solvers for the systems that methods in time solve in each step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError
from pdesolve._petsc_options import flatten
from pdesolve.fem._firedrake import firedrake
from pdesolve.fem._firedrake_evolution_form import EvolutionForm
from pdesolve.fem._firedrake_methods import num_coupled_stages
from pdesolve.fem.preconditioners import DIRECT

# The tolerance on linear systems lies far below the error of the methods. With a
# factorisation the outer method takes one iteration, which looks at the residual.
LINEAR: dict[str, Any] = {"snes_type": "ksponly", "ksp_rtol": 1e-10, "ksp_max_it": 500}
NEWTON: dict[str, Any] = {
    "snes_type": "newtonls",
    "snes_linesearch_type": "bt",
    "snes_rtol": 1e-8,
    "snes_stol": 0.0,
    "snes_max_it": 30,
    "ksp_rtol": 1e-8,
    "ksp_max_it": 500,
}
FACTORISED: dict[str, Any] = {**DIRECT, "ksp_type": "fgmres"}
MULTIGRID: dict[str, Any] = {
    "ksp_type": "fgmres",
    "pc_type": "gamg",
    "mg_levels_ksp_max_it": 2,
    "mg_levels_pc_type": "jacobi",
}
# Up to these numbers of unknowns, all stages counted, a factorisation is the default: of one
# unknown with linear steps (docs: Heat), and of all others.
LARGEST_DIRECT_SCALAR = {1: 1_000_000, 2: 10_000, 3: 3_000}
LARGEST_DIRECT = {1: 1_000_000, 2: 200_000, 3: 30_000}
# A residual this small, in units of what the state loses if it decays within the time that
# is solved for, is as good as none: steady states have no larger one.
_NEGLIGIBLE = 1e-10


def default_parameters(
    form: EvolutionForm,
    method: str,
    named: Mapping[str, Any] | None,
    given: Mapping[str, Any],
    *,
    linear: bool,
    span: float,
) -> dict[str, Any]:
    """Options to use where the caller says nothing (collective).

    Parameters
    ----------
    form
        What is solved.
    method
        Name of the method.
    named
        Options that the caller chose by name.
    given
        The caller's other options, flat.
    linear
        Whether the steps are linear systems.
    span
        The time that is solved for.
    """
    outer = dict(LINEAR if linear else NEWTON)
    if not linear and "snes_atol" not in given:
        outer["snes_atol"] = _NEGLIGIBLE * residual_scale(form, span)
    own = flatten(form.solver_parameters if named is None else named)
    if own and (named is not None or "pc_type" not in given):
        return {**outer, **own}
    stages = num_coupled_stages(method)
    dimension = int(form.mesh.geometric_dimension)
    scalar = linear and len(form.space) == 1 and form.space.value_size == 1
    limits = LARGEST_DIRECT_SCALAR if scalar else LARGEST_DIRECT
    small = stages * form.space.dim() <= limits[dimension]
    if given.get("pc_type") in ("lu", "cholesky") or (
        "pc_type" not in given and small and PETSc.Sys.hasExternalPackage("mumps")
    ):
        inner = dict(FACTORISED)
        if form.null_space is not None:
            inner["mat_mumps_icntl_24"] = 1  # null pivots
        return {**outer, **inner}
    if "pc_type" in given:
        return {**outer, "ksp_type": "fgmres"}
    parts = stages * len(form.space)
    if parts == 1:
        return {**outer, **MULTIGRID}
    split: dict[str, Any] = {
        "ksp_type": "fgmres",
        "pc_type": "fieldsplit",
        "pc_fieldsplit_type": "multiplicative",
    }
    for number in range(parts):
        split |= {
            f"fieldsplit_{number}_{key}": value
            for key, value in {**MULTIGRID, "ksp_type": "preonly"}.items()
        }
    return {**outer, **split}


def residual_scale(form: EvolutionForm, span: float) -> float:
    """Norm of the residual of a state that loses its size within a time (collective)."""
    rate = firedrake.Function(form.space).assign(form.state / span)
    zero = firedrake.Function(form.space)
    moving = firedrake.assemble(form.at(form.residual, form.state, rate, form.time))
    still = firedrake.assemble(form.at(form.residual, form.state, zero, form.time))
    with moving.dat.vec as a, still.dat.vec_ro as b:
        a.axpy(-1.0, b)
        scale = max(float(a.norm()), float(b.norm()), 1e-30)
    if not math.isfinite(scale):
        raise InputError(
            "the residual of the initial state is not finite: it has left what the equation allows"
        )
    return scale
