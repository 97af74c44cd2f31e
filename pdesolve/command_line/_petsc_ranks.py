"""The processes that ``mpiexec`` started."""

from __future__ import annotations

import gc
import sys
import time

from mpi4py import MPI


class MPIProcesses:
    """All processes that one call of ``mpiexec`` started.

    Attributes
    ----------
    rank, size
        Number of this process, and of all.
    """

    def __init__(self) -> None:
        self._comm = MPI.COMM_WORLD.Dup()  # its barrier must not meet other messages
        self.rank: int = self._comm.Get_rank()
        self.size: int = self._comm.Get_size()

    def first(self, value: int) -> int:
        """The value of the first process, on all of them (collective)."""
        return int(self._comm.bcast(value, root=0))

    def all_failed(self, patience: float = 2.0) -> bool:
        """Whether every process comes here within `patience` seconds."""
        request = self._comm.Ibarrier()
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if request.Test():
                return True
            time.sleep(0.01)
        return False

    def finish(self) -> None:
        """Free what is left of PETSc's objects, on all processes in step (collective).

        Python may have freed them on some processes only, and PETSc's end would then wait
        for the others for ever.
        """
        gc.collect()
        if "petsc4py.PETSc" in sys.modules:
            library = sys.modules["petsc4py.PETSc"]
            library.garbage_cleanup(library.COMM_WORLD)
        self._comm.Barrier()

    def abort(self, code: int) -> None:
        """End all processes."""
        self._comm.Abort(code)
