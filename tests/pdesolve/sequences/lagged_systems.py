"""Systems solved one after another with a lagged preconditioner, checked against direct solves."""

from __future__ import annotations

import numpy as np

from meshes.structured import StructuredGrid
from pdesolve.problems.boundary import Dirichlet
from pdesolve.sequences.lagging import LagRule

GAMG = {
    "ksp_type": "cg",
    "ksp_norm_type": "unpreconditioned",
    "ksp_rtol": 1e-8,
    "ksp_max_it": 1000,
    "pc_type": "gamg",
    "mg_levels_ksp_max_it": 2,
    "mg_levels_pc_type": "jacobi",
}


class LaggedSystems:
    """Systems in one matrix, with lagging, and each by a direct solve."""

    def __init__(self, grid, options, settings):
        from petsc4py import PETSc

        from operators._petsc_stencil import StencilMatrix
        from pdesolve.grid.finite_volume import diffusion_offsets
        from pdesolve.sequences._petsc_lagging import LaggedKSP

        self.matrix = StencilMatrix(grid, diffusion_offsets(grid.dimension), PETSc.COMM_SELF)
        self.ksp = PETSc.KSP().create(comm=PETSc.COMM_SELF)
        self.ksp.setOptionsPrefix("lagging_test_")
        base = PETSc.Options("lagging_test_")
        for key, value in options.items():
            base[key] = value
        self.ksp.setOperators(self.matrix.mat)
        self.ksp.setFromOptions()
        self.lagged = LaggedKSP(self.ksp, LagRule(settings))
        self.right, self.solution = self.matrix.vector(), self.matrix.vector()
        self.options, self.base = options, base
        self.done, self.iterations, self.errors = [], [], []
        self.spent = 0
        """Iterations, those of kept preconditioners that failed included."""
        self.ksp.setMonitor(self._count)

    def _count(self, _, iteration, __):
        self.spent += iteration > 0

    def solve(self, stencil, right):
        from scipy.sparse.linalg import spsolve

        self.matrix.set_values(stencil)
        self.right.array = right.ravel()
        self.done.append(self.lagged.solve(self.right, self.solution))
        assert self.ksp.getConvergedReason() > 0
        self.iterations.append(self.ksp.getIterationNumber())
        values = self.solution.array_r.copy()
        matrix = stencil.to_csr()
        residual = np.linalg.norm(matrix @ values - right.ravel()) / np.linalg.norm(right)
        assert residual <= 2e-8
        exact = spsolve(matrix.tocsc(), right.ravel())
        self.errors.append(float(np.abs(values - exact).max() / np.abs(exact).max()))
        return values.reshape(right.shape)

    def close(self):
        for key in self.options:
            del self.base[key]
        self.ksp.destroy()
        self.matrix.destroy()


def box(size):
    grid = StructuredGrid((size, size))
    return grid, {side: Dirichlet(0.0) for side in grid.side_names}
