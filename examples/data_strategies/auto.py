"""Which strategy ``auto`` takes, and why: three families, three answers to what repeats.

``strategy="auto"`` solves a few neighbouring samples with one strategy after another, adds up
what the whole set would take, and uses the fastest. It stops when trials have cost a few per
cent of the best, so that large sets see more of them. Strategies that make data of another
distribution are never taken. The choice depends on the machine; the answers agree to the
tolerance whichever it is.

1. ``poisson2d``: the operator is the same for all samples,
2. ``darcy2d_lognormal``: it differs, its coefficient is smooth,
3. ``convection_diffusion2d``: it differs and is not symmetric.

The figure has what the whole set would take, by the trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from sample_runs import parse, run, show

from pdesolve.data.pilot import Choice

FAMILIES = ("poisson2d", "darcy2d_lognormal", "convection_diffusion2d")


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Generate, print, draw; the names of the strategies that were taken."""
    options = parse(__doc__, arguments, cells=64, num_samples=400)
    choices: dict[str, Choice] = {}
    for family in FAMILIES:
        reported: list[Choice] = []
        run(
            options.output, f"{family}_auto", family, options.num_samples, options.cells,
            strategy="auto", report=reported.append,
        )  # fmt: skip
        choices[family] = reported[0]
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.4), constrained_layout=True)
    for axis, (family, choice) in zip(axes, choices.items(), strict=True):
        trials = [trial for trial in choice.trials[::-1] if trial.total < float("inf")]
        colors = ["C1" if trial.name == choice.name else "C0" for trial in trials]
        axis.barh([trial.name for trial in trials], [trial.total for trial in trials],
                  color=colors)  # fmt: skip
        axis.set(title=f"{family}\n{choice.name}", xlabel="s for all samples, predicted")
    path = options.output / "auto.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    rows = {family: (choice.name, choice.reason) for family, choice in choices.items()}
    show(f"{options.num_samples} samples on {options.cells}²", ("taken", "why"), rows)
    print(f"Figure: {path}")
    found: dict[str, Any] = {family: choice.name for family, choice in choices.items()}
    for family, choice in choices.items():
        found[f"tried, {family}"] = [trial.name for trial in choice.trials]
    return found


if __name__ == "__main__":
    main()
