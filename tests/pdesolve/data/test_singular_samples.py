"""A system that no solver can solve leaves those after it as they are."""

import numpy as np
import pytest

from meshes import StructuredGrid
from operators import Stencil
from pdesolve import LinearSystem, get_family, sample_generator
from pdesolve.data.requests import StrategyRequest
from pdesolve.data.samples import SampleTask
from pdesolve.data.schema import Status
from pdesolve.data.strategies import make_strategy

pytestmark = pytest.mark.petsc

GRID = StructuredGrid((16, 16))
MULTIGRID = {
    "pc_type": "mg",
    "pc_mg_levels": 3,
    "pc_mg_galerkin": "both",
    "mg_levels_ksp_type": "richardson",
    "mg_levels_pc_type": "sor",
}


class WithoutRow:
    """A problem whose matrix has one row and column of zeros, and b ≠ 0 there."""

    def __init__(self, problem):
        self._problem = problem

    def __getattr__(self, name):
        return getattr(self._problem, name)

    def discretize(self, grid):
        system = self._problem.discretize(grid)
        coefficients = system.stencil.coefficients.copy()
        coefficients[:, 3, 3] = 0
        for number, (one, other) in enumerate(system.stencil.offsets):
            coefficients[number, 3 - one, 3 - other] = 0
        stencil = Stencil(grid, system.stencil.offsets, coefficients)
        return LinearSystem(stencil, system.right_hand_side, symmetric=True)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("direct", None),
        ("multigrid", None),
        ("lag", None),
        ("skr", None),
        ("recycled-cg", None),
        ("multi-rhs", None),
        ("batched", None),
        ("independent", None),
        ("independent", MULTIGRID),
    ],
)
@pytest.mark.parametrize("singular", [(0,), (1, 2)])
def test_others_are_solved(name, options, singular):
    family = get_family("darcy2d")
    problems = [family.problem(family.sample(sample_generator(0, "train", i))) for i in range(5)]
    tasks = [
        SampleTask(i, WithoutRow(problem) if i in singular else problem, {})
        for i, problem in enumerate(problems)
    ]
    request = StrategyRequest(
        family, GRID, problems[4], "grid", None, options, estimate_error=False
    )
    way = make_strategy(name, request)
    records = sorted(way.solve(tasks), key=lambda record: record.index)
    way.close()
    request.close()
    for record in records:
        failed = record.index in singular
        assert record.status is (Status.FAILED if failed else Status.SOLVED), record.message
        assert np.isnan(record.outputs).all() == failed
        assert failed or record.residual <= 1e-8


def test_first_system_of_all_is_singular():
    """The solver that it broke is replaced."""
    family = get_family("darcy2d")
    problems = [family.problem(family.sample(sample_generator(0, "train", i))) for i in range(3)]
    problems[0] = WithoutRow(problems[0])
    tasks = [SampleTask(i, problem, {}) for i, problem in enumerate(problems)]
    for name, options in (("multigrid", None), ("independent", MULTIGRID)):
        request = StrategyRequest(
            family, GRID, problems[0], "grid", None, options, estimate_error=False
        )
        way = make_strategy(name, request)
        found = [record.status for record in way.solve(tasks)]
        way.close()
        request.close()
        assert found == [Status.FAILED, Status.SOLVED, Status.SOLVED]
