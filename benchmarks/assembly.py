"""Assembly of the 2D diffusion operator next to one multigrid-preconditioned solve."""

from __future__ import annotations

import statistics
import time

from benchmarks.table import Table
from pdesolve import get_family, sample_generator
from pdesolve.grid._petsc_solver import GridSolver


def run(shapes: tuple[int, ...] = (128, 512), repeats: int = 9) -> Table:
    """Ratio of assembly to solve, both from the same systems."""
    table = Table(
        "assembly",
        "Assembly from a coefficient array against one CG + GAMG solve (1e-8)",
        ("grid", "stencil, ms", "into PETSc, ms", "set-up, ms", "solve, ms", "assembly / solve"),
    )
    family = get_family("darcy2d")
    for size in shapes:
        stencils, inserted, set_ups, solves = [], [], [], []
        solver: GridSolver | None = None
        for index in range(repeats + 1):
            problem = family.problem(family.sample(sample_generator(0, "train", index)))
            grid = problem.grid(size)
            coefficient = problem.input_fields(grid)
            given = type(problem)(coefficient, dimension=2)
            start = time.perf_counter()
            system = given.discretize(grid)
            stencil = time.perf_counter() - start
            solver = solver or GridSolver(grid)
            vector, result = solver.solve(system)
            vector.destroy()
            if index:
                stencils.append(stencil)
                inserted.append(result.seconds["assembly"])
                set_ups.append(result.seconds["setup"])
                solves.append(result.seconds["solve"])
        medians = [1e3 * statistics.median(part) for part in (stencils, inserted, set_ups, solves)]
        ratio = (medians[0] + medians[1]) / (medians[2] + medians[3])
        table.add(f"{size}²", *medians, ratio)
    table.notes.append(
        f"Medians of {repeats} samples (seed 0) of darcy2d; the solve counts its set-up. "
        "One process."
    )
    return table
