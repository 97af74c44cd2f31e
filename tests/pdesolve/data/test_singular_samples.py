"""A system that no solver can solve leaves those after it as they are."""

import numpy as np
import pytest

from meshes import InputError, StructuredGrid
from operators import Stencil
from pdesolve import LinearSystem, get_family, sample_generator
from pdesolve.data.batches import BatchStrategy
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


class Other(WithoutRow):
    """A problem whose matrix is not like those of the others."""

    def __init__(self, problem, kind):
        super().__init__(problem)
        self.kind = kind

    def discretize(self, grid):
        system = self._problem.discretize(grid)
        offsets, coefficients = system.stencil.offsets, system.stencil.coefficients.copy()
        centre = int(np.flatnonzero((offsets == 0).all(axis=1))[0])
        if self.kind == "one-sided":
            coefficients[centre + 1, 5:9, 5:9] *= 1.5
        elif self.kind == "indefinite":
            coefficients[centre] -= 200.0  # beyond the smallest eigenvalue
        else:  # "wide": one more neighbour, and not the other way
            offsets = np.vstack([offsets, [0, 2]])
            further = np.zeros((1, *grid.shape))
            further[0, 4, 4] = -1.0
            coefficients = np.concatenate([coefficients, further])
        stencil = Stencil(grid, offsets, coefficients)
        return LinearSystem(stencil, system.right_hand_side, symmetric=stencil.is_symmetric())


def others(kind, which, num=5):
    family = get_family("darcy2d")
    draws = [family.sample(sample_generator(0, "train", i)) for i in range(num)]
    problems = [family.problem(draw) for draw in draws]
    for i in which:
        problems[i] = Other(problems[i], kind)
    tasks = [SampleTask(i, problem, {}) for i, problem in enumerate(problems)]
    good = next((item for item in problems if not isinstance(item, Other)), problems[0])
    return StrategyRequest(family, GRID, good, "grid"), tasks


@pytest.mark.parametrize("which", [(0,), (1, 4), (0, 1, 2, 3)])
@pytest.mark.parametrize("kind", ["one-sided", "indefinite", "wide"])
def test_batches_repeat_what_does_not_fit_them_directly(kind, which):
    request, tasks = others(kind, which)
    way = make_strategy("batched", request)
    records = list(way.solve(tasks))
    alone = [record for task in tasks for record in way.solve([task])]
    way.close()
    for record, other, task in zip(records, alone, tasks, strict=True):
        expected = Status.SOLVED_DIRECTLY if task.index in which else Status.SOLVED
        assert record.status is expected
        assert ("directly" in record.message) == (task.index in which)
        system = task.problem.discretize(GRID)
        right = system.right_hand_side
        rest = system.stencil.apply(record.outputs[0]) - right
        assert np.linalg.norm(rest) <= 1e-8 * np.linalg.norm(right)
        assert np.array_equal(record.outputs, other.outputs)
        assert np.array_equal(record.error_estimate, other.error_estimate, equal_nan=True)


@pytest.mark.parametrize("name", ["independent", "multi-rhs", "skr", "recycled-cg", "lag"])
def test_one_system_that_is_not_symmetric_ends_no_run(name):
    request, tasks = others("one-sided", (2,))
    way = make_strategy(name, request)
    records = sorted(way.solve(tasks), key=lambda record: record.index)
    way.close()
    request.close()
    assert all(record.status in (Status.SOLVED, Status.SOLVED_DIRECTLY) for record in records)
    system = tasks[2].problem.discretize(GRID)
    rest = system.stencil.apply(records[2].outputs[0]) - system.right_hand_side
    assert np.linalg.norm(rest) <= 1.5e-8 * np.linalg.norm(system.right_hand_side)


def test_a_family_that_is_never_symmetric_is_refused_at_once():
    request, _ = others("one-sided", range(5))
    with pytest.raises(
        InputError, match=r"'batched' needs symmetric systems; possible here: .*skr"
    ):
        make_strategy("batched", request)
    with pytest.raises(InputError, match=r"not symmetric; .*strategy='independent'"):
        BatchStrategy(GRID, request.reference)
    request.close()
