"""Krylov methods that carry a subspace from one linear system to the next.

Both are PETSc ``KSP`` objects of type ``python``, chosen by options alone:
``ksp_type=python`` with ``ksp_python_type=pdesolve.ksp.GCRODR`` (any matrix) or
``pdesolve.ksp.DeflatedCG`` (symmetric positive definite matrices). They load PETSc when
they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.ksp._petsc_deflated_cg import DeflatedCG as DeflatedCG
    from pdesolve.ksp._petsc_gcrodr import GCRODR as GCRODR
    from pdesolve.ksp._petsc_parameters import recycling_parameters as recycling_parameters

_HOME = {
    "DeflatedCG": "_petsc_deflated_cg",
    "GCRODR": "_petsc_gcrodr",
    "recycling_parameters": "_petsc_parameters",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"pdesolve.ksp.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pdesolve.ksp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
