"""What sorting the systems is worth to recycling: the published ablation and more."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.data import released_matrices as matrices
from benchmarks.data.krylov_sequences import SKR, greedy_order, solve_sequence
from benchmarks.table import Table

# Wang et al. (2024), table 2: SOR, their size 10000, 1e-8, (sorted, unsorted)
PUBLISHED = (183.9, 202.5)


def sor(blocks: int) -> Mapping[str, Any]:
    """SOR as on that many processes."""
    return {"pc_type": "bjacobi", "pc_bjacobi_blocks": blocks, "sub_pc_type": "sor"}


CASES: tuple[tuple[str, int, str, Mapping[str, Any], float], ...] = (
    ("as released", 2500, "none", {"pc_type": "none"}, 1e-5),
    ("as released", 2500, "Jacobi", {"pc_type": "jacobi"}, 1e-5),
    ("as released", 10_000, "SOR, 72 blocks", sor(72), 1e-8),
    ("as released", 10_000, "SOR, 10 blocks", sor(10), 1e-8),
    ("as released", 10_000, "SOR, one block", {"pc_type": "sor"}, 1e-8),
    ("conservative Darcy", 2500, "none", {"pc_type": "none"}, 1e-5),
    ("conservative Darcy", 10_000, "SOR, one block", {"pc_type": "sor"}, 1e-8),
)


def run(number: int = 40, pool: int = 10_000, seed: int = 0) -> Table:
    """SKR on systems as drawn and sorted, and on the start of a path through a larger pool."""
    table = Table(
        "skr_sorting",
        f"SKR on {number} systems in several orders: mean iterations after the first system",
        (
            "matrix",
            "unknowns",
            "preconditioner",
            "rtol",
            "as drawn",
            "sorted",
            "saved",
            "other systems, shuffled",
            f"the same, first {number} of a path through {pool}",
            "saved ",
        ),
    )
    chosen = {}
    for label in sorted({case[1] for case in CASES}):
        # single precision for the distances: the pool would take 800 MB in double
        many = np.stack([K.astype(np.float32) for K in islice(matrices.draws(label, seed), pool)])
        K = matrices.coefficients(number, label, seed)
        path = path_start(many, number)
        best = many[path].astype(float)
        shuffled = np.random.default_rng(seed).permutation(best)
        sequences = (K, K[greedy_order(K)], shuffled, best)
        chosen[label] = sequences
        steps = [np.linalg.norm(np.diff(item, axis=0), axis=(1, 2)).mean() for item in sequences]
        table.notes.append(
            f"Mean distance ‖K - K'‖ of neighbours, {label} nodes: {steps[0]:.1f} as drawn, "
            f"{steps[1]:.1f} sorted; {steps[3]:.1f} at the start of the path through {pool}, "
            f"{steps[2]:.1f} for the same systems shuffled."
        )
    for kind, label, name, options, rtol in CASES:
        build = matrices.released_darcy if kind == "as released" else matrices.conservative_darcy
        right = matrices.right_hand_side(chosen[label][0][0])
        drawn, ordered, mixed, first = (
            solve_sequence([(build(K), right) for K in item], SKR, options, rtol=rtol).mean(after=1)
            for item in chosen[label]
        )
        saved = [
            f"{1 - after / before:.1%}" for before, after in ((drawn, ordered), (mixed, first))
        ]
        row = (kind, len(right), name, f"{rtol:.0e}", drawn, ordered, saved[0], mixed, first)
        table.add(*row, saved[1])
    table.notes.append(
        f"Published (SOR, size 10000, 1e-8): {PUBLISHED[0]} sorted, {PUBLISHED[1]} unsorted, "
        f"{1 - PUBLISHED[0] / PUBLISHED[1]:.1%} saved. The released script of it runs on "
        f"10 processes, and solves the first 100 of a greedy path through {pool} samples, where "
        "neighbours are closer than on the average of the path, against systems of another draw; "
        "the last columns compare such a start of a path with the same systems shuffled."
    )
    return table


def path_start(samples: np.ndarray, steps: int) -> list[int]:
    """The first numbers of the greedy path from sample 0."""
    points = samples.reshape(len(samples), -1)
    squares = np.einsum("ij,ij->i", points, points)
    path = [0]
    for _ in range(steps - 1):
        distances = squares - 2.0 * (points @ points[path[-1]])
        distances[path] = np.inf
        path.append(int(distances.argmin()))
    return path
