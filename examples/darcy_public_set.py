"""Solve a Darcy data set that other people made, and see how close its pressures are.

The files ``darcy_train_16.pt`` and ``darcy_test_16.pt`` (neuraloperator project, MIT
licence) hold masks ``x`` and pressures ``y`` of shape (N, 16, 16) and no more: neither the
two values of the coefficient nor the source, nor the finer grid they were computed on. Up
to a factor the pressure depends on the contrast of the two values alone, so this script

1. fits contrast and factor on training samples,
2. solves for the test masks, each mask value filling the square around its point, and
   reports the relative L2 distance to the file's pressures,
3. repeats step 2 with problems of our own whose fine coefficient is known, to show how
   much of that distance comes from knowing the coefficient at 16 × 16 points only.

Run: ``python examples/darcy_public_set.py --folder DIR`` (or set PDESOLVE_EXTERNAL_DATA).
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pdesolve import DarcyFamily, DarcyProblem, StructuredGrid, sample_generator, solve

POINTS = np.arange(16) / 16 + 0.5 / 512  # every 32nd of 512 cell centres
CONTRASTS = (12.0, 15.0, 17.0, 18.0, 19.0, 20.0, 21.0, 23.0, 26.0)

Array = npt.NDArray[np.float64]


def load(folder: Path, split: str) -> tuple[npt.NDArray[np.bool_], Array]:
    """Masks and pressures of one of the files, shape (N, 16, 16) each."""
    import torch

    content = torch.load(folder / f"darcy_{split}_16.pt", weights_only=True)
    return content["x"].numpy().astype(bool), content["y"].numpy().astype(np.float64)


def blocks(mask: npt.NDArray[np.bool_], contrast: float) -> DarcyProblem:
    """The problem whose coefficient is `contrast` or 1 in the square around each point."""

    def coefficient(x: Array) -> Array:
        index = np.clip(np.rint((x - POINTS[0]) * 16).astype(int), 0, 15)
        return np.where(mask[index[0], index[1]], contrast, 1.0)

    return DarcyProblem(coefficient, dimension=2)


def pressures(masks: npt.NDArray[np.bool_], contrast: float, cells: int) -> Array:
    """Pressures at the 16 × 16 points for each mask."""
    x, y = np.meshgrid(POINTS, POINTS, indexing="ij")
    where = np.stack([x.ravel(), y.ravel()], axis=1)
    return np.stack(
        [
            solve(blocks(mask, contrast), mesh=cells).field.evaluate(where).reshape(16, 16)
            for mask in masks
        ]
    )


def relative_errors(computed: Array, given: Array) -> Array:
    """Relative L2 distance of each sample."""
    distance: Array = np.linalg.norm((computed - given).reshape(len(given), -1), axis=1)
    return distance / np.linalg.norm(given.reshape(len(given), -1), axis=1)


def fit(masks: npt.NDArray[np.bool_], given: Array, cells: int) -> tuple[float, float]:
    """Contrast and factor with the smallest mean relative distance."""
    best = (np.inf, 0.0, 0.0)
    for contrast in CONTRASTS:
        computed = pressures(masks, contrast, cells)
        factor = float(np.sum(computed * given) / np.sum(computed**2))
        error = float(relative_errors(factor * computed, given).mean())
        best = min(best, (error, contrast, factor))
    return best[1], best[2]


def subsampling_error(contrast: float, num_samples: int, cells: int) -> float:
    """Mean distance made by knowing a two-valued coefficient at 16 × 16 points only."""
    family = DarcyFamily(2, above=contrast, below=1.0)
    grid = StructuredGrid((cells, cells))
    x, y = np.meshgrid(POINTS, POINTS, indexing="ij")
    where = np.stack([x.ravel(), y.ravel()], axis=1)
    fine, coarse = [], []
    for index in range(num_samples):
        problem = family.problem(family.sample(sample_generator(0, "test", index)))
        mask = problem.scalar_coefficient.evaluate(where).reshape(16, 16) > 1.0
        fine.append(solve(problem, mesh=grid).field.evaluate(where).reshape(16, 16))
        coarse.append(solve(blocks(mask, contrast), mesh=grid).field.evaluate(where))
    reference = np.array(fine)
    return float(relative_errors(np.array(coarse).reshape(reference.shape), reference).mean())


def run(folder: Path, *, num_fit: int = 50, cells: int = 128) -> dict[str, float]:
    """Fit, compare, and measure the effect of subsampling."""
    train_masks, train_pressures = load(folder, "train")
    contrast, factor = fit(train_masks[:num_fit], train_pressures[:num_fit], cells)
    masks, given = load(folder, "test")
    errors = relative_errors(factor * pressures(masks, contrast, cells), given)
    return {
        "contrast": contrast,
        "factor": factor,
        "mean relative L2 distance": float(errors.mean()),
        "median": float(np.median(errors)),
        "largest": float(errors.max()),
        "distance by subsampling alone": subsampling_error(contrast, len(masks), cells),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=os.environ.get("PDESOLVE_EXTERNAL_DATA"))
    parser.add_argument("--num-fit", type=int, default=50)
    parser.add_argument("--cells", type=int, default=128)
    options = parser.parse_args()
    if options.folder is None:
        parser.error("name the folder of the .pt files with --folder or PDESOLVE_EXTERNAL_DATA")
    for name, value in run(
        Path(options.folder), num_fit=options.num_fit, cells=options.cells
    ).items():
        print(f"{name:32} {value:.4g}")


if __name__ == "__main__":
    main()
