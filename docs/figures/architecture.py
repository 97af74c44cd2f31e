"""Draw docs/figures/architecture.svg: packages, what they hold, and who imports whom."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

PACKAGES = (
    ("meshes", "#dbe9f6", "StructuredGrid\nUnstructuredMesh\nField", "numpy  scipy  meshio"),
    (
        "operators",
        "#d9f0e3",
        "LinearOperator, Stencil\nrandom fields, parameters\nSolveResult, failures",
        "numpy  scipy  array API",
    ),
    (
        "pdesolve",
        "#fdf0d0",
        "Problem, ProblemFamily, solve\ngrid | fem backends\ngenerate, data files, command line",
        "h5py  (PETSc)  (Firedrake)",
    ),
    (
        "neural",
        "#f7dede",
        "FNO, SurrogateModule\nSurrogate, evaluate\ninitial guesses",
        "torch  pytorch-lightning",
    ),
)


def draw(path: Path) -> None:
    """Write the picture."""
    figure = Figure(figsize=(11, 4.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, 11)
    axes.set_ylim(0, 4.2)
    axes.axis("off")
    for index, (name, colour, holds, needs) in enumerate(PACKAGES):
        left = 0.2 + 2.72 * index
        axes.add_patch(
            FancyBboxPatch(
                (left, 1.5), 2.3, 2.1, boxstyle="round,pad=0.05", facecolor=colour, edgecolor="#444"
            )
        )
        axes.text(left + 1.15, 3.3, name, ha="center", va="center", weight="bold", size=13)
        axes.text(left + 1.15, 2.55, holds, ha="center", va="center", size=8.5)
        axes.text(left + 1.15, 1.72, needs, ha="center", va="center", size=8, style="italic")
        if index:
            axes.add_patch(
                FancyArrowPatch(
                    (left - 0.07, 2.55), (left - 0.35, 2.55), arrowstyle="-|>", mutation_scale=14
                )
            )
    axes.add_patch(
        FancyArrowPatch(
            (6.8, 1.42), (9.6, 1.42), arrowstyle="-|>", linestyle="--", mutation_scale=14,
            connectionstyle="arc3,rad=0.35",
        )
    )  # fmt: skip
    axes.text(8.2, 0.62, "by name, inside train, evaluate,\npredict and solve --accelerate",
              ha="center", size=8.5)  # fmt: skip
    axes.text(0.2, 0.75, "solid: imports      dashed: loaded by name when asked for\n"
              "in brackets: only in files named _petsc*.py and _firedrake*.py",
              size=8.5)  # fmt: skip
    figure.savefig(path)


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".svg"))
