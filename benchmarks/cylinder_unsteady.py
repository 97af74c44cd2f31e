"""The periodic flow past a cylinder at Re = 100, next to the published intervals.

    python -m benchmarks cylinder_unsteady

The benchmark "2D-2" of Schäfer and Turek (1996), doi:10.1007/978-3-322-89849-4_39. The
flow starts from the inflow's parabola with one eddy, reaches its periodic state with
coarse steps, goes on from a checkpoint with fine ones, and is measured over the last
whole periods.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.table import Table
from meshes.structured import FloatArray
from pdesolve import evolve
from pdesolve.problems.cylinder_flow import CylinderFlowProblem
from pdesolve.trajectory import Trajectory

INTERVALS: dict[str, tuple[float, float]] = {
    "largest drag coefficient": (3.2200, 3.2400),
    "largest lift coefficient": (0.9900, 1.0100),
    "Strouhal number": (0.2950, 0.3050),
    "pressure difference": (2.4600, 2.5000),
}
"""Published intervals; the pressure difference is that half a period after the largest lift."""


@dataclass(frozen=True)
class Run:
    """One computation.

    Parameters
    ----------
    mesh_size, body_size
        Lengths of the edges away from the cylinder and on it, in m.
    coarse_step, fine_step
        Step sizes in s.
    settled, end
        When the fine steps begin, and when they end, in s.
    """

    mesh_size: float = 0.035
    body_size: float = 0.006
    coarse_step: float = 0.005
    fine_step: float = 0.005
    settled: float = 4.0
    end: float = 5.6


RUNS = (
    Run(0.05, 0.01),
    Run(),
    Run(fine_step=0.0025, end=6.0),
    Run(0.025, 0.004, fine_step=0.0025, end=6.0),
)
EVERY = 0.01  # seconds between the values of drag and lift


def eddy(x: FloatArray) -> FloatArray:
    """One eddy behind the cylinder, which ends the symmetry."""
    return np.asarray(0.2 * np.exp(-((x[0] - 0.4) ** 2 + (x[1] - 0.25) ** 2) / 0.05**2))


def simulate(run: Run) -> Trajectory:
    """The part of the solution with fine steps."""
    problem = CylinderFlowProblem(
        100.0,
        perturbation=eddy,
        mesh_size=run.mesh_size,
        body_size=run.body_size,
        times=(0.0, run.settled),
    )
    later = np.linspace(run.settled, run.end, round((run.end - run.settled) / EVERY) + 1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settled.h5"
        evolve(problem, dt=run.coarse_step, degree=2, checkpoint=file)
        return evolve(
            problem, times=(0.0, *later[1:].tolist()), dt=run.fine_step, degree=2, restart=file
        )


def maxima(times: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Times and heights of the maxima, by parabolas through three values."""
    inner = np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:])) + 1
    bend = values[inner - 1] + values[inner + 1] - 2 * values[inner]
    slope = (values[inner + 1] - values[inner - 1]) / 2
    step = times[1] - times[0]
    return times[inner] - slope / bend * step, values[inner] - slope**2 / (2 * bend)


def measured(trajectory: Trajectory, periods: int = 3) -> Mapping[str, float]:
    """The benchmark's quantities over the last whole periods of the lift."""
    times = np.asarray(trajectory.times)
    drag, lift, pressure = (
        trajectory.history[name]
        for name in ("drag_coefficient", "lift_coefficient", "pressure_difference")
    )
    peaks, heights = maxima(times, lift)
    if len(peaks) <= periods:
        raise RuntimeError(f"only {len(peaks)} maxima of the lift; simulate for longer")
    start, end = peaks[-1 - periods], peaks[-1]
    period = (end - start) / periods
    drag_peaks, drag_heights = maxima(times, drag)
    inside = (drag_peaks >= start) & (drag_peaks <= end)
    problem = trajectory.problem
    assert isinstance(problem, CylinderFlowProblem)
    half = np.interp(peaks[-2] + period / 2, times, pressure)
    return {
        "largest drag coefficient": float(drag_heights[inside].max()),
        "largest lift coefficient": float(heights[-periods:].max()),
        "Strouhal number": float(problem.channel.diameter / (period * problem.mean_speed)),
        "pressure difference": float(half),
    }


def run() -> Table:
    """All computations."""
    columns = ("cells' edges, on the cylinder", "step", "unknowns", "seconds", *INTERVALS)
    table = Table(
        "cylinder_unsteady", "Periodic flow past a cylinder, Re = 100 (fem, P2-P1)", columns
    )
    table.add(
        "published", "", "", "", *(f"{low:.4f} to {high:.4f}" for low, high in INTERVALS.values())
    )
    for case in RUNS:
        start = time.perf_counter()
        trajectory = simulate(case)
        seconds = time.perf_counter() - start
        found = measured(trajectory)
        inside = all(low <= found[name] <= high for name, (low, high) in INTERVALS.items())
        table.add(
            f"{case.mesh_size:g} m, {case.body_size:g} m" + ("" if inside else " (not all inside)"),
            f"{case.fine_step:g} s",
            trajectory.result.num_unknowns,
            f"{seconds:.0f}",
            *(f"{found[name]:.4f}" for name in INTERVALS),
        )
    table.notes += [
        f"Steps of {RUNS[0].coarse_step:g} s to t = {RUNS[0].settled:g} s, then the given ones "
        f"to t = {RUNS[0].end:g} s or longer; measured over the last three periods. One process.",
        "Method bdf2-linear: one linear system (MUMPS) a step. Drag and lift from the weak "
        "form's residual; edges of degree 2 on the cylinder.",
    ]
    return table
