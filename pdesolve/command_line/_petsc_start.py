"""Starting PETSc with the options that the command line names, and with no others."""

from __future__ import annotations

from collections.abc import Mapping

import petsc4py
import petsc4py.lib


def start_petsc(options: Mapping[str, str | None]) -> None:
    """Start PETSc, if it is not running, with options such as ``log_view``.

    PETSc would otherwise read this program's own arguments as its options.

    Parameters
    ----------
    options
        Value by name, without the dash.
    """
    library = petsc4py.lib.ImportPETSc()
    if library.Sys.isInitialized():
        database = library.Options()
        for name, value in options.items():
            database.setValue(name, value)
        return
    words = ["pdesolve", "-options_left", "no"]
    for name, value in options.items():
        words += [f"-{name}"] if value is None else [f"-{name}", value]
    petsc4py.init(words)
