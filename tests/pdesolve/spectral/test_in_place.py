"""Steps whose stages share memory give what the plain formulas give."""

from __future__ import annotations

import numpy as np
import pytest

from pdesolve.spectral.etdrk4 import ETDRK4, etdrk4_coefficients
from pdesolve.spectral.in_place import of_distinct_values

LINEAR = -np.array([0.0, 0.3, 0.3, 2.0])
STATE = np.array([1.0 + 0.5j, -2.0, 0.25j, 1.5])


def plain_step(nonlinear, state: np.ndarray, dt: float) -> np.ndarray:
    """Cox and Matthews' formulas, out of place."""
    whole, half, q, f1, f2, f3 = etdrk4_coefficients(LINEAR, dt, np)
    before = nonlinear(0.0, state).copy()
    a = half * state + q * before
    at_a = nonlinear(dt / 2, a.copy()).copy()
    b = half * state + q * at_a
    at_b = nonlinear(dt / 2, b.copy()).copy()
    c = half * a + q * (2 * at_b - before)
    return whole * state + f1 * before + f2 * (at_a + at_b) + f3 * nonlinear(dt, c.copy())


@pytest.mark.parametrize(
    "nonlinear",
    [
        lambda time, u: u**2 + time,
        lambda time, u: u,  # gives its argument back  # noqa: ARG005
        lambda time, u: u[::-1],  # and a view of it  # noqa: ARG005
    ],
    ids=["new array", "the argument", "a view"],
)
def test_one_step(nonlinear):
    scheme = ETDRK4(LINEAR, nonlinear, np, np.complex128)
    before = STATE.copy()
    for _ in range(2):  # the second time with arrays in use
        np.testing.assert_allclose(
            scheme.step(STATE, 0.0, 0.1), plain_step(nonlinear, STATE, 0.1), rtol=1e-13
        )
    np.testing.assert_array_equal(STATE, before)


def test_steps_do_not_share_their_answers():
    scheme = ETDRK4(LINEAR, lambda time, u: u**2 + time, np, np.complex128)
    first = scheme.step(STATE, 0.0, 0.1)
    kept = first.copy()
    scheme.step(first, 0.1, 0.1)
    np.testing.assert_array_equal(first, kept)


def test_a_state_of_another_shape_gets_other_arrays():
    scheme = ETDRK4(LINEAR, lambda time, u: u**2 + time, np, np.complex128)
    single = scheme.step(STATE, 0.0, 0.1)
    batch = scheme.step(np.stack([STATE, 2 * STATE]), 0.0, 0.1)
    np.testing.assert_allclose(batch[0], single, rtol=1e-14)


def test_coefficients_of_equal_symbols_are_computed_once():
    sizes = []

    def counted(values: np.ndarray) -> tuple[np.ndarray, ...]:
        sizes.append(values.size)
        return etdrk4_coefficients(values, 0.1, np)

    symbols = np.tile(LINEAR, (3, 1))
    found = of_distinct_values(counted, symbols)
    assert sizes == [3]
    for one, other in zip(found, etdrk4_coefficients(symbols, 0.1, np), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)
