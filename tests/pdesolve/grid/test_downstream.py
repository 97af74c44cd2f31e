"""Numbering along the flow changes the numbering and nothing else."""

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from operators.stencil import Stencil
from pdesolve.grid.downstream import reversed_along, upstream_axes
from pdesolve.problems.base import LinearSystem
from pdesolve.problems.convection_diffusion_problem import ConvectionDiffusionProblem


@pytest.mark.parametrize("velocity", [(1.0, 0.5), (-1.0, 0.5), (0.3, -2.0), (-1.0, -1.0)])
def test_flow_against_an_axis_is_found(velocity):
    problem = ConvectionDiffusionProblem(0.01, velocity, 1.0)
    axes = upstream_axes(problem.discretize(problem.grid((6, 5))).stencil)
    assert axes == tuple(axis for axis, part in enumerate(velocity) if part < 0)


@pytest.mark.parametrize("shape", [(7,), (5, 6), (4, 3, 5)])
def test_answers_come_reversed(shape):
    rng = np.random.default_rng(0)
    velocity = rng.standard_normal(len(shape))
    problem = ConvectionDiffusionProblem(
        0.1, tuple(velocity), lambda x: 1.0 + x[0] ** 2, dimension=len(shape)
    )
    system = problem.discretize(problem.grid(shape))
    exact = spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side.ravel()).reshape(shape)
    for axes in ((), (0,), tuple(range(len(shape)))):
        turned = reversed_along(system, axes)
        values = spsolve(turned.stencil.to_csr().tocsc(), turned.right_hand_side.ravel())
        assert np.flip(values.reshape(shape), axes) == pytest.approx(exact, rel=1e-10)


def test_a_stencil_that_reaches_to_one_side_only_is_refused():
    stencil = Stencil(StructuredGrid((4,)), [[0], [1]], [2.0, -1.0])
    with pytest.raises(InputError, match="both sides"):
        reversed_along(LinearSystem(stencil, np.ones(4)), (0,))


@pytest.mark.petsc
def test_incomplete_factors_need_fewer_iterations_along_the_flow():
    from pdesolve.sequences import SequenceSolver, StencilSource

    problem = ConvectionDiffusionProblem(3e-3, (1.0, -0.7), 1.0)
    counts, answers = [], []
    for downstream in (False, True):
        source = StencilSource(problem.grid(32), problem, downstream=downstream)
        solver = SequenceSolver(source.defaults(), {"ksp_type": "bcgs", "pc_type": "ilu"})
        system = source.load(problem)
        vector, result = solver.solve(system)
        counts.append(result.iterations)
        answers.append(source.values(vector, system))
        solver.destroy()
        source.close()
    assert counts[1] < 0.7 * counts[0]
    assert answers[1] == pytest.approx(answers[0], rel=1e-5, abs=1e-8)
