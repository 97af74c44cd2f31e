"""MPI processes that share independent work."""

from __future__ import annotations

from typing import Any

import numpy as np
from mpi4py import MPI

_FAILURE = 7


class SharedCounter:
    """A number on the first process that all processes take from.

    Parameters
    ----------
    comm
        mpi4py communicator.
    """

    def __init__(self, comm: Any) -> None:
        size = np.dtype(np.int64).itemsize
        first = comm.Get_rank() == 0
        self._window = MPI.Win.Allocate(size if first else 0, size, comm=comm)
        if first:
            self._window.Lock(0)
            self._window.tomemory()[:] = bytes(size)
            self._window.Unlock(0)
        comm.barrier()
        self._one, self._found = np.ones(1, dtype=np.int64), np.zeros(1, dtype=np.int64)

    def take(self) -> int:
        """The next number; waits for nobody."""
        self._window.Lock(0, MPI.LOCK_SHARED)
        self._window.Fetch_and_op(self._one, self._found, 0, 0, MPI.SUM)
        self._window.Unlock(0)
        return int(self._found[0])

    def close(self) -> None:
        """Free the number (collective)."""
        self._window.Free()


class MPIRanks:
    """The processes of a communicator.

    Same methods as :class:`pdesolve.data.ranks.OneRank`. All but
    :meth:`announce_failure` and :meth:`failure_announced` are collective.

    Parameters
    ----------
    comm
        mpi4py or petsc4py communicator; ``MPI_COMM_WORLD`` when left out. A duplicate is
        used, so that messages do not meet the caller's.
    """

    def __init__(self, comm: Any = None) -> None:
        world = MPI.COMM_WORLD if comm is None else comm
        if hasattr(world, "tompi4py"):
            world = world.tompi4py()
        self._comm = world.Dup()
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()
        self._sent: list[Any] = []

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, on all processes."""
        result: list[Any] = self._comm.allgather(value)
        return result

    def broadcast(self, value: Any) -> Any:
        """The value of the first process."""
        return self._comm.bcast(value, root=0)

    def counter(self) -> SharedCounter:
        """A counter that starts from 0."""
        return SharedCounter(self._comm)

    def announce_failure(self) -> None:
        """Tell the others not to go on; returns at once."""
        for other in range(self.size):
            if other != self.rank:
                self._sent.append(self._comm.isend(None, dest=other, tag=_FAILURE))

    def failure_announced(self) -> bool:
        """Whether another process has failed, without waiting."""
        return bool(self._comm.iprobe(source=MPI.ANY_SOURCE, tag=_FAILURE))

    def settle(self, announced: bool) -> None:
        """Take delivery of all announcements.

        Parameters
        ----------
        announced
            Whether this process has announced a failure.
        """
        for other, failed in enumerate(self.gather(announced)):
            if failed and other != self.rank:
                self._comm.recv(source=other, tag=_FAILURE)
        MPI.Request.waitall(self._sent)
        self._sent = []

    def close(self) -> None:
        """Free the duplicate."""
        self._comm.Free()


def own_communicator() -> Any:
    """The communicator of this process alone, as PETSc wants it."""
    from petsc4py import PETSc

    return PETSc.COMM_SELF


def solver_versions() -> dict[str, str]:
    """Versions of PETSc and petsc4py."""
    import petsc4py
    from petsc4py import PETSc

    return {
        "PETSc": ".".join(str(part) for part in PETSc.Sys.getVersion()),
        "petsc4py": str(petsc4py.__version__),
    }
