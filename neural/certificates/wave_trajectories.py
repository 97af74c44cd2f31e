"""Waves on periodic boxes: bounds from what frames miss of exact steps."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from pdesolve.problems.wave import WaveProblem
from pdesolve.spectral.wave import signed_wavenumber

NORM = "wave energy (mean over frames)"
STATEMENT = (
    "guaranteed for the exact solution in Fourier modes on these points from the last known frame "
    "on, whatever the steps between frames; the mean displacement does not count"
)


def certify_waves(
    problem: WaveProblem,
    grid: StructuredGrid,
    times: Sequence[float] | FloatArray,
    frames: npt.ArrayLike,
    num_known: int = 1,
) -> Certificate:
    """Bound the error of the predicted frames of ∂²u/∂t² = c² Δu on a periodic box.

    With w_j = (u, v) at the times t_j and S the exact flow of the equation, frame j misses
    d_j = w_j − S(t_j − t_{j−1}) w_{j−1}. S keeps the energy ‖(u, v)‖² = ∫ v² + c² |∇u|²,
    so the error e_j = S e_{j−1} − d_j since the last known frame satisfies
    ‖e_j‖ ≤ ‖d_1‖ + … + ‖d_j‖. One transform a frame; nothing is solved.

    Parameters
    ----------
    problem
        With one speed everywhere.
    grid
        Periodic on every axis.
    times
        Of all frames, in s.
    frames
        ``(time, 2, *shape)``, displacement in m and velocity in m/s, the known ones first.
    num_known
        Number of frames that are given; the last of them is where the solution starts.

    Returns
    -------
    Certificate
        √(Σ_j (Σ_{i ≤ j} ‖d_i‖)² / Σ_j ‖w_j‖²) over the predicted frames.

    Raises
    ------
    InputError
        If shapes and times do not fit, or values are not finite.

    References
    ----------
    Evans (2010), Partial Differential Equations, doi:10.1090/gsm/019.

    Examples
    --------
    >>> from pdesolve import evolve, get_family, sample_generator
    >>> family = get_family("wave1d")
    >>> problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    >>> grid = problem.grid(64)
    >>> frames = evolve(problem, mesh=grid).on(grid)
    >>> certify_waves(problem, grid, problem.times, frames).upper < 1e-12
    True
    """
    begin = time.perf_counter()
    states, instants = _checked(grid, times, frames, num_known)
    energies = _Energies(problem, grid)
    modes = energies.modes(states[num_known - 1 :])
    steps = np.diff(instants[num_known - 1 :])
    missed = [
        np.sqrt(energies.squared(after - energies.flow(before, step)))
        for before, after, step in zip(modes[:-1], modes[1:], steps, strict=True)
    ]
    sizes = np.array([energies.squared(one) for one in modes[1:]])
    if not sizes.sum() > 0:
        return Certificate.nothing("spectral", "the prediction is at rest: its energy is zero")
    upper = float(np.sqrt(np.sum(np.cumsum(missed) ** 2) / sizes.sum()))
    return Certificate(
        "guaranteed",
        "spectral",
        NORM,
        upper,
        statement=STATEMENT,
        seconds=time.perf_counter() - begin,
    )


def wave_error(
    problem: WaveProblem, grid: StructuredGrid, predicted: FloatArray, reference: FloatArray
) -> float:
    """The error of frames ``(time, 2, *shape)`` in the norm of :func:`certify_waves`.

    Relative to the size of the prediction.

    Examples
    --------
    >>> problem = WaveProblem(2.0, dimension=1)
    >>> grid = problem.grid(8)
    >>> frames = np.random.default_rng(0).standard_normal((3, 2, 8))
    >>> round(wave_error(problem, grid, frames, 1.25 * frames), 12)
    0.25
    """
    energies = _Energies(problem, grid)
    errors, sizes = (
        sum(energies.squared(one) for one in energies.modes(part))
        for part in (reference - predicted, predicted)
    )
    if not sizes > 0:
        raise InputError("the prediction is at rest: a relative error is not defined")
    return float(np.sqrt(errors / sizes))


class _Energies:
    """Energies and the exact flow in Fourier modes."""

    def __init__(self, problem: WaveProblem, grid: StructuredGrid) -> None:
        self.axes = tuple(range(-grid.dimension, 0))
        self.speed = float(problem.speed)  # type: ignore[arg-type]
        self.frequency = self.speed * np.abs(signed_wavenumber(grid))
        # modes of the half that is not kept count too
        self.weights = np.full(self.frequency.shape, 2.0)
        self.weights[..., 0] = 1.0
        if grid.shape[-1] % 2 == 0:
            self.weights[..., -1] = 1.0
        self.mean = np.zeros(self.frequency.shape)
        self.mean.reshape(-1)[0] = 1.0

    def modes(self, states: FloatArray) -> npt.NDArray[np.complex128]:
        return np.asarray(np.fft.rfftn(states, axes=self.axes))

    def squared(self, mode: npt.NDArray[np.complex128]) -> float:
        """Of one frame, up to the factor of the transform."""
        displacement, velocity = np.abs(mode) ** 2
        return float(np.sum(self.weights * (self.frequency**2 * displacement + velocity)))

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


def _checked(
    grid: StructuredGrid,
    times: Sequence[float] | FloatArray,
    frames: npt.ArrayLike,
    num_known: int,
) -> tuple[FloatArray, FloatArray]:
    states, instants = np.asarray(frames, dtype=np.float64), np.asarray(times, dtype=np.float64)
    if states.ndim < 2 or states.shape[1:] != (2, *grid.shape):
        raise InputError(
            f"frames of shape {states.shape} are not (time, 2, {', '.join(map(str, grid.shape))}): "
            "displacement and velocity"
        )
    if instants.shape != states.shape[:1] or not (np.diff(instants) > 0).all():
        raise InputError(
            f"{len(states)} frames need as many increasing times, not {instants.tolist()[:6]} ..."
        )
    if not 1 <= num_known < len(states):
        raise InputError(f"num_known={num_known} must leave some of the {len(states)} frames")
    if not np.isfinite(states).all():
        raise InputError("the frames are not finite: no certificate can be made of them")
    return states, instants
