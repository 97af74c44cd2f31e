"""What samples made from those of a file have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from neural.training.file_arrays import (
    FloatArray,
    IntArray,
)

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


class DerivedSamples:
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
