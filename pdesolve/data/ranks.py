"""Processes that share independent work, with or without MPI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from meshes.errors import InputError, PDESolveError
from operators.failures import DataFileError
from pdesolve.data.counters import Counter, OwnCounter

Value = TypeVar("Value")


class Ranks(Protocol):
    """What the engine needs of a group of processes."""

    rank: int
    size: int

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, on all processes."""

    def broadcast(self, value: Any) -> Any:
        """The value of the first process."""

    def counter(self) -> Counter:
        """A counter that starts from 0 (collective)."""

    def announce_failure(self) -> None:
        """Tell the others not to go on; returns at once."""

    def failure_announced(self) -> bool:
        """Whether another process has failed, without waiting."""

    def settle(self, announced: bool) -> None:
        """Take delivery of all announcements."""

    def close(self) -> None:
        """Free what was taken."""


class OneRank:
    """A process alone."""

    rank = 0
    size = 1

    def gather(self, value: Any) -> list[Any]:
        """The one value."""
        return [value]

    def broadcast(self, value: Any) -> Any:
        """The value."""
        return value

    def counter(self) -> OwnCounter:
        """A counter of its own."""
        return OwnCounter()

    def announce_failure(self) -> None:
        """Nobody to tell."""

    def failure_announced(self) -> bool:
        """There is nobody else."""
        return False

    def settle(self, announced: bool) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to free."""


def ranks_of(comm: Any = None) -> Ranks:
    """The processes of a communicator; of MPI's world when left out; one without mpi4py."""
    try:
        from pdesolve._petsc_comm import MPIRanks
    except ImportError:
        if comm is not None:
            raise
        return OneRank()
    ranks = MPIRanks(comm)
    if ranks.size == 1:
        ranks.close()
        return OneRank()
    return ranks


_KINDS: dict[str, type[PDESolveError]] = {
    "InputError": InputError,
    "DataFileError": DataFileError,
}


def _raise_foreign(rank: int, kind: str, text: str) -> None:
    raise _KINDS.get(kind, PDESolveError)(f"process {rank} failed with {kind}: {text}")


def on_first(ranks: Ranks, work: Callable[[], Value]) -> Value:
    """Run `work` on the first process; its value, or its error, reaches all (collective)."""
    value: Any = None
    error: BaseException | None = None
    if ranks.rank == 0:
        try:
            value = work()
        except BaseException as caught:
            error = caught
    failure = None if error is None else (type(error).__name__, str(error))
    failure, value = ranks.broadcast((failure, value))
    if error is not None:
        raise error
    if failure is not None:
        _raise_foreign(0, *failure)
    result: Value = value
    return result


def together(ranks: Ranks, work: Callable[[], None]) -> None:
    """Run `work` on every process; an error on one reaches all (collective).

    While it works a process should look at ``ranks.failure_announced()`` now and then
    and return early when it is true.
    """
    error: BaseException | None = None
    try:
        work()
    except BaseException as caught:
        error = caught
        ranks.announce_failure()
    mine = None if error is None else (type(error).__name__, str(error))
    failures = ranks.gather(mine)
    ranks.settle(error is not None)
    if error is not None:
        raise error
    for rank, failure in enumerate(failures):
        if failure is not None:
            _raise_foreign(rank, *failure)
