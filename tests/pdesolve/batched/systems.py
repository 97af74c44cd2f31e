"""Systems that the tests of batched solves share."""

from __future__ import annotations

import numpy as np
import scipy.sparse.linalg

from meshes import StructuredGrid
from pdesolve.batched import StackedStencils
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.problems.base import LinearSystem
from pdesolve.problems.boundary import Dirichlet, Neumann


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A random field of few Fourier modes, of size one."""
    axes = np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij")
    total = np.zeros(shape)
    for _ in range(12):
        k = rng.integers(1, 4, len(shape))
        phase = rng.uniform(0, 2 * np.pi)
        total += rng.normal() * np.cos(
            2 * np.pi * sum(a * b for a, b in zip(k, axes, strict=True)) + phase
        )
    return total / total.std()


def diffusion(
    shape: tuple[int, ...],
    *,
    sides: str = "dirichlet",
    periodic: bool | tuple[bool, ...] = False,
    coefficient: str = "threshold",
    contrast: float = 4.0,
    num: int = 3,
    seed: int = 0,
    upper: float | tuple[float, ...] = 1.0,
) -> list[LinearSystem]:
    """Diffusion with two phases or a log-normal coefficient."""
    rng = np.random.default_rng(seed)
    grid = StructuredGrid(shape, upper=upper, periodic=periodic)
    found = []
    for _ in range(num):
        field = smooth_field(rng, shape)
        a = np.where(field > 0, contrast, 1.0) if coefficient == "threshold" else np.exp(field)
        conditions = {
            name: Dirichlet(0.3) if sides == "dirichlet" else Neumann(0.0)
            for name in grid.side_names
        }
        if sides == "mixed":
            conditions[grid.side_names[0]] = Dirichlet(1.0)
        fixed = any(isinstance(condition, Dirichlet) for condition in conditions.values())
        source = rng.normal(size=shape)
        found.append(
            diffusion_system(grid, a, source if fixed else source - source.mean(), conditions)
        )
    return found


def batch(systems: list[LinearSystem]) -> tuple[StackedStencils, np.ndarray]:
    return StackedStencils.of(systems), np.stack([item.right_hand_side for item in systems])


def direct(system: LinearSystem) -> np.ndarray:
    """The answer by a sparse factorisation; of mean zero where constants are free."""
    matrix = system.stencil.to_csr().tolil()
    right = system.right_hand_side.ravel().copy()
    if system.constant_null_space:
        matrix[0, :] = 0.0
        matrix[0, 0] = 1.0
        right[0] = 0.0
    values = scipy.sparse.linalg.spsolve(matrix.tocsc(), right)
    if system.constant_null_space:
        values -= values.mean()
    return values.reshape(system.right_hand_side.shape)
