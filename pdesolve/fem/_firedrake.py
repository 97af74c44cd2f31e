"""Firedrake, imported once for the whole backend with its kernel cache set."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from meshes._firedrake import firedrake, irksome, irksome_error
from meshes.errors import InputError, MissingDependencyError, require

__all__ = ["Dt", "communicator", "firedrake", "load_irksome", "raise_together", "ufl"]

ufl: Any = require("ufl", extra="fem")
import_module("operators._petsc_stencil")  # frees PETSc's objects in step at the end


def load_irksome() -> Any:
    """Irksome's module.

    Raises
    ------
    MissingDependencyError
        If it could not be imported when Firedrake was.
    """
    if irksome is None:
        raise MissingDependencyError(
            f"Problems in time on the backend 'fem' need Irksome, which could not be loaded: "
            f"{irksome_error} If UFL has run before pdesolve was imported, import pdesolve.fem "
            "first"
        )
    return irksome


def Dt(expression: Any) -> Any:  # noqa: N802
    """The time derivative of the state, or of a part of it, in the residual of an evolution."""
    return load_irksome().Dt(expression)


def communicator(comm: Any) -> Any:
    """An mpi4py communicator from an mpi4py or petsc4py one, or of all processes."""
    if comm is None:
        return firedrake.COMM_WORLD
    return comm.tompi4py() if hasattr(comm, "tompi4py") else comm


def raise_together(comm: Any, error: Exception | None) -> None:
    """Raise on every process if any has an error, so that none waits for it (collective)."""
    texts = comm.allgather(None if error is None else str(error))
    if error is not None:
        raise error
    for rank, text in enumerate(texts):
        if text is not None:
            raise InputError(text if comm.size == 1 else f"process {rank}: {text}")
