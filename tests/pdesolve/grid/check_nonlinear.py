"""Program run by test_nonlinear.py; writes answers as text, from every process."""

from __future__ import annotations

import json
import sys

import numpy as np
from mpi4py import MPI

from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import (
    BratuProblem,
    OneSidedReactionProblem,
    PLaplacianProblem,
)

COMM = MPI.COMM_WORLD
TIGHT = {"snes_rtol": 1e-13, "snes_atol": 1e-11, "ksp_rtol": 1e-10}


def wave(x):
    return np.sin(7 * x[0]) * np.cos(5 * x[1]) + 0.3


MIXED = {
    "x_lower": Dirichlet(lambda x: np.sin(2 * x[1])),
    "x_upper": Neumann(lambda x: np.cos(x[1])),
    "y_lower": Robin(2.0, lambda x: x[0]),
    "y_upper": Dirichlet(0.3),
}
WRAPPED = {
    "x_lower": Periodic(),
    "x_upper": Periodic(),
    "y_lower": Dirichlet(lambda x: np.sin(2 * np.pi * x[0])),
    "y_upper": Dirichlet(0.0),
}
GUIDE = {
    "x_lower": Dirichlet((lambda x: np.cos(np.pi * x[1]), 0.2)),
    "x_upper": Absorbing(),
    "y_lower": Neumann((0.5, -0.3)),
    "y_upper": Absorbing(),
}
CASES = {
    "bratu": (BratuProblem(6.5), (13, 11)),
    "bratu-mixed": (BratuProblem(1.0, wave, MIXED), (12, 11)),
    "p-laplacian": (PLaplacianProblem(3.0, wave), (9, 12)),
    "p-laplacian-wrapped": (PLaplacianProblem(1.5, wave, 1e-2, WRAPPED), (10, 9)),
    "continuation": (PLaplacianProblem(6.0), (12, 12)),
    "one-sided": (OneSidedReactionProblem(200.0, wave), (11, 12)),
    "helmholtz": (HelmholtzProblem(8.0, wave, GUIDE), (17, 14)),
    "helmholtz-real": (HelmholtzProblem(5.0, wave, WRAPPED), (14, 15)),
}


def check_parts(solution) -> None:
    """The processes' blocks make up the whole, which is the same everywhere."""
    whole = solution.gather()
    part = solution.field
    assert part.names == whole.names
    points = part.mesh.points().reshape(part.mesh.dimension, -1).T
    np.testing.assert_array_equal(
        whole.evaluate(points, method="nearest"), part.values.reshape(len(part.names), -1)
    )
    assert COMM.allreduce(part.mesh.num_points) == whole.mesh.num_points
    other = whole.mesh.with_shape(tuple(n + 1 for n in whole.mesh.shape))
    np.testing.assert_array_equal(solution.on(other).values, whole.resample(other).values)


def main() -> None:
    answers = {}
    for name, (problem, shape) in CASES.items():
        linear = isinstance(problem, HelmholtzProblem)
        options = {"ksp_rtol": 1e-12} if linear else TIGHT
        if name == "continuation":
            options = {**TIGHT, "snes_max_it": 9}
        solution = solve(problem, mesh=shape, solver_parameters=options)
        check_parts(solution)
        answers[name] = solution.gather().values.tolist()
        again = solve(problem, mesh=shape, x0=solution.gather())
        assert again.result.iterations == 0, (name, again.result)
    for name in ("helmholtz2d_random", "one_sided_reaction2d"):
        family = get_family(name, num_modes=16)
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
        options = {"ksp_rtol": 1e-12} if name.startswith("helmholtz") else TIGHT
        solution = solve(problem, mesh=(51, 49), solver_parameters=options)
        answers[name] = solution.gather().values.tolist()
    if COMM.rank == 0:
        print("RESULT", json.dumps(answers))


def fail_on_one(rank: int) -> None:
    """Errors that one process alone meets reach all of them."""
    calls = []

    def source(x):
        if COMM.rank == rank:
            raise FileNotFoundError("no file on this process")
        return 1.0 + 0 * x[0]

    class Breaking(BratuProblem):
        """A reaction that fails in the second step, on one process."""

        def nonlinear_system(self, block):
            from dataclasses import replace

            system = super().nonlinear_system(block)

            def residual(u):
                calls.append(1)
                if COMM.rank == rank and len(calls) > 2:
                    raise ZeroDivisionError("in the reaction")
                return system.residual(u)

            return replace(system, residual=residual)

    tight = {"snes_max_it": 1}
    caught = []
    for problem, parameters in (
        (BratuProblem(1.0, source), {}),
        (Breaking(1.0), {}),
        (BratuProblem(6.0), tight),
        (HelmholtzProblem(8.0, source), {}),
        (BratuProblem(1.0), {"snes_type": "newton"}),
    ):
        try:
            solve(problem, mesh=12, solver_parameters=parameters)
        except Exception as error:
            caught.append(f"{type(error).__name__} {error}")
        assert solve(BratuProblem(1.0), mesh=12).result.converged  # and work can go on
    everywhere = COMM.gather(caught)
    if COMM.rank == 0:
        print("RESULT", json.dumps(everywhere))


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "fail":
        fail_on_one(int(sys.argv[2]))
    else:
        main()
