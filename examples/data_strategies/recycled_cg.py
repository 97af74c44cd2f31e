"""Deflated conjugate gradients: recycling where the matrices are symmetric and positive.

Strategy ``recycled-cg`` keeps 20 approximate eigenvectors of least eigenvalue from system
to system (Saad et al. 2000, doi:10.1137/S1064829598339761), so that those no longer slow the
convergence. Compared with plain CG with the same preconditioner, for ``none`` and ``icc``
(incomplete Cholesky factors). Fewer iterations are not less time: each costs projections,
and the search directions that the next vectors are chosen from are kept orthogonal.

The figure has the iterations along the sequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the iterations."""
    options = parse(__doc__, arguments, family="darcy2d", cells=64, num_samples=64)
    family, count = options.family, options.num_samples
    found, rows = {}, {}
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for axis, preconditioner in zip(axes, ("none", "icc"), strict=True):
        for name, strategy, method in (
            ("recycled", "recycled-cg", {}),
            ("plain", "independent", {"ksp_type": "cg"}),
        ):
            made = run(
                options.output,
                f"{family}_recycled_cg_{preconditioner}_{name}",
                family,
                count,
                options.cells,
                strategy=strategy,
                solver_parameters={**method, "pc_type": preconditioner},
            )
            iterations = made.column("iterations")
            later = float(iterations[1:].mean())
            rows[f"{name}, {preconditioner}"] = (
                float(iterations[0]), later, made.milliseconds,
            )  # fmt: skip
            found[f"{name}, {preconditioner}"] = later
            axis.plot(np.arange(1, count + 1), iterations, ".-", label=f"{name} CG")
        axis.set(xlabel="place in the sequence", ylabel="iterations", ylim=(0, None))
        axis.set_title(f"preconditioner: {preconditioner}")
        axis.legend()
    path = options.output / f"{family}_recycled_cg.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    show(f"{family}, {count} samples: iterations and time", ("first", "later, mean", "ms"), rows)
    print(f"Figure: {path}")
    return found


if __name__ == "__main__":
    main()
