"""Finite elements with Firedrake.

:func:`pdesolve.solve` with ``backend="fem"`` is the way in. Here is what a person's own
weak form needs, and what keeps meshes and answers. Everything loads Firedrake when it is
first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.fem._firedrake import Dt as Dt
    from pdesolve.fem._firedrake_checkpoint import load_checkpoint as load_checkpoint
    from pdesolve.fem._firedrake_checkpoint import save_checkpoint as save_checkpoint
    from pdesolve.fem._firedrake_errors import relative_error as relative_error
    from pdesolve.fem._firedrake_evolution_form import EvolutionForm as EvolutionForm
    from pdesolve.fem._firedrake_evolution_form import TimeFunction as TimeFunction
    from pdesolve.fem._firedrake_forces import flow_force as flow_force
    from pdesolve.fem._firedrake_forces import value_at as value_at
    from pdesolve.fem._firedrake_forms import FormContext as FormContext
    from pdesolve.fem._firedrake_forms import LinearForm as LinearForm
    from pdesolve.fem._firedrake_forms import NonlinearForm as NonlinearForm
    from pdesolve.fem._firedrake_meshes import NamedMesh as NamedMesh
    from pdesolve.fem._firedrake_meshes import box_mesh as box_mesh

_HOME = {
    "Dt": "_firedrake",
    "EvolutionForm": "_firedrake_evolution_form",
    "TimeFunction": "_firedrake_evolution_form",
    "FormContext": "_firedrake_forms",
    "LinearForm": "_firedrake_forms",
    "NamedMesh": "_firedrake_meshes",
    "NonlinearForm": "_firedrake_forms",
    "box_mesh": "_firedrake_meshes",
    "load_checkpoint": "_firedrake_checkpoint",
    "relative_error": "_firedrake_errors",
    "save_checkpoint": "_firedrake_checkpoint",
    "flow_force": "_firedrake_forces",
    "value_at": "_firedrake_forces",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"pdesolve.fem.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pdesolve.fem' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
