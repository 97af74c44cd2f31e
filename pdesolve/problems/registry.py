"""The names of problem families."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any

from meshes.errors import InputError, suggest
from pdesolve.problems.base import ProblemFamily

FAMILIES: dict[str, str] = {
    "darcy1d": "pdesolve.problems.darcy:darcy1d",
    "darcy1d_lognormal": "pdesolve.problems.darcy:darcy1d_lognormal",
    "darcy2d": "pdesolve.problems.darcy:darcy2d",
    "darcy2d_lognormal": "pdesolve.problems.darcy:darcy2d_lognormal",
    "darcy3d": "pdesolve.problems.darcy:darcy3d",
    "darcy3d_lognormal": "pdesolve.problems.darcy:darcy3d_lognormal",
}


def get_family(name: str, /, **options: Any) -> ProblemFamily:
    """A family by its name, or from the user's own file.

    Parameters
    ----------
    name
        A name of :data:`FAMILIES`, or ``path/to/file.py:ClassName``. The file is run, so
        a name may come from the person at the keyboard, never from a data file.
    options
        Given to the family.

    Raises
    ------
    InputError
        For unknown names and options.

    Examples
    --------
    >>> get_family("darcy2d", above=4.0).dimension
    2
    """
    if ".py:" in name:
        factory = _from_file(name)
    elif name in FAMILIES:
        module, _, attribute = FAMILIES[name].partition(":")
        factory = getattr(importlib.import_module(module), attribute)
    else:
        raise InputError(f"there is no problem family '{name}'. {suggest(name, FAMILIES)}")
    try:
        family = factory(**options)
    except TypeError as error:
        for key in options:
            if f"multiple values for argument '{key}'" in str(error):
                raise InputError(
                    f"family '{name}' fixes '{key}'; leave it out, or choose another family. "
                    f"{suggest(name, FAMILIES)}"
                ) from error
        options_of = factory if inspect.isclass(factory) else type(factory())
        known = [key for key in inspect.signature(options_of).parameters if key != "name"]
        unknown = [key for key in options if key not in known]
        if not unknown:
            given = ", ".join(f"{key}={value!r}" for key, value in options.items())
            raise InputError(
                f"family '{name}' cannot be made with {given or 'no options'}: {error}"
            ) from error
        raise InputError(
            f"family '{name}' has no option '{unknown[0]}'. {suggest(unknown[0], known)}"
        ) from error
    if not isinstance(family, ProblemFamily):
        raise InputError(f"'{name}' is a {type(family).__name__}, not a ProblemFamily")
    return family


def _from_file(name: str) -> Any:
    path, _, attribute = name.rpartition(":")
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no file '{path}'")
    spec = importlib.util.spec_from_file_location(f"pdesolve_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"'{path}' is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, attribute):
        public = [key for key in vars(module) if not key.startswith("_")]
        raise InputError(f"'{path}' defines no '{attribute}'. {suggest(attribute, public)}")
    return getattr(module, attribute)
