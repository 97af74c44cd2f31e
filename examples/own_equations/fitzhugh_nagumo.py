"""Backend grid in time: FitzHugh–Nagumo, v' = D Δv + v − v³/3 − w, w' = ε (v + a − b w)."""

from dataclasses import dataclass, field

import numpy as np

from operators import FieldParameter, GaussianRandomField, ParameterSpace
from pdesolve import EvolutionProblem, Field, Periodic, ProblemFamily
from pdesolve.grid.systems import GridEvolution

DIFFUSIVITY, EPSILON, A, B = 1e-3, 0.08, 0.7, 0.8


@dataclass(frozen=True)
class FitzHughNagumoProblem(EvolutionProblem):
    initial: object
    name, dimension, lower, upper = "fitzhugh_nagumo", 2, (0.0, 0.0), (1.0, 1.0)
    unknowns, times = ("v", "w"), (0.0, 2.0, 4.0, 6.0, 8.0)
    boundary_conditions: dict = field(default_factory=lambda: {"all": Periodic()})

    def input_fields(self, grid):
        return Field(grid, self.initial.on(grid), ("initial_v",))

    def grid_evolution(self, block):
        squares = np.square(block.grid.spacing)

        def rate(time, u):
            v, w = u[(slice(None), *block.inner)]
            laplacian = sum(
                (u[0][block.shifted(axis, 1)] - 2 * v + u[0][block.shifted(axis, -1)]) / h2
                for axis, h2 in enumerate(squares)
            )
            return np.stack([DIFFUSIVITY * laplacian + v - v**3 / 3 - w, EPSILON * (v + A - B * w)])

        def stable_step(time, u):
            return 2.0 / (4.0 * DIFFUSIVITY * np.sum(1.0 / squares) + 4.0)

        v = self.initial.on(block.own_grid())
        method = {"ts_type": "rk", "ts_rk_type": "3bs"}
        state = np.stack([v, np.zeros_like(v)])
        return GridEvolution(("v", "w"), state, rate, stable_step=stable_step, method=method)


class FitzHughNagumo(ProblemFamily):
    name, dimension, default_shape, backends = "fitzhugh_nagumo", 2, (64, 64), ("grid",)
    inputs, outputs = ("initial_v",), ("v", "w")
    units = {"initial_v": "1", "v": "1", "w": "1", "length": "1", "time": "1"}
    equation = "v' = D Laplace(v) + v - v^3/3 - w, w' = eps (v + a - b w), periodic"
    noise = GaussianRandomField(2, boundary="periodic", standard_deviation=1.0)
    parameters = ParameterSpace((FieldParameter("initial_v", noise, "1"),))

    def problem(self, parameters):
        return FitzHughNagumoProblem(parameters["initial_v"])
