"""The published table of speed-ups of recycling for "Helmholtz", on the released matrices."""

from __future__ import annotations

import numpy as np

from benchmarks.data import released_matrices as matrices
from benchmarks.data.krylov_sequences import greedy_order
from benchmarks.data.skr_published import HELMHOLTZ_10000
from benchmarks.data.skr_table import COLUMNS, fill
from benchmarks.table import Table


def run(number: int = 12, num_baseline: int = 4, seed: int = 0) -> Table:
    """Iterations and times of GMRES(40) and SKR on 9604 unknowns, `number` sorted systems.

    Sorted by the distance of (K, k); the publication adds the two distances.
    """
    table = Table(
        "skr_helmholtz",
        f'Recycling on {number} released "Helmholtz" systems of 9604 unknowns: mean iterations',
        COLUMNS,
    )
    K = matrices.coefficients(number, 10_000, seed)
    k = matrices.wavenumbers(number, seed)
    order = greedy_order(np.column_stack((K.reshape(number, -1), k)))
    right = matrices.right_hand_side(K[0])
    systems = [(matrices.released_helmholtz(K[index], k[index]), right) for index in order]
    fill(table, systems, HELMHOLTZ_10000, num_baseline)
    return table
