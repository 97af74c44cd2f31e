"""Sine transforms as preconditioner: smooth coefficients against coefficients that jump.

Strategy ``fast-transform`` preconditions conjugate gradients with S⁻¹ L⁻¹ S⁻¹: L is the
Laplacian, inverted by fast transforms, and S² ≈ a scales it to the coefficient (Concus,
Golub 1973, doi:10.1137/0710092). The number of iterations hardly depends on the grid, but
on how the coefficient varies. Compared with CG + algebraic multigrid (``independent``) for

1. ``darcy2d_lognormal``: a smooth random coefficient,
2. ``darcy2d``: two values, jumps along random lines.

The figure has iterations and time of a sample over the number of cells along an axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from sample_runs import parse, run, show

FAMILIES = ("darcy2d_lognormal", "darcy2d")
STRATEGIES = ("fast-transform", "independent")


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the mean iterations."""
    options = parse(__doc__, arguments, cells=(32, 64, 128), num_samples=64)
    found: dict[str, float] = {}
    rows = {}
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for color, family in zip(("C0", "C1"), FAMILIES, strict=True):
        for line, strategy in zip(("o-", "s--"), STRATEGIES, strict=True):
            iterations, times = [], []
            for cells in options.cells:
                name = f"{family}_{strategy}_{cells}"
                made = run(
                    options.output, name, family, options.num_samples, cells, strategy=strategy
                )
                iterations.append(float(made.column("iterations").mean()))
                times.append(made.milliseconds)
                rows[f"{family}, {cells}², {strategy}"] = (iterations[-1], times[-1])
                found[f"{family}, {cells}, {strategy}"] = iterations[-1]
            for axis, values in ((left, iterations), (right, times)):
                axis.plot(options.cells, values, line, color=color, label=f"{family}, {strategy}")
    left.set(ylabel="iterations, mean", ylim=(0, None))
    right.set(ylabel="ms a sample", ylim=(0, None))
    for axis in (left, right):
        axis.set_xticks(options.cells)
        axis.set(xlabel="cells along an axis")
    left.legend(fontsize="small")
    path = options.output / "fast_transform.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    show(f"{options.num_samples} samples each", ("iterations, mean", "ms"), rows)
    print(f"Figure: {path}")
    return found


if __name__ == "__main__":
    main()
