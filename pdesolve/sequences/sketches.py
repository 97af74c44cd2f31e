"""Whether vectors lie in a small space, seen through random projections."""

from __future__ import annotations

import numpy as np

from meshes.structured import FloatArray

SIZE = 256
"""Entries of a projected vector, twice as many as directions that are looked for."""

PROMISING = 1e-3
"""Relative rest of the median vector below which others are expected to come to nothing."""


class SketchedSpan:
    """Projections of vectors b to SIZE entries, s_j = Σ_i ±b_i over random sets of entries i.

    Lengths and spans of few vectors survive such a projection (Clarkson, Woodruff 2013,
    doi:10.1145/2488608.2488620), which costs one pass over each vector.

    Parameters
    ----------
    num_unknowns
        Length of the vectors.
    most
        Vectors after which :attr:`full` is true.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> modes, sketch = rng.standard_normal((1000, 3)), SketchedSpan(1000, 128)
    >>> [sketch.covers(modes @ rng.standard_normal((3, 8))) for _ in range(2)]
    [False, True]
    """

    def __init__(self, num_unknowns: int, most: int) -> None:
        self.most = most
        rng = np.random.default_rng(0)
        self._sets = rng.integers(SIZE, size=num_unknowns)
        self._signs = rng.choice((-1.0, 1.0), size=num_unknowns)
        self._seen: FloatArray = np.empty((SIZE, 0))

    @property
    def full(self) -> bool:
        """Whether as many vectors were seen as were wanted."""
        return int(self._seen.shape[1]) >= self.most

    def covers(self, vectors: FloatArray) -> bool:
        """Whether most of the vectors ``(num_unknowns, count)`` lie near the span of those before.

        They are added to these.
        """
        found = np.stack(
            [
                np.bincount(self._sets, weights=self._signs * column, minlength=SIZE)
                for column in vectors.T
            ],
            axis=1,
        )
        finite = np.isfinite(found).all(axis=0)
        found = found[:, finite & found.any(axis=0)]
        near = False
        if self._seen.shape[1] and found.shape[1]:
            basis = np.linalg.qr(self._seen)[0]
            rest = found - basis @ (basis.T @ found)
            sizes = np.linalg.norm(found, axis=0)
            near = bool(np.median(np.linalg.norm(rest, axis=0) / sizes) <= PROMISING)
        self._seen = np.column_stack([self._seen, found])[:, : SIZE // 2]
        return near
