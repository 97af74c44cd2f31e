"""Mixed elements: a factorisation of the saddle-point system against hybridisation."""

from __future__ import annotations

from functools import partial

from benchmarks.table import Table, median_seconds
from pdesolve import get_family, sample_generator, solve
from pdesolve.fem import box_mesh
from pdesolve.problems._firedrake_darcy import DIRECT, HYBRIDIZATION

CASES = (
    ("darcy2d", 32, 1),
    ("darcy2d", 96, 1),
    ("darcy2d", 160, 1),
    ("darcy2d", 64, 2),
    ("darcy3d", 8, 1),
    ("darcy3d", 12, 1),
)


def run() -> Table:
    """Whole solves in seconds, median of three after one that compiles."""
    table = Table(
        "raviart_thomas",
        "Raviart–Thomas elements on darcy2d and darcy3d: whole solve in seconds",
        ("element", "unknowns", "MUMPS", "hybridisation"),
    )
    for name, cells, degree in CASES:
        family = get_family(name)
        problem = family.problem(family.sample(sample_generator(0, "train", 0)))
        mesh = box_mesh(problem.grid(cells))
        unknowns, seconds = 0, []
        for parameters in (DIRECT, HYBRIDIZATION):
            whole = partial(
                solve,
                problem,
                mesh=mesh,
                element="RT",
                degree=degree,
                solver_parameters=parameters,
            )
            unknowns = whole().result.num_unknowns
            seconds.append(median_seconds(whole, 3, warm_up=0))
        table.add(f"RT {degree}, {problem.dimension}D, {cells} cells an axis", unknowns, *seconds)
    table.notes.append("One sample (seed 0), one process. Compiling the kernels is not counted.")
    return table
