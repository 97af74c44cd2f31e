"""The spectral backend on periodic diffusion, without PETSc."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import StructuredGrid
from operators.failures import InputError, LinearSolveFailure
from operators.fourier import FourierMultiplier, derivative_symbols, wavenumbers
from pdesolve import DarcyProblem, Dirichlet, Periodic, solve
from pdesolve.spectral.diffusion import SpectralDiffusion, diffusion_spectral_system

TWO_PI = 2 * np.pi


def manufactured(dimension: int) -> DarcyProblem:
    """u = Π sin(2πx_k + k), a = 2 + cos(2πx_0)."""

    def coefficient(x: np.ndarray) -> np.ndarray:
        return 2 + np.cos(TWO_PI * x[0])

    def source(x: np.ndarray) -> np.ndarray:
        slope = np.ones_like(x[0])
        for axis in range(dimension):
            phase = TWO_PI * x[axis] + axis
            slope = slope * (np.cos(phase) if axis == 0 else np.sin(phase))
        drift = -TWO_PI * np.sin(TWO_PI * x[0]) * TWO_PI * slope
        return coefficient(x) * dimension * TWO_PI**2 * exact(x) - drift

    return DarcyProblem(coefficient, source, {"all": Periodic()}, dimension)


def exact(x: np.ndarray) -> np.ndarray:
    value = np.ones_like(x[0])
    for axis in range(len(x)):
        value = value * np.sin(TWO_PI * x[axis] + axis)
    return value


@pytest.mark.parametrize(("dimension", "cells"), [(1, 16), (1, 17), (2, 16), (2, 15), (3, 12)])
def test_resolved_solution_is_exact(dimension: int, cells: int) -> None:
    solution = solve(
        manufactured(dimension), mesh=cells, backend="spectral",
        solver_parameters={"ksp_rtol": 1e-12},
    )  # fmt: skip
    error = np.abs(solution.field.values[0] - exact(solution.field.mesh.points())).max()
    assert error < 1e-10
    assert solution.result.reason == "CONVERGED_RTOL"


@pytest.mark.petsc
def test_grid_backend_tends_to_the_spectral_answer() -> None:
    problem = manufactured(2)
    differences = []
    for cells in (16, 32, 64):
        spectral = solve(problem, mesh=cells, backend="spectral").field.values
        grid = solve(problem, mesh=cells, backend="grid").field.values
        differences.append(np.abs(spectral - grid).max())
    order = np.polyfit(np.log([1 / 16, 1 / 32, 1 / 64]), np.log(differences), 1)[0]
    assert abs(order - 2) < 0.15
    assert differences[-1] < 2e-3


@pytest.mark.parametrize("shape", [(8,), (7,), (6, 5), (4, 4, 6)])
def test_operators_are_symmetric_matrices(shape: tuple[int, ...]) -> None:
    grid = StructuredGrid(shape, periodic=True)
    rng = np.random.default_rng(0)
    diffusion = SpectralDiffusion(grid, 1 + rng.random(shape))
    squares = sum(np.abs(symbol) ** 2 for symbol in derivative_symbols(grid))
    for operator in (diffusion, FourierMultiplier(grid, squares)):
        x = rng.standard_normal(shape)
        matrix = operator.to_csr()
        assert operator.is_symmetric(1e-12)
        np.testing.assert_allclose(
            (matrix @ x.ravel()).reshape(shape), operator.apply(x), atol=1e-10 * abs(matrix).max()
        )
    constant = SpectralDiffusion(grid, np.full(shape, 3.0)) - 3 * FourierMultiplier(grid, squares)
    assert np.abs(constant.apply(x)).max() < 1e-9


def test_iterations_stay_below_the_bound_for_the_contrast() -> None:
    # a is between 1 and 3: the error falls by at least (√3 − 1) / (√3 + 1) an iteration,
    # so 1e-10 with a factor 2 √3 in front takes at most 19, whatever the grid
    for cells in (32, 64, 128):
        assert solve(manufactured(2), mesh=cells, backend="spectral").result.iterations <= 20


def test_rejections() -> None:
    with pytest.raises(InputError, match="axes wrap"):
        solve(
            DarcyProblem(1.0, 0.0, {"all": Dirichlet(0.0)}),
            mesh=StructuredGrid((8, 8), periodic=True),
            backend="spectral",
        )
    with pytest.raises(InputError, match="wraps on every axis"):
        solve(DarcyProblem(1.0), mesh=8, backend="spectral")
    with pytest.raises(InputError, match="mean zero"):
        solve(DarcyProblem(1.0, 1.0, {"all": Periodic()}), mesh=8, backend="spectral")
    with pytest.raises(InputError, match="Did you mean 'ksp_rtol'"):
        solve(manufactured(1), mesh=8, backend="spectral", solver_parameters={"ksp_rtoll": 1})
    with pytest.raises(InputError, match="must be real"):
        FourierMultiplier(StructuredGrid((4,), periodic=True), 1j * np.ones(3))
    with pytest.raises(InputError, match="must have shape"):
        FourierMultiplier(StructuredGrid((4,), periodic=True), np.ones(4))
    with pytest.raises(InputError, match="wraps on every axis"):
        wavenumbers(StructuredGrid((4,)))
    with pytest.raises(InputError, match="dense"):
        FourierMultiplier(StructuredGrid((5000,), periodic=True), np.ones(2501)).to_csr()


def test_failure_carries_the_partial_result() -> None:
    with pytest.raises(LinearSolveFailure) as caught:
        solve(manufactured(2), mesh=16, backend="spectral", solver_parameters={"ksp_max_it": 1})
    assert caught.value.result is not None
    assert caught.value.result.iterations == 1
    assert caught.value.solution.field.values.shape == (1, 16, 16)
    loose = solve(
        manufactured(2), mesh=16, backend="spectral", check=False,
        solver_parameters={"ksp_max_it": 1},
    )  # fmt: skip
    assert not loose.result.converged


def test_system_keeps_the_mean_zero() -> None:
    grid = StructuredGrid((8, 8), periodic=True)
    problem = manufactured(2)
    system = diffusion_spectral_system(
        grid, problem.coefficient_on(grid), problem.source_function.on(grid)
    )
    assert abs(system.preconditioner.apply(system.right_hand_side).mean()) < 1e-14
