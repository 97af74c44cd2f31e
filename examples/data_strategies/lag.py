"""A preconditioner kept while the operator stays close: where that pays, and where it does not.

Strategy ``lag`` sorts the samples and keeps the preconditioner of an earlier matrix, scaled
to the present one. A rule looks at the ratio of the matrices and at the iterations, and makes
a fresh one when the old one is too far away. Three cases:

1. ``Strip``, written here: a smooth coefficient with one scalar parameter,
2. ``darcy2d``: the coefficient jumps along random lines, and no two samples are alike,
3. ``Strip`` with the strategy's default, Cholesky factors: fresh ones need one iteration,
   and the rule does not accept many more with kept ones.

Kept or fresh is in the data set's log, one JSON object a line, under ``preconditioner``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sample_runs import parse, run, show

from operators import ParameterSpace, ScalarParameter
from pdesolve import DarcyProblem, ProblemFamily, get_family


class Strip(ProblemFamily):
    """−∇·(a ∇u) = 1, a = exp(s sin(2πx) sin(πy)) with a random strength s."""

    name, dimension, default_shape, backends = "strip", 2, (64, 64), ("grid",)
    inputs, outputs = ("coefficient",), ("pressure",)
    units: Mapping[str, str] = {"coefficient": "1", "pressure": "m^2", "length": "m"}
    equation = "-div(a grad u) = 1 on the unit square, u = 0 on its sides"
    parameters = ParameterSpace((ScalarParameter("strength", -3.0, 3.0),))

    def problem(self, parameters: Mapping[str, Any]) -> DarcyProblem:
        """The problem of drawn parameters."""
        s = float(parameters["strength"])
        return DarcyProblem(lambda x: np.exp(s * np.sin(2 * np.pi * x[0]) * np.sin(np.pi * x[1])))


CASES = ((Strip(), "gamg"), (get_family("darcy2d"), "gamg"), (Strip(), "cholesky"))
COLORS = {"fresh": "C3", "repeated": "C1", "kept": "C0"}


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Solve, print, draw; the fractions of samples with a fresh preconditioner."""
    options = parse(__doc__, arguments, cells=64, num_samples=128)
    sizes = (options.num_samples, options.cells)
    found, rows = {}, {}
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), constrained_layout=True)
    for axis, (family, preconditioner) in zip(axes, CASES, strict=True):
        name = f"{family.name}, {preconditioner}"
        file, given = f"lag_{family.name}_{preconditioner}", {"pc_type": preconditioner}
        made = run(options.output, file, family, *sizes, strategy="lag", solver_parameters=given)
        usual = {"gamg": "independent", "cholesky": "direct"}[preconditioner]
        fresh = run(options.output, f"{file}_without", family, *sizes, strategy=usual)
        treatment = np.array([entry["preconditioner"] for entry in made.log])
        iterations, places = made.column("iterations"), np.arange(1, len(treatment) + 1)
        for kind in sorted(set(treatment)):
            chosen = treatment == kind
            axis.bar(places[chosen], iterations[chosen], 0.9, color=COLORS[kind], label=kind)
        share = float(np.mean(treatment != "kept"))
        means = [float(item.column("iterations").mean()) for item in (made, fresh)]
        rows[name] = (share, means[0], made.milliseconds, means[1], fresh.milliseconds)
        found[f"fresh, {name}"] = share
        axis.set(title=f"{name}: {share:.0%} fresh", ylabel="iterations")
        axis.set(xlabel="place in the sequence", ylim=(0, 1.25 * iterations.max()))
        axis.legend(loc="upper right", ncols=3)
    figure.savefig(options.output / "lag.png", dpi=100)
    plt.close(figure)
    columns = ("fresh", "iterations", "ms", "iterations without", "ms without")
    show(f"{sizes[0]} samples on {sizes[1]}² cells, with and without lagging", columns, rows)
    print(f"Figure: {options.output / 'lag.png'}")
    return found


if __name__ == "__main__":
    main()
