"""What goes into a batched solve: stencils, right-hand sides and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from meshes.errors import InputError
from pdesolve.batched.result import BatchedResult
from pdesolve.batched.stencils import StackedStencils
from pdesolve.spectral.transforms import Array

_NULL_SPACE = 1e-12  # of the diagonal, the largest row sum where constants are in it


@dataclass(frozen=True, eq=False)
class Samples:
    """Systems of a batch, see :func:`pdesolve.batched.solve_batched`.

    Parameters
    ----------
    stencils, right
        A and b.
    initial
        First guess, or None for zero.
    free
        Whether constants solve A u = 0 in all samples; None to find it out for each.
    """

    stencils: StackedStencils
    right: Array
    initial: Array | None
    free: bool | None = None

    def part(self, start: int, stop: int) -> Samples:
        """Some samples, without a copy."""
        return Samples(
            self.stencils.part(start, stop),
            self.right[start:stop, ...],
            None if self.initial is None else self.initial[start:stop, ...],
            self.free,
        )

    def taken(self, numbers: np.ndarray[Any, Any], reached: BatchedResult) -> Samples:
        """Copies of some samples, with what was reached as the first guess if it is of use."""
        from array_api_compat import device

        xp = self.stencils.xp
        place = xp.asarray(numbers, device=device(self.right))

        def take(array: Array) -> Array:
            return xp.take(array, place, axis=0)

        kept = xp.asarray(reached.relative_residuals < 1.0, device=device(self.right))
        values = take(reached.values)
        factors = xp.reshape(take(kept), (-1, *(1,) * self.stencils.grid.dimension))
        known = self.stencils.known_free
        free = None if known is None else known[numbers]
        return Samples(
            self.stencils.with_coefficients(take(self.stencils.coefficients), free),
            take(self.right),
            xp.where(factors, values, xp.zeros_like(values)),
            self.free,
        )


def checked_array(name: str, given: Array, stencils: StackedStencils) -> Array:
    """An array that fits the stencils, as float64, or an error."""
    from array_api_compat import array_namespace, is_array_api_obj

    xp = stencils.xp
    if not is_array_api_obj(given):
        given = np.asarray(given)
    if array_namespace(given) is not xp:
        raise InputError(
            f"{name} is an array of {array_namespace(given).__name__}, the stencils are of "
            f"{xp.__name__}; give both from one library"
        )
    expected = (stencils.batch, *stencils.grid.shape)
    if tuple(given.shape) != expected:
        raise InputError(
            f"{name} of shape {tuple(given.shape)} must have shape {expected}; "
            "give one array a sample of the stencils"
        )
    return xp.astype(given, xp.float64, copy=False)


def null_spaces(stencils: StackedStencils, given: bool | None) -> Array | None:
    """Numbers 0 and 1 ``(batch,)``: whether constants are in a sample's null space.

    None if they are in no sample's.
    """
    from array_api_compat import device

    xp = stencils.xp
    if given is False:
        return None
    if given is None and stencils.known_free is not None:
        known = xp.asarray(stencils.known_free, device=device(stencils.coefficients))
        return xp.astype(known, xp.float64) if stencils.known_free.any() else None
    if given is None:
        axes = tuple(range(1, stencils.grid.dimension + 1))
        sums = xp.max(xp.abs(stencils.row_sums()), axis=axes)
        largest = xp.max(xp.abs(stencils.diagonal), axis=axes)
        found = sums <= _NULL_SPACE * largest
        return xp.astype(found, xp.float64) if bool(xp.any(found)) else None
    return xp.ones_like(stencils.diagonal[(slice(None), *(0,) * stencils.grid.dimension)])
