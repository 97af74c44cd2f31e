"""Parameters of samples as input channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from meshes.errors import InputError, suggest
from neural.training.derived_samples import DerivedSamples, Indices, changed
from neural.training.file_arrays import (
    FloatArray,
)


class ScalarChannels(DerivedSamples):
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

    def read_trajectories(self, indices: Indices = None, times: range | None = None) -> FloatArray:
        """Outputs at all times or some, shape ``(n, time, channel, *shape)``."""
        values: FloatArray = self.source.read_trajectories(indices, times)
        return values
