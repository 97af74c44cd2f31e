"""Answers of batched solves, sample by sample."""

from __future__ import annotations

import numpy as np
import pytest

from pdesolve import get_family, sample_generator
from pdesolve.batched import StackedStencils, solve_batched
from tests.pdesolve.batched.systems import batch, diffusion, direct

CASES = [
    ((100,), {}),
    ((37,), {"sides": "mixed"}),
    ((33,), {"periodic": True}),
    ((32,), {"sides": "neumann"}),
    ((32, 32), {}),
    ((17, 40), {"coefficient": "lognormal"}),
    ((40, 5), {"sides": "mixed"}),
    ((24, 3), {"periodic": (False, True)}),
    ((21, 32), {"sides": "neumann"}),
    ((24, 20), {"periodic": True}),
    ((21, 19), {"periodic": True, "coefficient": "lognormal"}),
    ((25, 16), {"periodic": (True, False)}),
    ((33, 30), {"contrast": 1e4}),
    ((8, 12, 9), {}),
    ((7, 7, 7), {"sides": "neumann", "coefficient": "lognormal"}),
    ((6, 5, 8), {"periodic": (True, True, False), "sides": "mixed"}),
    ((9, 10, 8), {"contrast": 1e4, "sides": "mixed"}),
]


@pytest.mark.parametrize(("shape", "options"), CASES)
def test_each_sample_is_the_direct_solution(shape, options) -> None:
    systems = diffusion(shape, **options)
    stencils, right = batch(systems)
    result = solve_batched(stencils, right, rtol=1e-10)
    assert result.reasons == ("CONVERGED_RTOL",) * 3
    for system, values, reported in zip(
        systems, result.values, result.relative_residuals, strict=True
    ):
        b = system.right_hand_side
        residual = np.linalg.norm(b - system.stencil.apply(values)) / np.linalg.norm(b)
        assert residual <= 1.01e-10
        assert reported <= 1e-10
        exact = direct(system)
        assert np.linalg.norm(values - exact) <= 1e-7 * np.linalg.norm(exact)
