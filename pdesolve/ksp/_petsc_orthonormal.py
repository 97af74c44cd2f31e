"""Orthonormal bases of blocks of distributed vectors that may be dependent."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr, solve_triangular

from meshes.structured import FloatArray
from pdesolve.ksp._petsc_basis import VectorBlock

# Columns (scaled to length one) whose part outside the span of the others is below this
# are dependent.
RANK_TOLERANCE = 1e-10

# Cholesky QR, done twice, is orthonormal to rounding while the condition number of the
# scaled block is well below 1e8.
_LEAST_PIVOT = 1e-5


def orthonormalize(block: VectorBlock, count: int) -> tuple[list[int], FloatArray]:
    """Put orthonormal columns with the same span in place of the first `count` ones.

    Cholesky QR done twice (Yamamoto, Nakatsukasa, Yanagisawa, Fukaya 2015, Electron. Trans.
    Numer. Anal. 44); where the columns are nearly dependent, Householder QR on each process
    and a pivoted QR of the stacked triangles. Columns that are zero, not finite, or
    dependent are dropped.

    Parameters
    ----------
    block
        Its first columns are replaced.
    count
        How many.

    Returns
    -------
    tuple
        Numbers of the columns that were kept, and T, shape ``(kept, kept)``, such that
        (old columns kept) · T = (new columns).
    """
    rows = block.rows[:count]
    squares = block.sum_over_processes(np.einsum("ij,ij->i", rows, rows))
    usable = np.isfinite(squares) & (squares > np.finfo(float).tiny)
    kept = [int(i) for i in np.flatnonzero(usable)]
    scale = 1.0 / np.sqrt(squares[kept])
    scaled = rows[kept] * scale[:, np.newaxis]
    columns, transform = scaled, np.diag(scale)
    for _ in range(2 if kept else 0):
        gram = block.sum_over_processes(columns @ columns.T)
        try:
            lower = np.linalg.cholesky(gram)
        except np.linalg.LinAlgError:
            return _by_pivoting(block, kept, scaled, scale)
        if np.diagonal(lower).min() < _LEAST_PIVOT:
            return _by_pivoting(block, kept, scaled, scale)
        inverse = solve_triangular(lower, np.eye(len(kept)), lower=True)
        columns = inverse @ columns
        transform = transform @ inverse.T
    return _store(block, kept, columns, transform)


def _by_pivoting(
    block: VectorBlock, kept: list[int], scaled: FloatArray, scale: FloatArray
) -> tuple[list[int], FloatArray]:
    local_factor, local_triangle = np.linalg.qr(scaled.T)
    triangles, start = block.from_all_processes(local_triangle)
    factor, triangle, order = qr(triangles, mode="economic", pivoting=True)
    rank = int(np.count_nonzero(np.abs(np.diagonal(triangle)) > RANK_TOLERANCE))
    inverse: FloatArray = solve_triangular(triangle[:rank, :rank], np.eye(rank))
    mine = factor[start : start + len(local_triangle), :rank]
    transform: FloatArray = scale[order[:rank], np.newaxis] * inverse
    rows: FloatArray = np.asarray((local_factor @ mine).T, dtype=np.float64)
    return _store(block, [kept[i] for i in order[:rank]], rows, transform)


def _store(
    block: VectorBlock, kept: list[int], rows: FloatArray, transform: FloatArray
) -> tuple[list[int], FloatArray]:
    block.rows[: len(kept)] = rows
    block.changed(*range(len(kept)))
    return kept, transform
