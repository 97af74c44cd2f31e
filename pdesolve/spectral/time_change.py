"""A clock in which a time-dependent factor of the linear part is constant."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from meshes.errors import InputError

_NODES, _WEIGHTS = (tuple(map(float, part)) for part in np.polynomial.legendre.leggauss(10))


@dataclass(frozen=True)
class TimeChange:
    """τ with dτ = g(t) dt: in it û' = g(t) L û + N(t, û) reads dû/dτ = L û + N/g.

    An exponential integrator in τ treats the linear part exactly whatever g.

    Parameters
    ----------
    factor
        g > 0, a smooth function of time.

    Examples
    --------
    >>> change = TimeChange(lambda t: 2.0 * t)
    >>> round(change.elapsed(1.0, 3.0), 12)
    8.0
    >>> round(change.middle(1.0, 3.0), 12) == round(5**0.5, 12)
    True
    """

    factor: Callable[[float], float]

    def at(self, time: float) -> float:
        """The factor g at a time, checked.

        Raises
        ------
        InputError
            If it is not positive and finite.
        """
        value = float(self.factor(time))
        if not (math.isfinite(value) and value > 0):
            raise InputError(
                f"the factor of the linear part is {value} at t = {time:g}; it must be positive "
                "and finite"
            )
        return value

    def elapsed(self, start: float, stop: float) -> float:
        """τ between two times, by Gauss quadrature on intervals halved until it settles."""
        return self._settled(start, stop, self._quadrature(start, stop), 20)

    def _quadrature(self, start: float, stop: float) -> float:
        middle, half = (start + stop) / 2, (stop - start) / 2
        pairs = zip(_NODES, _WEIGHTS, strict=True)
        return half * sum(weight * self.at(middle + half * node) for node, weight in pairs)

    def _settled(self, start: float, stop: float, whole: float, halvings: int) -> float:
        middle = (start + stop) / 2
        parts = self._quadrature(start, middle), self._quadrature(middle, stop)
        if abs(sum(parts) - whole) <= 1e-14 * abs(whole) or halvings == 0:
            return sum(parts)
        return self._settled(start, middle, parts[0], halvings - 1) + self._settled(
            middle, stop, parts[1], halvings - 1
        )

    def middle(self, start: float, stop: float) -> float:
        """The time at which half of τ between two times has passed (Newton's method)."""
        goal, time = self.elapsed(start, stop) / 2, (start + stop) / 2
        for _ in range(20):
            change = (goal - self.elapsed(start, time)) / self.at(time)
            time = min(max(time + change, start), stop)
            if abs(change) <= 1e-14 * (stop - start):
                break
        return time
