"""Program run by test_petsc_stencil.py on 1, 2 and 3 processes; prints the worst differences."""

from __future__ import annotations

import json

import numpy as np
from petsc4py import PETSc

from operators import Stencil, StencilMatrix
from tests.operators.stencils import CASES, make_stencil


def differences(name: str) -> dict[str, float]:
    """PETSc's matrix against the SciPy one, by products with three vectors."""
    stencil = make_stencil(name)
    grid = stencil.grid
    matrix = StencilMatrix(grid, stencil.offsets)
    worst = {"apply": 0.0, "transpose": 0.0, "round trip": 0.0, "diagonal": 0.0, "refilled": 0.0}
    rng = np.random.default_rng(1)
    for filled in (stencil, make_stencil(name, seed=7), stencil):
        matrix.set_values(filled)
        csr = filled.to_csr()
        for x in rng.standard_normal((3, *grid.shape)):
            source, result = matrix.vector(x), matrix.vector()
            matrix.mat.mult(source, result)
            found = matrix.gather(result)
            assert found.shape == grid.shape
            exact = (csr @ x.ravel()).reshape(grid.shape)
            worst["apply"] = max(worst["apply"], float(np.abs(found - exact).max()))
            block = matrix.local_array(result)
            assert block.shape == matrix.local_shape
            worst["apply"] = max(
                worst["apply"], float(np.abs(block - exact[matrix.local_window]).max())
            )
            matrix.mat.multTranspose(source, result)
            exact = (csr.T @ x.ravel()).reshape(grid.shape)
            worst["transpose"] = max(
                worst["transpose"], float(np.abs(matrix.gather(result) - exact).max())
            )
            worst["round trip"] = max(
                worst["round trip"], float(np.abs(matrix.gather(source) - x).max())
            )
        diagonal = matrix.gather(matrix.mat.getDiagonal())
        worst["diagonal"] = max(
            worst["diagonal"], float(np.abs(diagonal - filled.diagonal()).max())
        )
        # Frobenius norms agree: there is no entry that products missed
        norm = float(np.sqrt((csr.data**2).sum()))
        worst["refilled"] = max(
            worst["refilled"], abs(matrix.mat.norm(PETSc.NormType.FROBENIUS) - norm)
        )
    matrix.destroy()
    return worst


def refusals() -> list[str]:
    """Messages for stencils that do not belong to the matrix."""
    stencil = make_stencil("2d")
    matrix = StencilMatrix(stencil.grid, stencil.offsets)
    texts = []
    for other in (
        make_stencil("2d-periodic"),
        Stencil(stencil.grid, stencil.offsets[:3], np.zeros(3)),
    ):
        try:
            matrix.set_values(other)
        except ValueError as error:
            texts.append(str(error))
    return texts


if __name__ == "__main__":
    comm = PETSc.COMM_WORLD.tompi4py()
    here = {name: differences(name) for name in CASES}
    everywhere = comm.gather((here, refusals()), root=0)
    if comm.rank == 0:
        print("RESULT", json.dumps(everywhere))
