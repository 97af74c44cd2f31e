"""Many grids at once: strategy ``batched`` against CG + algebraic multigrid one by one.

Conjugate gradients with multigrid on stacked arrays, in float32 with residuals in float64,
to the same relative residual of 1e-8. On one core it is array operations in place of PETSc's
compiled loops; on a GPU the same program solves thousands of systems side by side. The time
is that of ``generate`` for the whole set, file and drawing of the coefficients included.

The figure has samples a second over the number of cells along an axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show

STRATEGIES = ("batched", "independent")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the largest difference, iterations and rates."""
    options = parse(__doc__, arguments, family="darcy2d", cells=(32, 64, 128), num_samples=128)
    family, count = options.family, options.num_samples
    found, rows = {"largest difference": 0.0}, {}
    rates: dict[str, list[float]] = {name: [] for name in STRATEGIES}
    run(options.output, "warm_up", family, 2, options.cells[0], strategy="batched")
    for cells in options.cells:
        runs = {
            name: run(options.output, f"{family}_{cells}_{name}", family, count, cells,
                      strategy=name)
            for name in STRATEGIES
        }  # fmt: skip
        for name, made in runs.items():
            rates[name].append(count / made.seconds)
        answers, reference = (runs[name].outputs() for name in STRATEGIES)
        difference = float(np.abs(answers - reference).max() / np.abs(reference).max())
        iterations = float(runs["batched"].column("iterations").mean())
        found["largest difference"] = max(found["largest difference"], difference)
        found[f"iterations, {cells}"] = iterations
        rows[f"{cells}²"] = (rates["batched"][-1], rates["independent"][-1], iterations, difference)
    figure, axis = plt.subplots(figsize=(6, 4), constrained_layout=True)
    for name, values in rates.items():
        axis.plot(options.cells, values, "o-", label=name)
    axis.set_xticks(options.cells)
    axis.set(xlabel="cells along an axis", ylabel="samples a second", ylim=(0, None))
    axis.set_title(f"{family}, {count} samples")
    axis.legend()
    path = options.output / f"{family}_batched.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    columns = ("batched, 1/s", "independent, 1/s", "iterations, batched", "largest difference")
    show(f"{family}, {count} samples", columns, rows)
    print(f"Figure: {path}")
    return found


if __name__ == "__main__":
    main()
