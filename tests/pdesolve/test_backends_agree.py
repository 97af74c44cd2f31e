"""One sample of a family on two backends: the answers come together as the mesh is refined."""

import numpy as np
import pytest

from pdesolve import EvolutionProblem, evolve, get_family, sample_generator, solve

GRID = pytest.mark.petsc
FEM = pytest.mark.firedrake

# family, backends, cells an axis, bound on the relative difference on the finer mesh
CASES = [
    pytest.param("poisson2d", "grid", "fem", (16, 32), 2e-3, marks=FEM),
    pytest.param("darcy2d_lognormal", "grid", "fem", (16, 32), 8e-3, marks=FEM),
    pytest.param("convection_diffusion2d", "grid", "fem", (32, 64), 2e-2, marks=FEM),
    pytest.param("convection_diffusion3d", "grid", "fem", (8, 16), 0.25, marks=FEM),
    pytest.param("helmholtz1d", "grid", "fem", (128, 256), 5e-3, marks=FEM),
    pytest.param("helmholtz3d_random", "grid", "fem", (12, 20), 0.1, marks=FEM),
    pytest.param("bratu2d", "grid", "fem", (16, 32), 1e-3, marks=FEM),
    pytest.param("p_laplacian2d", "grid", "fem", (16, 32), 1e-2, marks=FEM),
    pytest.param("one_sided_reaction2d", "grid", "fem", (16, 32), 1e-2, marks=FEM),
    pytest.param("heat1d", "spectral", "grid", (64, 128), 5e-4, marks=GRID),
    pytest.param("heat1d", "spectral", "fem", (32, 64), 1e-3, marks=FEM),
    pytest.param("heat2d", "spectral", "grid", (32, 64), 1e-3, marks=GRID),
    pytest.param("heat3d", "spectral", "grid", (8, 16), 4e-2, marks=GRID),
    pytest.param("advection1d", "spectral", "grid", (64, 128), 2e-2, marks=GRID),
    pytest.param("burgers1d", "spectral", "grid", (64, 128), 1e-5, marks=GRID),
    pytest.param("burgers2d", "spectral", "grid", (16, 32), 6e-3, marks=GRID),
    pytest.param("wave1d", "spectral", "grid", (64, 128), 2e-2, marks=GRID),
    pytest.param("wave1d", "spectral", "fem", (64, 128), 6e-3, marks=FEM),
]


def answer(problem, backend, size, points):
    shape = (size,) * problem.dimension
    if isinstance(problem, EvolutionProblem):
        times = (problem.times[0], problem.times[-1])
        return evolve(problem, mesh=shape, backend=backend, times=times).states[-1].sample(points)
    return solve(problem, mesh=shape, backend=backend).on(points)


@pytest.mark.parametrize(("name", "one", "other", "sizes", "bound"), CASES)
def test_backends_come_together(name, one, other, sizes, bound):
    family = get_family(name)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    points = problem.grid((8,) * problem.dimension)
    differences = []
    for size in sizes:
        first, second = (answer(problem, backend, size, points) for backend in (one, other))
        main = first.names[0]
        values, difference = first[main], second[main] - first[main]
        differences.append(float(np.linalg.norm(difference) / np.linalg.norm(values)))
    assert differences[1] < bound, differences
    assert differences[1] < 0.6 * differences[0], differences
