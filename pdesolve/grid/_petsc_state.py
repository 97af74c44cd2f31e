"""An answer with several unknowns a cell on a distributed grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from operators._petsc_block import DistributedGrid


@dataclass(eq=False)
class BlockState:
    """All unknowns of one answer, or of one time.

    Parameters
    ----------
    distributed
        The grid, shared out over the processes.
    vector
        PETSc vector of that grid. The state keeps it, so give a copy of one that changes.
    names
        Name of each component, the main one first.
    unknown
        Name of the answer as a whole; that of the first component when left out.
    inputs
        Fields on the whole grid that are written beside the answer.

    Examples
    --------
    >>> import numpy as np
    >>> distributed = DistributedGrid(StructuredGrid((4, 4)), num_components=2)
    >>> vector = distributed.vector(np.ones((2, 4, 4)))
    >>> BlockState(distributed, vector, ("u", "v")).gather().names
    ('u', 'v')
    """

    distributed: DistributedGrid
    vector: Any
    names: tuple[str, ...]
    unknown: str = ""
    inputs: Field | None = None

    def __post_init__(self) -> None:
        if len(self.names) != self.distributed.num_components:
            raise InputError(
                f"names={self.names} must hold {self.distributed.num_components} names, one a "
                "component"
            )

    @property
    def native(self) -> Any:
        """The PETSc vector."""
        return self.vector

    def local_fields(self) -> dict[str, Field]:
        """The block of this process, all components, on the grid of its cells."""
        values = self.distributed.values(self.vector)
        field = Field(self.distributed.block.own_grid(), values, self.names)
        return {self.unknown or self.names[0]: field}

    def gather(self) -> Field:
        """All components on the whole grid, on every process (collective)."""
        return Field(self.distributed.grid, self.distributed.gather(self.vector), self.names)

    def sample(self, grid: StructuredGrid) -> Field:
        """All components at the points of a grid, on every process (collective).

        The whole answer is interpolated multilinearly.
        """
        return self.gather().resample(grid)

    def write_paraview(self, path: Path, time: float) -> None:
        """Gather; the first process writes every component by its name (collective)."""
        from pdesolve.output.paraview import write_grid

        field = self.gather()
        if self.distributed.comm.getRank() == 0:
            parts = [field] if self.inputs is None else [field, self.inputs]
            named = {name: part.select([name]) for part in parts for name in part.names}
            write_grid(path, named, time)
        self.distributed.comm.tompi4py().barrier()
