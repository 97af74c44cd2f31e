"""Solvers for Lagrange elements: the candidates in one run."""

from __future__ import annotations

from typing import Any

from benchmarks.table import Table
from operators.failures import SolveFailure
from pdesolve import get_family, sample_generator, solve
from pdesolve.fem import box_mesh

CANDIDATES: dict[str, dict[str, Any]] = {
    "GAMG, threshold 0": {"pc_gamg_threshold": 0.0},
    "default (0.05)": {},
    "0.02, SOR": {"pc_gamg_threshold": 0.02, "mg_levels_pc_type": "sor"},
    "ICC": {"pc_type": "icc", "ksp_max_it": 5000},
    "MUMPS": {
        "ksp_type": "preonly",
        "pc_type": "cholesky",
        "pc_factor_mat_solver_type": "mumps",
    },
}
CASES = (
    ("darcy2d", 128, 1),
    ("darcy2d", 128, 2),
    ("darcy2d", 64, 3),
    ("darcy2d", 64, 4),
    ("darcy3d", 24, 1),
    ("darcy3d", 12, 2),
)


def run() -> Table:
    """Iterations, and set-up and solve in milliseconds."""
    table = Table(
        "finite_elements",
        "Lagrange elements on darcy2d and darcy3d: iterations, set-up + solve in ms",
        ("element", "unknowns", *CANDIDATES),
    )
    for name, cells, degree in CASES:
        family = get_family(name)
        problem = family.problem(family.sample(sample_generator(0, "train", 0)))
        mesh = box_mesh(problem.grid(cells))
        solve(problem, mesh=mesh, degree=degree)  # compiles the kernels
        entries, unknowns = [], 0
        for parameters in CANDIDATES.values():
            try:
                result = solve(
                    problem, mesh=mesh, degree=degree, solver_parameters=parameters
                ).result
            except SolveFailure as failure:
                entries.append(failure.result.reason if failure.result else "failed")
                continue
            unknowns = result.num_unknowns
            seconds = result.seconds.get("setup", 0.0) + result.seconds["solve"]
            entries.append(f"{result.iterations}, {1e3 * seconds:.0f}")
        table.add(f"CG {degree}, {problem.dimension}D, {cells} cells an axis", unknowns, *entries)
    table.notes.append("One sample (seed 0), 1e-8 in the true residual, one process.")
    return table
