"""The three renderings of a stencil, SciPy, PETSc and torch, agree to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.stencils import CASES, make_stencil

pytestmark = [pytest.mark.torch, pytest.mark.petsc]


@pytest.mark.parametrize("name", CASES)
def test_three_renderings(name):
    import torch

    from neural.stencils import StencilConvolution
    from operators import stencil_matrix

    stencil = make_stencil(name)
    x = np.random.default_rng(2).standard_normal(stencil.grid.shape)
    by_scipy = (stencil.to_csr() @ x.ravel()).reshape(x.shape)
    matrix = stencil_matrix(stencil)
    result = matrix.vector()
    matrix.mat.mult(matrix.vector(x), result)
    by_petsc = matrix.gather(result)
    by_torch = StencilConvolution(stencil)(torch.from_numpy(x)[None, None])[0, 0].detach().numpy()
    # entries are below 5 in size and rows hold at most 27 of them
    for first, second in ((by_scipy, by_petsc), (by_scipy, by_torch), (by_petsc, by_torch)):
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-12)
