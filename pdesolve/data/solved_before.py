"""What a trial has solved need not be solved again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pdesolve.data.samples import SampleRecord, SampleTask, Strategy
from pdesolve.data.schema import Status

KEPT_BYTES = 64 * 2**20
"""Fields of a trial that are kept at most; a shard is as large."""


class SolvedBefore:
    """A strategy that has some samples at hand and solves the others.

    Parameters
    ----------
    way
        Solves; its answer to a sample does not depend on the other samples, to the last bit.
    records
        What it has solved; each is given away once.
    """

    def __init__(self, way: Strategy, records: Sequence[SampleRecord]) -> None:
        self.way = way
        self._records = {record.index: record for record in records}

    def describe(self) -> Mapping[str, Any]:
        """That of the strategy."""
        return self.way.describe()

    def solve(self, tasks: Sequence[SampleTask]) -> Iterator[SampleRecord]:
        """First what is there, then the others by the strategy."""
        there = [task.index for task in tasks if task.index in self._records]
        rest = [task for task in tasks if task.index not in self._records]
        for index in there:
            record = self._records.pop(index)
            yield replace(record, details={**record.details, "trial": True})
        if rest:
            yield from self.way.solve(rest)

    def close(self) -> None:
        """Free what the strategy kept."""
        self._records.clear()
        self.way.close()

    def __getattr__(self, name: str) -> Any:
        if name == "way":  # a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self.way, name)


def after_trial(way: Strategy, records: Sequence[SampleRecord]) -> Strategy:
    """A strategy with what its trial solved, where that is what it would solve again.

    Strategies whose answers do not depend, to the last bit, on what was solved before have a
    true attribute ``samples_apart``; others are given back as they are. So that memory stays
    bounded, what goes beyond `KEPT_BYTES` is forgotten and solved again.
    """
    solved, size = [], 0
    for record in records:
        size += record.inputs.nbytes + record.outputs.nbytes
        if size > KEPT_BYTES:
            break
        if record.status is Status.SOLVED:
            solved.append(record)
    if not (solved and getattr(way, "samples_apart", False)):
        return way
    return SolvedBefore(way, solved)
