"""What passes between the engine that writes data sets and the ways to solve samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from meshes.structured import FloatArray
from pdesolve.data.schema import Status

UnusedOptions = Literal["warn", "error"]


@dataclass(frozen=True)
class SampleTask:
    """A sample to be solved.

    Parameters
    ----------
    index
        Number of the sample in the data set.
    problem
        The problem of its parameters.
    scalars
        Its scalar parameters by name.
    """

    index: int
    problem: Any
    scalars: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class SampleRecord:
    """A sample as it goes into the file.

    Parameters
    ----------
    index
        Number of the sample.
    inputs, outputs
        Shape ``(channel, *shape)``; outputs are NaN if the solve failed.
    status
        How the sample came about.
    iterations
        Number of iterations.
    residual
        ‖b − A u‖₂ / ‖b‖₂.
    tolerance
        What the residual was asked to stay below.
    error_estimate
        Estimate of the relative discretisation error in L2; NaN if there is none.
    message
        Why a solve failed, for the log.
    seconds
        Wall time of phases, for the log.
    details
        What else the log shall say of the sample.
    """

    index: int
    inputs: FloatArray
    outputs: FloatArray
    status: Status
    iterations: int
    residual: float
    tolerance: float
    error_estimate: float = float("nan")
    message: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """How a strategy wants its samples.

    Parameters
    ----------
    order
        Name of an order of :data:`pdesolve.sequences.ORDERS`; ``"index"``: by number.
    chunk
        Most samples of one shard, unless the caller chooses; the engine's choice when left out.
    least
        Fewest samples of one shard where the engine chooses, as far as there are so many.

    Examples
    --------
    >>> Schedule(chunk=64).chunk_for(200)
    50
    """

    order: str = "index"
    chunk: int | None = None
    least: int = 1

    def chunk_for(self, num_samples: int) -> int | None:
        """Samples of a shard: equal shards, and an even number, so that processes get alike."""
        if self.chunk is None:
            return None
        count = -(-num_samples // self.chunk)
        if count > 1:
            count += count % 2
        return -(-num_samples // count)


BY_NUMBER = Schedule()


class Strategy(Protocol):
    """A way to solve samples.

    It gets the samples of one shard at a time and may solve them in any order or all at
    once. What it returns for a shard must depend on that shard's tasks alone, so that
    an interrupted run goes on to the same file: state may be carried from sample to
    sample within a shard, and caches that do not change answers may be kept for good.

    A strategy that wants its samples in another order than that of their numbers, or
    shards of a certain size, has an attribute ``schedule``, a :class:`Schedule`. Shards
    are then parts of the ordered list.
    """

    def describe(self) -> Mapping[str, Any]:
        """What decides the answers (method, options, tolerance), for the settings."""

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """Yield one record for each task, in any order."""

    def close(self) -> None:
        """Free what was kept."""


MOMENTS = "moments "
"""How the names of arrays begin that hold :func:`sample_moments` of a field."""


def sample_moments(values: FloatArray) -> FloatArray:
    """Minimum, maximum, mean and sum of squared deviations of each sample of a field.

    Parameters
    ----------
    values
        Shape ``(m, ...)``.

    Returns
    -------
    numpy.ndarray
        Shape ``(m, 4)``, float64.

    Examples
    --------
    >>> sample_moments(np.array([[1.0, 3.0]])).tolist()
    [[1.0, 3.0, 2.0, 2.0]]
    """
    found = np.empty((len(values), 4))
    for number, sample in enumerate(values):  # sums over several at once round differently
        row = np.asarray(sample, dtype=np.float64).ravel()
        with np.errstate(invalid="ignore", over="ignore"):  # not finite: the check tells
            mean = float(row.mean())
            squares = float(np.square(row - mean).sum())
        found[number] = row.min(), row.max(), mean, squares
    return found


def sample_digest(arrays: Mapping[str, np.ndarray[Any, Any]], position: int) -> bytes:
    """SHA-256 of all stored values of one sample but its number, by the names' order."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        if name == "sample_index" or name.startswith(MOMENTS):
            continue
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name][position]).data)
    return digest.digest()
