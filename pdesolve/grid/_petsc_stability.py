"""How large explicit steps may be: the stability functions of PETSc's methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from petsc4py import PETSc

from meshes.structured import FloatArray

Spectrum = Literal["disk", "real", "imaginary"]

_PREFIX = "pdesolve_stability_"
_MOST_STAGES = 128
_SLACK = 1e-9  # growth of |R| that rounding may cause


@lru_cache(maxsize=32)
def stability_polynomial(options: tuple[tuple[str, str], ...]) -> FloatArray:
    """Coefficients of R(z) = Σ_k c_k z^k, with which an explicit step multiplies y, y' = λ y.

    They are measured: a step of size 1 on y_0' = 0, y_k' = y_(k−1) from y = (1, 0, 0, ...)
    leads to y_k = c_k. Of IMEX methods it is the explicit part.

    Parameters
    ----------
    options
        PETSc options that choose the method, such as ``(("ts_type", "rk"), ("ts_rk_type",
        "4"))``.

    Examples
    --------
    >>> stability_polynomial((("ts_type", "rk"), ("ts_rk_type", "4")))[:6] * 24
    array([24., 24., 12.,  4.,  1.,  0.])
    """
    database = PETSc.Options(_PREFIX)
    names = dict(options) | {"ts_adapt_type": "none"}
    for name, value in names.items():
        database.setValue(name, value)
    state = PETSc.Vec().createSeq(_MOST_STAGES, comm=PETSc.COMM_SELF)
    ts = PETSc.TS().create(comm=PETSc.COMM_SELF)
    try:
        state.setValue(0, 1.0)
        state.assemble()

        def shift(solver: Any, time: float, y: Any, result: Any) -> None:
            del solver, time
            values = np.zeros(_MOST_STAGES)
            values[1:] = y.array_r[:-1]
            result.array = values

        ts.setOptionsPrefix(_PREFIX)
        ts.setRHSFunction(shift, state.duplicate())
        ts.setExactFinalTime(PETSc.TS.ExactFinalTime.STEPOVER)
        ts.setTimeStep(1.0)
        ts.setMaxSteps(1)
        ts.setFromOptions()
        ts.setSolution(state)
        ts.setUp()
        ts.step()
        found = np.array(state.array_r)
    finally:
        for name in names:
            database.delValue(name)
        ts.destroy()
        state.destroy()
    return found


def strong_stability_coefficient(options: dict[str, str]) -> float | None:
    """Steps of forward Euler in one step of a strong-stability-preserving method.

    None for other methods.

    References
    ----------
    Ketcheson (2008), Highly efficient strong stability-preserving Runge–Kutta methods with
    low-storage implementations, SIAM Journal on Scientific Computing 30,
    doi:10.1137/07070485X.
    """
    if options["ts_type"] == "euler":
        return 1.0
    if options["ts_type"] != "ssp":
        return None
    kind = options.get("ts_ssp_type", "rks2")
    if kind == "rks2":
        return float(options.get("ts_ssp_nstages", "5")) - 1.0
    if kind == "rks3":
        stages = float(options.get("ts_ssp_nstages", "9"))
        return stages - math.sqrt(stages)
    return 6.0


def step_coefficient(options: dict[str, str], spectrum: Spectrum) -> float:
    """What :attr:`GridEvolution.stable_step` is multiplied by for a method.

    ``"disk"``: the strong-stability coefficient where there is one, otherwise the radius r
    of the largest disk |z + r| ≤ r with |R| ≤ 1; ``"real"``: half the interval of the
    negative real axis with |R| ≤ 1; ``"imaginary"``: the interval of the imaginary axis.

    Examples
    --------
    >>> rk4 = {"ts_type": "rk", "ts_rk_type": "4"}
    >>> round(2 * step_coefficient(rk4, "real"), 2), round(step_coefficient(rk4, "imaginary"), 2)
    (2.79, 2.83)
    """
    if spectrum == "disk":
        known = strong_stability_coefficient(options)
        if known is not None:
            return known
    polynomial = stability_polynomial(tuple(sorted(options.items())))
    stages = int(np.flatnonzero(polynomial)[-1])
    growth = np.polynomial.Polynomial(polynomial[: stages + 1])
    circle = np.exp(1j * np.linspace(0.0, np.pi, 721)) - 1.0

    def largest(z: Any) -> float:
        return float(np.abs(growth(z)).max()) - 1.0

    if spectrum == "disk":
        return _bisect(lambda r: largest(r * circle) <= _SLACK, 2.0 * stages)
    along = -1.0 if spectrum == "real" else 1j
    most = 2.0 * stages**2 if spectrum == "real" else float(stages)
    samples = np.linspace(0.0, most, 4001)
    with np.errstate(over="ignore"):
        unstable = np.abs(growth(along * samples)) > 1.0 + _SLACK
    first = int(np.argmax(unstable)) if unstable.any() else len(samples) - 1
    if first <= 1:  # unstable next to zero, whatever the step
        return 0.0
    low, high = samples[first - 1], samples[first]
    found = low + _bisect(lambda more: largest(along * (low + more)) <= _SLACK, high - low)
    return float(found) / (2.0 if spectrum == "real" else 1.0)


def _bisect(holds: Callable[[float], bool], most: float) -> float:
    """The largest number up to `most` for which a condition holds."""
    if holds(most):
        return most
    low, high = 0.0, most
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
