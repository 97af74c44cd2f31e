"""Bad input, and samples that cannot be solved among others that can."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from operators import Stencil
from operators.failures import LinearSolveFailure
from pdesolve.batched import StackedStencils, solve_batched
from tests.pdesolve.batched.systems import batch, diffusion


def spoiled(kind: str, stencils: StackedStencils, right: np.ndarray) -> tuple:
    """The batch with sample 1 spoiled."""
    coefficients, right = stencils.coefficients.copy(), right.copy()
    if kind == "coefficient":
        coefficients[1, 0, 3, 3] = np.nan
    elif kind == "right-hand side":
        right[1, 2, 2] = np.inf
    elif kind == "zero diagonal":
        coefficients[1, 0, 5, 5] = 0.0
    elif kind == "indefinite":
        coefficients[1, 0] -= 100.0  # beyond the smallest eigenvalue, less than the diagonal
    return StackedStencils(stencils.grid, stencils.offsets, coefficients, check=False), right


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("coefficient", "DIVERGED_NANORINF"),
        ("right-hand side", "DIVERGED_NANORINF"),
        ("zero diagonal", "DIVERGED_INDEFINITE_MAT"),
        ("indefinite", "DIVERGED_INDEFINITE_MAT"),
    ],
)
@pytest.mark.parametrize("chunk", [2, 5])
def test_a_bad_sample_is_marked_and_the_others_are_what_they_were(kind, reason, chunk) -> None:
    stencils, right = batch(diffusion((24, 21), num=5))
    good = solve_batched(stencils, right, chunk=chunk)
    bad_stencils, bad_right = spoiled(kind, stencils, right)
    result = solve_batched(bad_stencils, bad_right, chunk=chunk)
    assert result.reasons[1] == reason
    assert result.converged.tolist() == [True, False, True, True, True]
    others = [0, 2, 3, 4]
    np.testing.assert_array_equal(result.values[others], good.values[others])
    assert "1 of 5 samples failed: sample 1" in result.describe()
    with pytest.raises(LinearSolveFailure, match="sample 1"):
        solve_batched(bad_stencils, bad_right, check=True)


def test_too_few_iterations_are_reported() -> None:
    stencils, right = batch(diffusion((40, 40)))
    result = solve_batched(stencils, right, max_iterations=3)
    assert result.reasons == ("DIVERGED_ITS",) * 3
    assert result.iterations.tolist() == [3, 3, 3]
    assert (result.relative_residuals > 1e-8).all()
    assert (result.relative_residuals < 0.1).all()


def test_data_that_do_not_fit_a_free_constant_are_reported() -> None:
    stencils, right = batch(diffusion((12, 12), sides="neumann"))
    right[2] += 1.0
    result = solve_batched(stencils, right)
    assert result.reasons == ("CONVERGED_RTOL", "CONVERGED_RTOL", "DIVERGED_NULL_SPACE")


def test_coefficients_that_are_not_finite_are_named() -> None:
    stencils, _ = batch(diffusion((6, 6)))
    coefficients = stencils.coefficients.copy()
    coefficients[2, 1, 4, 5] = np.nan
    with pytest.raises(InputError, match=r"sample 2.*offset \[-1, 0\].*index \(4, 5\)"):
        StackedStencils(stencils.grid, stencils.offsets, coefficients)


def test_stencils_that_are_not_symmetric_are_refused() -> None:
    stencils, right = batch(diffusion((6, 6)))
    coefficients = stencils.coefficients.copy()
    coefficients[1, 2, 2, 2] *= 1.01
    other = StackedStencils(stencils.grid, stencils.offsets, coefficients)
    assert not other.symmetric()
    with pytest.raises(InputError, match=r"not symmetric.*bcgs"):
        solve_batched(other, right)
    upwind = StackedStencils(
        StructuredGrid((4,)), [[0], [-1]], np.array([[[1.0, 1, 1, 1], [0, -1, -1, -1]]])
    )
    with pytest.raises(InputError, match="not symmetric"):
        solve_batched(upwind, np.ones((1, 4)))


def test_long_stencils_are_refused() -> None:
    grid = StructuredGrid((9,))
    fourth = Stencil(grid, [[-2], [-1], [0], [1], [2]], [1.0, -4.0, 6.0, -4.0, 1.0])
    with pytest.raises(InputError, match="nearest neighbours"):
        solve_batched(StackedStencils.of([fourth]), np.ones((1, 9)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rtol": 0.0}, "rtol=0.0"),
        ({"rtol": -1e-8}, "rtol"),
        ({"rtol": 1e-17}, "float64"),
        ({"inner_dtype": "float16"}, "inner_dtype='float16'"),
        ({"max_iterations": 0}, "max_iterations=0"),
        ({"chunk": 1.5}, "chunk=1.5"),
        ({"initial": np.zeros((3, 6, 5))}, r"initial of shape \(3, 6, 5\)"),
    ],
)
def test_wrong_arguments(options, message) -> None:
    stencils, right = batch(diffusion((6, 6)))
    with pytest.raises(InputError, match=message):
        solve_batched(stencils, right, **options)


def test_wrong_shapes() -> None:
    stencils, right = batch(diffusion((6, 6)))
    with pytest.raises(InputError, match=r"right_hand_side of shape \(2, 6, 6\)"):
        solve_batched(stencils, right[:2])
    with pytest.raises(InputError, match=r"must have shape \(batch, 5, 6, 6\)"):
        StackedStencils(stencils.grid, stencils.offsets, stencils.coefficients[0])
    with pytest.raises(InputError, match=r"u of shape \(6, 6\)"):
        stencils.apply(right[0])
    with pytest.raises(InputError, match="system 1 has another grid"):
        StackedStencils.of([diffusion((6, 6))[0], diffusion((6, 7))[0]])
    with pytest.raises(InputError, match="at least one"):
        StackedStencils.of([])
    outside = stencils.coefficients + 1.0
    with pytest.raises(InputError, match="outside the grid"):
        StackedStencils(stencils.grid, stencils.offsets, outside)
    with pytest.raises(InputError, match="real numbers"):
        StackedStencils(stencils.grid, stencils.offsets, np.ones((1, 5, 6, 6), dtype=int))


@pytest.mark.torch
def test_arrays_of_two_libraries_are_refused() -> None:
    import torch

    stencils, right = batch(diffusion((6, 6)))
    with pytest.raises(InputError, match="one library"):
        solve_batched(stencils, torch.asarray(right))
