"""Exceptions that every package raises, and the check for optional parts."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType

_INSTALL = {
    "petsc": "make install   (or: pip install 'pdesolve-neural[petsc]' where PETSc is built)",
    "fem": "make install   (or: pip install 'pdesolve-neural[fem]' where Firedrake is built)",
    "neural": "pip install 'pdesolve-neural[neural]'",
    "dev": "pip install 'pdesolve-neural[dev]'",
}


class PDESolveError(Exception):
    """Base class of every exception that this project defines."""


class InputError(PDESolveError, ValueError):
    """What was given cannot be used; the text says what is allowed and how to fix it."""


class MissingDependencyError(PDESolveError, ImportError):
    """An optional part is not installed; the text holds the command that installs it."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or say how to install it.

    Parameters
    ----------
    module
        Full name, such as ``"petsc4py.PETSc"``.
    extra
        The extra of this distribution that holds it: petsc, fem, neural or dev.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    MissingDependencyError
        If it cannot be imported.

    Examples
    --------
    >>> require("json", extra="dev").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"This needs '{module}', which cannot be imported here ({error}). "
            f"Install it with: {_INSTALL[extra]}"
        ) from error


def suggest(name: str, known: Iterable[str]) -> str:
    """Text that lists the known names and points to the nearest one.

    Examples
    --------
    >>> suggest("darcy2", ["darcy2d", "poisson"])
    "Did you mean 'darcy2d'? Known: darcy2d, poisson."
    """
    names = sorted(str(item) for item in known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known: {', '.join(names) or 'none'}."
