"""MPI processes that share independent work."""

from __future__ import annotations

from typing import Any

from mpi4py import MPI

_FAILURE = 7


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
