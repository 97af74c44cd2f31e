"""Samples on fewer points than those of a file."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshes.errors import InputError
from neural.training.derived_samples import DerivedSamples, Indices, changed
from neural.training.file_arrays import (
    FloatArray,
)


class Subsampled(DerivedSamples):
    """A source on a coarser grid of the same box.

    Values at vertices are taken at every `factor`-th vertex. Values in cells are averaged
    over ``factor**d`` cells, so that they belong to the centres of the coarse cells; picking
    cells instead would shift the grid.

    Parameters
    ----------
    source
        Open file.
    factor
        At least 1. It must divide the number of cells; of vertices along an axis that is not
        periodic there is one more than cells.

    Raises
    ------
    InputError
        If it does not.
    """

    def __init__(self, source: Any, factor: int) -> None:
        info = source.info
        if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
            raise InputError(f"subsampling={factor!r} must be an integer of at least 1")
        if info.location == "points":
            raise InputError(f"'{source.path}' holds fields on points, which have no subsampling")
        shape = []
        for axis, (size, wraps) in enumerate(zip(info.shape, info.periodic, strict=True)):
            closed = int(info.location == "vertex" and not wraps)
            if (size - closed) % factor:
                fitting = [n for n in range(2, size - closed + 1) if (size - closed) % n == 0]
                raise InputError(
                    f"subsampling={factor} does not divide the {size - closed} cells along axis "
                    f"{axis} of '{source.path}' ({size} values at each {info.location}); "
                    f"{', '.join(map(str, fitting[:12])) or 'nothing'} would"
                )
            shape.append((size - closed) // factor + closed)
        super().__init__(source, changed(info, shape=tuple(shape)))
        self.factor = factor

    def read(self, indices: Indices = None) -> tuple[FloatArray, FloatArray]:
        """Inputs and outputs, each of shape ``(n, channel, *shape)``."""
        inputs, outputs = self.source.read(indices)
        return self._coarse(inputs), self._coarse(outputs)

    def read_trajectories(self, indices: Indices = None, times: range | None = None) -> FloatArray:
        """Outputs at all times or some, shape ``(n, time, channel, *shape)``."""
        return self._coarse(self.source.read_trajectories(indices, times))

    def _coarse(self, values: FloatArray) -> FloatArray:
        leading = values.ndim - len(self.info.shape)
        if self.info.location == "vertex":
            picked: Any = (..., *(slice(None, None, self.factor),) * len(self.info.shape))
            return np.ascontiguousarray(values[picked])
        split = [part for size in self.info.shape for part in (size, self.factor)]
        blocks = values.reshape(*values.shape[:leading], *split)
        mean: FloatArray = blocks.mean(axis=tuple(range(leading + 1, blocks.ndim, 2)))
        return mean
