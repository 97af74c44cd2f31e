"""Vectors and matrices with several unknowns a cell, spread over the processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from petsc4py import PETSc

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_stencil import check_index_range, process_grid


class DistributedGrid:
    """A grid whose blocks the processes share, with `num_components` unknowns a cell.

    It wraps a PETSc ``DMDA`` with ghost layers on all sides, also beyond the box, and
    moves values between PETSc's vectors and arrays ``(component, *shape)``.

    Parameters
    ----------
    grid
        The grid.
    num_components
        Unknowns a cell.
    width
        Ghost layers, the reach of the stencils.
    comm
        MPI communicator; collective. PETSc's default when left out.

    Attributes
    ----------
    block
        The part of this process.
    dm
        The PETSc ``DMDA``, axes in PETSc's order (the grid's last axis first).

    Examples
    --------
    >>> distributed = DistributedGrid(StructuredGrid((4, 4)), num_components=2)
    >>> vector = distributed.vector(np.ones((2, 4, 4)))
    >>> distributed.ghosted(vector).shape, float(vector.sum())
    ((2, 6, 6), 32.0)
    """

    def __init__(
        self, grid: StructuredGrid, num_components: int = 1, width: int = 1, comm: Any = None
    ) -> None:
        check_index_range(grid)
        self.grid = grid
        self.num_components = num_components
        ranks = PETSc.COMM_WORLD.getSize() if comm is None else PETSc.Comm(comm).getSize()
        kinds = PETSc.DM.BoundaryType
        self.dm = PETSc.DMDA().create(
            dim=grid.dimension,
            dof=num_components,
            sizes=tuple(reversed(grid.shape)),
            proc_sizes=tuple(reversed(process_grid(grid, width, ranks))),
            boundary_type=tuple(
                kinds.PERIODIC if wrap else kinds.GHOSTED for wrap in reversed(grid.periodic)
            ),
            stencil_type=PETSc.DMDA.StencilType.BOX,
            stencil_width=width,
            setup=True,
            comm=comm,
        )
        ranges = list(reversed(self.dm.getRanges()))
        self.block = GridBlock(
            grid,
            tuple(int(first) for first, _ in ranges),
            tuple(int(last) for _, last in ranges),
            width,
        )
        self._local = self.dm.createLocalVec()

    @property
    def comm(self) -> Any:
        """PETSc's communicator."""
        return self.dm.comm

    def vector(self, values: FloatArray | None = None) -> Any:
        """A vector, filled from values over the block, shape ``(component, *shape)``."""
        vector = self.dm.createGlobalVec()
        if values is not None:
            self.fill(vector, values)
        return vector

    def fill(self, vector: Any, values: FloatArray) -> None:
        """Set a vector from values over the block."""
        expected = (self.num_components, *self.block.shape)
        if values.shape != expected:
            raise InputError(f"values of shape {values.shape} must have shape {expected}")
        vector.array = np.moveaxis(values, 0, -1).ravel()

    def values(self, vector: Any) -> FloatArray:
        """The block's values of a vector, shape ``(component, *shape)`` (a copy)."""
        array = np.array(vector.array_r).reshape(*self.block.shape, self.num_components)
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))

    def ghosted(self, vector: Any) -> FloatArray:
        """The same with ghost layers (collective); beyond the box they are zero.

        Returns
        -------
        numpy.ndarray
            Shape ``(component, *ghosted_shape)``, a copy.
        """
        self.dm.globalToLocal(vector, self._local)
        array = np.array(self._local.array_r)
        array = array.reshape(*self.block.ghosted_shape, self.num_components)
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))

    def gather(self, vector: Any) -> FloatArray:
        """The whole array on every process, ``(component, *grid.shape)`` (collective)."""
        natural = self.dm.createNaturalVec()
        self.dm.globalToNatural(vector, natural)
        scatter, everything = PETSc.Scatter.toAll(natural)
        scatter.scatter(natural, everything, addv=False, mode=PETSc.ScatterMode.FORWARD)
        array = np.array(everything.array_r).reshape(*self.grid.shape, self.num_components)
        for part in (scatter, everything, natural):
            part.destroy()
        return np.ascontiguousarray(np.moveaxis(array, -1, 0))

    def destroy(self) -> None:
        """Free the PETSc objects (collective)."""
        self._local.destroy()
        self.dm.destroy()


class BlockMatrix:
    """A PETSc AIJ matrix on a distributed grid with a fixed neighbourhood.

    (A u)[r, i] = Σ_s Σ_c coefficients[s, r, c, i] · u[c, i + offsets[s]]

    Entries that would reach beyond the box are dropped: whatever the boundary conditions
    make of a ghost value must be folded into the others.

    Parameters
    ----------
    distributed
        The grid.
    offsets
        Shape ``(S, dimension)``.
    couplings
        Triples (s, r, c) that may be different from zero; all when left out. The
        nonzero pattern, and with it the cost, follows them.
    """

    def __init__(
        self,
        distributed: DistributedGrid,
        offsets: npt.ArrayLike,
        couplings: Sequence[tuple[int, int, int]] | None = None,
    ) -> None:
        self.distributed = distributed
        self.offsets = np.asarray(offsets, dtype=np.int64).reshape(-1, distributed.grid.dimension)
        size = distributed.num_components
        if np.abs(self.offsets).max() > distributed.block.width:
            raise InputError(
                f"offsets {self.offsets.tolist()} reach further than the "
                f"{distributed.block.width} ghost layers"
            )
        self.couplings = (
            [(s, r, c) for s in range(len(self.offsets)) for r in range(size) for c in range(size)]
            if couplings is None
            else list(couplings)
        )
        block = distributed.block
        local = size * int(np.prod(block.shape))
        total = size * distributed.grid.num_points
        self.mat = PETSc.Mat().create(comm=distributed.dm.comm)
        self.mat.setSizes(((local, total), (local, total)), bsize=size)
        self.mat.setType(PETSc.Mat.Type.AIJ)
        self.mat.setDM(distributed.dm)
        rows, columns = self._pattern()
        self.mat.setPreallocationCOO(rows, columns)

    def _pattern(self) -> tuple[Any, Any]:
        block, size = self.distributed.block, self.distributed.num_components
        numbers = np.asarray(self.distributed.dm.getLGMap().indices)
        numbers = numbers.reshape(*block.ghosted_shape, size)
        rows, columns = [], []
        for s, r, c in self.couplings:
            window = tuple(
                slice(part.start + int(step), part.stop + int(step))
                for part, step in zip(block.inner, self.offsets[s], strict=True)
            )
            column = numbers[..., c][window]
            row = numbers[..., r][block.inner]
            rows.append(np.where(column < 0, -1, row).ravel())
            columns.append(column.ravel())
        return (
            np.concatenate(rows).astype(PETSc.IntType),
            np.concatenate(columns).astype(PETSc.IntType),
        )

    def set_values(self, coefficients: FloatArray) -> None:
        """Fill in coefficients over the block (collective).

        Parameters
        ----------
        coefficients
            Shape ``(S, component, component, *shape)``, or ``(S, *shape)`` where there is
            one component.
        """
        size, block = self.distributed.num_components, self.distributed.block
        full = (len(self.offsets), size, size, *block.shape)
        if coefficients.shape == (len(self.offsets), *block.shape) and size == 1:
            coefficients = coefficients.reshape(full)
        if coefficients.shape != full:
            raise InputError(f"coefficients of shape {coefficients.shape} must have shape {full}")
        values = np.stack([coefficients[coupling] for coupling in self.couplings])
        self.mat.setValuesCOO(np.ascontiguousarray(values, dtype=np.float64).ravel())

    def destroy(self) -> None:
        """Free the matrix (collective)."""
        self.mat.destroy()
