"""What the solvers on blocks of grids have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from petsc4py import PETSc

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import FloatArray, StructuredGrid
from operators._petsc_block import DistributedGrid
from pdesolve._petsc_options import flatten

NEED_SYMMETRY = {"cg", "minres", "symmlq", "cr", "fcg", "pipecg", "groppcg", "nash", "stcg"}


def block_of_process(grid: StructuredGrid, width: int, comm: Any) -> GridBlock:
    """The part of a grid that this process will hold, whatever the unknowns (collective)."""
    layout = DistributedGrid(grid, 1, width, comm)
    block = layout.block
    layout.destroy()
    return block


def guess_on_block(
    x0: Field | None, grid: StructuredGrid, block: GridBlock, names: tuple[str, ...]
) -> FloatArray | None:
    """A first guess over the block, ``(component, *shape)``.

    Raises
    ------
    InputError
        If it is no field with one channel for each component.
    """
    if x0 is None:
        return None
    if not isinstance(x0, Field) or x0.num_channels != len(names):
        plural = "one channel" if len(names) == 1 else f"the channels {', '.join(names)}"
        raise InputError(f"x0 must be a Field with {plural}")
    if len(names) > 1:
        x0 = x0.select(names)
    return np.ascontiguousarray(x0.resample(grid).values[(slice(None), *block.window)])


def with_factorisation(
    defaults: Mapping[str, Any], given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Defaults that factorise with MUMPS, where it is there and a factorisation is chosen."""
    found = dict(defaults)
    chosen = flatten({} if given is None else given).get("pc_type", found.get("pc_type"))
    if chosen in ("lu", "cholesky") and PETSc.Sys.hasExternalPackage("mumps"):
        found.setdefault("pc_factor_mat_solver_type", "mumps")
        found.setdefault("mat_mumps_icntl_14", 200)  # room for delayed pivots
    elif chosen not in ("lu", "cholesky"):
        found = {k: v for k, v in found.items() if not k.startswith(("pc_factor_mat", "mat_mumps"))}
    return found


def last_line(error: Exception) -> str:
    """PETSc's message without the stack in front of it."""
    return str(error).strip().splitlines()[-1].strip()
