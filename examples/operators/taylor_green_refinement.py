"""A wrong trajectory corrected by its equation alone: Taylor–Green vortices.

Frames of decaying vortices are perturbed by an error that grows in time. The residual
that they leave, in a dual norm, is an estimate of the error which needs no solution; its
minimisation over the Fourier modes of all frames takes the error with it (Cao, Brarda, Li,
Xi 2025, doi:10.48550/arXiv.2405.17211). The figure has both along the way.

Run: ``python examples/operators/taylor_green_refinement.py --help`` for other sizes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from neural.refinement import (
    FourierCorrection,
    RefinementSettings,
    ResidualEstimator,
    SpaceTimeResidual,
    refine,
)
from pdesolve import get_family

KNOWN = 3


def perturbed_vortices(
    cells: int, num_times: int, size: float
) -> tuple[ResidualEstimator, torch.Tensor, torch.Tensor]:
    """The estimator, exact frames after the known ones, and wrong ones."""
    family = get_family("taylor_green2d", num_times=num_times)
    values = {"amplitude": 1.0, "viscosity": 0.05, "shift_x": 0.3, "shift_y": 0.1}
    problem = family.problem(values)
    grid = problem.grid(cells)
    x, y = grid.points()
    exact = np.stack([family.vorticity(values, t)(grid.points())[None] for t in problem.times])
    times = np.array(problem.times)
    growth = np.maximum(times - times[KNOWN - 1], 0.0)[:, None, None, None]
    wrong = exact + size * growth * (np.sin(x) * np.cos(2 * y) + 0.5 * np.cos(3 * x + y))
    frames = torch.as_tensor(exact)
    residual = SpaceTimeResidual(problem, grid, problem.times, frames[:KNOWN])
    return ResidualEstimator(residual), frames[KNOWN:], torch.as_tensor(wrong)[KNOWN:]


def main(arguments: Sequence[str] | None = None) -> dict[str, list[float]]:
    """Correct, print, draw; estimates, errors and effectivities along the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("refinement-output"))
    parser.add_argument("--cells", type=int, default=32)
    parser.add_argument("--num-times", type=int, default=11)
    parser.add_argument("--size", type=float, default=0.3, help="of the perturbation")
    parser.add_argument("--steps", type=int, default=6)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    estimator, exact, frames = perturbed_vortices(options.cells, options.num_times, options.size)
    correction = FourierCorrection(frames, estimator)
    found: dict[str, list[float]] = {
        name: [] for name in ("estimate", "energy error", "relative L2 error", "effectivity")
    }
    rows = Table(title=f"Taylor–Green vortices on {options.cells}², {len(exact)} frames")
    for column in ("step", *found):
        rows.add_column(column, justify="right")
    settings = RefinementSettings(method="lbfgs", num_steps=1)
    for step in range(options.steps + 1):
        if step:
            frames = refine(correction, estimator, settings).frames
        errors = estimator.errors(frames, exact)
        values = (
            float(estimator(frames)),
            errors.energy,
            errors.relative_l2,
            errors.effectivity,
        )
        for name, value in zip(found, values, strict=True):
            found[name].append(value)
        rows.add_row(str(step), *(f"{value:.3g}" for value in values))
    Console(width=100).print(rows)
    path = options.output / "taylor_green_refinement.png"
    draw(found, path)
    print(f"Figure: {path}")
    return found


def draw(found: dict[str, list[float]], path: Path) -> None:
    """Estimate and error over the steps."""
    figure, axes = plt.subplots(figsize=(6, 4), constrained_layout=True)
    for name in ("estimate", "energy error", "relative L2 error"):
        axes.semilogy(found[name], "o-", label=name)
    axes.set(xlabel="step of the minimisation", ylabel="size")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
