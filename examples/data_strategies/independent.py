"""What keeping objects gives: a new solver for each sample against one for all of them.

No sample helps another here. ``pdesolve.solve`` makes a matrix, its pattern, a solver and a
hierarchy of grids for each problem; strategy ``independent`` keeps the objects, refills the
matrix, and keeps the interpolation of the hierarchy. Same method (CG + algebraic
multigrid), same tolerance, and the file is written besides.

The figure has the time of each sample.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show

from pdesolve import get_family, sample_generator, solve


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve both ways, print, draw; the numbers."""
    options = parse(__doc__, arguments, family="darcy2d", cells=64, num_samples=100)
    family, count = get_family(options.family), options.num_samples
    answers, iterations, seconds = [], [], []
    for index in range(count):
        start = time.perf_counter()
        problem = family.problem(family.sample(sample_generator(0, "train", index)))
        solution = solve(problem, mesh=options.cells)
        seconds.append(time.perf_counter() - start)
        answers.append(solution.field.values)
        iterations.append(solution.result.iterations)
    made = run(options.output, f"{options.family}_independent", options.family, count,
               options.cells)  # fmt: skip
    kept = made.outputs()
    found = {
        "iterations, new objects": float(np.mean(iterations)),
        "iterations, kept": float(made.column("iterations").mean()),
        "ms, new objects": 1e3 * float(np.median(seconds)),
        "ms, kept": 1e3 * float(np.median(made.column("seconds"))),
        "largest difference": float(np.abs(kept - answers).max() / np.abs(kept).max()),
    }
    figure, axis = plt.subplots(figsize=(7, 4), constrained_layout=True)
    numbers = np.arange(count)
    axis.semilogy(numbers, 1e3 * np.array(seconds), ".", label="new objects for each")
    axis.semilogy(numbers, 1e3 * made.column("seconds"), ".", label="kept")
    axis.set(xlabel="sample", ylabel="ms", title=f"{options.family}, {options.cells} cells an axis")
    axis.legend()
    path = options.output / f"{options.family}_independent.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    show(f"{options.family}, {count} samples", ("",), {name: (x,) for name, x in found.items()})
    print(f"Figure: {path}")
    return found


if __name__ == "__main__":
    main()
