"""Numbers that say how large the values of a field are."""

from __future__ import annotations

from typing import Any

import numpy as np

from pdesolve.data.samples import sample_moments


class FieldStatistics:
    """Minimum, maximum, mean and standard deviation of a field, sample by sample.

    Means and squared deviations are merged pairwise (Chan et al. 1983), in the order of
    the samples, so that the result does not depend on how they are grouped in shards.

    References
    ----------
    T. F. Chan, G. H. Golub, R. J. LeVeque: Algorithms for computing the sample variance.
    The American Statistician 37 (1983). doi:10.1080/00031305.1983.10483115
    """

    def __init__(self) -> None:
        self.minimum, self.maximum = np.inf, -np.inf
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, samples: Any) -> None:
        """Take in samples of shape ``(m, ...)``."""
        self.add_moments(sample_moments(samples), int(np.prod(samples.shape[1:])))

    def add_moments(self, moments: Any, size: int) -> None:
        """Take in samples by their :func:`pdesolve.data.samples.sample_moments`.

        Parameters
        ----------
        moments
            Shape ``(m, 4)``.
        size
            Values of each sample.
        """
        for minimum, maximum, mean, square in np.asarray(moments).tolist():
            self.minimum, self.maximum = min(self.minimum, minimum), max(self.maximum, maximum)
            total = self.count + size
            shift = mean - self.mean
            self.squares += square + shift * shift * self.count * size / total
            self.mean += shift * size / total
            self.count = total

    def values(self) -> np.ndarray[Any, Any]:
        """The four numbers; NaN without samples."""
        if self.count == 0:
            return np.full(4, np.nan)
        deviation = float(np.sqrt(self.squares / self.count))
        return np.array([self.minimum, self.maximum, self.mean, deviation])
