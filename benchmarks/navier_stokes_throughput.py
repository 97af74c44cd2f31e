"""Trajectories of the Navier-Stokes benchmark per second."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

from benchmarks.table import Table, median_seconds
from pdesolve import get_family, sample_generator
from pdesolve.spectral.evolution import stack
from pdesolve.spectral.integrator import FourierIntegrator

VISCOSITY = 1e-3
SIZES = ((64, 16), (256, 4))
CUDA_BATCH = {64: 1024, 256: 64}
STEPS = 10


def trajectories_per_second(
    size: int,
    count: int,
    *,
    xp: Any = None,
    device: Any = None,
    dtype: str = "float64",
    wait: Callable[[], object] | None = None,
) -> tuple[float, int]:
    """From the time of a few steps of a batch; and the steps of one trajectory."""
    family = get_family("navier_stokes2d", viscosity=VISCOSITY)
    distinct = [
        family.problem(family.sample(sample_generator(0, "test", index)))
        for index in range(min(count, 4))
    ]
    problems: list[Any] = [distinct[index % len(distinct)] for index in range(count)]
    evolution = stack([problem.spectral_evolution(problems[0].grid(size)) for problem in problems])
    integrator = FourierIntegrator(evolution, xp=xp, device=device, dtype=dtype)
    duration = problems[0].times[-1]
    per_trajectory = math.ceil(duration / evolution.step_size)
    start = integrator.initial()

    def steps() -> None:
        state = start
        for number in range(STEPS):
            state = integrator.step(state, number * evolution.step_size, evolution.step_size)
        if wait is not None:
            wait()

    return count * STEPS / median_seconds(steps, 3) / per_trajectory, per_trajectory


def run(sizes: tuple[tuple[int, int], ...] = SIZES) -> Table:
    """CPU, and CUDA where there is a device."""
    table = Table(
        "navier_stokes_throughput",
        f"Navier–Stokes benchmark, ν = {VISCOSITY:g}, T = 50: trajectories per second",
        ("arrays", "precision", *[f"{size}², 1/s" for size, _ in sizes]),
    )
    found = [trajectories_per_second(size, count) for size, count in sizes]
    table.add("NumPy, CPU, one thread", "float64", *[rate for rate, _ in found])
    steps = ", ".join(
        f"{count} at {size}²" for (size, _), (_, count) in zip(sizes, found, strict=True)
    )
    if importlib.util.find_spec("torch") is not None:
        import torch

        rates = [trajectories_per_second(size, count, xp=torch)[0] for size, count in sizes]
        threads = torch.get_num_threads()
        table.add(f"torch, CPU, threads: {threads}", "float64", *rates)
        if torch.cuda.is_available():
            name = torch.cuda.get_device_name()
            for dtype in ("float64", "float32"):
                rates = [
                    trajectories_per_second(
                        size, CUDA_BATCH.get(size, 64), xp=torch, device="cuda", dtype=dtype,
                        wait=torch.cuda.synchronize,
                    )[0]
                    for size, _ in sizes
                ]  # fmt: skip
                table.add(f"torch, {name}", dtype, *rates)
        else:
            table.notes.append("No CUDA device was present; its rows are left out.")
    table.notes += [
        f"From the median time of {STEPS} steps of a batch; a trajectory takes {steps} steps "
        "of the default size.",
        f"Batches on the CPU: {', '.join(f'{count} at {size}²' for size, count in sizes)}.",
    ]
    return table
