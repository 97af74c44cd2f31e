"""First guesses from solved samples: worth something with few parameters only.

Strategy ``neighbors`` sorts the samples and starts each solve from the combination of the last ten
solutions that is best in the energy norm. Its answers lie near a space of few dimensions where the
problem has few parameters, and near none where it has many.

1. ``bump``: the coefficient is a bump of random place and height, three numbers.
2. ``darcy2d``: a random field.

The figure has the iterations along the sequence, with and without.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show

from operators import ParameterSpace, ScalarParameter
from pdesolve import get_family
from pdesolve.problems.darcy import DarcyFamily, DarcyProblem


class BumpFamily(DarcyFamily):
    """−∇·(a ∇u) = 1 with a = 1 + h exp(−|x − c|² / 0.05)."""

    parameters = ParameterSpace(
        (
            ScalarParameter("height", 1.0, 8.0, "1", "h"),
            ScalarParameter("x", 0.2, 0.8, "m", "first coordinate of c"),
            ScalarParameter("y", 0.2, 0.8, "m", "second coordinate of c"),
        )
    )

    def problem(self, parameters: Mapping[str, Any]) -> DarcyProblem:
        """The problem with this bump."""
        h, x, y = (float(parameters[name]) for name in ("height", "x", "y"))

        def coefficient(p: Any) -> Any:
            return 1.0 + h * np.exp(-((p[0] - x) ** 2 + (p[1] - y) ** 2) / 0.05)

        return DarcyProblem(coefficient, 1.0, dimension=2, name=self.name)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the mean iterations after the first ten samples."""
    options = parse(__doc__, arguments, cells=64, num_samples=100)
    found, rows = {}, {}
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    families = (BumpFamily(2, name="bump"), get_family("darcy2d"))
    for axis, family in zip(axes, families, strict=True):
        for strategy in ("neighbors", "independent"):
            made = run(
                options.output,
                f"{family.name}_{strategy}",
                family,
                options.num_samples,
                options.cells,
                strategy=strategy,
                solver_parameters={"pc_type": "icc"},
            )
            iterations = made.column("iterations")
            found[f"{family.name}, {strategy}"] = float(iterations[10:].mean())
            rows[f"{family.name}, {strategy}"] = (
                found[f"{family.name}, {strategy}"], made.milliseconds,
            )  # fmt: skip
            axis.plot(iterations, ".-", label=strategy)
        axis.set(xlabel="place in the sequence", ylabel="iterations", title=family.name)
        axis.set_ylim(0, None)
        axis.legend()
    path = options.output / "neighbors.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    show(f"{options.num_samples} samples: CG with incomplete Cholesky", ("iterations", "ms"), rows)
    print(f"Figure: {path}")
    return found


if __name__ == "__main__":
    main()
