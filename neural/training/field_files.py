"""Samples and trajectories from files of other projects' layouts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshes.errors import InputError
from neural.training.field_contents import INITIAL, FieldContents, FieldFileInfo, roles_of
from neural.training.file_arrays import (
    FloatArray,
    IntArray,
    file_digest,
)
from operators.failures import DataFileError


class FieldFileReader:
    """Samples of one file, whatever its layout.

    With several times, a sample's inputs are the fields at the first time, named
    ``initial_NAME``, and the fields that do not change; its outputs are the fields at
    `output_time`. With one time, a layout that does not say which fields are inputs needs
    `input_fields` and `output_fields`.

    Parameters
    ----------
    path
        The file.
    contents
        What is in it; see the functions ``read_contents`` of the layouts.
    opened
        Opens the file for reading; done anew in every process.
    output_time
        Number of the time whose fields are the outputs.
    input_fields, output_fields
        Which fields to use, in this order.

    Attributes
    ----------
    info
        Names, grid, times.
    valid_indices
        Numbers of all samples.

    Raises
    ------
    InputError
        If a field or time does not exist, or inputs cannot be told from outputs.
    DataFileError
        If a value is not finite, or the file is damaged.

    Warns
    -----
    UserWarning
        If points are not equally spaced: models take them as if they were.
    """

    def __init__(
        self,
        path: Path,
        contents: FieldContents,
        opened: Callable[[Path], Any],
        *,
        output_time: int = -1,
        input_fields: Sequence[str] | None = None,
        output_fields: Sequence[str] | None = None,
    ) -> None:
        self.path = path
        self._contents, self._open = contents, opened
        self._file: Any = None
        self._owner = -1
        if contents.num_samples < 1:
            raise DataFileError(f"'{path}' holds no sample")
        if not 1 <= len(contents.shape) <= 3:
            raise DataFileError(
                f"'{path}' has fields with {len(contents.shape)} axes of space; 1, 2 and 3 can be "
                "read"
            )
        if not np.isfinite(contents.times).all() or (np.diff(contents.times) <= 0).any():
            raise DataFileError(f"'{path}': its times do not increase: {list(contents.times)}")
        if contents.box.uneven:
            warnings.warn(
                f"'{path}': points along {', '.join(contents.box.uneven)} are not equally spaced; "
                "models and losses take them as if they were",
                stacklevel=4,
            )
        count = len(contents.times)
        if not isinstance(output_time, int) or not -count <= output_time < count:
            raise InputError(
                f"output_time={output_time!r}, but '{path}' has {count} times, 0 to {count - 1}; "
                "take one of these, or -1 for the last"
            )
        self.output_time = output_time % count
        inputs, outputs = roles_of(contents, path, input_fields, output_fields)
        box = contents.box
        self.info = FieldFileInfo(
            path=path,
            layout=contents.layout,
            family=contents.family,
            inputs=inputs,
            outputs=outputs,
            shape=contents.shape,
            lower=box.lower,
            upper=box.upper,
            location=box.location,
            periodic=box.periodic,
            num_samples=contents.num_samples,
            sha256=file_digest(path),
            times=contents.times,
            scalars=tuple(contents.scalars),
            settings={"family": {"name": contents.family, "options": dict(contents.options)}},
        )
        self.valid_indices: IntArray = np.arange(contents.num_samples, dtype=np.int64)

    def read(
        self, indices: Sequence[int] | IntArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Inputs and outputs, each of shape ``(n, channel, *shape)``."""
        numbers = self._checked(indices)
        inputs = [self._field(name, numbers, 0) for name in self.info.inputs]
        outputs = [self._field(name, numbers, self.output_time) for name in self.info.outputs]
        return np.stack(inputs, axis=1), np.stack(outputs, axis=1)

    def read_trajectories(
        self, indices: Sequence[int] | IntArray | None = None, times: range | None = None
    ) -> FloatArray:
        """Outputs at all of ``info.times`` or some, shape ``(n, time, channel, *shape)``."""
        numbers = self._checked(indices)
        wanted = range(len(self.info.times)) if times is None else times
        fields = [self._field(name, numbers, wanted) for name in self.info.outputs]
        return np.stack(fields, axis=2)

    def read_parameters(
        self, indices: Sequence[int] | IntArray | None = None
    ) -> dict[str, FloatArray]:
        """Scalar parameters by name, each of shape ``(n,)``."""
        numbers = self._checked(indices)
        return {name: values[numbers] for name, values in self._contents.scalars.items()}

    def _field(self, name: str, numbers: IntArray, time: int | range) -> FloatArray:
        """``(n, *shape)`` at one time, or ``(n, time, *shape)`` at several."""
        contents = self._contents
        stored = contents.fixed.get(name)
        arguments = (self._handle(), self.path, numbers)
        if stored is not None:
            values = stored.read(*arguments, None, contents.shape)
            if isinstance(time, range):
                values = np.repeat(values[:, None], len(time), axis=1)
        else:
            stored = contents.evolving.get(name) or contents.evolving[name.removeprefix(INITIAL)]
            moments = time if isinstance(time, range) else range(time, time + 1)
            times = slice(moments.start, moments.stop, moments.step)
            values = stored.read(*arguments, times, contents.shape)
            values = values if isinstance(time, range) else values[:, 0]
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if bad.any():
            raise DataFileError(
                f"'{self.path}': field '{name}' of sample {numbers[bad][0]} is not finite "
                f"({int(bad.sum())} such samples of those read); remove them from the file"
            )
        return values

    def _checked(self, indices: Sequence[int] | IntArray | None) -> IntArray:
        if indices is None:
            return self.valid_indices
        wanted = np.asarray(indices, dtype=np.int64).reshape(-1)
        outside = wanted[(wanted < 0) | (wanted >= self.info.num_samples)]
        if len(outside):
            raise InputError(
                f"sample {outside[0]} is not in '{self.path}', which has samples 0 to "
                f"{self.info.num_samples - 1}"
            )
        return wanted

    def _handle(self) -> Any:
        if self._file is None or self._owner != os.getpid():
            self._file, self._owner = self._open(self.path), os.getpid()
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_owner": -1}
