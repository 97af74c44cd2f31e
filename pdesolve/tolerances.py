"""Relative tolerances among solver options."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

from meshes.errors import InputError


def checked_tolerance(rtol: object) -> float:
    """A relative tolerance between 0 and 1, or an error."""
    if isinstance(rtol, bool) or not isinstance(rtol, numbers.Real) or not 0 < float(rtol) < 1:
        raise InputError(f"rtol={rtol!r} must be a number between 0 and 1, such as 1e-8")
    return float(rtol)


def with_tolerance(
    solver_parameters: Mapping[str, Any] | None, rtol: float | None, name: str
) -> dict[str, Any]:
    """Solver options with a tolerance among them.

    Parameters
    ----------
    solver_parameters
        PETSc options.
    rtol
        The tolerance; nothing is added where it is None.
    name
        PETSc's name for it.

    Raises
    ------
    InputError
        If the options give another one.

    Examples
    --------
    >>> with_tolerance({"pc_type": "lu"}, 1e-6, "ksp_rtol")
    {'pc_type': 'lu', 'ksp_rtol': 1e-06}
    """
    parameters = dict(solver_parameters or {})
    if rtol is None:
        return parameters
    tolerance = checked_tolerance(rtol)
    given = parameters.get(name)
    if given is not None and float(given) != tolerance:
        raise InputError(
            f"two tolerances: rtol={rtol!r} and {name}={given!r} in solver_parameters; give one"
        )
    parameters[name] = tolerance
    return parameters
