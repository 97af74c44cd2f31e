"""Program run by test_evolution_parallel.py; writes answers as text."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.advection import AdvectionProblem
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.heat import HeatProblem, Modulation

COMM = MPI.COMM_WORLD
TIGHT = {"ksp_rtol": 1e-13, "ksp_atol": 1e-15}


def problem_of(name: str):
    family = get_family(name, num_times=3, final_time=0.2)
    return family.problem(family.sample(sample_generator(0, "test", 0)))


def sides_problem() -> HeatProblem:
    return HeatProblem(
        lambda x: 1.0 + x[0],
        Modulation(0.5, 1.0),
        source=lambda x: x[1],
        initial=lambda x: x[0] * x[1],
        boundary_conditions={
            "x_lower": Dirichlet(0.0),
            "x_upper": Robin(2.0, 1.0),
            "y_lower": Neumann(0.5),
            "y_upper": Neumann(0.0),
        },
        times=(0.0, 0.1, 0.2),
    )


def flow_problem() -> AdvectionProblem:
    return AdvectionProblem(
        (lambda x: 1.0 + x[1], lambda x: 0.5 - 0.2 * x[0]),
        lambda x: np.sin(3 * x[0]) + x[1],
        {
            "x_lower": Dirichlet(lambda x: x[1]),
            "x_upper": Neumann(0.0),
            "y_lower": Dirichlet(1.0),
            "y_upper": Neumann(0.0),
        },
        times=(0.0, 0.1, 0.2),
    )


RUNS = {
    "heat1d": (lambda: problem_of("heat1d"), 40, TIGHT),
    "heat2d": (lambda: problem_of("heat2d"), (17, 19), TIGHT),
    "heat3d": (lambda: problem_of("heat3d"), (8, 9, 7), TIGHT),
    "sides": (sides_problem, (15, 13), TIGHT),
    "flow": (flow_problem, (15, 13), {}),
    "advection2d": (lambda: problem_of("advection2d"), (17, 19), {}),
    "burgers1d": (lambda: problem_of("burgers1d"), 40, TIGHT),
    "burgers1d_inviscid": (lambda: problem_of("burgers1d_inviscid"), 40, {}),
    "burgers2d": (lambda: problem_of("burgers2d"), (17, 19), TIGHT),
    "wave2d": (lambda: problem_of("wave2d"), (17, 19), {}),
}


def answers(folder: Path) -> dict[str, list[float]]:
    found = {}
    for name, (make, mesh, parameters) in RUNS.items():
        trajectory = evolve(make(), mesh=mesh, backend="grid", solver_parameters=parameters)
        found[name] = trajectory.gather().values.ravel().tolist()
        found[f"{name} history"] = [float(v[-1]) for v in trajectory.history.values()]
        found[f"{name} steps"] = [float(trajectory.result.num_steps)]
    # a checkpoint of this number of processes, and of another one
    problem, mesh = problem_of("heat2d"), (17, 19)
    options = {"mesh": mesh, "backend": "grid", "method": "cn", "dt": 0.01}
    options["solver_parameters"] = TIGHT
    own = folder / f"{COMM.size}.h5"
    evolve(problem, times=(0.0, 0.1), checkpoint=own, **options)
    for path in sorted(folder.glob("?.h5")):
        rest = evolve(problem, restart=path, **options)
        found[f"restart {path.stem}"] = rest.gather().values.ravel().tolist()
    return found


def failures(rank: int) -> list[str]:
    """What one process alone meets ends all of them."""

    def initial(x):
        if rank == COMM.rank:
            raise FileNotFoundError("no file on this process")
        return 0 * x[0]

    def factor(time):
        if time > 0.05 and rank == COMM.rank:
            raise ValueError("no factor on this process")
        return 1.0

    spoiled = problem_of("wave2d")
    whole = spoiled.grid_evolution

    def with_nan(block):
        evolution = whole(block)
        rate = evolution.rate

        def spoil(time, u):
            values = rate(time, u)
            if time > 0.05 and COMM.rank == rank:
                values[1, 0, 0] = np.nan
            return values

        object.__setattr__(evolution, "rate", spoil)
        return evolution

    object.__setattr__(spoiled, "grid_evolution", with_nan)
    caught = []
    for problem in (
        HeatProblem(1.0, initial=initial),
        HeatProblem(1.0, factor, initial=lambda x: x[0]),
        spoiled,
    ):
        try:
            evolve(problem, mesh=12, backend="grid")
        except Exception as error:
            caught.append(f"{type(error).__name__} {error}")
    for bad in ({"dt": 1.0, "method": "rk 4"}, {"restart": "none.h5"}):
        try:
            evolve(problem_of("heat2d"), mesh=12, backend="grid", **bad)
        except Exception as error:
            caught.append(f"{type(error).__name__} {error}")
    return caught


def main() -> None:
    if sys.argv[1] == "fail":
        everywhere = COMM.gather(failures(int(sys.argv[2])))
        if COMM.rank == 0:
            print("RESULT", json.dumps(everywhere))
        return
    found = answers(Path(sys.argv[1]))
    if COMM.rank == 0:
        print("RESULT", json.dumps(found))


if __name__ == "__main__":
    main()
