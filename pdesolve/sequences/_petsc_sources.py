"""Linear systems of samples, one after another in the same matrix and vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_block import BlockMatrix, DistributedGrid
from operators._petsc_stencil import StencilMatrix
from pdesolve.grid._petsc_block_solver import DEFAULT_PARAMETERS as BLOCK_PARAMETERS
from pdesolve.grid._petsc_blocks import block_of_process, with_factorisation
from pdesolve.grid._petsc_solver import default_parameters
from pdesolve.grid.downstream import reversed_along, upstream_axes
from pdesolve.problems.base import LinearSystem, Problem


@dataclass(frozen=True, eq=False)
class LoadedSystem:
    """A u = b of one sample in PETSc's objects, which the next sample overwrites.

    Parameters
    ----------
    matrix
        A. The same object for all systems of a source.
    right
        b.
    symmetric
        Whether A is symmetric.
    constant_null_space
        Whether constants solve A u = 0; the answer is the one with mean zero.
    preconditioned
        The matrix that the preconditioner is made from; A when left out.
    notes
        Remarks for the record of the solve.
    hint
        What to try when the solve fails.
    lift
        What the source needs to read an answer, such as given boundary values to add.
    """

    matrix: Any
    right: Any
    symmetric: bool
    constant_null_space: bool = False
    preconditioned: Any = None
    notes: tuple[str, ...] = ()
    hint: str = ""
    lift: Any = None

    @property
    def preconditioning_matrix(self) -> Any:
        """The matrix that the preconditioner is made from."""
        return self.matrix if self.preconditioned is None else self.preconditioned


class SystemSource(Protocol):
    """Where the systems of a sequence come from.

    All systems have the same size and nonzero pattern. Where the operator of a sample is
    that of the sample before, the matrix is not touched, so that PETSc keeps the
    preconditioner.
    """

    def load(self, problem: Any) -> LoadedSystem:
        """The system of a problem; overwrites the one before."""

    def fingerprint(self, problem: Any) -> bytes:
        """The same for problems with the same operator, and different for others."""

    def defaults(self) -> Mapping[str, Any]:
        """PETSc options by which the systems are solved where nothing is said."""

    def values(self, vector: Any, system: LoadedSystem) -> FloatArray:
        """A solution u of a system on the storage grid, shape ``(channel, *shape)``."""

    def describe(self) -> Mapping[str, Any]:
        """The discretisation, for the settings."""

    def close(self) -> None:
        """Free the PETSc objects."""


class StencilSource:
    """Problems with :meth:`pdesolve.Problem.discretize`: one unknown a cell.

    Parameters
    ----------
    grid
        Solution and storage grid, of cells.
    reference
        A problem of the sequence.
    comm
        Communicator of one process.
    downstream
        Whether to number the cells of each system along its flow, see
        :func:`pdesolve.grid.downstream.reversed_along`.
    """

    def __init__(
        self,
        grid: StructuredGrid,
        reference: Problem,
        comm: Any = None,
        *,
        downstream: bool = False,
    ) -> None:
        if grid.location != "cell":
            raise InputError("the backend 'grid' stores cell values; use location='cell'")
        self.grid = grid
        self._reference = reference
        self._downstream = downstream
        self._comm = PETSc.COMM_SELF if comm is None else comm
        self._matrix: StencilMatrix | None = None
        self._loaded: FloatArray | None = None
        self._right: Any = None
        self._kept: tuple[Problem, LinearSystem] | None = None
        self._digested: tuple[FloatArray, bytes] | None = None

    def load(self, problem: Problem) -> LoadedSystem:
        """Discretise; fills the matrix unless the operator is the one at hand."""
        system = self._discretize(problem)
        axes = upstream_axes(system.stencil) if self._downstream else ()
        system = reversed_along(system, axes)
        stencil = system.stencil
        if self._matrix is not None and not np.array_equal(self._matrix.offsets, stencil.offsets):
            raise InputError(
                f"the systems of a sequence must have one stencil; '{problem.name}' has offsets "
                f"{stencil.offsets.tolist()}, those before {self._matrix.offsets.tolist()}. Take "
                "strategy='independent', or a source for each stencil"
            )
        if self._matrix is None:
            self._matrix = StencilMatrix(self.grid, stencil.offsets, self._comm)
            # for geometric multigrid: cells are divided into halves along each axis
            self._matrix.dm.setInterpolationType(PETSc.DMDA.InterpolationType.Q0)
            self._right = self._matrix.vector()
            if system.constant_null_space:
                space = PETSc.NullSpace().create(constant=True, comm=self._comm)
                self._matrix.mat.setNullSpace(space)
                space.destroy()
        if self._loaded is None or not np.array_equal(self._loaded, stencil.coefficients):
            self._matrix.set_values(stencil)
            self._matrix.mat.setOption(PETSc.Mat.Option.SYMMETRIC, system.symmetric)
            self._loaded = stencil.coefficients
        self._right.array = system.right_hand_side.ravel()
        return LoadedSystem(
            self._matrix.mat,
            self._right,
            system.symmetric,
            system.constant_null_space,
            notes=system.notes,
            lift=axes,
        )

    def _discretize(self, problem: Problem) -> LinearSystem:
        """The system; that of the last fingerprint is kept until then."""
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] is problem:
            return kept[1]
        return problem.discretize(self.grid)

    def fingerprint(self, problem: Problem) -> bytes:
        """Digest of the coefficients."""
        system = problem.discretize(self.grid)
        self._kept = (problem, system)
        values = system.stencil.coefficients
        if self._digested is None or not np.array_equal(self._digested[0], values):
            self._digested = (values, _digest(values))
        return self._digested[1]

    def defaults(self) -> Mapping[str, Any]:
        """Those of the family over the general ones."""
        return default_parameters(self._reference.grid_solver_parameters(self.grid, 1))

    def values(self, vector: Any, system: LoadedSystem) -> FloatArray:
        """One channel, numbered as the grid."""
        values = np.array(vector.array_r).reshape(self.grid.shape)
        return np.ascontiguousarray(np.flip(values, system.lift))[None]

    def describe(self) -> Mapping[str, Any]:
        """The discretisation."""
        numbering = {"numbering": "along the flow"} if self._downstream else {}
        return {"method": "cell-centred finite volumes", **numbering}

    def close(self) -> None:
        """Free the PETSc objects."""
        if self._matrix is not None:
            self._right.destroy()
            self._matrix.destroy()
            self._matrix = self._loaded = None


class BlockSource:
    """Problems with :meth:`pdesolve.Problem.block_system`: several unknowns a cell.

    Parameters
    ----------
    grid
        Solution and storage grid.
    reference
        A problem of the sequence.
    outputs
        Names of the components that are stored.
    comm
        Communicator of one process.
    """

    def __init__(
        self, grid: StructuredGrid, reference: Problem, outputs: Sequence[str], comm: Any = None
    ) -> None:
        self.grid = grid
        self._comm = PETSc.COMM_SELF if comm is None else comm
        self._width = reference.stencil_width
        self._block = block_of_process(grid, self._width, self._comm)
        first = reference.block_system(self._block)
        self._names = first.names
        missing = [name for name in outputs if name not in first.names]
        if missing:
            raise InputError(
                f"'{reference.name}' solves for {first.names}, not for {missing}; let the "
                "outputs be some of these"
            )
        self._rows = [first.names.index(name) for name in outputs]
        self._symmetric = first.symmetric
        self._own = dict(first.solver_parameters or {})
        self._grid = DistributedGrid(grid, len(first.names), self._width, self._comm)
        self._matrix = BlockMatrix(self._grid, first.offsets, first.couplings)
        self._shifted = None
        if first.preconditioner is not None:
            self._shifted = BlockMatrix(self._grid, first.offsets, first.couplings)
        self._right = self._grid.vector()
        self._loaded: FloatArray | None = None

    def load(self, problem: Problem) -> LoadedSystem:
        """Discretise; fills the matrix unless the operator is the one at hand."""
        system = problem.block_system(self._block)
        if system.names != self._names or (system.preconditioner is None) != (
            self._shifted is None
        ):
            raise InputError(
                f"the systems of a sequence must have the same unknowns; '{problem.name}' solves "
                f"for {system.names}, those before for {self._names}. Make a source for each kind"
            )
        if self._loaded is None or not np.array_equal(self._loaded, system.coefficients):
            for matrix, values in (
                (self._matrix, system.coefficients),
                (self._shifted, system.preconditioner),
            ):
                if matrix is not None and values is not None:
                    matrix.set_values(values)
                    matrix.mat.setOption(PETSc.Mat.Option.SYMMETRIC, system.symmetric)
            self._loaded = system.coefficients
        self._grid.fill(self._right, system.right_hand_side)
        return LoadedSystem(
            self._matrix.mat,
            self._right,
            system.symmetric,
            preconditioned=None if self._shifted is None else self._shifted.mat,
            notes=system.notes,
            hint=system.hint,
        )

    def fingerprint(self, problem: Problem) -> bytes:
        """Digest of the coefficients."""
        return _digest(problem.block_system(self._block).coefficients)

    def defaults(self) -> Mapping[str, Any]:
        """Those of the system over GMRES with a factorisation."""
        found = {**BLOCK_PARAMETERS}
        if self._symmetric and PETSc.Sys.hasExternalPackage("mumps"):
            found["pc_type"] = "cholesky"
        return with_factorisation({**found, **self._own}, None)

    def values(self, vector: Any, system: LoadedSystem) -> FloatArray:
        """The stored components."""
        del system
        return self._grid.values(vector)[self._rows]

    def describe(self) -> Mapping[str, Any]:
        """The discretisation."""
        return {"method": "second differences", "unknowns": list(self._names)}

    def close(self) -> None:
        """Free the PETSc objects."""
        self._right.destroy()
        self._matrix.destroy()
        if self._shifted is not None:
            self._shifted.destroy()
        self._grid.destroy()


def _digest(values: FloatArray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(values).data, digest_size=16).digest()
