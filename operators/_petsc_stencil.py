"""Stencils as PETSc matrices on a DMDA."""

from __future__ import annotations

import atexit
import gc
import itertools
import math
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators.stencil import IntArray, Stencil


def check_index_range(grid: StructuredGrid) -> None:
    """Refuse a grid with more values than PETSc can number."""
    integers = np.dtype(PETSc.IntType)
    if grid.num_points > np.iinfo(integers).max:
        raise InputError(
            f"{grid.num_points} unknowns overflow this PETSc's {integers.name} indices; "
            "use a PETSc configured with 64-bit indices or a smaller grid"
        )


def process_grid(grid: StructuredGrid, width: int, ranks: int) -> tuple[int, ...]:
    """Number of processes along each axis, so that blocks have little surface.

    Decided here and not by PETSc, which finds a block smaller than the stencil on the
    process that has it and leaves the others waiting.

    Parameters
    ----------
    grid
        The grid.
    width
        How many cells the stencil reaches.
    ranks
        Number of processes.

    Raises
    ------
    InputError
        If there is no way to give every process `width` cells along each divided axis.
    """
    best, least = None, math.inf
    for split in itertools.product(range(ranks, 0, -1), repeat=grid.dimension):
        if math.prod(split) != ranks or any(
            size // parts < width and (parts > 1 or wraps)
            for size, parts, wraps in zip(grid.shape, split, grid.periodic, strict=True)
        ):
            continue
        block = [-(-size // parts) for size, parts in zip(grid.shape, split, strict=True)]
        surface = sum(
            min(parts - 1, 2) * math.prod(block) / length
            for length, parts in zip(block, split, strict=True)
        )
        if surface < least or best is None:
            best, least = split, surface
    if best is None:
        raise InputError(
            f"a grid of shape {grid.shape} and a stencil that reaches {width} cells cannot be "
            f"spread over {ranks} processes; use a larger grid or fewer processes"
        )
    return best


class StencilMatrix:
    """A PETSc AIJ matrix on a DMDA that takes the values of stencils.

    The DMDA, the matrix and its nonzero pattern are made once; :meth:`set_values` fills
    in another stencil with the same offsets, so that preconditioners can keep what
    depends on the pattern alone.

    PETSc's fastest axis is the first, NumPy's the last: axis k of the grid is axis
    ``dimension - 1 - k`` of the DMDA. The process's part of a vector, reshaped to
    ``local_shape``, is then the block ``local_window`` of the array.

    Parameters
    ----------
    grid
        The grid.
    offsets
        Shape ``(S, dimension)``.
    comm
        MPI communicator; collective. PETSc's default when left out.

    Examples
    --------
    >>> grid = StructuredGrid((8, 8))
    >>> laplacian = Stencil(grid, [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]],
    ...                     [4.0, -1.0, -1.0, -1.0, -1.0])
    >>> matrix = StencilMatrix(grid, laplacian.offsets)
    >>> matrix.set_values(laplacian)
    >>> matrix.mat.getSize()
    (64, 64)
    """

    def __init__(self, grid: StructuredGrid, offsets: IntArray, comm: Any = None) -> None:
        self.grid = grid
        self.offsets = np.asarray(offsets, dtype=np.int64)
        dimension = grid.dimension
        width = int(np.abs(self.offsets).max())
        corners = bool((np.count_nonzero(self.offsets, axis=1) > 1).any())
        check_index_range(grid)
        boundary = tuple(
            PETSc.DM.BoundaryType.PERIODIC if wrap else PETSc.DM.BoundaryType.NONE
            for wrap in reversed(grid.periodic)
        )
        width = max(width, 1)
        ranks = PETSc.COMM_WORLD.getSize() if comm is None else PETSc.Comm(comm).getSize()
        self.dm = PETSc.DMDA().create(
            dim=dimension,
            dof=1,
            sizes=tuple(reversed(grid.shape)),
            proc_sizes=tuple(reversed(process_grid(grid, width, ranks))),
            boundary_type=boundary,
            stencil_type=PETSc.DMDA.StencilType.BOX if corners else PETSc.DMDA.StencilType.STAR,
            stencil_width=width,
            setup=True,
            comm=comm,
        )
        ranges = list(reversed(self.dm.getRanges()))
        ghosted = list(reversed(self.dm.getGhostRanges()))
        self.local_window = tuple(slice(start, stop) for start, stop in ranges)
        self.local_shape = tuple(stop - start for start, stop in ranges)
        self.mat = PETSc.Mat().create(comm=self.dm.comm)
        local, total = int(np.prod(self.local_shape)), grid.num_points
        self.mat.setSizes(((local, total), (local, total)))
        self.mat.setType(PETSc.Mat.Type.AIJ)
        self.mat.setDM(self.dm)
        rows, columns = self._pattern(ranges, ghosted)
        self.mat.setPreallocationCOO(rows, columns)
        self.mat.setOption(PETSc.Mat.Option.SPD, False)

    def _pattern(
        self, ranges: list[tuple[int, int]], ghosted: list[tuple[int, int]]
    ) -> tuple[Any, Any]:
        """Row and column numbers in PETSc's order; -1 (skipped) outside the grid."""
        numbers = np.asarray(self.dm.getLGMap().indices).reshape(
            tuple(stop - start for start, stop in ghosted)
        )
        own = tuple(
            slice(start - ghost_start, stop - ghost_start)
            for (start, stop), (ghost_start, _) in zip(ranges, ghosted, strict=True)
        )
        rows = np.broadcast_to(numbers[own], (len(self.offsets), *self.local_shape))
        columns = np.empty(rows.shape, dtype=PETSc.IntType)
        for s, offset in enumerate(self.offsets):
            windows, missing = [], np.zeros(self.local_shape, dtype=bool)
            for axis, step in enumerate(offset):
                (start, stop), (ghost_start, ghost_stop) = ranges[axis], ghosted[axis]
                index = np.arange(start, stop) + int(step) - ghost_start
                outside = (index < 0) | (index >= ghost_stop - ghost_start)
                shape = [1] * self.grid.dimension
                shape[axis] = -1
                missing = missing | outside.reshape(shape)
                windows.append(np.clip(index, 0, ghost_stop - ghost_start - 1))
            columns[s] = np.where(missing, -1, numbers[np.ix_(*windows)])
        rows = np.where(columns < 0, -1, rows)
        return (
            np.ascontiguousarray(rows, dtype=PETSc.IntType).ravel(),
            np.ascontiguousarray(columns, dtype=PETSc.IntType).ravel(),
        )

    def set_values(self, stencil: Stencil) -> None:
        """Fill in a stencil of the same grid and offsets (collective)."""
        if stencil.grid != self.grid or not np.array_equal(stencil.offsets, self.offsets):
            raise InputError(
                f"the matrix was made for {self.grid} with offsets {self.offsets.tolist()}; the "
                f"stencil has {stencil.grid} with offsets {stencil.offsets.tolist()}"
            )
        block = stencil.coefficients[(slice(None), *self.local_window)]
        self.mat.setValuesCOO(np.ascontiguousarray(block).ravel())

    def vector(self, values: FloatArray | None = None) -> Any:
        """A PETSc vector, filled from the process's part of an array if given."""
        vector = self.dm.createGlobalVec()
        if values is not None:
            vector.array = values[self.local_window].ravel()
        return vector

    def local_array(self, vector: Any) -> FloatArray:
        """The process's part of a vector, shape ``local_shape`` (a copy)."""
        return np.array(vector.array_r).reshape(self.local_shape)

    def gather(self, vector: Any) -> FloatArray:
        """The whole array on every process, shape ``grid.shape`` (collective)."""
        natural = self.dm.createNaturalVec()
        self.dm.globalToNatural(vector, natural)
        scatter, everything = PETSc.Scatter.toAll(natural)
        scatter.scatter(natural, everything, addv=False, mode=PETSc.ScatterMode.FORWARD)
        values = np.array(everything.array_r).reshape(self.grid.shape)
        for part in (scatter, everything, natural):
            part.destroy()
        return values

    def destroy(self) -> None:
        """Free the PETSc objects (collective)."""
        self.mat.destroy()
        self.dm.destroy()


def _free_together() -> None:
    """Free what Python has dropped, on all processes in step, before PETSc ends.

    Python may have collected objects on some processes only; PETSc would then wait for the
    others at its end.
    """
    gc.collect()
    if PETSc.Sys.isInitialized() and not PETSc.Sys.isFinalized():
        PETSc.garbage_cleanup(PETSc.COMM_WORLD)


if PETSc.COMM_WORLD.getSize() > 1:
    atexit.register(_free_together)


def stencil_matrix(stencil: Stencil, comm: Any = None) -> StencilMatrix:
    """The PETSc matrix of one stencil (collective)."""
    matrix = StencilMatrix(stencil.grid, stencil.offsets, comm)
    matrix.set_values(stencil)
    return matrix
