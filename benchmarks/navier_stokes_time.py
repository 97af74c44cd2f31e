"""Navier-Stokes in time: ETDRK4 against the Crank-Nicolson scheme of the FNO benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.table import Table
from pdesolve import get_family, sample_generator
from pdesolve.problems.base import ProblemFamily
from pdesolve.spectral.batch import evolve_batch
from pdesolve.spectral.evolution import SpectralEvolution, stack
from pdesolve.spectral.integrator import FourierIntegrator

Array = npt.NDArray[Any]

SIZES = ((64, 8), (128, 4), (256, 2))
"""Points an axis, and trajectories in the batch."""
VISCOSITIES = (1e-3, 1e-5)
STARTS = (0.0, 10.0)
CRANK_NICOLSON_STEP = 1e-4
REFERENCE_STEPS = 400
STEP_COUNTS = tuple(dict.fromkeys(round(1.08**power) for power in range(75)))
"""Numbers of ETDRK4 steps tried for a unit of time, at most 8 % apart."""


class CrankNicolson:
    """The benchmark's scheme: diffusion by the trapezoidal rule, the rest explicit.

    ŵ ← ((1 − ½ dt ν|k|²) ŵ + dt N(ŵ)) / (1 + ½ dt ν|k|²), with the same N, transforms and
    arrays as ETDRK4; nothing is allocated in a step.
    """

    def __init__(self, integrator: FourierIntegrator, dt: float) -> None:
        half = 0.5 * dt * np.asarray(integrator.scheme.linear)
        self.keep = ((1 + half) / (1 - half)).astype(np.complex128)
        self.push = (dt / (1 - half)).astype(np.complex128)
        self.dt = dt
        self.integrator = integrator

    def run(self, state: Array, duration: float) -> Array:
        """The state after `duration`."""
        into: Any = self.integrator.scheme.nonlinear_into
        state, change = state.copy(), np.empty_like(state)
        for step in range(round(duration / self.dt)):
            into(step * self.dt, state, change)
            change *= self.push
            state *= self.keep
            state += change
        return state


@dataclass(frozen=True)
class Measurement:
    """One comparison over a unit of time."""

    steps: int
    error: float
    seconds: float
    baseline_error: float
    baseline_seconds: float

    @property
    def ratio(self) -> float:
        """Seconds of the baseline over ours."""
        return self.baseline_seconds / self.seconds


def batch(
    family: ProblemFamily, size: int, count: int, start: float
) -> tuple[SpectralEvolution, Array]:
    """Equations and coefficients at a time of `count` trajectories of the benchmark."""
    problems: list[Any] = [
        family.problem(family.sample(sample_generator(0, "test", index))) for index in range(count)
    ]
    grid = problems[0].grid(size)
    evolution = stack([problem.spectral_evolution(grid) for problem in problems])
    values = evolution.initial
    if start > 0:
        values = evolve_batch(problems, grid, (0.0, start)).values[:, -1]
    return evolution, FourierIntegrator(evolution).initial(values)


def etdrk4(evolution: SpectralEvolution, state: Array, steps: int) -> Array:
    """The state after a unit of time, coefficients computed anew."""
    integrator = FourierIntegrator(evolution)
    for step in range(steps):
        state = integrator.step(state, step / steps, 1 / steps)
    return state


def relative_error(found: Array, reference: Array) -> float:
    """Relative L2, the root of its mean square over the batch; infinite after a blow-up."""
    axes = (-3, -2, -1)
    difference = np.sum(np.abs(found - reference) ** 2, axis=axes)
    shares = difference / np.sum(np.abs(reference) ** 2, axis=axes)
    value = float(np.sqrt(shares.mean()))
    return value if np.isfinite(value) else float("inf")


def seconds_of(action: Callable[[], Array]) -> tuple[float, Array]:
    """CPU time of the one thread, and the answer; other programs do not disturb it much."""
    start = time.process_time()
    answer = action()
    return time.process_time() - start, answer


def measure(evolution: SpectralEvolution, state: Array) -> Measurement:
    """The baseline in full, and ETDRK4's fewest steps that are as accurate."""
    reference = etdrk4(evolution, state, REFERENCE_STEPS)
    baseline = CrankNicolson(FourierIntegrator(evolution), CRANK_NICOLSON_STEP)
    baseline_seconds, found = seconds_of(lambda: baseline.run(state, 1.0))
    goal = relative_error(found, reference)
    steps, error = fewest_steps(evolution, state, reference, goal)
    seconds = sorted(seconds_of(lambda: etdrk4(evolution, state, steps))[0] for _ in range(5))[2]
    return Measurement(steps, error, seconds, goal, baseline_seconds)


def fewest_steps(
    evolution: SpectralEvolution, state: Array, reference: Array, goal: float
) -> tuple[int, float]:
    """The fewest of STEP_COUNTS with an error of at most `goal` (by bisection), and its error."""
    low, high = -1, len(STEP_COUNTS) - 1
    reached = float("nan")
    while high - low > 1:
        middle = (low + high) // 2
        with np.errstate(all="ignore"):  # blow-ups at large steps
            error = relative_error(etdrk4(evolution, state, STEP_COUNTS[middle]), reference)
        if error <= goal:
            high, reached = middle, error
        else:
            low = middle
    if not np.isfinite(reached):
        raise RuntimeError(f"{STEP_COUNTS[-1]} steps do not reach an error of {goal:.2e}")
    return STEP_COUNTS[high], reached


def summary(ratios: dict[str, float]) -> str:
    """The range of the ratios, and which are below 100."""
    low = [f"{name} ({ratio:.0f})" for name, ratio in ratios.items() if ratio < 100]
    text = f"Ratios from {min(ratios.values()):.0f} to {max(ratios.values()):.0f}."
    return f"{text} Below 100: {'; '.join(low)}." if low else text


def run(
    sizes: tuple[tuple[int, int], ...] = SIZES,
    viscosities: tuple[float, ...] = VISCOSITIES,
    starts: tuple[float, ...] = STARTS,
) -> Table:
    """Seconds and errors over one unit of time."""
    table = Table(
        "navier_stokes_time",
        "Navier–Stokes, one unit of time: Crank–Nicolson with dt = 1e-4 and ETDRK4 as accurate",
        (
            "grid", "ν", "from t", "batch", "CN error", "CN, s",
            "ETDRK4 steps", "error", "ETDRK4, s", "ratio", "seconds a step, ETDRK4 / CN",
        ),
    )  # fmt: skip
    ratios: dict[str, float] = {}
    for size, count in sizes:
        for viscosity in viscosities:
            family = get_family("navier_stokes2d", viscosity=viscosity, variance="script")
            for start in starts:
                found = measure(*batch(family, size, count, start))
                ratios[f"{size}², ν = {viscosity:g}, t = {start:g}"] = found.ratio
                a_step = found.seconds / found.steps
                a_baseline_step = found.baseline_seconds * CRANK_NICOLSON_STEP
                table.add(
                    f"{size}²", f"{viscosity:g}", f"{start:g}", count,
                    f"{found.baseline_error:.1e}", found.baseline_seconds,
                    found.steps, f"{found.error:.1e}", found.seconds, found.ratio,
                    a_step / a_baseline_step,
                )  # fmt: skip
    table.notes += [
        "Both schemes: the same batch, transforms, convection term (four transforms) and "
        "arrays, NumPy, float64, one thread. Crank-Nicolson is run in full, 10 000 steps.",
        "Seconds are CPU time of that thread.",
        f"Errors: relative L2 against ETDRK4 with {REFERENCE_STEPS} steps. ETDRK4 takes the "
        "fewest steps (counts 8 % apart) whose error is not above Crank-Nicolson's; its seconds "
        "(median of 5) include its coefficients.",
        "Initial vorticity with the variance of the published generating script; 'from t = 10' "
        "starts in the flow that the forcing has developed.",
        summary(ratios),
    ]
    return table
