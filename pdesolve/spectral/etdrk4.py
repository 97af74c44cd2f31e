"""Exponential time differencing: û' = L û + N(t, û) with L diagonal."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from pdesolve.spectral.in_place import Workspace, etdrk4_step, of_distinct_values

Array = Any
Forcing = Callable[[float, Array], Array]

NUM_CONTOUR_POINTS = 32
_KEPT_STEP_SIZES = 8


def contour_mean(
    function: Callable[[Array], tuple[Array, ...]], z: Array, xp: Any
) -> tuple[Array, ...]:
    """Mean of entire functions over circles around z, which is their value at z.

    Formulas such as (e^z − 1)/z lose digits near z = 0; on a circle they do not. Circles
    have radius 1, or 2 where |z| is near 1, so that none passes close to 0, and 0 where
    |z| > 32 and nothing is lost. For real z the upper half is enough. With 32 points the
    truncation error is below 1e-25.

    Parameters
    ----------
    function
        Gives a tuple of arrays for an array of complex numbers.
    z
        Real or complex array, float64 or complex128.
    xp
        Its array API namespace.

    References
    ----------
    Kassam, Trefethen (2005), Fourth-Order Time-Stepping for Stiff PDEs, SIAM Journal on
    Scientific Computing, doi:10.1137/S1064827502410633.
    """
    is_complex = xp.isdtype(z.dtype, "complex floating")
    size = xp.abs(z)
    one = xp.ones_like(size)
    radius = xp.where(xp.abs(size - 1.0) < 0.5, 2.0 * one, one)
    radius = xp.where(size > 32.0, 0.0 * one, radius)
    count = NUM_CONTOUR_POINTS if is_complex else NUM_CONTOUR_POINTS // 2
    span = 2 * math.pi if is_complex else math.pi
    totals: list[Array] = []
    for number in range(count):
        point = z + radius * cmath.exp(1j * span * (number + 0.5) / count)
        values = function(point)
        if not is_complex:
            values = tuple(xp.real(value) for value in values)
        totals = (
            list(values)
            if not totals
            else [total + value for total, value in zip(totals, values, strict=True)]
        )
    return tuple(total / count for total in totals)


def etdrk4_coefficients(linear: Array, dt: float, xp: Any) -> tuple[Array, ...]:
    """The six coefficients of a step: e^z, e^(z/2), Q, f₁, f₂, f₃ with z = L dt.

    Parameters
    ----------
    linear
        L, float64 or complex128, of any shape.
    dt
        Step size.
    xp
        Array API namespace of L. Gradients with respect to L pass through.

    Examples
    --------
    >>> import numpy as np
    >>> E, half, Q, f1, f2, f3 = etdrk4_coefficients(np.zeros(1), 0.3, np)
    >>> [round(float(c[0]), 12) for c in (Q, f1, f2, f3)]  # those of classical Runge-Kutta
    [0.15, 0.05, 0.1, 0.05]
    """

    def weights(z: Array) -> tuple[Array, ...]:
        half = xp.exp(z / 2)
        full, square = half * half, z * z
        cube = square * z
        return (
            (half - 1) / z,
            (-4 - z + full * (4 - 3 * z + square)) / cube,
            2 * (2 + z + full * (z - 2)) / cube,  # twice: N_a and N_b enter as a sum
            (-4 - 3 * z - square + full * (4 - z)) / cube,
        )

    z = linear * dt
    return (xp.exp(z), xp.exp(z / 2), *(dt * value for value in contour_mean(weights, z, xp)))


def etdrk2_coefficients(linear: Array, dt: float, xp: Any) -> tuple[Array, ...]:
    """The three coefficients of a second-order step: e^z, dt φ₁(z), dt φ₂(z), z = L dt."""

    def weights(z: Array) -> tuple[Array, ...]:
        full = xp.exp(z)
        return (full - 1) / z, (full - 1 - z) / (z * z)

    z = linear * dt
    return (xp.exp(z), *(dt * value for value in contour_mean(weights, z, xp)))


class ETDRK4:
    """The fourth-order exponential Runge–Kutta method of Cox and Matthews.

    Coefficients are computed in double precision by contour integrals, once for each step
    size, and cast to the precision of the state. Steps leave the state as it is, so that
    torch differentiates through any number of them; on NumPy arrays their stages share
    memory. With N = 0 a step of any size is exact.

    Parameters
    ----------
    linear
        The symbol L, real or complex, broadcastable to the state.
    nonlinear
        N(t, û), or None.
    xp
        Array API namespace.
    complex_type
        Type of the state, such as ``numpy.complex128``.
    nonlinear_into
        N that writes its answer to the NumPy array that is its last argument, if there is one.

    References
    ----------
    Cox, Matthews (2002), Exponential Time Differencing for Stiff Systems, Journal of
    Computational Physics, doi:10.1006/jcph.2002.6995. Kassam, Trefethen (2005),
    Fourth-Order Time-Stepping for Stiff PDEs, doi:10.1137/S1064827502410633.

    Examples
    --------
    >>> import numpy as np
    >>> scheme = ETDRK4(np.array([-2.0]), None, np, np.complex128)
    >>> bool(np.isclose(scheme.step(np.array([1.0 + 0j]), 0.0, 0.5)[0], np.exp(-1.0)))
    True
    """

    order: ClassVar[int] = 4
    name: ClassVar[str] = "etdrk4"

    def __init__(
        self,
        linear: Array,
        nonlinear: Forcing | None,
        xp: Any,
        complex_type: Any,
        nonlinear_into: Callable[[float, Array, Array], Array] | None = None,
    ) -> None:
        self.linear = linear
        self.nonlinear = nonlinear
        self.nonlinear_into = nonlinear_into
        self.xp = xp
        self.complex_type = complex_type
        self._kept: dict[float, tuple[Array, ...]] = {}
        self._workspace = Workspace()

    def _computed(self, dt: float) -> tuple[Array, ...]:
        if isinstance(self.linear, np.ndarray):
            return of_distinct_values(
                lambda values: etdrk4_coefficients(values, dt, self.xp), self.linear
            )
        return etdrk4_coefficients(self.linear, dt, self.xp)

    def coefficients(self, dt: float) -> tuple[Array, ...]:
        """The coefficients for a step size; those of the last few sizes are kept."""
        if dt not in self._kept:
            xp = self.xp
            single = self.complex_type != xp.complex128
            found = (xp.exp(self.linear * dt),) if self.nonlinear is None else self._computed(dt)
            if single:
                found = tuple(_single(value, xp) for value in found)
            while len(self._kept) >= _KEPT_STEP_SIZES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[dt] = found
        return self._kept[dt]

    def step(self, state: Array, time: float, dt: float) -> Array:
        """û after one step of size dt."""
        return self.step_between(state, dt, (time, time + dt / 2, time + dt))

    def step_between(
        self,
        state: Array,
        dt: float,
        times: tuple[float, float, float],
        scales: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> Array:
        """û after a step of size dt, with N asked for at three given times and scaled.

        The times are those at which the step begins, is half done, and ends; they differ
        from t, t + dt/2, t + dt where dt is measured by another clock.
        """
        if self.nonlinear is None:
            (whole,) = self.coefficients(dt)
            return whole * state
        return self._advanced(state, dt, times, scales)

    def _forcing(self, time: float, state: Array, scale: float, out: Array = None) -> Array:
        if self.nonlinear is None:
            return self.xp.zeros_like(state)
        if out is not None and self.nonlinear_into is not None:
            value = self.nonlinear_into(time, state, out)
        else:
            value = self.nonlinear(time, state)
        return value if scale == 1.0 else scale * value

    def _advanced(
        self,
        state: Array,
        dt: float,
        times: tuple[float, float, float],
        scales: tuple[float, float, float],
    ) -> Array:
        if isinstance(state, np.ndarray):
            return etdrk4_step(
                self.coefficients(dt),
                self._workspace,
                lambda place, where, out: self._forcing(times[place], where, scales[place], out),
                state,
            )
        whole, half, q, f1, f2, f3 = self.coefficients(dt)
        before = self._forcing(times[0], state, scales[0])
        moved = half * state
        a = moved + q * before
        at_a = self._forcing(times[1], a, scales[1])
        at_b = self._forcing(times[1], moved + q * at_a, scales[1])
        c = half * a + q * (2 * at_b - before)
        at_c = self._forcing(times[2], c, scales[2])
        return whole * state + f1 * before + f2 * (at_a + at_b) + f3 * at_c


class ETDRK2(ETDRK4):
    """The second-order exponential Runge–Kutta method of Cox and Matthews (2002).

    References
    ----------
    Cox, Matthews (2002), doi:10.1006/jcph.2002.6995.
    """

    order: ClassVar[int] = 2
    name: ClassVar[str] = "etdrk2"

    def _computed(self, dt: float) -> tuple[Array, ...]:
        return etdrk2_coefficients(self.linear, dt, self.xp)

    def _advanced(
        self,
        state: Array,
        dt: float,
        times: tuple[float, float, float],
        scales: tuple[float, float, float],
    ) -> Array:
        whole, first, second = self.coefficients(dt)
        before = self._forcing(times[0], state, scales[0])
        a = whole * state + first * before
        return a + second * (self._forcing(times[2], a, scales[2]) - before)


SCHEMES: Mapping[str, type[ETDRK4]] = {"etdrk4": ETDRK4, "etdrk2": ETDRK2}


def _single(value: Array, xp: Any) -> Array:
    is_complex = xp.isdtype(value.dtype, "complex floating")
    return xp.astype(value, xp.complex64 if is_complex else xp.float32)
