"""Which solver for a Darcy system of which size: the candidates in one run."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from scipy.sparse.linalg import spsolve

from benchmarks.table import Table
from operators.failures import SolveFailure
from pdesolve import get_family, sample_generator
from pdesolve.grid._petsc_solver import GridSolver

CANDIDATES: dict[str, dict[str, Any]] = {
    "CG + GAMG (default)": {},
    "CG + ICC": {"pc_type": "icc"},
    "CG + Jacobi": {"pc_type": "jacobi", "ksp_max_it": 5000},
    "GMRES(40) + ILU": {
        "ksp_type": "gmres",
        "ksp_gmres_restart": 40,
        "ksp_pc_side": "right",
        "pc_type": "ilu",
        "ksp_max_it": 5000,
    },
    "MUMPS Cholesky": {
        "ksp_type": "preonly",
        "ksp_norm_type": "none",
        "pc_type": "cholesky",
        "pc_factor_mat_solver_type": "mumps",
    },
}


def run(repeats: int = 5) -> Table:
    """Set-up and solve per sample with matrix, pattern and solver kept."""
    table = Table(
        "darcy_solvers",
        "Darcy systems (darcy2d, darcy3d), milliseconds a sample at 1e-8",
        ("solver", "85²", "128²", "256²", "32³"),
    )
    cases = [("darcy2d", (85, 85)), ("darcy2d", (128, 128)), ("darcy2d", (256, 256))]
    cases.append(("darcy3d", (32, 32, 32)))
    systems = {}
    for name, shape in cases:
        family = get_family(name)
        problems = [
            family.problem(family.sample(sample_generator(0, "train", index)))
            for index in range(repeats + 1)
        ]
        systems[shape] = [problem.discretize(problem.grid(shape)) for problem in problems]
    for label, parameters in CANDIDATES.items():
        cells = []
        for shape, samples in systems.items():
            solver = GridSolver(samples[0].stencil.grid, parameters)
            times, iterations = [], []
            try:
                for system in samples:
                    start = time.perf_counter()
                    vector, result = solver.solve(system)
                    times.append(time.perf_counter() - start)
                    iterations.append(result.iterations)
                    vector.destroy()
                cells.append(
                    f"{1e3 * statistics.median(times[1:]):.1f} ({np.mean(iterations[1:]):.0f})"
                )
            except SolveFailure as failure:
                cells.append(failure.result.reason if failure.result else "failed")
            del shape
            solver.destroy()
        table.add(label, *cells)
    cells = []
    for samples in systems.values():
        times = []
        for system in samples[: 3 if samples[0].stencil.grid.dimension == 3 else None]:
            matrix = system.stencil.to_csr().tocsc()
            start = time.perf_counter()
            spsolve(matrix, system.right_hand_side.ravel())
            times.append(time.perf_counter() - start)
        cells.append(f"{1e3 * statistics.median(times[1:]):.1f}")
    table.add("SciPy spsolve", *cells)
    table.notes.append(
        f"Median of {repeats} samples after one; iterations in brackets; matrix, pattern and "
        "solver kept from sample to sample (SciPy's has nothing to keep). One process."
    )
    return table
