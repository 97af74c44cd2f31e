"""The answer of a linear system on a distributed grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshes.field import Field
from meshes.structured import StructuredGrid
from operators._petsc_stencil import StencilMatrix


@dataclass(eq=False)
class GridState:
    """A solution on a distributed array, with what gives the inputs on a grid."""

    matrix: StencilMatrix
    vector: Any
    name: str
    inputs: Callable[[StructuredGrid], Field]

    @property
    def native(self) -> Any:
        """The PETSc vector."""
        return self.vector

    def local_fields(self) -> dict[str, Field]:
        """The block of this process, on the grid of its cells."""
        values = self.matrix.local_array(self.vector)
        grid = self.matrix.block.own_grid()
        return {self.name: Field(grid, values, (self.name,))}

    def gather(self) -> Field:
        """The whole field on every process."""
        return Field(self.matrix.grid, self.matrix.gather(self.vector), (self.name,))

    def sample(self, grid: StructuredGrid) -> Field:
        """Multilinear interpolation of the whole field."""
        return self.gather().resample(grid)

    def write_paraview(self, path: Path, time: float) -> None:
        """Gather on the first process, which writes."""
        from pdesolve.output.paraview import write_grid

        field = self.gather()
        if self.matrix.dm.comm.getRank() == 0:
            inputs = self.inputs(self.matrix.grid)
            fields = {name: inputs.select([name]) for name in inputs.names}
            write_grid(path, {self.name: field, **fields}, time)
        self.matrix.dm.comm.tompi4py().barrier()
