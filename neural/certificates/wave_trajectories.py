"""Waves on periodic boxes: bounds from what frames miss of exact steps."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from neural.certificates.certificate import Certificate
from neural.certificates.wave_energies import WaveEnergies
from pdesolve.problems.boxes import check_grid
from pdesolve.problems.wave import WaveProblem

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
        If the problem has sides or a speed that varies, or is of another box than the grid; if
        shapes and times do not fit, or values are not finite.

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
    _check_problem(problem, grid)
    states, instants = _checked(grid, times, frames, num_known)
    energies = WaveEnergies(problem, grid)
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
    energies = WaveEnergies(problem, grid)
    errors, sizes = (
        sum(energies.squared(one) for one in energies.modes(part))
        for part in (reference - predicted, predicted)
    )
    if not sizes > 0:
        raise InputError("the prediction is at rest: a relative error is not defined")
    return float(np.sqrt(errors / sizes))


def _check_problem(problem: WaveProblem, grid: StructuredGrid) -> None:
    """Refuse sides, speeds that vary or are not positive, and grids of another box."""
    if "spectral" not in problem.backends:
        raise InputError(
            "the bound is for waves of one speed on a box that is periodic on every axis; for "
            "others none is known"
        )
    if not float(problem.speed) > 0:  # type: ignore[arg-type]
        raise InputError(f"the speed must be positive, not {problem.speed!r}")
    check_grid(problem, grid)


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
    increasing = np.isfinite(instants).all() and (np.diff(instants) > 0).all()
    if instants.shape != states.shape[:1] or not increasing:
        raise InputError(
            f"{len(states)} frames need as many finite, increasing times, not "
            f"{instants.tolist()[:6]} ..."
        )
    if not 1 <= num_known < len(states):
        raise InputError(f"num_known={num_known} must leave some of the {len(states)} frames")
    if not np.isfinite(states).all():
        raise InputError("the frames are not finite: no certificate can be made of them")
    return states, instants
