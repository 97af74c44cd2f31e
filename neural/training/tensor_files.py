"""Reading the ``{x, y}`` tensor files in which public operator-learning sets come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from meshes.errors import InputError
from operators.failures import DataFileError

SUFFIXES = (".pt", ".pth")


@dataclass(frozen=True)
class TensorFileInfo:
    """What is known of a tensor file, with the attributes of a generated set's info.

    Such files name neither family nor units nor random seeds; `family` is
    ``"tensor-file"``, `seed` and `split` are None, and the box is the unit box.
    """

    path: Path
    shape: tuple[int, ...]
    num_samples: int
    sha256: str
    location: str = "cell"
    inputs: tuple[str, ...] = ("x",)
    outputs: tuple[str, ...] = ("y",)
    family: str = "tensor-file"
    num_failed: int = 0
    seed: int | None = None
    split: str | None = None
    units: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    times: tuple[float, ...] = (0.0,)
    num_times: int = 1

    @property
    def lower(self) -> tuple[float, ...]:
        """Lower corner of the box."""
        return (0.0,) * len(self.shape)

    @property
    def upper(self) -> tuple[float, ...]:
        """Upper corner of the box."""
        return (1.0,) * len(self.shape)

    @property
    def periodic(self) -> tuple[bool, ...]:
        """No axis is taken to wrap."""
        return (False,) * len(self.shape)


class TensorFileReader:
    """A ``torch.save``d dictionary of tensors x and y, or a list of the two.

    Each tensor has shape ``(n, *shape)`` for one channel, or ``(n, channel, *shape)``. If
    one has an axis more, that is its channel axis; if both have equally many, axis 1 is the
    channel axis when it differs between them or is of size 1. Masks become 0 and 1. The
    file is read with ``weights_only=True``, which runs no code from it.

    Parameters
    ----------
    path
        The file.
    input_fields, output_fields
        Names of the one tensor of inputs and the one of outputs; x and y when left out.

    Attributes
    ----------
    info
        Names, shape, digest.
    valid_indices
        All samples.

    Raises
    ------
    InputError
        If there is no such file.
    DataFileError
        If it is not such a dictionary, holds objects that are not tensors, or shapes do
        not fit.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".pt") as file:
    ...     torch.save({"x": torch.ones(3, 8, 8) > 0, "y": torch.ones(3, 8, 8)}, file.name)
    ...     reader = TensorFileReader(file.name)
    >>> reader.info.shape, reader.read([0])[0].shape
    ((8, 8), (1, 1, 8, 8))
    """

    def __init__(
        self,
        path: str | Path,
        *,
        input_fields: Sequence[str] | None = None,
        output_fields: Sequence[str] | None = None,
    ) -> None:
        self.path = Path(path)
        names = (_one("input_fields", input_fields, "x"), _one("output_fields", output_fields, "y"))
        if not self.path.is_file():
            raise InputError(f"there is no file '{self.path}'")
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged pickle fails in any way
            raise DataFileError(
                f"'{self.path}' cannot be read as tensors ({_first_line(error)}). Files "
                "that hold other objects are refused, because reading them runs their code"
            ) from error
        if isinstance(content, list | tuple) and len(content) == 2:
            content = dict(zip(names, content, strict=True))
        if not isinstance(content, Mapping) or not set(names) <= set(content):
            found = sorted(map(str, content)) if isinstance(content, Mapping) else type(content)
            raise DataFileError(
                f"'{self.path}' must hold a dictionary with '{names[0]}' and '{names[1]}': {found}"
                ". Other names are given by input_fields and output_fields"
            )
        x, y = content[names[0]], content[names[1]]
        for name, value in zip(names, (x, y), strict=True):
            if not _is_plain(value):
                raise DataFileError(f"'{self.path}': '{name}' must be a real tensor (n, *shape)")
        if x.ndim < y.ndim or (x.shape[1:] == y.shape[1:] and (x.ndim == 2 or x.shape[1] > 1)):
            x = x[:, None]
        if y.ndim < x.ndim:
            y = y[:, None]
        if len(x) != len(y) or x.shape[2:] != y.shape[2:] or not 1 <= x.ndim - 2 <= 3:
            raise DataFileError(
                f"'{self.path}': {names[0]} of shape {tuple(content[names[0]].shape)} and "
                f"{names[1]} of shape {tuple(content[names[1]].shape)} do not fit together"
            )
        self._x, self._y = (value.detach().double().numpy() for value in (x, y))
        self.info = TensorFileInfo(
            path=self.path,
            shape=tuple(x.shape[2:]),
            num_samples=len(x),
            sha256=hashlib.sha256(self.path.read_bytes()).hexdigest(),
            inputs=_names(names[0], x.shape[1]),
            outputs=_names(names[1], y.shape[1]),
        )

    @property
    def valid_indices(self) -> npt.NDArray[np.int64]:
        """Numbers of all samples."""
        return np.arange(len(self._x), dtype=np.int64)

    def read(
        self, indices: Sequence[int] | npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Inputs and outputs, each of shape ``(n, channel, *shape)``."""
        wanted = self.valid_indices if indices is None else np.asarray(indices)
        return self._x[wanted], self._y[wanted]


def _is_plain(value: Any) -> bool:
    """Whether it is a dense tensor of numbers, with samples and points."""
    return (
        isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not (value.is_complex() or value.is_quantized)
        and value.ndim >= 2
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _one(option: str, given: Sequence[str] | None, default: str) -> str:
    if given is None:
        return default
    if len(given) != 1:
        raise InputError(
            f"{option}={list(given)}: a file of tensors has one of each; give one name"
        )
    return given[0]


def _names(name: str, count: int) -> tuple[str, ...]:
    return (name,) if count == 1 else tuple(f"{name}{channel}" for channel in range(count))
