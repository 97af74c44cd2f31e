"""Coefficients and order of exponential time differencing."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from meshes import InputError
from pdesolve.spectral.etdrk4 import ETDRK2, ETDRK4, etdrk2_coefficients, etdrk4_coefficients
from pdesolve.spectral.time_change import TimeChange

REAL = np.array([0.0, 1e-12, 1e-6, 1e-3, 0.1, 0.5, 0.51, 0.9, 1.0, 1.1, 1.5, 2.0, 5.0, 20.0])
ARGUMENTS = {
    "negative": -REAL,
    "positive": REAL,
    "imaginary": 1j * REAL,
    "complex": (-0.6 + 0.8j) * REAL,
    "large": -np.array([31.0, 33.0, 100.0, 1e4, 1e8]),
    "large imaginary": 1j * np.array([31.0, 33.0, 100.0, 1e3, 1e5]),
}


def power_series(first: int, z: complex) -> complex:
    """Σ_m z^m / (m + first)!, in rational arithmetic."""
    real, imaginary = Fraction(z.real), Fraction(z.imag)
    power, total = (Fraction(1), Fraction(0)), [Fraction(0), Fraction(0)]
    for m in range(200):
        factor = Fraction(1, math.factorial(m + first))
        total = [total[0] + factor * power[0], total[1] + factor * power[1]]
        power = (
            power[0] * real - power[1] * imaginary,
            power[0] * imaginary + power[1] * real,
        )
        if m > 4 * abs(z) + 30 and abs(factor) * max(map(abs, power), default=0) < 1e-30:
            break
    return complex(float(total[0]), float(total[1]))


def phi(order: int, z: complex) -> complex:
    """φ_j(z) = Σ z^m / (m + j)!: by its series where it converges fast, else by recursion."""
    if abs(z) <= 25:
        return power_series(order, z)
    value = np.exp(z)
    for j in range(order):
        value = (value - 1 / math.factorial(j)) / z
    return complex(value)


def expected(z: complex) -> list[complex]:
    """The coefficients in terms of φ functions (Hochbruck, Ostermann 2010)."""
    one, two, three = (phi(j, z) for j in (1, 2, 3))
    return [
        phi(0, z),
        phi(0, z / 2),
        phi(1, z / 2) / 2,
        one - 3 * two + 4 * three,
        2 * (two - 2 * three),
        4 * three - two,
    ]


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_coefficients(kind: str) -> None:
    z = ARGUMENTS[kind]
    found = etdrk4_coefficients(z / 0.25, 0.25, np)
    for number, z_one in enumerate(z):
        for value, exact in zip(found, expected(complex(z_one)), strict=True):
            scale = 1.0 if value is found[0] or value is found[1] else 0.25
            error = abs(complex(value[number]) - scale * exact)
            size = abs(scale * exact)
            # the sums of φ functions above lose digits themselves where |z| is large
            loss = max(1.0, abs(z_one)) if abs(z_one) > 2 else 1.0
            assert error <= 3e-14 * size + 1e-16 * loss * 0.25, (z_one, value[number], exact)


def test_real_symbols_have_real_coefficients() -> None:
    for value in etdrk4_coefficients(-REAL, 1.0, np):
        assert value.dtype == np.float64


def test_second_order_coefficients() -> None:
    z = -REAL
    whole, first, second = etdrk2_coefficients(z, 1.0, np)
    for number, z_one in enumerate(z):
        assert whole[number] == pytest.approx(math.exp(z_one), rel=1e-14)
        assert first[number] == pytest.approx(phi(1, complex(z_one)).real, rel=2e-14)
        assert second[number] == pytest.approx(phi(2, complex(z_one)).real, rel=2e-14)


def slope(scheme_class: type[ETDRK4], linear: complex, steps: tuple[int, ...]) -> float:
    """Order on u' = L u + cos t − u² from u = 1, one unknown, against a very fine solution."""

    def error(count: int) -> float:
        scheme = scheme_class(
            np.array([linear]), lambda t, u: math.cos(t) - u * u, np, np.complex128
        )
        state = np.array([1.0 + 0j])
        for number in range(count):
            state = scheme.step(state, number / count, 1 / count)
        return state[0]

    reference = error(2000)
    errors = [abs(error(count) - reference) for count in steps]
    return float(-np.polyfit(np.log(steps), np.log(errors), 1)[0])


@pytest.mark.parametrize("linear", [0.0, -1.0, 2j, -3.0 + 4j])
def test_orders(linear: complex) -> None:
    assert slope(ETDRK4, linear, (16, 32, 64)) == pytest.approx(4.0, abs=0.2)
    assert slope(ETDRK2, linear, (32, 64, 128)) == pytest.approx(2.0, abs=0.2)


def test_linear_parts_and_constants_are_exact() -> None:
    linear = np.array([-50.0, -1.0, 0.0, 3j])
    scheme = ETDRK4(linear, lambda _, u: np.full_like(u, 2.0), np, np.complex128)
    state = scheme.step(np.ones(4, dtype=complex), 0.0, 0.7)
    exact = [np.exp(z * 0.7) + 2.0 * 0.7 * phi(1, complex(z * 0.7)) for z in linear]
    np.testing.assert_allclose(state, exact, rtol=1e-14)


def test_coefficients_are_kept_for_a_few_step_sizes() -> None:
    scheme = ETDRK4(-np.ones(3), lambda _, u: u, np, np.complex128)
    first = scheme.coefficients(0.1)
    assert scheme.coefficients(0.1) is first
    for number in range(20):
        scheme.coefficients(0.1 + 0.01 * (number + 1))
    assert len(scheme._kept) <= 8


@pytest.mark.torch
def test_gradients_with_respect_to_the_symbol() -> None:
    import torch

    torch.set_num_threads(1)
    for start in (-1e-3, -0.5, -3.0, -40.0):
        linear = torch.tensor([start], dtype=torch.float64, requires_grad=True)
        total = sum(value.sum() for value in etdrk4_coefficients(linear, 0.5, _namespace(linear)))
        (gradient,) = torch.autograd.grad(total, linear)
        step = 1e-4 * max(1.0, abs(start))
        high, low = (
            sum(value.sum() for value in etdrk4_coefficients(np.array([start + s]), 0.5, np))
            for s in (step, -step)
        )
        assert float(gradient) == pytest.approx((high - low) / (2 * step), rel=1e-6)


def _namespace(array):
    from array_api_compat import array_namespace

    return array_namespace(array)


def test_time_change() -> None:
    change = TimeChange(lambda t: 1 + 0.9 * math.sin(40 * t))
    exact = 1.0 + 0.9 * (1 - math.cos(40.0)) / 40
    assert change.elapsed(0.0, 1.0) == pytest.approx(exact, rel=1e-13)
    middle = change.middle(0.0, 1.0)
    assert change.elapsed(0.0, middle) == pytest.approx(exact / 2, rel=1e-12)
    with pytest.raises(InputError, match=r"-1\.0 at t = 0\.25; it must be positive"):
        TimeChange(lambda _: -1.0).at(0.25)
