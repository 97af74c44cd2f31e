"""The grid behind a PETSc matrix, for preconditioners that need it."""

from __future__ import annotations

import math
from typing import Any

from petsc4py import PETSc

from meshes.errors import InputError


def grid_of_matrix(
    matrix: Any, name: str, most_unknowns: int = 1
) -> tuple[tuple[int, ...], tuple[bool, ...], int]:
    """Shape, periodic axes and unknowns a cell of a matrix's grid, axis 0 being x.

    Parameters
    ----------
    matrix
        On one process, with a ``DMDA``.
    name
        Of the preconditioner, for messages.
    most_unknowns
        How many unknowns a cell it can take.

    Raises
    ------
    InputError
        For a matrix on several processes, one without ``DMDA``, of too many unknowns, or of
        another size than its grid.
    """
    if matrix.comm.getSize() > 1:
        raise InputError(
            f"{name} works on one process, and the matrix is spread over "
            f"{matrix.comm.getSize()}. Solve on PETSc.COMM_SELF, many systems side by side, or "
            "use pc_type gamg"
        )
    dm = matrix.getDM()
    if not isinstance(dm, PETSc.DMDA) or dm.handle == 0:
        raise InputError(
            f"{name} needs a matrix that knows its grid, one with a DMDA, and this one has "
            "none. Make it with operators.StencilMatrix, or call Mat.setDM"
        )
    unknowns = int(dm.getDof())
    if unknowns > most_unknowns:
        needed = "one unknown" if most_unknowns == 1 else f"at most {most_unknowns} unknowns"
        raise InputError(
            f"{name} needs {needed} a cell, and the matrix's grid has {unknowns}. "
            "Use it for the scalar blocks of a fieldsplit, or another preconditioner"
        )
    wraps = PETSc.DM.BoundaryType.PERIODIC
    shape = tuple(int(size) for size in reversed(dm.getSizes()))
    periodic = tuple(kind == wraps for kind in reversed(dm.getBoundaryType()))
    rows, columns = matrix.getSize()
    if not rows == columns == math.prod(shape) * unknowns:
        raise InputError(
            f"the matrix has {rows} rows and {columns} columns, and its grid of shape {shape} has "
            f"{math.prod(shape)} cells of {unknowns}; give one row and column for each unknown"
        )
    return shape, periodic, unknowns
