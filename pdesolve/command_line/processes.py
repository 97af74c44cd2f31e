"""The processes of this start of the program, one or those of ``mpiexec``."""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Protocol

# Set by mpiexec of Open MPI, MPICH and Intel MPI, MVAPICH, and by launchers with PMIx.
_MPI_VARIABLES = ("OMPI_COMM_WORLD_SIZE", "PMI_RANK", "MV2_COMM_WORLD_SIZE", "PMIX_RANK")


class Processes(Protocol):
    """What the command line needs to know of them."""

    rank: int
    size: int

    def first(self, value: int) -> int:
        """The value of the first process, on all of them."""

    def all_failed(self) -> bool:
        """Whether every process comes here within a short time."""

    def finish(self) -> None:
        """Prepare all processes for their end after a success."""

    def abort(self, code: int) -> None:
        """End all processes."""


class OneProcess:
    """A start without MPI."""

    rank = 0
    size = 1

    def first(self, value: int) -> int:
        """The value itself."""
        return value

    def all_failed(self) -> bool:
        """There is only one."""
        return True

    def finish(self) -> None:
        """Nothing to do together."""

    def abort(self, code: int) -> None:
        """There is nobody else to end."""


@cache
def processes() -> Processes:
    """The processes; MPI is loaded only where ``mpiexec`` started this program."""
    if not any(name in os.environ for name in _MPI_VARIABLES):
        return OneProcess()
    try:
        module = importlib.import_module("pdesolve.command_line._petsc_ranks")
    except ImportError:
        return OneProcess()
    found: Processes = module.MPIProcesses()
    return found if found.size > 1 else OneProcess()
