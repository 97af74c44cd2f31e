"""When a preconditioner made for an earlier matrix may be kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError, suggest
from pdesolve.pc.constant_operator import RATIO_SCALINGS, RatioScaling

_MOST_WAITING = 64


@dataclass(frozen=True)
class Closeness:
    """How far two operators are apart.

    Parameters
    ----------
    factor
        What the new one is larger by altogether; it does not hurt a preconditioner of a
        Krylov method.
    spread
        max log r − min log r of the local ratio r, infinite where a ratio is not positive.
    """

    factor: float
    spread: float

    @property
    def condition(self) -> float:
        """Bound of the condition number of A_old⁻¹ A_new, exp(spread)."""
        return math.exp(self.spread) if self.spread < 700 else math.inf


def closeness(new: npt.ArrayLike, old: npt.ArrayLike) -> Closeness:
    """Distance of two operators by their coefficients, or by their matrices' diagonals.

    For −∇·(a ∇u) with u given somewhere, r = a_new / a_old bounds the quotient of the
    quadratic forms from both sides, so that the condition number of A_old⁻¹ A_new is at
    most max r / min r; conjugate gradients then need about ½ √(max r / min r) log(2 / tol)
    iterations. The ratio of the diagonals stands for r where a itself is not at hand.

    Parameters
    ----------
    new, old
        Arrays of one shape.

    Raises
    ------
    InputError
        If the shapes differ, or there are no values.

    References
    ----------
    Concus, Golub, O'Leary (1976), A generalized conjugate gradient method for the
    numerical solution of elliptic partial differential equations, in Sparse Matrix
    Computations, doi:10.1016/B978-0-12-141050-6.50023-4.

    Examples
    --------
    >>> closeness([2.0, 2.0], [1.0, 1.0])
    Closeness(factor=2.0, spread=0.0)
    >>> round(closeness([1.0, 4.0], [1.0, 1.0]).condition, 12)
    4.0
    """
    one, other = np.asarray(new, dtype=np.float64), np.asarray(old, dtype=np.float64)
    if one.shape != other.shape or one.size == 0:
        raise InputError(
            f"arrays of shapes {one.shape} and {other.shape} must have one shape and a value; "
            "compare coefficients on one grid"
        )
    with np.errstate(all="ignore"):
        ratio = one / other
    if not (np.isfinite(ratio).all() and ratio.min() > 0):
        return Closeness(math.nan, math.inf)
    logarithm = np.log(ratio)
    return Closeness(math.exp(float(logarithm.mean())), float(np.ptp(logarithm)))


@dataclass(frozen=True)
class LagSettings:
    """When to keep a preconditioner, and when to make it again.

    Parameters
    ----------
    closest
        The spread of :func:`closeness` up to which a preconditioner may be kept, perhaps
        infinite. When left out it is 2 with a scaling, and 0.7 without, which bounds the
        condition number by 2.
    growth
        Make it again once a solve needs more than `growth` times the iterations of the
        solve after it was made, and two more.
    patience
        A solve with a kept preconditioner stops after `patience` times those iterations
        (with `setup_cost`: once it has cost as much as making one and solving with it);
        it is then repeated with one of its own.
    most
        Solves in a row that may keep one; no bound when left out.
    setup_cost
        What making it costs, in iterations. If given, `growth` is not used: it is made
        again once a solve costs more than the average since it was made, its making
        included, which is the cheapest time where the solves become dearer steadily.
    scaling
        How a kept preconditioner is scaled to the new matrix, see
        :class:`pdesolve.pc.Rescaled`: ``"smooth"``, ``"diagonal"`` or ``"none"``.
    clock
        Whether measured seconds take the place of iterations and `setup_cost`. Then answers
        are not the same bit for bit from run to run: each meets its tolerance, but which
        preconditioner it was found with depends on the machine.

    Examples
    --------
    >>> LagSettings(closest=2.0).growth
    1.5
    """

    closest: float | None = None
    growth: float = 1.5
    patience: float = 3.0
    most: int | None = None
    setup_cost: float | None = None
    scaling: RatioScaling = "smooth"
    clock: bool = False

    def __post_init__(self) -> None:
        if self.scaling not in RATIO_SCALINGS:
            raise InputError(
                f"scaling={self.scaling!r} is not known. {suggest(self.scaling, RATIO_SCALINGS)}"
            )
        limits = {"growth": 1.0, "patience": 1.0}
        if self.closest is not None:
            limits["closest"] = 0.0
        for name, least in limits.items():
            value = getattr(self, name)
            if not (_is_number(value) and value >= least):
                raise InputError(
                    f"{name}={value!r} must be a number from {least:g} on; leave it out "
                    "for the default"
                )
        if self.setup_cost is not None and not (
            _is_number(self.setup_cost) and 0 <= self.setup_cost < math.inf
        ):
            raise InputError(
                f"setup_cost={self.setup_cost!r} must be a finite number from 0 on (iterations "
                "that take as long as the set-up), or None"
            )
        if self.most is not None and not (
            isinstance(self.most, int) and not isinstance(self.most, bool) and self.most >= 0
        ):
            raise InputError(
                f"most={self.most!r} must be a whole number from 0 on, or None for no bound"
            )

    @property
    def largest_spread(self) -> float:
        """`closest`, or its default."""
        if self.closest is None:
            return 0.7 if self.scaling == "none" else 2.0
        return self.closest


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


class LagRule:
    """Decide, for one system after another, whether the preconditioner is made again.

    Ask :meth:`before` each solve, and tell :meth:`after` it what happened. Decisions are
    functions of the systems and iteration counts alone, unless the settings ask for the
    clock. A kept preconditioner that does badly also makes the rule shy: it then waits for
    1, 2, 4, … up to 64 solves before it keeps one again, and forgets that after a good one.

    Parameters
    ----------
    settings
        The limits.

    Examples
    --------
    >>> rule = LagRule(LagSettings())
    >>> steps = []
    >>> for value in (1.0, 1.1, 20.0):
    ...     steps.append(rule.before(np.array([1.0, value])))
    ...     rule.after(10, converged=True)
    >>> steps
    [True, False, True]
    """

    def __init__(self, settings: LagSettings | None = None) -> None:
        self.settings = LagSettings() if settings is None else settings
        self.restart()

    def restart(self) -> None:
        """Forget everything: the next preconditioner is made anew."""
        self._old: npt.NDArray[np.float64] | None = None
        self._new: npt.NDArray[np.float64] | None = None
        self._rebuild = True
        self._fresh_iterations: int | None = None
        self._kept = 0
        self._total = 0.0
        self._waiting = 0
        self._next_waiting = 1

    @property
    def limit(self) -> int | None:
        """Iterations after which a solve with a kept preconditioner is given up."""
        if self._fresh_iterations is None or math.isinf(self.settings.patience):
            return None
        if self.settings.setup_cost is not None:
            return math.ceil(self.settings.setup_cost) + max(self._fresh_iterations, 2)
        return math.ceil(self.settings.patience * max(self._fresh_iterations, 2))

    def before(self, new: npt.ArrayLike) -> bool:
        """Whether to make the preconditioner for this system.

        Parameters
        ----------
        new
            Coefficient of the system, or the diagonal of its matrix.
        """
        self._new = np.array(new, dtype=np.float64)
        settings = self.settings
        if self._waiting > 0:
            self._waiting -= 1
            self._rebuild = True
        elif (
            self._old is None
            or self._fresh_iterations is None
            or (settings.most is not None and self._kept >= settings.most)
            or self._old.shape != self._new.shape
        ):
            self._rebuild = True
        if not self._rebuild and self._old is not None:
            self._rebuild = closeness(self._new, self._old).spread > settings.largest_spread
        return self._rebuild

    def repeat(self) -> None:
        """A kept preconditioner failed: the same system is solved with one of its own."""
        self._rebuild = True
        self._grow_shy()

    def after(
        self,
        iterations: int,
        *,
        converged: bool,
        seconds: float | None = None,
        setup_seconds: float | None = None,
    ) -> None:
        """Take in how the solve went.

        Parameters
        ----------
        iterations
            Its iterations.
        converged
            Whether it met its tolerance.
        seconds, setup_seconds
            Time of the iterations and of the set-up; read with ``clock=True`` only.

        Raises
        ------
        InputError
            If the clock is to be used and no seconds are given.
        """
        if self.settings.clock and (seconds is None or setup_seconds is None):
            raise InputError(
                "clock=True needs seconds and setup_seconds of every solve; measure them, or "
                "leave clock out"
            )
        if self._rebuild:
            self._old, self._kept, self._rebuild = self._new, 0, not converged
            self._fresh_iterations = iterations if converged else None
            self._total = self._setup_cost(setup_seconds) + self._cost(iterations, seconds)
            return
        self._kept += 1
        cost = self._cost(iterations, seconds)
        self._total += cost
        if not converged or self._too_dear(iterations, cost):
            self._rebuild = True
            if self._kept == 1:
                self._grow_shy()
        else:
            self._next_waiting = 1

    def _cost(self, iterations: int, seconds: float | None) -> float:
        return float(seconds or 0.0) if self.settings.clock else float(iterations)

    def _setup_cost(self, seconds: float | None) -> float:
        return float(seconds or 0.0) if self.settings.clock else self.settings.setup_cost or 0.0

    def _too_dear(self, iterations: int, cost: float) -> bool:
        if self.settings.clock or self.settings.setup_cost is not None:
            return cost > self._total / (self._kept + 1)
        fresh = self._fresh_iterations or 0
        return iterations > self.settings.growth * fresh + 2

    def _grow_shy(self) -> None:
        self._waiting = self._next_waiting - 1
        self._next_waiting = min(2 * self._next_waiting, _MOST_WAITING)
