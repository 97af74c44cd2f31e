"""Backend grid: −Δu + c(x) u = 1 on the unit square, u = 0 on its sides, random c > 0."""

from dataclasses import dataclass, field

import numpy as np

from operators import FieldParameter, GaussianRandomField, LogNormalField, ParameterSpace, Stencil
from pdesolve import Dirichlet, Field, LinearSystem, Problem, ProblemFamily
from pdesolve.grid.finite_volume import diffusion_system


@dataclass(frozen=True)
class ScreenedPoissonProblem(Problem):
    reaction: object
    name, dimension, lower, upper = "screened_poisson", 2, (0.0, 0.0), (1.0, 1.0)
    boundary_conditions: dict = field(default_factory=lambda: {"all": Dirichlet(0.0)})

    def input_fields(self, grid):
        return Field(grid, self.reaction.on(grid), ("reaction",))

    def discretize(self, grid):
        ones, sides = np.ones(grid.shape), dict.fromkeys(grid.side_names, Dirichlet(0.0))
        laplacian = diffusion_system(grid, ones, ones, sides)
        coefficients = laplacian.stencil.coefficients.copy()
        coefficients[0] += self.reaction.on(grid)  # the offset 0 comes first
        stencil = Stencil(grid, laplacian.stencil.offsets, coefficients)
        return LinearSystem(stencil, laplacian.right_hand_side, symmetric=True)


class ScreenedPoisson(ProblemFamily):
    name, dimension, default_shape, backends = "screened_poisson", 2, (64, 64), ("grid",)
    inputs, outputs, units = ("reaction",), ("u",), {"reaction": "m^-2", "u": "1", "length": "m"}
    equation = "-Laplace(u) + c(x) u = 1 on the unit square, u = 0 on its sides"
    rough = LogNormalField(GaussianRandomField(2, standard_deviation=1.0), mean_log=3.0)
    parameters = ParameterSpace((FieldParameter("reaction", rough, "m^-2"),))

    def problem(self, parameters):
        return ScreenedPoissonProblem(parameters["reaction"])
