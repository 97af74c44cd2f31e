"""Comparison of the Jacobians of functions on blocks with finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from meshes.block import GridBlock


def with_periodic_ghosts(block: GridBlock, values: np.ndarray) -> np.ndarray:
    """Ghosted arrays as DistributedGrid gives them: wrapped, zero beyond the sides."""
    for axis, wraps in enumerate(block.grid.periodic, start=1):
        width = [(0, 0)] * values.ndim
        width[axis] = (1, 1)
        values = np.pad(values, width, mode="wrap" if wraps else "constant")
    return values


def apply_coefficients(block, offsets, coefficients, values) -> np.ndarray:
    """A u by the definition of BlockMatrix."""
    size = len(values)
    full = coefficients.reshape(len(offsets), size, size, *block.shape)
    ghosted = with_periodic_ghosts(block, values)
    result = np.zeros((size, *block.shape))
    for s, offset in enumerate(offsets):
        window = tuple(
            slice(1 + int(step), 1 + int(step) + n)
            for step, n in zip(offset, block.shape, strict=True)
        )
        for c in range(size):
            result += full[s, :, c] * ghosted[(c, *window)]
    return result


def assert_jacobian(
    block: GridBlock,
    function: Callable[[np.ndarray], np.ndarray],
    jacobian: Callable[[np.ndarray], np.ndarray],
    offsets: npt.ArrayLike,
    *,
    num_components: int = 1,
    state: np.ndarray | None = None,
    rtol: float = 2e-8,
) -> None:
    """The coefficients of F'(u), times a random direction, are central differences of F.

    `function` and `jacobian` take ghosted arrays of the whole grid, as in
    :class:`pdesolve.grid.systems.NonlinearSystem`; `state` is random when left out.
    """
    rng = np.random.default_rng(0)
    random, direction = rng.standard_normal((2, num_components, *block.shape))
    state = random if state is None else state
    step = 1e-6
    ends = [
        function(with_periodic_ghosts(block, state + sign * step * direction)) for sign in (1, -1)
    ]
    difference = (ends[0] - ends[1]) / (2 * step)
    coefficients = jacobian(with_periodic_ghosts(block, state))
    exact = apply_coefficients(block, np.asarray(offsets), coefficients, direction)
    np.testing.assert_allclose(exact, difference, rtol=0, atol=rtol * np.abs(exact).max())
