"""A preconditioner kept while the operator stays close: where that pays, and where it does not.

Lagging sorts the samples and keeps the preconditioner of an earlier matrix, scaled to the
present one, until a rule finds it too far away:

1. ``Strip``, written here, whose smooth coefficient has one parameter; strategy ``lag``,
2. ``darcy2d`` with the same: the coefficient jumps along random lines, no two are alike,
3. ``darcy2d`` with a rule of one's own that keeps nothing unless the matrices are close.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show

from operators import ParameterSpace, ScalarParameter
from pdesolve import DarcyProblem, ProblemFamily, StructuredGrid, get_family
from pdesolve.data.sequences import SequenceSettings, SequenceStrategy
from pdesolve.sequences._petsc_sources import StencilSource
from pdesolve.sequences.lagging import LagSettings


class Strip(ProblemFamily):
    """−∇·(a ∇u) = 1, a = exp(s sin(2πx) sin(πy)) with a random strength s."""

    name, dimension, default_shape, backends = "strip", 2, (64, 64), ("grid",)
    inputs, outputs = ("coefficient",), ("pressure",)
    units: Mapping[str, str] = {"coefficient": "1", "pressure": "m^2", "length": "m"}
    equation = "-div(a grad u) = 1 on the unit square, u = 0 on its sides"
    parameters = ParameterSpace((ScalarParameter("strength", -3.0, 3.0),))

    def problem(self, parameters: Mapping[str, Any]) -> DarcyProblem:
        """The problem of drawn parameters."""
        s = parameters["strength"]
        return DarcyProblem(lambda x: np.exp(s * np.sin(2 * np.pi * x[0]) * np.sin(np.pi * x[1])))


def strict(grid: StructuredGrid, problem: Any) -> SequenceStrategy:
    """Multigrid is kept for coefficients within a factor of e² after scaling."""
    settings = SequenceSettings("strict", "two-opt", lag=LagSettings(closest=2.0))
    return SequenceStrategy(StencilSource(grid, problem), grid, 1e-8, settings)


DARCY = get_family("darcy2d")
CASES = {"strip": (Strip(), "lag"), "darcy2d": (DARCY, "lag"), "darcy2d, strict": (DARCY, strict)}


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the fractions of samples with a fresh preconditioner."""
    options = parse(__doc__, arguments, cells=64, num_samples=128)
    sizes = (options.num_samples, options.cells)
    found, rows = {}, {}
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), constrained_layout=True)
    for axis, (name, (family, strategy)) in zip(axes, CASES.items(), strict=True):
        made = run(
            options.output, "lag_" + name.replace(", ", "_"), family, *sizes, strategy=strategy
        )
        fresh = run(options.output, f"{family.name}_not_lagged", family, *sizes)
        treatment = np.array([entry["preconditioner"] for entry in made.log])
        iterations, places = made.column("iterations"), np.arange(sizes[0])
        for kind, color in {"fresh": "C3", "repeated": "C1", "kept": "C0"}.items():
            axis.bar(places, iterations * (treatment == kind), 0.9, color=color, label=kind)
        found[f"fresh, {name}"] = share = float(np.mean(treatment != "kept"))
        means = (float(item.column("iterations").mean()) for item in (made, fresh))
        rows[name] = (share, *means, made.milliseconds, fresh.milliseconds)
        axis.set(title=f"{name}: {share:.0%} fresh", ylabel="iterations", xlabel="place in order")
        axis.set_ylim(0, 1.25 * iterations.max())
        axis.legend(loc="upper right", ncols=3)
    figure.savefig(options.output / "lag.png", dpi=100)
    plt.close(figure)
    columns = ("fresh", "iterations", "without lagging", "ms", "without lagging")
    show(f"{sizes[0]} samples on {sizes[1]}² cells", columns, rows)
    print(f"Figure: {options.output / 'lag.png'}")
    return found


if __name__ == "__main__":
    main()
