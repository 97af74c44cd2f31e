"""Exponential time differencing on NumPy arrays without temporary arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def of_distinct_values(
    function: Callable[[Array], tuple[Array, ...]], linear: Array
) -> tuple[Array, ...]:
    """Complex coefficients of every entry of L, computed once for entries that are equal.

    On an isotropic L about one entry in four (2D) is distinct. Complex, as NumPy multiplies
    arrays of one type faster than real by complex ones.

    Examples
    --------
    >>> (found,) = of_distinct_values(lambda z: (z**2,), np.array([[2.0, 3.0], [2.0, 2.0]]))
    >>> found.real.tolist()
    [[4.0, 9.0], [4.0, 4.0]]
    """
    values, place = np.unique(linear, return_inverse=True)
    complexly = np.complex128
    return tuple(part.astype(complexly)[place].reshape(linear.shape) for part in function(values))


class Workspace:
    """Arrays that the stages of one scheme share from step to step."""

    def __init__(self) -> None:
        self._arrays: tuple[Array, ...] = ()

    def like(self, state: Array) -> tuple[Array, ...]:
        """Six arrays of the state's shape and type; N may be written to the last three."""
        found = self._arrays
        if not found or found[0].shape != state.shape or found[0].dtype != state.dtype:
            found = tuple(np.empty_like(state) for _ in range(6))
            self._arrays = found
        return found


def etdrk4_step(
    coefficients: tuple[Array, ...],
    workspace: Workspace,
    forcing: Callable[[int, Array, Array], Array],
    state: Array,
) -> Array:
    """A step of the method of Cox and Matthews; the state is left as it is.

    Parameters
    ----------
    coefficients
        e^z, e^(z/2), Q, f₁, f₂, f₃.
    workspace
        Of the scheme.
    forcing
        N at the beginning (0), middle (1) and end (2) of the step, for a state. It may,
        but need not, write to the array that is its third argument.
    state
        û before the step.
    """
    whole, half, q, f1, f2, f3 = coefficients
    moved, a, stage, *free = workspace.like(state)

    def at(place: int, where: Array, out: Array) -> Array:
        value = forcing(place, where, out)
        return value.copy() if np.may_share_memory(value, where) else value

    before = at(0, state, free[0])
    np.multiply(half, state, out=moved)
    np.multiply(q, before, out=a)
    a += moved
    at_a = at(1, a, free[1])
    np.multiply(q, at_a, out=stage)
    stage += moved
    at_b = at(1, stage, free[2])
    np.add(at_b, at_b, out=stage)
    stage -= before
    stage *= q
    a *= half
    a += stage
    result: Array = whole * state
    np.add(at_a, at_b, out=stage)
    stage *= f2
    result += stage
    at_c = at(2, a, free[1])
    for weight, value in ((f1, before), (f3, at_c)):
        np.multiply(weight, value, out=stage)
        result += stage
    return result
