"""Solve on all processes and print what must not depend on their number."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from meshes import StructuredGrid
from pdesolve import DarcyProblem, Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.fem import load_checkpoint, save_checkpoint
from pdesolve.fem._firedrake import firedrake
from tests.pdesolve.grid.manufactured import CASES

TIGHT = {"ksp_rtol": 1e-13}
COMM = firedrake.COMM_WORLD


def answers(mesh_file: str, folder: Path) -> dict[str, list[float]]:
    grid = StructuredGrid((5, 5))
    found = {}

    def keep(name, solution, grid=grid):
        whole = solution.gather()
        norms = [whole.norm(), float(whole.mesh.num_cells), float(whole.mesh.num_points)]
        found[name] = [*solution.on(grid).values.ravel().tolist(), *norms]

    family = get_family("darcy2d")
    draw = family.problem(family.sample(sample_generator(0, "test", 0)))
    keep("draw", solve(draw, mesh=12, backend="fem", solver_parameters=TIGHT))
    neumann = CASES["2d-neumann"]
    box = StructuredGrid((5, 5), neumann.lower, neumann.upper)
    for element in ("CG", "RT"):
        solution = solve(
            neumann.problem(), mesh=(6, 6), backend="fem", element=element, solver_parameters=TIGHT
        )
        keep(f"neumann {element}", solution, box)
    sides = {"inlet": Dirichlet(1.0), "7": Neumann(-0.5), "walls": Dirichlet(lambda x: 1 - x[0])}
    problem = DarcyProblem(2.0, 1.0, sides)
    gmsh = solve(problem, mesh=mesh_file, solver_parameters=TIGHT)
    keep("gmsh", gmsh)
    mixed = solve(problem, mesh=mesh_file, element="RT", solver_parameters=TIGHT)
    keep("gmsh RT", mixed)
    mixed.save(folder / f"{COMM.size}.pvd")
    save_checkpoint(folder / f"{COMM.size}.h5", mixed)
    for other in (1, 3):  # what the run on one process wrote is read by the run on three
        if (folder / f"{other}.h5").exists():
            state = load_checkpoint(folder / f"{other}.h5")
            found["gmsh RT reloaded"] = [*state.sample(grid).values.ravel().tolist()]
            assert set(state.gather().mesh.boundary_names) == {"inlet", "7", "walls"}
    return found


def failures(mesh_file: str) -> list[str]:
    """What each process says when process 1 has an error of its own."""

    def coefficient(x):
        if COMM.rank == 1:
            raise ValueError("process 1 cannot compute this")
        return 1.0 + x[0]

    def value(x):
        return np.full(x.shape[1], np.nan if COMM.rank == 1 else 0.0)

    texts = []
    for problem, mesh in (
        (DarcyProblem(coefficient), 8),
        (DarcyProblem(1.0, value), 8),
        (DarcyProblem(1.0), "absent.msh"),
        (DarcyProblem(1.0, 0.0, {"inlet": Dirichlet(0.0)}), mesh_file),
    ):
        try:
            solve(problem, mesh=mesh, backend="fem")
        except Exception as error:
            texts.append(f"{type(error).__name__} {error}")
    try:
        solve(DarcyProblem(1.0), mesh=16, backend="fem", solver_parameters={"ksp_max_it": 1})
    except Exception as error:
        texts.append(f"{type(error).__name__} {error}")
    return texts


if __name__ == "__main__":
    file, directory, what = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    result = answers(file, directory) if what == "answers" else COMM.gather(failures(file))
    if COMM.rank == 0:
        print("RESULT" + json.dumps(result))
