"""Program run by test_parallel.py: iteration numbers and answers of sequences."""

from __future__ import annotations

import json

import numpy as np
from mpi4py import MPI

from tests.pdesolve.ksp.sequences import DEFLATED, GCRODR, Systems, make_solver

COMM = MPI.COMM_WORLD
CASES = {
    "gcrodr-left": ({**GCRODR, "ksp_pc_side": "left"}, "convection_diffusion2d"),
    "gcrodr-right": ({**GCRODR, "ksp_pc_side": "right"}, "convection_diffusion2d"),
    "deflated-cg": (DEFLATED, "darcy2d"),
}


def main() -> None:
    answers = {}
    for name, (options, family) in CASES.items():
        systems = Systems(family, 12, 2)
        small = {
            "gcrodr_restart": 16, "gcrodr_recycle": 6,
            "deflated_cg_recycle": 6, "deflated_cg_directions": 12,
        }  # fmt: skip
        systems.load(0)
        solver = make_solver(
            systems.mat, {**options, **small, "pc_type": "jacobi", "ksp_rtol": 1e-10}
        )
        iterations, sums = [], []
        for number in range(2):
            systems.load(number)
            solver.solve(systems.b, systems.x)
            assert solver.getConvergedReason() > 0
            iterations.append(solver.getIterationNumber())
            sums.append([systems.x.sum(), systems.x.norm(), systems.x.max()[1]])
        context = solver.getPythonContext()
        assert context.num_recycled in {5, 6}
        assert COMM.allgather(context.num_recycled) == [context.num_recycled] * COMM.size
        answers[name] = {"iterations": iterations, "sums": sums}
    # more processes than unknowns: a process without rows
    from petsc4py import PETSc

    matrix = PETSc.Mat().createAIJ((2, 2), nnz=2, comm=COMM)
    start, end = matrix.getOwnershipRange()
    for row in range(start, end):
        matrix.setValues(row, [0, 1], [3.0, 1.0] if row == 0 else [1.0, 2.0])
    matrix.assemble()
    x, b = matrix.createVecs()
    b.set(1.0)
    for options in (GCRODR, DEFLATED):
        solver = make_solver(matrix, {**options, "pc_type": "none", "ksp_rtol": 1e-12})
        for _ in range(2):
            solver.solve(b, x)
            assert solver.getConvergedReason() > 0
            np.testing.assert_allclose(x.sum(), 0.6)
    if COMM.rank == 0:
        print("RESULT", json.dumps(answers))


if __name__ == "__main__":
    main()
