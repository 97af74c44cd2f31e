"""Preconditioners by name: PETSc options that are known to work together.

``solve(problem, mesh=..., solver_parameters="direct")`` uses one as it is,
``solver_parameters={"preconditioner": "multigrid", "ksp_rtol": 1e-10}`` with changes, and
``pdesolve solve NAME ... -- -preconditioner direct`` does so from the command line. An
entry is nothing but a dictionary of PETSc options.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from meshes.errors import InputError, suggest

DIRECT: Mapping[str, Any] = MappingProxyType(
    {
        "ksp_type": "preonly",
        "pc_type": "lu",
        "pc_factor_mat_solver_type": "mumps",
        "mat_mumps_icntl_14": 200,  # room for delayed pivots
    }
)
"""Factorisation with MUMPS, on any number of processes."""

MULTIGRID: Mapping[str, Any] = MappingProxyType(
    {
        "ksp_type": "gmres",
        "ksp_pc_side": "right",
        "pc_type": "gamg",
        "pc_gamg_threshold": 0.05,
        "mg_levels_ksp_max_it": 2,
        "mg_levels_pc_type": "jacobi",
    }
)
"""Algebraic multigrid for scalar elliptic equations."""

ELASTICITY_MULTIGRID: Mapping[str, Any] = MappingProxyType(
    {
        "ksp_type": "cg",
        "ksp_norm_type": "unpreconditioned",
        "pc_type": "gamg",
        "mg_levels_ksp_max_it": 3,
        "mg_levels_pc_type": "jacobi",
        # matrices of GAMG start at the given nodes' blocks; the coarsest is solved whole
        "pc_gamg_coarse_eq_limit": 200,
    }
)
"""Algebraic multigrid whose coarse spaces hold the rigid body motions (``near_null_space``)."""

_PRESSURE_MASS: Mapping[str, Any] = {
    "fieldsplit_1_ksp_type": "preonly",
    "fieldsplit_1_pc_type": "python",
    "fieldsplit_1_pc_python_type": "firedrake.MassInvPC",
    "fieldsplit_1_Mp_pc_type": "bjacobi",
    "fieldsplit_1_Mp_sub_pc_type": "icc",
}
STOKES_MINRES: Mapping[str, Any] = MappingProxyType(
    {
        "ksp_type": "minres",
        "pc_type": "fieldsplit",
        "pc_fieldsplit_type": "additive",
        "fieldsplit_0_ksp_type": "preonly",
        "fieldsplit_0_pc_type": "gamg",
        "fieldsplit_0_mg_levels_ksp_max_it": 2,
        "fieldsplit_0_mg_levels_pc_type": "jacobi",
        **_PRESSURE_MASS,
    }
)
"""Stokes: MINRES with multigrid for the velocity and the mass matrix over ν for the pressure."""

STOKES_SCHUR: Mapping[str, Any] = MappingProxyType(
    {
        "ksp_type": "gmres",
        "ksp_pc_side": "right",
        "ksp_gmres_restart": 100,
        "pc_type": "fieldsplit",
        "pc_fieldsplit_type": "schur",
        "pc_fieldsplit_schur_fact_type": "lower",
        "fieldsplit_0_ksp_type": "preonly",
        "fieldsplit_0_pc_type": "gamg",
        "fieldsplit_0_mg_levels_ksp_max_it": 2,
        "fieldsplit_0_mg_levels_pc_type": "sor",
        **_PRESSURE_MASS,
        "fieldsplit_1_pc_python_type": "pdesolve.fem._firedrake_flow_schur.NegativeMass",
    }
)
"""Stokes: GMRES with a block-triangular preconditioner of the same two parts."""

NAVIER_STOKES_PCD: Mapping[str, Any] = MappingProxyType(
    {
        "mat_type": "matfree",
        "ksp_type": "fgmres",
        "ksp_gmres_restart": 100,
        "ksp_rtol": 1e-4,
        "ksp_max_it": 300,
        "pc_type": "fieldsplit",
        "pc_fieldsplit_type": "schur",
        "pc_fieldsplit_schur_fact_type": "lower",
        "fieldsplit_0_ksp_type": "preonly",
        "fieldsplit_0_pc_type": "python",
        "fieldsplit_0_pc_python_type": "firedrake.AssembledPC",
        "fieldsplit_0_assembled_pc_type": "lu",
        "fieldsplit_0_assembled_pc_factor_mat_solver_type": "mumps",
        "fieldsplit_1_ksp_type": "preonly",
        "fieldsplit_1_pc_type": "python",
        "fieldsplit_1_pc_python_type": "firedrake.PCDPC",
        "fieldsplit_1_pcd_Mp_ksp_type": "preonly",
        "fieldsplit_1_pcd_Mp_pc_type": "lu",
        "fieldsplit_1_pcd_Mp_pc_factor_mat_solver_type": "mumps",
        "fieldsplit_1_pcd_Kp_ksp_type": "preonly",
        "fieldsplit_1_pcd_Kp_pc_type": "lu",
        "fieldsplit_1_pcd_Kp_pc_factor_mat_solver_type": "mumps",
        "fieldsplit_1_pcd_Fp_mat_type": "matfree",
    }
)
"""Navier–Stokes: a factorised velocity block, and pressure convection–diffusion for the rest.

References
----------
Elman, Silvester, Wathen (2014), Finite Elements and Fast Iterative Solvers, chapter 9,
doi:10.1093/acprof:oso/9780199678792.001.0001.
"""

PRECONDITIONERS: dict[str, Mapping[str, Any]] = {
    "direct": DIRECT,
    "multigrid": MULTIGRID,
    "elasticity_multigrid": ELASTICITY_MULTIGRID,
    "stokes_minres": STOKES_MINRES,
    "stokes_schur": STOKES_SCHUR,
    "navier_stokes_pcd": NAVIER_STOKES_PCD,
}
"""PETSc options by name."""

OPTION = "preconditioner"


def named_preconditioner(name: object) -> dict[str, Any]:
    """The PETSc options of a name.

    Raises
    ------
    InputError
        If there is no such name; the text lists the known ones.

    Examples
    --------
    >>> named_preconditioner("direct")["pc_type"]
    'lu'
    """
    if name not in PRECONDITIONERS:
        raise InputError(
            f"there is no preconditioner '{name}'. {suggest(str(name), PRECONDITIONERS)}"
        )
    return dict(PRECONDITIONERS[str(name)])


def split_named(
    solver_parameters: Mapping[str, Any] | str | None,
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Options by name, and those written out, which replace them.

    Parameters
    ----------
    solver_parameters
        A name, or PETSc options among which ``preconditioner`` may hold one.

    Returns
    -------
    tuple
        The named options (None without a name), and the caller's own.

    Examples
    --------
    >>> named, own = split_named({"preconditioner": "direct", "ksp_rtol": 1e-10})
    >>> named["pc_type"], own
    ('lu', {'ksp_rtol': 1e-10})
    """
    if isinstance(solver_parameters, str):
        return named_preconditioner(solver_parameters), {}
    if solver_parameters is None:
        return None, {}
    if not isinstance(solver_parameters, Mapping):
        raise InputError(
            f"solver_parameters={solver_parameters!r} must map option names to values, such as "
            f"{{'ksp_type': 'cg'}}, or be a preconditioner's name ({', '.join(PRECONDITIONERS)})"
        )
    own = {key: value for key, value in solver_parameters.items() if key != OPTION}
    if OPTION not in solver_parameters:
        return None, own
    return named_preconditioner(solver_parameters[OPTION]), own
