"""Draw accuracy against the cost of training: ``python -m benchmarks.operators.comparison_figure``.

From ``benchmarks/results/operators/comparison.json`` to ``docs/figures/comparison.png``.
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "benchmarks" / "results" / "operators" / "comparison.json"
TARGET = ROOT / "docs" / "figures" / "comparison.png"


def draw(source: Path = SOURCE, target: Path = TARGET) -> None:
    """One point a model, with the standard deviation over seeds as a bar."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    found = json.loads(source.read_text())
    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    for number, (label, parameters, _, seconds, error, spread, _) in enumerate(found["rows"]):
        axes.errorbar(seconds, error, yerr=spread, fmt="o", capsize=3, color=f"C{number}")
        # to the right, unless the next point is there
        crowded = any(
            1 < row[3] / seconds < 2.5 and 0.9 < row[4] / error < 1.1 for row in found["rows"]
        )
        axes.annotate(
            f"{label}\n{parameters} parameters",
            (seconds, error),
            xytext=(-7, 0) if crowded else (7, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
            ha="right" if crowded else "left",
        )
    axes.set(xscale="log", yscale="log", xlabel="training, s", ylabel="relative L2 error, %")
    axes.set_title(found["title"], fontsize=9)
    axes.margins(x=0.25)
    axes.grid(which="both", alpha=0.3)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=130)
    plt.close(figure)


if __name__ == "__main__":
    draw()
