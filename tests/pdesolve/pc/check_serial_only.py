"""What serial parts say on several processes; prints one line from the first of them."""

from __future__ import annotations

import json

from petsc4py import PETSc

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators._petsc_stencil import StencilMatrix
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.problems.boundary import Dirichlet
from pdesolve.sequences._petsc_lagging import LaggedKSP
from pdesolve.sequences.lagging import LagRule


def main() -> None:
    grid = StructuredGrid((8, 8))
    sides = {side: Dirichlet(0.0) for side in grid.side_names}
    system = diffusion_system(grid, 1.0 + 0.0 * grid.points()[0], grid.points()[0], sides)
    matrix = StencilMatrix(grid, system.stencil.offsets)
    matrix.set_values(system.stencil)
    ksp = PETSc.KSP().create()
    ksp.setOperators(matrix.mat)
    pc = ksp.getPC()
    pc.setType("python")
    pc.setPythonType("pdesolve.pc.FastPoisson")
    said = []
    try:
        ksp.setUp()
    except PETSc.Error as error:
        said.append(str(error.__cause__))
    try:
        LaggedKSP(ksp, LagRule())
    except InputError as error:
        said.append(str(error))
    every = matrix.dm.comm.tompi4py().gather(said)
    if every is not None:
        print("RESULT" + json.dumps(every))


main()
