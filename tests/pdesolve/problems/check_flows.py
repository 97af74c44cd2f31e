"""Solve flows on all processes and print what must not depend on their number."""

from __future__ import annotations

import json

from benchmarks.families.navier_stokes import shear_flow
from benchmarks.families.stokes import varying_viscosity
from meshes import StructuredGrid
from pdesolve import get_family, sample_generator, solve
from pdesolve.fem._firedrake import firedrake

COMM = firedrake.COMM_WORLD
TIGHT = {"snes_rtol": 1e-13, "snes_atol": 1e-14}


def numbers(solution) -> list[float]:
    """Norms of the unknowns, and values at the points of a grid."""
    norms = [float(firedrake.norm(part)) for part in solution.state.functions.values()]
    grid = StructuredGrid((4, 4), solution.problem.lower, solution.problem.upper)
    return [*norms, *solution.on(grid).values.ravel().tolist()]


def answers() -> dict[str, list[float]]:
    found = {"stokes": numbers(solve(varying_viscosity().problem, mesh=8))}
    found["closed"] = numbers(solve(shear_flow().problem, mesh=8, solver_parameters=TIGHT))
    cylinder = get_family("cylinder_flow_steady", reynolds=20.0, cell_size=0.08)
    problem = cylinder.problem(cylinder.sample(sample_generator(0, "test", 0)))
    solution = solve(problem, solver_parameters=TIGHT)
    found["cylinder"] = numbers(solution)
    found["forces"] = list(cylinder.quantities(solution).values())
    return found


def failures() -> list[str]:
    """What each process says where process 1 has an error of its own."""
    from pdesolve.fem._firedrake_curved import curve_boundary
    from pdesolve.fem._firedrake_meshes import named_mesh
    from pdesolve.problems.cylinder_geometry import cylinder_channel_mesh
    from pdesolve.problems.stokes import StokesProblem

    def project(points):
        if COMM.rank == 1:
            raise ValueError("process 1 knows no curve")
        return points

    named = named_mesh(StokesProblem(), cylinder_channel_mesh(0.1), COMM)
    texts = []
    try:
        curve_boundary(named, "obstacle", project)
    except Exception as error:
        texts.append(str(error))
    return texts


if __name__ == "__main__":
    result, said = answers(), COMM.gather(failures())
    if COMM.rank == 0:
        print("RESULT" + json.dumps([result, said]))
