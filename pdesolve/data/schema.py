"""Names, version and meaning of everything in a data-set file.

The layout is that of The Well (Ohana et al. 2024), with one group ``pdesolve`` more::

    @dataset_name @grid_type @n_spatial_dims @n_trajectories @simulation_parameters
    dimensions/          time (T,), x, y, z
    boundary_conditions/ one group an axis: mask, values
    scalars/             one array (num_samples,) for each scalar parameter
    t0_fields/           one array (num_samples, T, *shape) for each output; inputs have one
                         time where T = 1, and no axis of time else: (num_samples, *shape)
    t1_fields/ t2_fields/  empty
    pdesolve/            @schema_version @settings (JSON, with inputs, outputs, versions)
                         @fingerprint @sha256 ...
        sample_index status iterations residual tolerance error_estimate sample_sha256
        statistics/      one array (4,) for each field: minimum, maximum, mean, deviation

A steady problem is a trajectory of one time, T = 1. Version 1 of this layout had only
those. Every array is chunked with Fletcher-32
checksums; HDF5 checks its own metadata but for the texts of attributes, which
``@text_blocks`` and ``@text_sha256`` cover; ``@attributes_sha256`` covers the values of
all attributes; ``@complete`` is written last.

References
----------
R. Ohana et al.: The Well: a large-scale collection of diverse physics simulations for
machine learning. NeurIPS Datasets and Benchmarks (2024). doi:10.48550/arXiv.2412.00568
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA_VERSION = 2
GROUP = "pdesolve"
FIELDS = "t0_fields"
STATISTICS = ("minimum", "maximum", "mean", "standard_deviation")
DTYPES = ("float64", "float32")
AXES = ("x", "y", "z")


class Status(IntEnum):
    """How a sample came about."""

    MISSING = 0
    SOLVED = 1
    SOLVED_DIRECTLY = 2
    FAILED = 3


DRIFT = 1.5
"""How far a stored residual may lie above its tolerance: the one that a Krylov method
updates drifts a little from the true one."""

USABLE = (int(Status.SOLVED), int(Status.SOLVED_DIRECTLY))

PER_SAMPLE: dict[str, tuple[str, float]] = {
    "sample_index": ("int64", -1),
    "status": ("int8", int(Status.MISSING)),
    "iterations": ("int32", -1),
    "residual": ("float64", float("nan")),
    "tolerance": ("float64", float("nan")),
    "error_estimate": ("float64", float("nan")),
}
"""Arrays (num_samples,) of the group ``pdesolve``: type and fill value."""

DIGEST = "sample_sha256"
SEALS = ("attributes_sha256", "text_blocks", "text_sha256", "complete")
"""Attributes of the group ``pdesolve`` that vouch for the others."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a data-set file says about itself.

    Parameters
    ----------
    path
        The file.
    family
        Name of the problem family.
    inputs, outputs
        Names of the fields that a surrogate maps from and to.
    shape
        Number of values along each axis.
    lower, upper
        Corners of the box, in the unit of length of the problem.
    location
        ``"cell"`` or ``"vertex"``.
    periodic
        Whether each axis wraps.
    seed, split
        With a sample's index they fix its random numbers.
    units
        Unit of each field and scalar parameter.
    num_samples, num_failed
        Samples in the file, and how many of them could not be solved.
    dtype
        ``"float64"`` or ``"float32"``: how fields are stored.
    scalars
        Names of the scalar parameters.
    sha256
        Digest of the samples: SHA-256 of the SHA-256 of each sample in turn. It is
        the same for every way of generating the same set.
    fingerprint
        Digest of the settings.
    settings
        Everything that decides the samples: family description, solver, tolerance, ...
    versions
        Software that made the file.
    statistics
        For each field the minimum, maximum, mean and standard deviation over the
        usable samples.
    schema_version
        Version of this layout.
    times
        Times of the outputs, in the problem's unit; one for a steady problem.
    """

    path: Path
    family: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shape: tuple[int, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    location: str
    periodic: tuple[bool, ...]
    seed: int
    split: str
    units: Mapping[str, str]
    num_samples: int
    num_failed: int
    dtype: str
    scalars: tuple[str, ...]
    sha256: str
    fingerprint: str
    settings: Mapping[str, Any] = field(repr=False)
    versions: Mapping[str, str] = field(repr=False)
    statistics: Mapping[str, Mapping[str, float]] = field(repr=False)
    schema_version: int = SCHEMA_VERSION
    times: tuple[float, ...] = (0.0,)

    @property
    def num_times(self) -> int:
        """Number of times of the outputs."""
        return len(self.times)

    @property
    def fields(self) -> tuple[str, ...]:
        """Inputs, then outputs."""
        return self.inputs + self.outputs

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return len(self.shape)


def to_json(value: object) -> str:
    """Text that is the same for equal values, whatever their order."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} of type {type(value).__name__} has no JSON form")


def fingerprint(settings: Mapping[str, Any]) -> str:
    """SHA-256 of settings, as 64 hexadecimal digits.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(to_json(settings).encode()).hexdigest()


def attributes_digest(file: Any) -> str:
    """SHA-256 over the names and values of all attributes of an open HDF5 file.

    Left out are those of :data:`SEALS`, which are written after it.
    """
    entries: list[tuple[str, str, object]] = []

    def collect(name: str, item: Any) -> None:
        for key, value in item.attrs.items():
            if name != GROUP or key not in SEALS:
                entries.append((name, key, value))

    collect("", file)
    file.visititems(collect)
    entries.sort(key=lambda entry: entry[:2])
    return hashlib.sha256(to_json(entries).encode()).hexdigest()


def find_text_blocks(path: Path, stop: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Place and size of the blocks in which HDF5 keeps texts of attributes, ``(n, 2)``.

    They are the only metadata for which HDF5 has no checksums, and a damaged one can make
    it read out of bounds. So their bytes are compared before any text is read.

    Parameters
    ----------
    path
        The file.
    stop
        Where to stop looking, in bytes.
    """
    with path.open("rb") as stream:
        head = stream.read(stop)
    blocks, place = [], head.find(b"GCOL")
    while place >= 0:
        # signature (4), version and padding (4), size of the block (8)
        size = int.from_bytes(head[place + 8 : place + 16], "little")
        if 16 <= size <= len(head) - place:
            blocks.append((place, size))
        place = head.find(b"GCOL", place + max(size, 4))
    return np.array(blocks, dtype=np.int64).reshape(-1, 2)


def text_digest(path: Path, blocks: np.ndarray[Any, np.dtype[np.int64]]) -> bytes:
    """SHA-256 over the bytes of these blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for place, size in blocks.tolist():
            stream.seek(place)
            digest.update(stream.read(size))
    return digest.digest()


def field_shape(name: str, settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Shape of one sample of a field as the shards hold it.

    Examples
    --------
    >>> settings = {"shape": [8], "times": [0.0, 1.0], "outputs": ["u"]}
    >>> field_shape("u", settings), field_shape("initial_u", settings)
    ((2, 8), (8,))
    """
    shape, times = tuple(settings["shape"]), settings.get("times", (0.0,))
    return (len(times), *shape) if len(times) > 1 and name in settings["outputs"] else shape


def stored_shape(name: str, settings: Mapping[str, Any]) -> tuple[int, ...]:
    """Shape of one sample of a field in the file."""
    shape = field_shape(name, settings)
    return shape if len(settings.get("times", (0.0,))) > 1 else (1, *shape)
