"""Preconditioners of PETSc's type ``python``, chosen by options alone.

``{"pc_type": "python", "pc_python_type": "pdesolve.pc.FastPoisson"}`` makes a solver's
preconditioner one of these classes. PETSc is loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.pc._petsc_fast_convection import FastConvection as FastConvection
    from pdesolve.pc._petsc_fast_helmholtz import FastHelmholtz as FastHelmholtz
    from pdesolve.pc._petsc_fast_poisson import FastPoisson as FastPoisson
    from pdesolve.pc._petsc_rescaled import Rescaled as Rescaled
    from pdesolve.pc.constant_operator import ConstantOperator as ConstantOperator
    from pdesolve.pc.constant_operator import StencilValues as StencilValues
    from pdesolve.pc.constant_operator import nearest_constant_operator as nearest_constant_operator
    from pdesolve.pc.fast_convection import ConstantRows as ConstantRows
    from pdesolve.pc.fast_convection import FastConvectionSolver as FastConvectionSolver
    from pdesolve.pc.fast_helmholtz import ComplexAxis as ComplexAxis
    from pdesolve.pc.fast_helmholtz import FastHelmholtzSolver as FastHelmholtzSolver
    from pdesolve.pc.fast_poisson import AxisTransform as AxisTransform
    from pdesolve.pc.fast_poisson import FastSolver as FastSolver

_HOME = {
    "AxisTransform": "fast_poisson",
    "ComplexAxis": "fast_helmholtz",
    "ConstantOperator": "constant_operator",
    "ConstantRows": "fast_convection",
    "FastConvection": "_petsc_fast_convection",
    "FastConvectionSolver": "fast_convection",
    "FastHelmholtz": "_petsc_fast_helmholtz",
    "FastHelmholtzSolver": "fast_helmholtz",
    "FastPoisson": "_petsc_fast_poisson",
    "FastSolver": "fast_poisson",
    "Rescaled": "_petsc_rescaled",
    "StencilValues": "constant_operator",
    "nearest_constant_operator": "constant_operator",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"pdesolve.pc.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pdesolve.pc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
