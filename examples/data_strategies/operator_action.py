"""Darcy data without solves: choose the solution, compute the source.

Makes one small data set by solving (f = 1 in every sample) and one by operator action
(Dong et al. 2024, doi:10.48550/arXiv.2402.05957): u combines a few solutions of the
family, f = A u. It then

1. reads the second one back and measures ‖b − A u‖ / ‖b‖ of every sample,
2. prints the time a sample of both,
3. prints how large f is, on the grid and on one twice as fine: where the coefficient
   jumps f is concentrated along lines, and its mean square grows with the resolution,
4. draws the two distributions of f.

Run: ``python examples/data_strategies/operator_action.py --help`` for other sizes.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from pdesolve import DarcyProblem, Field, StructuredGrid, generate, get_family, open_dataset
from pdesolve.data.operator_action import OperatorActionSettings, OperatorActionStrategy

CONSOLE = Console(width=100)
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """What the example can be run with."""

    output: Path = Path("demo-output")
    family: str = "darcy2d"
    cells: int = 32
    num_samples: int = 200
    basis: int = 64
    weights: int = 10


def by_action(sizes: Sizes, cells: int) -> tuple[Path, float]:
    """A data set by operator action; its file and the seconds that it took."""
    family = get_family(sizes.family)
    settings = OperatorActionSettings(sizes.basis, sizes.weights)

    def strategy(grid: StructuredGrid, problem: Any) -> OperatorActionStrategy:
        return OperatorActionStrategy(
            family, grid, problem, seed=0, split="train", settings=settings
        )

    out = sizes.output / f"{sizes.family}_action_{cells}.h5"
    start = time.perf_counter()
    generate(family, sizes.num_samples, shape=cells, out=out, strategy=strategy, overwrite=True)
    return out, time.perf_counter() - start


def by_solving(sizes: Sizes) -> tuple[Path, float]:
    """The same samples of the family itself."""
    out = sizes.output / f"{sizes.family}_solved_{sizes.cells}.h5"
    start = time.perf_counter()
    generate(
        sizes.family, sizes.num_samples, shape=sizes.cells, out=out, estimate_error=False,
        overwrite=True,
    )  # fmt: skip
    return out, time.perf_counter() - start


def residuals(path: Path) -> Array:
    """‖b − A u‖ / ‖b‖ of every stored sample, with A and b made from the stored inputs."""
    found = []
    with open_dataset(path) as data:
        info = data.info
        grid = StructuredGrid(info.shape, info.lower, info.upper)
        inputs, outputs = data.read(range(len(data)))
        for (coefficient, source), (pressure,) in zip(inputs, outputs, strict=True):
            system = DarcyProblem(
                Field(grid, coefficient), Field(grid, source), dimension=grid.dimension
            ).discretize(grid)
            right = system.right_hand_side.ravel()
            rest = right - system.stencil.to_csr() @ pressure.ravel()
            found.append(np.linalg.norm(rest) / np.linalg.norm(right))
    return np.array(found)


def sample_seconds(path: Path) -> float:
    """Median time of a sample, from the log."""
    lines = path.with_name(path.name + ".log.jsonl").read_text().splitlines()
    return float(np.median([json.loads(line)["seconds"] for line in lines]))


def draw(sizes: Sizes, inputs: Array) -> Path:
    """Coefficient and source of one sample, and all values of the source."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), constrained_layout=True)
    coefficient, source = inputs[0]
    largest = np.abs(source).max()
    for axis, values, title, options in (
        (axes[0], coefficient, "coefficient a of sample 0", {"cmap": "cividis"}),
        (axes[1], source, "its source f = A u",
         {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}),
    ):  # fmt: skip
        image = axis.imshow(values.T, origin="lower", extent=(0, 1, 0, 1), **options)
        figure.colorbar(image, ax=axis)
        axis.set(title=title, xlabel="x in m", ylabel="y in m")
    axes[2].hist(inputs[:, 1].ravel(), bins=100, log=True, label="operator action")
    axes[2].axvline(1.0, color="C1", label="the family: f = 1")
    axes[2].set(title="values of f in all samples", xlabel="f in 1/s", ylabel="cells")
    axes[2].legend()
    path = sizes.output / f"{sizes.family}_operator_action.png"
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path


def run(sizes: Sizes) -> dict[str, float]:
    """All steps; the numbers that they end with."""
    sizes.output.mkdir(parents=True, exist_ok=True)
    solved, solved_seconds = by_solving(sizes)
    made, made_seconds = by_action(sizes, sizes.cells)
    finer, _ = by_action(sizes, 2 * sizes.cells)
    with open_dataset(made) as data, open_dataset(finer) as fine:
        inputs, fine_inputs = data.read(range(len(data)))[0], fine.read(range(len(fine)))[0]
    found = {
        "largest residual": float(residuals(made).max()),
        "ms a sample, solved": 1e3 * sample_seconds(solved),
        "ms a sample, operator action": 1e3 * sample_seconds(made),
        "seconds in all, solved": solved_seconds,
        "seconds in all, operator action with its basis": made_seconds,
        "root mean square of f": float(np.sqrt(np.mean(inputs[:, 1] ** 2))),
        "the same, cells half as wide": float(np.sqrt(np.mean(fine_inputs[:, 1] ** 2))),
        "largest |f|": float(np.abs(inputs[:, 1]).max()),
        "largest |f|, cells half as wide": float(np.abs(fine_inputs[:, 1]).max()),
    }
    table = Table(
        title=f"{sizes.family}, {sizes.num_samples} samples on {sizes.cells}² cells",
        title_justify="left",
    )
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in found.items():
        table.add_row(name, f"{value:.3g}")
    CONSOLE.print(table)
    CONSOLE.print("The family's own source is f = 1 everywhere.")
    CONSOLE.print(f"Figure: {draw(sizes, inputs)}   Card: {made}.md")
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for item in fields(Sizes):
        kind = type(item.default)
        name = item.name.replace("_", "-")
        choices = ("darcy2d", "darcy2d_lognormal") if item.name == "family" else None
        convert = Path if isinstance(item.default, Path) else kind
        parser.add_argument(f"--{name}", type=convert, default=item.default, choices=choices)
    run(Sizes(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
