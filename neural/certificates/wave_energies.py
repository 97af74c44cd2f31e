"""Energies of waves on periodic boxes, and the exact flow of their equation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meshes.structured import FloatArray, StructuredGrid
from operators.fourier import wavenumbers
from pdesolve.problems.wave import WaveProblem
from pdesolve.spectral.wave import signed_wavenumber


class WaveEnergies:
    """Energies and the exact flow of ∂²u/∂t² = c² Δu in Fourier modes.

    Parameters
    ----------
    problem
        Gives c, in m/s.
    grid
        Periodic on every axis.

    Examples
    --------
    A standing wave after half a period has changed its sign, and kept its energy:

    >>> problem = WaveProblem(2.0, dimension=1)
    >>> grid = problem.grid(8)
    >>> start = np.stack([np.cos(2 * np.pi * grid.points()[0]), np.zeros(8)])
    >>> energies = WaveEnergies(problem, grid)
    >>> mode = energies.modes(start[None])[0]
    >>> bool(np.allclose(energies.flow(mode, 0.25), -mode))
    True
    """

    def __init__(self, problem: WaveProblem, grid: StructuredGrid) -> None:
        self.axes = tuple(range(-grid.dimension, 0))
        self.speed = float(problem.speed)  # type: ignore[arg-type]
        self.frequency = self.speed * np.abs(signed_wavenumber(grid))
        lines = wavenumbers(grid)
        squares = sum((line**2 for line in lines), np.zeros(self.frequency.shape))
        self.stiffness = self.speed**2 * squares  # waves without a direction have one too
        # modes of the half that is not kept count too
        self.weights = np.full(self.frequency.shape, 2.0)
        self.weights[..., 0] = 1.0
        if grid.shape[-1] % 2 == 0:
            self.weights[..., -1] = 1.0
        self.mean = np.zeros(self.frequency.shape)
        self.mean.reshape(-1)[0] = 1.0

    def modes(self, states: FloatArray) -> npt.NDArray[np.complex128]:
        """Transforms of frames ``(time, 2, *shape)``."""
        return np.asarray(np.fft.rfftn(states, axes=self.axes))

    def squared(self, mode: npt.NDArray[np.complex128]) -> float:
        """Of one frame, up to the factor of the transform."""
        displacement, velocity = np.abs(mode) ** 2
        return float(np.sum(self.weights * (self.stiffness * displacement + velocity)))

    def flow(self, mode: npt.NDArray[np.complex128], step: float) -> npt.NDArray[np.complex128]:
        """The state a step later; waves without a direction stay as the solver leaves them."""
        displacement, velocity = mode
        angle = self.frequency * step
        turning = self.frequency > 0
        quotient = np.divide(np.sin(angle), self.frequency, where=turning, out=step * self.mean)
        return np.stack(
            [
                np.cos(angle) * displacement + quotient * velocity,
                np.cos(angle) * velocity - self.frequency * np.sin(angle) * displacement,
            ]
        )
