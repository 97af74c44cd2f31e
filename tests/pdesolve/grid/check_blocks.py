"""Program run by test_blocks.py; writes answers as text, and what each process evaluated."""

from __future__ import annotations

import json
import sys

import numpy as np
from mpi4py import MPI

from pdesolve import DarcyProblem, Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.problems.boundary import Robin
from pdesolve.problems.convection_diffusion import ConvectionDiffusionProblem
from pdesolve.problems.poisson import PoissonProblem

COMM = MPI.COMM_WORLD
TIGHT = {"ksp_rtol": 1e-12}


class Counted:
    """A function of points that counts them."""

    def __init__(self, formula):
        self.formula, self.points = formula, 0

    def __call__(self, x):
        self.points += x[0].size
        return self.formula(x)


def counted() -> dict:
    """A variable coefficient, velocity and sides; how much one process evaluates."""
    parts = {
        "coefficient": Counted(lambda x: np.exp(x[0] - x[1])),
        "source": Counted(lambda x: x[0] * x[1]),
        "side": Counted(lambda x: 1 + x[0] ** 2),
    }
    sides = {
        "x_lower": Robin(parts["side"], 1.0),
        "x_upper": Neumann(0.5),
        "y_lower": Dirichlet(parts["side"]),
        "y_upper": Dirichlet(0.0),
    }
    shape = (36, 30)
    answers = {}
    problem = DarcyProblem(parts["coefficient"], parts["source"], sides)
    solution = solve(problem, mesh=shape, solver_parameters=TIGHT)
    cells = solution.field.mesh.num_points
    perimeter = sum(2 * size for size in solution.field.mesh.shape)
    assert parts["source"].points == cells
    assert cells <= parts["coefficient"].points <= cells + perimeter + 1  # 1: is it a matrix?
    answers["darcy"] = solution.gather().values.tolist()
    velocity = (lambda x: 1 + x[1], lambda x: np.sin(3 * x[0]))
    for scheme in ("upwind", "exponential"):
        problem = ConvectionDiffusionProblem(
            lambda x: 0.01 * (1 + x[0]), velocity, 1.0, sides, scheme=scheme
        )
        solution = solve(problem, mesh=shape, solver_parameters=TIGHT)
        answers[scheme] = solution.gather().values.tolist()
    flows = PoissonProblem(
        lambda x: np.cos(np.pi * x[0]) + 1.0, {"all": Neumann(-0.25)}
    )  # ∫f + ∮flux = 1 − 4/4
    solution = solve(flows, mesh=24, solver_parameters=TIGHT)
    answers["neumann"] = solution.gather().values.tolist()
    return answers


def draws() -> dict:
    """Families, whose draws are summed up on each block by itself."""
    answers = {}
    for name, shape in (
        ("poisson1d", 64), ("poisson2d", (32, 24)), ("poisson3d", 12),
        ("convection_diffusion1d", 64), ("convection_diffusion2d", 32), ("darcy3d", 9),
    ):  # fmt: skip
        family = get_family(name)
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
        solution = solve(problem, mesh=shape, solver_parameters=TIGHT)
        answers[name] = solution.gather().values.tolist()
    for sides in ("mixed", "robin", "neumann", "periodic"):
        family = get_family("poisson2d", sides=sides)
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
        solution = solve(problem, mesh=24, solver_parameters=TIGHT)
        answers[f"poisson2d {sides}"] = solution.gather().values.tolist()
    return answers


def fail_on_one() -> list:
    """Bad data in one process's block only."""

    def coefficient(x):
        return np.where((x[0] > 0.9) & (x[1] > 0.9), -1.0, 1.0)

    caught = []
    for problem in (
        DarcyProblem(coefficient),
        PoissonProblem(1.0, {"all": Robin(lambda x: 0.9 - x[0])}),
        PoissonProblem(lambda x: np.where(x[0] < 0.1, np.nan, 1.0)),
    ):
        try:
            solve(problem, mesh=24)
        except Exception as error:
            caught.append(f"{type(error).__name__} {error}")
        assert solve(DarcyProblem(1.0), mesh=12).result.converged  # and work can go on
    return COMM.gather(caught)


if __name__ == "__main__":
    answer = fail_on_one() if "fail" in sys.argv else {**counted(), **draws()}
    if COMM.rank == 0:
        print("RESULT", json.dumps(answer))
