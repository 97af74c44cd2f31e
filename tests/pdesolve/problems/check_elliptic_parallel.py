"""Program run by test_nonlinear_elliptic.py; writes answers of finite elements as text."""

from __future__ import annotations

import json

import numpy as np
from mpi4py import MPI

from pdesolve import solve
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Robin
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import (
    BratuProblem,
    OneSidedReactionProblem,
    PLaplacianProblem,
)


def wave(x):
    return np.sin(7 * x[0]) * np.cos(5 * x[1]) + 0.3


MIXED = {
    "x_lower": Dirichlet(lambda x: np.sin(2 * x[1])),
    "x_upper": Neumann(lambda x: np.cos(x[1])),
    "y_lower": Robin(2.0, lambda x: x[0]),
    "y_upper": Dirichlet(0.3),
}
GUIDE = {
    "x_lower": Dirichlet((lambda x: np.cos(np.pi * x[1]), 0.2)),
    "x_upper": Absorbing(),
    "y_lower": Neumann((0.5, -0.3)),
    "y_upper": Absorbing(),
}
CASES = {
    "bratu": BratuProblem(1.0, wave, MIXED),
    "p-laplacian": PLaplacianProblem(3.0, wave, 1e-2, {"all": Dirichlet(lambda x: x[0])}),
    "one-sided": OneSidedReactionProblem(200.0, wave),
    "helmholtz": HelmholtzProblem(8.0, wave, GUIDE),
}


def main() -> None:
    answers = {}
    for name, problem in CASES.items():
        options = {} if name == "helmholtz" else {"snes_rtol": 1e-12}
        solution = solve(problem, mesh=16, backend="fem", solver_parameters=options)
        field = solution.on(problem.grid(7))
        assert field.names == (("u_real", "u_imaginary") if name == "helmholtz" else ("u",))
        assert solution.gather().num_channels == field.num_channels
        answers[name] = field.values.tolist()
    if MPI.COMM_WORLD.rank == 0:
        print("RESULT", json.dumps(answers))


if __name__ == "__main__":
    main()
