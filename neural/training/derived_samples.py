"""Samples made from those of a file: on fewer points, or with parameters as channels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from meshes.errors import InputError, suggest
from neural.training.stored_fields import FloatArray, IntArray

Indices = Sequence[int] | IntArray | None


def changed(info: Any, **values: Any) -> Any:
    """A copy of what a file says about itself, with other values.

    Examples
    --------
    >>> changed(SimpleNamespace(shape=(8,), seed=1), shape=(4,))
    namespace(shape=(4,), seed=1)
    """
    if dataclasses.is_dataclass(info) and not isinstance(info, type):
        return dataclasses.replace(info, **values)
    return SimpleNamespace(**{**vars(info), **values})


class _Derived:
    """What is taken over unchanged."""

    def __init__(self, source: Any, info: Any) -> None:
        self.source = source
        self.path: Path = source.path
        self.info = info
        self.valid_indices: IntArray = source.valid_indices

    def read_parameters(self, indices: Indices = None) -> dict[str, FloatArray]:
        """Scalar parameters by name, each of shape ``(n,)``."""
        values: dict[str, FloatArray] = self.source.read_parameters(indices)
        return values


class Subsampled(_Derived):
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

    def read_trajectories(self, indices: Indices = None) -> FloatArray:
        """Outputs at all times, shape ``(n, time, channel, *shape)``."""
        return self._coarse(self.source.read_trajectories(indices))

    def _coarse(self, values: FloatArray) -> FloatArray:
        leading = values.ndim - len(self.info.shape)
        if self.info.location == "vertex":
            picked: Any = (..., *(slice(None, None, self.factor),) * len(self.info.shape))
            return np.ascontiguousarray(values[picked])
        split = [part for size in self.info.shape for part in (size, self.factor)]
        blocks = values.reshape(*values.shape[:leading], *split)
        mean: FloatArray = blocks.mean(axis=tuple(range(leading + 1, blocks.ndim, 2)))
        return mean


class ScalarChannels(_Derived):
    """A source with parameters of each sample as further inputs, constant over the grid.

    Parameters
    ----------
    source
        Open file.
    names
        Scalar parameters of the file.
    constants
        Further channels, with the same value for every sample.

    Raises
    ------
    InputError
        If the file has no such parameter.
    """

    def __init__(
        self, source: Any, names: Sequence[str], constants: Mapping[str, float] | None = None
    ) -> None:
        info, self.names = source.info, tuple(names)
        known = tuple(getattr(info, "scalars", ()))
        for name in self.names:
            if name not in known:
                raise InputError(
                    f"'{source.path}' has no scalar parameter '{name}'. "
                    f"{suggest(name, known) if known else 'It has none'}"
                )
        self.constants = dict(constants or {})
        added = (*self.names, *self.constants)
        twice = set(added) & set(info.inputs)
        if twice:
            raise InputError(f"'{source.path}' already has the inputs {', '.join(sorted(twice))}")
        super().__init__(source, changed(info, inputs=(*info.inputs, *added)))

    def read(self, indices: Indices = None) -> tuple[FloatArray, FloatArray]:
        """Inputs and outputs, each of shape ``(n, channel, *shape)``."""
        inputs, outputs = self.source.read(indices)
        parameters = self.source.read_parameters(indices) if self.names else {}
        columns = [parameters[name] for name in self.names]
        columns += [np.full(len(inputs), value) for value in self.constants.values()]
        space = (1,) * (inputs.ndim - 2)
        shape = (len(inputs), 1, *inputs.shape[2:])
        channels = [np.broadcast_to(column.reshape(-1, 1, *space), shape) for column in columns]
        return np.concatenate([inputs, *channels], axis=1), outputs

    def read_trajectories(self, indices: Indices = None) -> FloatArray:
        """Outputs at all times, shape ``(n, time, channel, *shape)``."""
        values: FloatArray = self.source.read_trajectories(indices)
        return values
