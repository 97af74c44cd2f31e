"""Named parameters: ranges, distributions, rejections."""

from __future__ import annotations

import numpy as np
import pytest

from operators import InputError
from operators.parameters import ParameterSpace, ScalarParameter


def test_scalars_are_drawn_from_their_range():
    rng = np.random.default_rng(0)
    linear = np.array([ScalarParameter("a", 1.0, 3.0).sample(rng) for _ in range(2000)])
    logs = np.log10([ScalarParameter("a", 1e-3, 1e1, scale="log").sample(rng) for _ in range(2000)])
    for values, low, high in ((linear, 1.0, 3.0), (logs, -3.0, 1.0)):
        assert values.min() >= low
        assert values.max() <= high
        # mean of 2000 uniform numbers: 5 standard errors
        assert abs(values.mean() - (low + high) / 2) < 5 * (high - low) / np.sqrt(12 * 2000)
        # a twentieth at each end is reached
        assert values.min() < low + (high - low) / 20
        assert values.max() > high - (high - low) / 20


def test_a_fixed_scalar_uses_the_stream_too():
    # so that fixing one parameter does not change the draws of the next
    fixed, free = np.random.default_rng(0), np.random.default_rng(0)
    assert ScalarParameter("a", 2.0, 2.0).sample(fixed) == 2.0
    ScalarParameter("a", 2.0, 3.0).sample(free)
    assert fixed.random() == free.random()


SPACE = ParameterSpace((ScalarParameter("kappa", 1.0, 2.0, "m"), ScalarParameter("nu", 0.0, 1.0)))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ScalarParameter("a", 2.0, 1.0), "range [2.0, 1.0] must be finite with"),
        (lambda: ScalarParameter("a", 0.0, float("inf")), "must be finite"),
        (lambda: ScalarParameter("a", 0.0, 1.0, scale="log"), "log scale needs lower > 0"),
        (lambda: ParameterSpace((ScalarParameter("a", 0, 1),) * 2), "names repeat"),
        (lambda: SPACE.check({"kappa": 3.0, "nu": 0.5}), "'kappa'=3.0 is outside [1.0, 2.0] m"),
        (lambda: SPACE.check({"kappa": float("nan"), "nu": 0.5}), "'kappa'=nan is outside"),
        (lambda: SPACE.check({"kappa": "1", "nu": 0.5}), "'kappa' must be a number, not '1'"),
        (lambda: SPACE.check({"kappa": True, "nu": 0.5}), "must be a number, not True"),
        (lambda: SPACE.check({"kappa": 1.5}), "parameter missing: nu"),
        (lambda: SPACE.check({"kapa": 1.5, "nu": 0.5}), "Did you mean 'kappa'?"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_check_gives_floats():
    assert SPACE.check({"nu": np.float32(0.5), "kappa": 1}) == {"kappa": 1.0, "nu": 0.5}
