"""Backend spectral: ∂u/∂t = D ∂²u/∂x² + r u (1 − u) on a periodic line, random start."""

from dataclasses import dataclass, field

from operators import FieldParameter, GaussianRandomField, LogNormalField, ParameterSpace
from pdesolve import EvolutionProblem, Field, Periodic, ProblemFamily
from pdesolve.spectral.evolution import SpectralEvolution

DIFFUSIVITY, RATE = 2e-4, 10.0


def reaction(transforms, time, u_hat, parameters):
    return RATE * (u_hat - transforms.product(u_hat, u_hat))


@dataclass(frozen=True)
class FisherKolmogorovProblem(EvolutionProblem):
    initial: object
    name, dimension, lower, upper = "fisher_kolmogorov", 1, (0.0,), (1.0,)
    times = (0.0, 0.25, 0.5, 0.75, 1.0)
    boundary_conditions: dict = field(default_factory=lambda: {"all": Periodic()})

    def input_fields(self, grid):
        return Field(grid, self.initial.on(grid), ("initial_u",))

    def spectral_evolution(self, grid):
        def diffusion(transforms, parameters):
            return DIFFUSIVITY * transforms.laplacian

        start = self.initial.on(grid)[None]
        return SpectralEvolution(grid, ("u",), start, diffusion, reaction, step_size=0.01)


class FisherKolmogorov(ProblemFamily):
    name, dimension, default_shape, backends = "fisher_kolmogorov", 1, (128,), ("spectral",)
    inputs, outputs = ("initial_u",), ("u",)
    units = {"initial_u": "1", "u": "1", "length": "m", "time": "s"}
    equation = "du/dt = D d2u/dx2 + r u (1 - u), periodic"
    seeds = LogNormalField(
        GaussianRandomField(1, 3.0, boundary="periodic", standard_deviation=1.5), mean_log=-4.0
    )
    parameters = ParameterSpace((FieldParameter("initial_u", seeds, "1"),))

    def problem(self, parameters):
        return FisherKolmogorovProblem(parameters["initial_u"])
