"""Transforms, derivatives and dealiasing on periodic grids."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from pdesolve.spectral.diagnostics import energy, gradient_energy, mass
from pdesolve.spectral.transforms import Transforms, array_library

SHAPES = {1: (24,), 2: (24, 15), 3: (12, 10, 9)}


def grid_of(dimension: int, location: str = "cell") -> StructuredGrid:
    return StructuredGrid(
        SHAPES[dimension],
        upper=(2.0, 1.0, 3.0)[:dimension],
        periodic=(True,) * dimension,
        location=location,
    )


def waves(grid: StructuredGrid, numbers: tuple[int, ...]) -> np.ndarray:
    phase = sum(
        2 * np.pi * m * x / length
        for m, x, length in zip(numbers, grid.points(), grid.extent, strict=True)
    )
    return np.sin(phase + 0.3)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_round_trip_and_derivatives(dimension: int) -> None:
    grid = grid_of(dimension)
    transforms = Transforms(grid)
    numbers = (3, -2, 1)[:dimension]
    u = waves(grid, numbers)[None, None]  # batch and channel
    u_hat = transforms.forward(u)
    assert u_hat.shape == (1, 1, *transforms.modes)
    np.testing.assert_allclose(transforms.inverse(u_hat), u, atol=1e-14)
    frequencies = [2 * math.pi * m / length for m, length in zip(numbers, grid.extent, strict=True)]
    for axis, k in enumerate(frequencies):
        slope = transforms.inverse(transforms.derivative(u_hat, axis))
        phase_shifted = np.sqrt(1 - np.clip(u, -1, 1) ** 2)
        np.testing.assert_allclose(np.abs(slope), abs(k) * phase_shifted, atol=1e-6)
    laplacian = transforms.inverse(transforms.laplacian * u_hat)
    np.testing.assert_allclose(laplacian, -sum(k**2 for k in frequencies) * u, atol=1e-10)
    back = transforms.inverse(transforms.inverse_laplacian * transforms.laplacian * u_hat)
    np.testing.assert_allclose(back, u, atol=1e-13)


@pytest.mark.parametrize("size", [9, 12, 16, 24, 27])
@pytest.mark.parametrize("degree", [2, 3])
def test_kept_modes_multiply_exactly(size: int, degree: int) -> None:
    """Of a random function of all modes: the product on a grid four times as fine, cut."""
    grid = StructuredGrid(size, upper=3.0, periodic=True)
    fine = grid.with_shape(4 * size)
    coarse_transforms, fine_transforms = Transforms(grid), Transforms(fine)
    u_hat = coarse_transforms.forward(np.random.default_rng(0).standard_normal((1, size)))
    kept = coarse_transforms.dealias(u_hat, degree)
    number = int(np.count_nonzero(coarse_transforms.kept(degree)))
    assert number == math.ceil(size / (degree + 1))  # |m| < n / (degree + 1)
    padded = np.zeros((1, fine_transforms.modes[-1]), dtype=complex)
    # vertices and centres differ by a phase: compare on vertices through the coefficients
    padded[:, : kept.shape[1]] = 4 * kept
    exact = fine_transforms.forward(fine_transforms.inverse(padded) ** degree) / 4
    found = coarse_transforms.product(*[u_hat] * degree)
    expected = coarse_transforms.dealias(exact[:, : kept.shape[1]], degree)
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


def test_rule_on_two_axes_keeps_the_square_of_two_thirds() -> None:
    transforms = Transforms(StructuredGrid((64, 64), periodic=(True, True)))
    kept = transforms.kept()
    assert kept.shape == (64, 33)
    assert kept[:, 0].sum() == 43  # −21 .. 21
    assert kept[0].sum() == 22
    assert set(np.unique(kept)) == {0.0, 1.0}


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_integrals(dimension: int) -> None:
    grid = grid_of(dimension)
    transforms = Transforms(grid)
    u = 1.5 + np.stack([waves(grid, (1, 2, 1)[:dimension]), waves(grid, (2, 0, 0)[:dimension])])
    u_hat = transforms.forward(u)
    volume = math.prod(grid.extent)
    assert mass(transforms, u_hat, {}) == pytest.approx(1.5 * volume)
    assert energy(transforms, u_hat, {}) == pytest.approx(0.5 * volume * (u**2).mean() * 2)
    np.testing.assert_allclose(transforms.mean_square(u_hat), (u**2).reshape(2, -1).mean(axis=1))
    np.testing.assert_allclose(transforms.integral(u), [1.5 * volume] * 2)
    slopes = [transforms.inverse(transforms.derivative(u_hat, axis)) for axis in range(dimension)]
    expected = 0.5 * grid.cell_volume * sum((slope**2).sum() for slope in slopes)
    assert gradient_energy(transforms, u_hat) == pytest.approx(expected)


@pytest.mark.torch
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_torch_gives_the_same(dimension: int) -> None:
    import torch

    torch.set_num_threads(1)
    grid = grid_of(dimension)
    here, there = Transforms(grid), Transforms(grid, torch)
    u = np.random.default_rng(1).standard_normal((3, 2, *grid.shape))
    u_hat, tensor = here.forward(u), there.forward(torch.asarray(u))
    assert isinstance(tensor, torch.Tensor)
    for one, other in (
        (u_hat, tensor),
        (here.product(u_hat, u_hat), there.product(tensor, tensor)),
        (here.derivative(u_hat, 0), there.derivative(tensor, 0)),
        (here.inverse(here.laplacian * u_hat), there.inverse(there.laplacian * tensor)),
        (here.mean_square(u_hat), there.mean_square(tensor)),
    ):
        np.testing.assert_allclose(other.numpy(), one, rtol=0, atol=1e-12 * np.abs(one).max())
    single = Transforms(grid, torch, "float32")
    assert single.forward(single.asarray(u)).dtype == torch.complex64
    assert single.symbols[0].dtype == torch.complex64


@pytest.mark.parametrize("shape", [(12,), (9,), (8, 10), (7, 9), (6, 8, 4), (5, 6, 7)])
def test_real_part(shape: tuple[int, ...]) -> None:
    """What the inverse transform sees, and nothing else."""
    grid = StructuredGrid(shape, periodic=(True,) * len(shape))
    transforms = Transforms(grid)
    rng = np.random.default_rng(0)
    u_hat = rng.standard_normal((2, 1, *transforms.modes)) + 1j * rng.standard_normal(
        (2, 1, *transforms.modes)
    )
    expected = transforms.forward(transforms.inverse(u_hat))
    np.testing.assert_allclose(transforms.real_part(u_hat), expected, atol=1e-12)


def test_numbers_per_problem() -> None:
    transforms = Transforms(grid_of(2))
    assert transforms.per_problem(0.5).shape == (1, 1, 1)
    assert transforms.per_problem(np.ones(4)).shape == (4, 1, 1, 1)


def test_rejections() -> None:
    with pytest.raises(InputError, match="wraps on every axis"):
        Transforms(StructuredGrid((8, 8), periodic=(True, False)))
    with pytest.raises(InputError, match="dtype='float16' must be"):
        Transforms(grid_of(1), dtype="float16")
    with pytest.raises(InputError, match="import torch"):
        array_library("torch")


def test_torch_is_not_imported() -> None:
    code = (
        "import sys; from pdesolve import evolve, get_family, sample_generator as g\n"
        "f = get_family('kuramoto_sivashinsky')\n"
        "evolve(f.problem(f.sample(g(0, 'a', 0))), mesh=32, times=(0.0, 0.1))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
