"""Classical solvers with kept objects: factors, incomplete factors, two kinds of multigrid.

These are the strategies ``direct``, ``incomplete-factors``, ``multigrid`` and
``algebraic-multigrid``. Samples of log-normal Darcy flow have nothing in common but the grid.
What can be kept from one to the next is the matrix with its pattern, the symbolic part of a
factorisation, and the coarse grids of multigrid. On finer and finer grids

1. iterations of both multigrid methods grow by a few,
2. those of incomplete Cholesky double when cells are halved, each of them cheap,
3. a factorisation needs none, and is the dearest of these.

For this family algebraic multigrid is what ``independent`` does; where it is not,
``algebraic-multigrid`` names it. The figure has iterations and the time of a sample over the
number of cells along an axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import Run, parse, run, show

STRATEGIES = {
    "multigrid": "multigrid",
    "algebraic multigrid": "independent",
    "incomplete factors": "incomplete-factors",
    "direct": "direct",
}


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; iterations and the largest difference of the answers."""
    options = parse(
        __doc__, arguments, family="darcy2d_lognormal", cells=(32, 64, 128, 256), num_samples=20
    )
    found: dict[str, float] = {"largest difference": 0.0}
    rows: dict[str, tuple[str, ...]] = {}
    series: dict[str, list[tuple[float, float]]] = {name: [] for name in STRATEGIES}
    for cells in options.cells:
        runs: dict[str, Run] = {}
        for label, name in STRATEGIES.items():
            file = f"{options.family}_{cells}_{name}"
            runs[label] = run(
                options.output, file, options.family, options.num_samples, cells, strategy=name
            )
            iterations = float(runs[label].column("iterations").mean())
            found[f"{label}, {cells}"] = iterations
            series[label].append((iterations, runs[label].milliseconds))
        exact = runs["direct"].outputs()
        apart = max(np.abs(one.outputs() - exact).max() for one in runs.values())
        relative = float(apart / np.abs(exact).max())
        found["largest difference"] = max(found["largest difference"], relative)
        last = (values[-1] for values in series.values())
        rows[f"{cells}²"] = tuple(f"{iterations:.3g}; {time:.3g}" for iterations, time in last)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), constrained_layout=True)
    for axis, number, what in zip(axes, (0, 1), ("iterations", "ms a sample"), strict=True):
        for label, values in series.items():
            axis.loglog(options.cells, [value[number] for value in values], "o-", label=label)
        axis.set_xticks(options.cells, [str(cells) for cells in options.cells])
        axis.minorticks_off()
        axis.set(xlabel="cells along an axis", ylabel=what)
    axes[1].legend()
    figure.suptitle(f"{options.family}, 1e-8")
    path = options.output / f"{options.family}_classical.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    title = f"{options.family}: mean iterations; median ms a sample"
    show(title, tuple(STRATEGIES), rows)
    print(f"Largest difference to the factorisation: {found['largest difference']:.1e}. {path}")
    return found


if __name__ == "__main__":
    main()
