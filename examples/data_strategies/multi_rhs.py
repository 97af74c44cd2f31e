"""One factorisation for all samples: strategy ``multi-rhs`` where the operator repeats.

In ``poisson2d`` only the right-hand side is drawn. The strategy recognises samples with one
operator by a digest of its coefficients, factorises once, and solves 32
right-hand sides by each pair of triangular solves. Compared with

1. ``independent``, which solves each by conjugate gradients with algebraic multigrid,
2. ``direct``, which goes through the samples one by one with kept factors.

The figure has the time of a sample over the number of cells along an axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import Run, parse, run, show

STRATEGIES = ("multi-rhs", "direct", "independent")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; groups and times."""
    options = parse(__doc__, arguments, family="poisson2d", cells=(32, 64, 128), num_samples=128)
    found: dict[str, float] = {}
    rows: dict[str, tuple[float, ...]] = {}
    times: dict[str, list[float]] = {name: [] for name in STRATEGIES}
    for cells in options.cells:
        runs: dict[str, Run] = {}
        for name in STRATEGIES:
            file = f"{options.family}_{cells}_{name}"
            runs[name] = run(
                options.output, file, options.family, options.num_samples, cells, strategy=name
            )
            # from the log of all samples: a block's time is shared out among them
            times[name].append(1e3 * float(runs[name].column("seconds").mean()))
        answers = runs["independent"].outputs()
        difference = np.abs(runs["multi-rhs"].outputs() - answers).max() / np.abs(answers).max()
        found["largest difference"] = max(found.get("largest difference", 0), float(difference))
        # right-hand sides of a block by sample: each block counts as one
        blocks = (1 / runs["multi-rhs"].column("right_hand_sides")).sum()
        found[f"blocks, {cells}"] = float(blocks)
        rows[f"{cells}²"] = tuple(times[name][-1] for name in STRATEGIES)
    figure, axis = plt.subplots(figsize=(6, 4), constrained_layout=True)
    for name, values in times.items():
        axis.plot(options.cells, values, "o-", label=name)
    axis.set_xticks(options.cells)
    axis.set(xlabel="cells along an axis", ylabel="ms a sample", ylim=(0, None))
    axis.set_title(f"{options.family}, {options.num_samples} samples of one operator")
    axis.legend()
    path = options.output / f"{options.family}_multi_rhs.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    show(f"{options.family}: ms a sample", STRATEGIES, rows)
    print(f"Largest difference of the answers: {found['largest difference']:.1e}. Figure: {path}")
    return found


if __name__ == "__main__":
    main()
