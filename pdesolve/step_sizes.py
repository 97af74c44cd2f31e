"""Output times and step sizes as a caller gives them."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Sequence

from meshes.errors import InputError


def checked_times(times: object) -> tuple[float, ...]:
    """Times that grow and are finite, or an error.

    Examples
    --------
    >>> checked_times([0, 0.5, 1])
    (0.0, 0.5, 1.0)
    """
    if not isinstance(times, Sequence) and not hasattr(times, "__array__"):
        raise InputError(f"times={times!r} must be a sequence, the initial time first")
    found: list[float] = []
    for value in list(times):  # type: ignore[call-overload]
        if not isinstance(value, numbers.Real) or not math.isfinite(float(value)):
            raise InputError(f"times hold {value!r}; they must be finite numbers")
        found.append(float(value))
    if len(found) < 2:
        raise InputError(f"times={times!r} must hold the initial time and one more")
    for before, after in itertools.pairwise(found):
        if after <= before:
            raise InputError(f"times must grow; {after:g} follows {before:g}")
    return tuple(found)


def checked_step(dt: object) -> float | None:
    """A positive finite step size or None, or an error."""
    if dt is None:
        return None
    if isinstance(dt, bool) or not isinstance(dt, numbers.Real):
        raise InputError(f"dt={dt!r} must be a positive number")
    if not (math.isfinite(float(dt)) and float(dt) > 0):
        raise InputError(f"dt={dt} must be positive and finite")
    return float(dt)


def steps_between(start: float, stop: float, dt: float) -> int:
    """How many steps of size dt lead from one time to another.

    Raises
    ------
    InputError
        If dt does not divide the interval (to 1e-6 of a step).

    Examples
    --------
    >>> steps_between(0.0, 1.0, 0.1)
    10
    """
    count = round((stop - start) / dt)
    if count < 1 or abs(count * dt - (stop - start)) > 1e-6 * dt:
        near = (stop - start) / max(count, 1)
        raise InputError(
            f"dt={dt:g} does not divide the time between the outputs at {start:g} and {stop:g}; "
            f"dt={near:.9g} does"
        )
    return count
