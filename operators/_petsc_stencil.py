"""Stencils as PETSc matrices on a DMDA."""

from __future__ import annotations

import atexit
import gc
import itertools
import math
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.block import GridBlock
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


class StencilLayout:
    """The blocks of a grid that the processes have, for stencils of a given reach.

    Parameters
    ----------
    grid
        The grid.
    width
        Ghost layers.
    corners
        Whether stencils reach cells that differ along several axes.
    comm
        MPI communicator; collective. PETSc's default when left out.

    Attributes
    ----------
    dm
        The ``DMDA``, axes in PETSc's order.
    block
        The part of this process.

    Examples
    --------
    >>> StencilLayout(StructuredGrid((8, 8))).block.shape
    (8, 8)
    """

    def __init__(
        self, grid: StructuredGrid, width: int = 1, corners: bool = False, comm: Any = None
    ) -> None:
        check_index_range(grid)
        self.width, self.corners = width, corners
        ranks = PETSc.COMM_WORLD.getSize() if comm is None else PETSc.Comm(comm).getSize()
        kinds = PETSc.DM.BoundaryType
        self.dm = PETSc.DMDA().create(
            dim=grid.dimension,
            dof=1,
            sizes=tuple(reversed(grid.shape)),
            proc_sizes=tuple(reversed(process_grid(grid, width, ranks))),
            boundary_type=tuple(
                kinds.PERIODIC if wrap else kinds.NONE for wrap in reversed(grid.periodic)
            ),
            stencil_type=PETSc.DMDA.StencilType.BOX if corners else PETSc.DMDA.StencilType.STAR,
            stencil_width=width,
            setup=True,
            comm=comm,
        )
        ranges = list(reversed(self.dm.getRanges()))
        self.block = GridBlock(
            grid,
            tuple(int(start) for start, _ in ranges),
            tuple(int(stop) for _, stop in ranges),
            width,
        )


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
    layout
        Blocks that are made already; the matrix then owns them.

    Attributes
    ----------
    dm, block
        Of the layout.

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

    def __init__(
        self,
        grid: StructuredGrid,
        offsets: IntArray,
        comm: Any = None,
        layout: StencilLayout | None = None,
    ) -> None:
        self.grid = grid
        self.offsets = np.asarray(offsets, dtype=np.int64)
        width = max(int(np.abs(self.offsets).max()), 1)
        corners = bool((np.count_nonzero(self.offsets, axis=1) > 1).any())
        if layout is None:
            layout = StencilLayout(grid, width, corners, comm)
        if layout.block.grid != grid or layout.width < width or (corners and not layout.corners):
            raise InputError(
                f"the layout of {layout.block.grid} with {layout.width} ghost layers does not hold "
                f"offsets {self.offsets.tolist()} on {grid}"
            )
        self.dm, self.block = layout.dm, layout.block
        self.local_window, self.local_shape = self.block.window, self.block.shape
        self.mat = PETSc.Mat().create(comm=self.dm.comm)
        local, total = int(np.prod(self.local_shape)), grid.num_points
        self.mat.setSizes(((local, total), (local, total)))
        self.mat.setType(PETSc.Mat.Type.AIJ)
        self.mat.setDM(self.dm)
        rows, columns = self._pattern()
        self.mat.setPreallocationCOO(rows, columns)
        self.mat.setOption(PETSc.Mat.Option.SPD, False)

    def _pattern(self) -> tuple[Any, Any]:
        """Row and column numbers in PETSc's order; -1 (skipped) outside the grid."""
        block = self.block
        ghosted = list(reversed(self.dm.getGhostRanges()))
        known = np.asarray(self.dm.getLGMap().indices).reshape(
            tuple(stop - start for start, stop in ghosted)
        )
        numbers = np.full(block.ghosted_shape, -1, dtype=PETSc.IntType)
        numbers[
            tuple(
                slice(start - first + block.width, stop - first + block.width)
                for (start, stop), first in zip(ghosted, block.start, strict=True)
            )
        ] = known
        shape = (len(self.offsets), *self.local_shape)
        rows = np.empty(shape, dtype=PETSc.IntType)
        columns = np.empty(shape, dtype=PETSc.IntType)
        rows[...] = numbers[block.inner]
        for s, offset in enumerate(self.offsets):
            window = tuple(
                slice(part.start + int(step), part.stop + int(step))
                for part, step in zip(block.inner, offset, strict=True)
            )
            columns[s] = numbers[window]
        return rows.ravel(), columns.ravel()

    def set_values(self, stencil: Stencil) -> None:
        """Fill in a stencil of the same grid and offsets (collective)."""
        if stencil.grid != self.grid or not np.array_equal(stencil.offsets, self.offsets):
            raise InputError(
                f"the matrix was made for {self.grid} with offsets {self.offsets.tolist()}; the "
                f"stencil has {stencil.grid} with offsets {stencil.offsets.tolist()}"
            )
        self.set_block(stencil.coefficients[(slice(None), *self.local_window)])

    def set_block(self, coefficients: FloatArray) -> None:
        """Fill in coefficients of the process's block (collective).

        Parameters
        ----------
        coefficients
            Shape ``(S, *block.shape)``.
        """
        expected = (len(self.offsets), *self.local_shape)
        if coefficients.shape != expected:
            raise InputError(
                f"coefficients of shape {coefficients.shape} must have shape {expected}"
            )
        self.mat.setValuesCOO(np.ascontiguousarray(coefficients, dtype=np.float64).ravel())

    def vector(self, values: FloatArray | None = None) -> Any:
        """A PETSc vector, filled from the process's part of an array if given."""
        return self.block_vector(None if values is None else values[self.local_window])

    def block_vector(self, values: FloatArray | None = None) -> Any:
        """A PETSc vector, filled from values over the process's block if given."""
        vector = self.dm.createGlobalVec()
        if values is not None:
            vector.array = values.ravel()
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


def is_symmetric(mat: Any) -> bool:
    """Whether xᵀA y = yᵀA x for two vectors of random numbers (collective)."""
    rng = np.random.default_rng(mat.comm.getRank())
    x, y = mat.createVecs()
    image = mat.createVecLeft()
    x.array = rng.random(x.getLocalSize()) - 0.5
    y.array = rng.random(y.getLocalSize()) - 0.5
    mat.mult(y, image)
    one, size = x.dot(image), x.norm() * image.norm()
    mat.mult(x, image)
    other = y.dot(image)
    for vector in (x, y, image):
        vector.destroy()
    return bool(abs(one - other) <= 1e-12 * size)


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
