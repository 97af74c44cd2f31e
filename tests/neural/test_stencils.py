"""The torch rendering of stencils against the NumPy and SciPy ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from meshes import StructuredGrid
from meshes.errors import InputError
from neural.stencils import StencilConvolution
from operators.stencil import Stencil

pytestmark = pytest.mark.torch

CASES = [
    (shape, periodic)
    for shape in [(7,), (5, 6), (4, 5, 6)]
    for periodic in itertools.product([False, True], repeat=len(shape))
]


def random_stencil(
    shape: tuple[int, ...], periodic: tuple[bool, ...], *, constant: bool
) -> Stencil:
    rng = np.random.default_rng(0)
    dimension = len(shape)
    offsets = np.array(
        [
            row
            for row in itertools.product([-1, 0, 1, 2], repeat=dimension)
            if sum(map(abs, row)) < 3
        ]
    )
    grid = StructuredGrid(shape, periodic=periodic)
    if constant:
        return Stencil(grid, offsets, rng.standard_normal(len(offsets)))
    outline = Stencil(grid, offsets, np.ones(len(offsets)))
    return Stencil(
        grid, offsets, outline.coefficients * rng.standard_normal((len(offsets), *shape))
    )


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(("shape", "periodic"), CASES)
def test_agrees_with_apply_and_matrix(
    shape: tuple[int, ...], periodic: tuple[bool, ...], constant: bool
) -> None:
    stencil = random_stencil(shape, periodic, constant=constant)
    module = StencilConvolution(stencil)
    assert module.constant == constant
    values = np.random.default_rng(1).standard_normal((2, 3, *shape))
    result = module(torch.as_tensor(values)).numpy()
    scale = np.abs(result).max()
    for index in np.ndindex(2, 3):
        matrix = (stencil.to_csr() @ values[index].ravel()).reshape(shape)
        np.testing.assert_allclose(result[index], stencil.apply(values[index]), atol=1e-12 * scale)
        np.testing.assert_allclose(result[index], matrix, atol=1e-12 * scale)


def test_gradient_is_the_transposed_operator() -> None:
    stencil = random_stencil((5, 6), (True, False), constant=False)
    values = torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(5, 6, dtype=torch.float64)
    (StencilConvolution(stencil)(values) * weights).sum().backward()
    np.testing.assert_allclose(
        values.grad.numpy(), stencil.apply_transpose(weights.numpy()), atol=1e-12
    )


def test_rejects_other_shapes_and_types() -> None:
    module = StencilConvolution(random_stencil((5, 6), (False, False), constant=True))
    with pytest.raises(InputError, match=r"do not end in the grid's shape \(5, 6\)"):
        module(torch.zeros(6, 5, dtype=torch.float64))
    with pytest.raises(InputError, match=r"torch.float32 do not fit coefficients of type"):
        module(torch.zeros(5, 6))
