"""Distributions of the vorticity at the first time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from meshes.errors import InputError, suggest
from meshes.structured import FloatArray
from operators.random_fields import GaussianRandomField, RandomFieldSample, is_finite_number

BENCHMARK_VARIANCES: dict[str, float] = {"paper": 7.0**1.5, "script": 7.0**3}


def benchmark_vorticity(
    variance: Literal["paper", "script"] = "paper", num_modes: int = 255
) -> GaussianRandomField:
    """Initial vorticity of the Fourier neural operator's benchmark, on the unit torus.

    N(0, s (−Δ + 49)^(−2.5)) without the constant mode, where −Δ has the eigenvalues
    4π²|k|². The paper states s = 7^(3/2); the published generating script multiplies the
    *standard deviation* of each mode by 7^(3/2), which makes s = 7³ and the amplitude
    7^(3/4) = 4.3 times as large. 255 basis functions an axis are the modes |k| ≤ 127 that
    the benchmark's 256 × 256 grid carries without its Nyquist mode.

    Parameters
    ----------
    variance
        ``"paper"`` or ``"script"``.
    num_modes
        Basis functions an axis.

    Examples
    --------
    >>> round(benchmark_vorticity("paper").standard_deviation, 4)
    0.043
    >>> round(benchmark_vorticity("script").standard_deviation, 4)
    0.1852
    """
    if variance not in BENCHMARK_VARIANCES:
        raise InputError(f"variance='{variance}'. {suggest(variance, BENCHMARK_VARIANCES)}")
    unscaled = GaussianRandomField(2, 2.5, 7.0, "periodic", num_modes)
    total = float(np.sum(unscaled.amplitudes() ** 2))  # the variance of a value, for s = 1
    deviation = float(np.sqrt(BENCHMARK_VARIANCES[variance] * total))
    return GaussianRandomField(2, 2.5, 7.0, "periodic", num_modes, standard_deviation=deviation)


@dataclass(frozen=True)
class TurbulentVorticity:
    """Vorticity of a random flow with the energy spectrum of McWilliams (1984).

    The stream function's Fourier coefficients are independent and Gaussian with
    E|ψ̂(k)|² ∝ |k|^−2 / (1 + (|k|/k₀)⁴)^m, so that the energy in a ring of wavenumbers is
    E(k) ∝ k / (1 + (k/k₀)⁴)^m, with m = 1 in the publication. Each draw is scaled to one
    kinetic energy ½⟨|u|²⟩. Modes with |k| above `largest_wavenumber` are left out; a draw
    does not depend on any grid.

    Parameters
    ----------
    peak
        k₀, in units of 2π / length of the box.
    energy
        Mean kinetic energy a unit of area.
    largest_wavenumber
        In the same units.
    length
        Side of the square box.
    steepness
        m. With 2 the spectrum falls as k^−7 in place of k^−3: a smooth flow.

    References
    ----------
    McWilliams (1984), The Emergence of Isolated Coherent Vortices in Turbulent Flow,
    Journal of Fluid Mechanics, doi:10.1017/S0022112084001750.

    Examples
    --------
    >>> flow = TurbulentVorticity()
    >>> draw = flow.sample(np.random.default_rng(0))
    >>> round(flow.kinetic_energy(draw), 12)
    0.5
    """

    peak: float = 6.0
    energy: float = 0.5
    largest_wavenumber: int = 40
    length: float = 2 * np.pi
    steepness: int = 1

    def __post_init__(self) -> None:
        for name in ("peak", "energy", "length"):
            value = getattr(self, name)
            if not (is_finite_number(value) and value > 0):
                raise InputError(f"{name}={value!r} must be positive and finite")
        for name in ("largest_wavenumber", "steepness"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name}={value!r} must be a positive integer")

    @cached_property
    def _white(self) -> GaussianRandomField:
        box = (self.length, self.length)
        modes = 2 * self.largest_wavenumber + 1
        return GaussianRandomField(2, 2.0, 1.0, "periodic", modes, upper=box)

    @cached_property
    def _wavenumbers(self) -> FloatArray:
        """|k| of each basis function in units of 2π / length, infinite for the constant."""
        line = ((np.arange(self._white.modes) + 1) // 2).astype(np.float64)
        values: FloatArray = np.hypot(line[:, np.newaxis], line)
        values[0, 0] = np.inf
        return values

    def sample(self, rng: np.random.Generator) -> RandomFieldSample:
        """Draw a vorticity."""
        draw = self._white.sample(rng)
        k = self._wavenumbers
        inside = k <= self.largest_wavenumber
        scale = np.zeros_like(k)
        with np.errstate(over="ignore"):  # refused below
            bend = 1 + (k[inside] / self.peak) ** 4
            spectrum = k[inside] ** 2 / bend**self.steepness  # of the vorticity
        if not spectrum.max() > 1e-200:
            raise InputError(
                f"peak={self.peak!r} and steepness={self.steepness} leave no flow: the spectrum "
                "vanishes in floating point; take a larger peak or a smaller steepness"
            )
        scale[inside] = np.sqrt(spectrum) / self._white.amplitudes()[inside]
        unscaled = RandomFieldSample(self._white, draw.coefficients * scale)
        factor = np.sqrt(self.energy / self.kinetic_energy(unscaled))
        return RandomFieldSample(self._white, unscaled.coefficients * factor)

    def kinetic_energy(self, draw: RandomFieldSample) -> float:
        """½⟨|u|²⟩ of a draw."""
        k = 2 * np.pi / self.length * self._wavenumbers
        return float(0.5 * np.sum((draw.coefficients / k) ** 2) / self.length**2)

    def describe(self) -> dict[str, Any]:
        """Plain values for a data card."""
        return {
            "kind": "vorticity of a random flow",
            "energy spectrum": "k / (1 + (k / k0)^4)"
            + (f"^{self.steepness}" if self.steepness > 1 else ""),
            "k0": self.peak,
            "kinetic energy": self.energy,
            "largest wavenumber": self.largest_wavenumber,
        }
