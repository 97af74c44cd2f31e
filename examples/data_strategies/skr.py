"""Sorting and recycling: what GCRO-DR saves when samples follow each other sorted or as drawn.

Every sample's system gets the 20 approximate eigenvectors that the one before it left
(GCRO-DR, Parks et al. 2006, doi:10.1137/040607277; with sorting, Wang et al. 2024,
"Accelerating data generation for neural operators via Krylov subspace recycling").
Three data sets with the same answers, one preconditioner (incomplete factors), one tolerance:

1. strategy ``skr`` with its sorting,
2. ``skr`` in the order of the samples' numbers,
3. GMRES(40), which nothing is handed to: GCRO-DR with no vectors to keep.

The figure has the iterations along the sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show

CASES = {
    "sorted": {"strategy": "skr"},
    "as drawn": {"strategy": "skr", "order": "index"},
    "GMRES(40)": {
        "strategy": "independent",
        "solver_parameters": {"ksp_type": "gmres", "ksp_gmres_restart": 40,
                              "ksp_pc_side": "right", "pc_type": "ilu"},
    },
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the iterations."""
    options = parse(__doc__, arguments, family="darcy2d", cells=64, num_samples=64)
    family, count = options.family, options.num_samples
    runs = {
        name: run(options.output, f"{family}_skr_{number}", family, count, options.cells, **given)
        for number, (name, given) in enumerate(CASES.items())
    }
    found, rows = {}, {}
    figure, axis = plt.subplots(figsize=(7, 4), constrained_layout=True)
    for name, made in runs.items():
        iterations = made.column("iterations")
        first, later = float(iterations[0]), float(iterations[1:].mean())
        rows[name] = (first, later, made.milliseconds)
        found |= {f"first, {name}": first, f"later, {name}": later}
        axis.plot(np.arange(1, count + 1), iterations, ".-", label=name)
    answers = runs["GMRES(40)"].outputs()
    found["largest difference"] = float(
        np.abs(runs["sorted"].outputs() - answers).max() / np.abs(answers).max()
    )
    axis.set(xlabel="place in the sequence", ylabel="iterations", ylim=(0, None))
    axis.set_title(f"{family}, {options.cells} cells an axis, relative residual 1e-8")
    axis.legend()
    path = options.output / f"{family}_skr.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    show(f"{family}, {count} samples: iterations and time", ("first", "later, mean", "ms"), rows)
    print(f"Largest difference of the answers: {found['largest difference']:.1e}. Figure: {path}")
    return found


if __name__ == "__main__":
    main()
