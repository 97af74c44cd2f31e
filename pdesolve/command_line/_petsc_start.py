"""Starting PETSc with the options that the command line names, and with no others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import petsc4py
import petsc4py.lib


def start_petsc(
    options: Mapping[str, str | None], solver_options: Mapping[str, Any] | None = None
) -> None:
    """Start PETSc, if it is not running, with options such as ``log_view``.

    PETSc would otherwise read this program's own arguments as its options.

    Parameters
    ----------
    options
        Value by name, without the dash.
    solver_options
        What solvers will be given; the same names in ``PETSC_OPTIONS`` are dropped, as a
        command line wins over the environment in PETSc's own programs.
    """
    library = petsc4py.lib.ImportPETSc()
    if library.Sys.isInitialized():
        database = library.Options()
        for name, value in options.items():
            database.setValue(name, value)
    else:
        _initialize(options)
    database = library.Options()
    for name in solver_options or {}:
        if database.hasName(name):
            database.delValue(name)


def _initialize(options: Mapping[str, str | None]) -> None:
    words = ["pdesolve", "-options_left", "no"]
    for name, value in options.items():
        words += [f"-{name}"] if value is None else [f"-{name}", value]
    petsc4py.init(words)
