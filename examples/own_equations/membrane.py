"""Backend fem: −∇·(∇u / √(1 + |∇u|²)) = f, a membrane under a random load, u = 0 around."""

from dataclasses import dataclass, field

from operators import FieldParameter, GaussianRandomField, ParameterSpace
from pdesolve import Dirichlet, Field, Problem, ProblemFamily


@dataclass(frozen=True)
class MembraneProblem(Problem):
    load: object
    name, dimension, lower, upper = "membrane", 2, (0.0, 0.0), (1.0, 1.0)
    boundary_conditions: dict = field(default_factory=lambda: {"all": Dirichlet(0.0)})

    def input_fields(self, grid):
        return Field(grid, self.load.on(grid), ("load",))

    def weak_form(self, context):
        from firedrake import Function, TestFunction, dx, grad, inner, sqrt

        from pdesolve.fem import NonlinearForm

        space = context.space("CG")
        u, v = Function(space), TestFunction(space)
        stretch = sqrt(1 + inner(grad(u), grad(u)))
        residual = inner(grad(u), grad(v)) / stretch * dx - context.data(self.load) * v * dx
        sides = context.dirichlet(space, self.boundary_conditions)
        return NonlinearForm(residual, u, boundary_conditions=sides)


class Membrane(ProblemFamily):
    name, dimension, default_shape, backends = "membrane", 2, (32, 32), ("fem",)
    inputs, outputs, units = ("load",), ("u",), {"load": "m^-1", "u": "m", "length": "m"}
    equation = "-div(grad u / sqrt(1 + |grad u|^2)) = f on the unit square, u = 0 on its sides"
    smooth = GaussianRandomField(2, standard_deviation=1.0)
    parameters = ParameterSpace((FieldParameter("load", smooth, "m^-1"),))

    def problem(self, parameters):
        return MembraneProblem(parameters["load"])
