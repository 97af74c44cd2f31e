"""Thousands of systems on one grid solved at once, on NumPy, torch and GPUs.

:func:`solve_batched` solves a :class:`StackedStencils` for many right-hand sides by
conjugate gradients preconditioned with multigrid. Arrays of any library that follows the
array API are taken; none but NumPy is imported here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pdesolve.batched.result import BatchedResult as BatchedResult
    from pdesolve.batched.solver import BatchedSolver as BatchedSolver
    from pdesolve.batched.solving import solve_batched as solve_batched
    from pdesolve.batched.stencils import StackedStencils as StackedStencils

_HOME = {
    "BatchedResult": "result",
    "BatchedSolver": "solver",
    "StackedStencils": "stencils",
    "solve_batched": "solving",
}
__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f"pdesolve.batched.{_HOME[name]}"), name)
    raise AttributeError(f"module 'pdesolve.batched' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
