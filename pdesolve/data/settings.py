"""Everything that decides the content of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshes.structured import StructuredGrid
from pdesolve.data.schema import SCHEMA_VERSION, fingerprint, to_json


@dataclass(frozen=True)
class GenerationSettings:
    """What was asked for; equal settings give equal files.

    Parameters
    ----------
    family
        ``describe()`` of the problem family, with its name under ``"name"``.
    num_samples
        Number of samples.
    grid
        Where inputs and outputs are stored.
    seed, split
        Fix the random numbers of each sample.
    inputs, outputs, scalars
        Names of fields and of scalar parameters.
    units
        Unit of each of them.
    boundary_conditions
        Condition by side, in words.
    strategy
        ``describe()`` of the way samples are solved.
    dtype
        How fields are stored.
    licence
        Licence of the data, for the card.
    versions
        Software that decides the numbers.
    times
        Times of the outputs; one for steady problems.
    """

    family: Mapping[str, Any]
    num_samples: int
    grid: StructuredGrid
    seed: int
    split: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scalars: tuple[str, ...]
    units: Mapping[str, str]
    boundary_conditions: Mapping[str, str]
    strategy: Mapping[str, Any]
    dtype: str
    licence: str
    versions: Mapping[str, str] = field(default_factory=dict)
    times: tuple[float, ...] = (0.0,)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        import json

        values = {
            "schema_version": SCHEMA_VERSION,
            "family": self.family,
            "num_samples": self.num_samples,
            "shape": self.grid.shape,
            "lower": self.grid.lower,
            "upper": self.grid.upper,
            "periodic": self.grid.periodic,
            "location": self.grid.location,
            "seed": self.seed,
            "split": self.split,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "scalars": self.scalars,
            "units": self.units,
            "boundary_conditions": self.boundary_conditions,
            "strategy": self.strategy,
            "dtype": self.dtype,
            "licence": self.licence,
            "versions": self.versions,
            "times": self.times,
        }
        plain: dict[str, Any] = json.loads(to_json(values))
        return plain

    @property
    def fingerprint(self) -> str:
        """Digest of all of it."""
        return fingerprint(self.to_dict())

    @property
    def bytes_per_sample(self) -> int:
        """Size of one sample in the file."""
        size = 8 if self.dtype == "float64" else 4
        num_fields = len(self.inputs) + len(self.outputs) * len(self.times)
        return num_fields * self.grid.num_points * size + 80 + 8 * len(self.scalars)


def _flatten(values: object, prefix: str = "") -> dict[str, object]:
    if isinstance(values, Mapping):
        result: dict[str, object] = {}
        for key, value in values.items():
            result.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
        return result
    return {prefix: values}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for each setting that differs, with both values.

    Examples
    --------
    >>> differences({"seed": 0, "a": {"b": 1}}, {"seed": 1, "a": {"b": 1}})
    ['seed: 0 there, 1 asked for now']
    """
    before, after = _flatten(old), _flatten(new)
    absent = "(absent)"
    return [
        f"{key}: {before.get(key, absent)} there, {after.get(key, absent)} asked for now"
        for key in sorted(before.keys() | after.keys())
        if before.get(key, absent) != after.get(key, absent)
    ]
