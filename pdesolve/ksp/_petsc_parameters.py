"""Which recycling method this PETSc has."""

from __future__ import annotations

from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError


def recycling_parameters(restart: int = 40, recycle: int = 20) -> dict[str, Any]:
    """Options that choose GCRO-DR: PETSc's HPDDM where it was built with it, else ours.

    HPDDM's implementation is compiled; the space survives between solves in both.

    Parameters
    ----------
    restart
        Dimension of the largest space, at least 2.
    recycle
        Vectors carried over, at least 1 and below `restart`.

    Returns
    -------
    dict
        PETSc options without a preconditioner.

    Raises
    ------
    InputError
        If a number is out of range.

    References
    ----------
    Jolivet, Tournier (2016), Block iterative methods and recycling for improved scalability
    of linear solvers, SC16, doi:10.1109/SC.2016.16.

    Examples
    --------
    >>> sorted(recycling_parameters(30, 10).values(), key=str)[:2]
    [10, 30]
    """
    if restart < 2 or not 1 <= recycle < restart:
        raise InputError(
            f"restart={restart} and recycle={recycle} do not go together; give a restart of 2 or "
            "more and at least 1 and fewer than restart vectors to recycle"
        )
    if PETSc.Sys.hasExternalPackage("hpddm"):
        return {
            "ksp_type": "hpddm",
            "ksp_hpddm_type": "gcrodr",
            "ksp_gmres_restart": restart,
            "ksp_hpddm_recycle": recycle,
        }
    return {
        "ksp_type": "python",
        "ksp_python_type": "pdesolve.ksp.GCRODR",
        "gcrodr_restart": restart,
        "gcrodr_recycle": recycle,
    }
