"""What is in a file of fields, and which of them are inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshes.errors import InputError, suggest
from neural.training.boxes import Box
from neural.training.file_arrays import (
    FloatArray,
    listed,
)
from neural.training.stored_fields import StoredField

INITIAL = "initial_"


@dataclass(frozen=True)
class FieldContents:
    """What is in a file.

    Parameters
    ----------
    layout, family
        Of which layout the file is, and what the data are called.
    num_samples
        Samples or trajectories.
    shape
        Points along each axis.
    times
        Of the fields that change in time.
    fixed, evolving
        Fields that do not and that do change in time, by name.
    box
        The grid.
    scalars
        One number a sample, by name, shape ``(num_samples,)``.
    options
        What else the file says about the equation.
    roles
        Inputs and outputs where the layout says which fields these are.
    """

    layout: str
    family: str
    num_samples: int
    shape: tuple[int, ...]
    times: tuple[float, ...]
    fixed: Mapping[str, StoredField]
    evolving: Mapping[str, StoredField]
    box: Box
    scalars: Mapping[str, FloatArray] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[tuple[str, ...], tuple[str, ...]] | None = None


@dataclass(frozen=True)
class FieldFileInfo:
    """What is known of a file of another project, with the attributes of a generated set's info.

    Units are unknown: `units` is empty. `seed` and `split` are None.
    """

    path: Path
    layout: str
    family: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shape: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    location: str
    periodic: tuple[bool, ...]
    num_samples: int
    sha256: str
    times: tuple[float, ...]
    scalars: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    split: str | None = None
    num_failed: int = 0

    @property
    def num_times(self) -> int:
        """How many times there are."""
        return len(self.times)


def roles_of(
    contents: FieldContents,
    path: Path,
    input_fields: Sequence[str] | None,
    output_fields: Sequence[str] | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of inputs and outputs."""
    several = len(contents.times) > 1
    if contents.layout == "fno-mat" and contents.roles is not None:
        return contents.roles
    if contents.roles is not None:
        inputs, outputs = contents.roles
    elif several:
        inputs = (*(INITIAL + name for name in contents.evolving), *contents.fixed)
        outputs = tuple(contents.evolving)
    else:
        inputs, outputs = (), ()
    known = (*contents.evolving, *contents.fixed)
    if input_fields is not None:
        inputs = tuple(_known(name.removeprefix(INITIAL), known, path) for name in input_fields)
        if several:
            inputs = tuple(INITIAL + name if name in contents.evolving else name for name in inputs)
    if output_fields is not None:
        outputs = tuple(_known(name, known, path) for name in output_fields)
    if not inputs or not outputs:
        raise InputError(
            f"'{path}' does not say which fields are inputs and which outputs; name them with "
            f"input_fields and output_fields, from: {listed(known)}"
        )
    return inputs, outputs


def _known(name: str, known: Sequence[str], path: Path) -> str:
    if name not in known:
        raise InputError(f"'{path}' has no field '{name}'. {suggest(name, known)}")
    return name
