"""Program run by test_parallel.py; writes answers as text, from every process."""

from __future__ import annotations

import json
import sys

import numpy as np
from mpi4py import MPI

from pdesolve import DarcyProblem, get_family, sample_generator, solve
from tests.pdesolve.grid.manufactured import CASES

COMM = MPI.COMM_WORLD
TIGHT = {"ksp_rtol": 1e-12}
DIRECT = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}


def check_parts(solution) -> None:
    """The processes' blocks are disjoint, lie where they say, and make up the whole."""
    whole = solution.gather()
    grid = whole.mesh
    part = solution.field
    assert part.names == whole.names
    points = part.mesh.points().reshape(grid.dimension, -1).T
    np.testing.assert_allclose(
        whole.evaluate(points, method="nearest")[0], part.values.ravel(), rtol=0, atol=0
    )
    np.testing.assert_allclose(part.mesh.spacing, grid.spacing, rtol=1e-12)
    assert COMM.allreduce(part.mesh.num_points) == grid.num_points
    squares = COMM.allreduce(part.norm() ** 2)
    assert abs(np.sqrt(squares) - whole.norm()) <= 1e-12 * whole.norm()
    # evaluation on another grid is the same everywhere
    other = grid.with_shape(tuple(n + 1 for n in grid.shape))
    sampled = solution.on(other).values
    np.testing.assert_array_equal(sampled, COMM.bcast(sampled))
    np.testing.assert_array_equal(sampled, whole.resample(other).values)


def main() -> None:
    answers = {}
    for name in ("1d", "2d-mixed", "2d-neumann", "2d-periodic", "2d-jump-in-x", "3d-mixed"):
        case = CASES[name]
        solution = solve(case.problem(), mesh=case.shape, solver_parameters=TIGHT)
        check_parts(solution)
        answers[name] = solution.gather().values.tolist()
    family = get_family("darcy2d")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    solution = solve(problem, mesh=(31, 29), solver_parameters=TIGHT)
    check_parts(solution)
    answers["darcy2d"] = solution.gather().values.tolist()
    if "mumps" in sys.argv:
        direct = solve(problem, mesh=(31, 29), solver_parameters=DIRECT)
        assert direct.result.relative_residual < 1e-12
        answers["direct"] = direct.gather().values.tolist()
    # the initial guess is given on every process
    again = solve(
        problem, mesh=(31, 29), x0=solution.gather(), solver_parameters={"ksp_rtol": 1e-9}
    )
    assert again.result.iterations == 0
    # a communicator with one process each, and one with some of the processes
    alone = solve(problem, mesh=8, comm=MPI.COMM_SELF)
    assert alone.field.mesh.num_points == 64
    some = COMM.Split(COMM.rank == 0, COMM.rank)
    shared = solve(problem, mesh=8, comm=some)
    assert some.allreduce(shared.field.mesh.num_points) == 64
    difference = np.abs(shared.gather().values - alone.field.values).max()
    assert difference < 1e-7 * np.abs(alone.field.values).max()
    some.Free()
    if COMM.rank == 0:
        print("RESULT", json.dumps(answers))


def fail_on_one(rank: int) -> None:
    """Errors that one process alone meets reach all of them."""

    def source(x):
        if COMM.rank == rank:
            raise FileNotFoundError("no file on this process")
        return 1.0 + 0 * x[0]

    def negative(x):
        return (-1.0 if COMM.rank == rank else 1.0) + 0 * x[0]

    serial_only = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "petsc"}
    plain = DarcyProblem(1.0)
    caught = []
    for problem, parameters in (
        (DarcyProblem(1.0, source), {}),
        (DarcyProblem(negative), {}),
        (plain, {"ksp_max_it": 1}),
        (plain, {"ksp_type": "cgg"}),
        (plain, serial_only),
    ):
        try:
            solve(problem, mesh=12, solver_parameters=parameters)
        except Exception as error:
            caught.append(f"{type(error).__name__} {error}")
        assert solve(plain, mesh=12).result.converged  # and work can go on
    everywhere = COMM.gather(caught)
    if COMM.rank == 0:
        print("RESULT", json.dumps(everywhere))


if __name__ == "__main__":
    if sys.argv[1] == "fail":
        fail_on_one(int(sys.argv[2]))
    else:
        main()
