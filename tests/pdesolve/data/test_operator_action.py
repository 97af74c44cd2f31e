"""Samples made by one application of the operator."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.sparse.linalg import spsolve

from meshes import Field, InputError
from pdesolve.data import check_dataset, generate, open_dataset, read_card
from pdesolve.data.operator_action import (
    OperatorActionSettings,
    OperatorActionStrategy,
    operator_action_refusal,
)
from pdesolve.data.samples import SampleTask
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from pdesolve.problems.darcy import DarcyFamily, DarcyProblem
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator
from tests.mpi import start_parallel

pytestmark = pytest.mark.petsc

SMALL = OperatorActionSettings(basis=6, weights=3)


def tasks_of(family, numbers):
    draws = [family.sample(sample_generator(0, "train", number)) for number in numbers]
    return [SampleTask(n, family.problem(draw), {}) for n, draw in zip(numbers, draws, strict=True)]


def way_of(family, shape, settings=SMALL, seed=0, split="train"):
    problem = tasks_of(family, [0])[0].problem
    grid = problem.grid(shape)
    return OperatorActionStrategy(family, grid, problem, seed=seed, split=split, settings=settings)


def records_of(family, shape, numbers=(0, 1), **options):
    way = way_of(family, shape, **options)
    tasks = tasks_of(family, list(numbers))
    records = list(way.solve(tasks))
    way.close()
    return way, tasks, records


def channel(way, task, record, name):
    names = (*task.problem.input_fields(way.grid).names, *way.extra_inputs)
    return record.inputs[names.index(name)]


def solved_by_factorization(system):
    matrix, right = system.stencil.to_csr().tolil(), system.right_hand_side.ravel().copy()
    if system.constant_null_space:  # in place of one equation: the mean is zero
        matrix[0, :] = 1.0
        right[0] = 0.0
    return spsolve(matrix.tocsc(), right).reshape(system.stencil.grid.shape)


CASES = [
    ("darcy1d", {}, 32),
    ("darcy2d", {}, 16),
    ("darcy2d_lognormal", {}, (12, 18)),
    ("darcy3d", {}, 6),
    ("poisson2d", {"boundary_deviation": 0.0}, 16),
    ("poisson2d", {"sides": "robin", "boundary_deviation": 0.0}, 16),
    ("poisson2d", {"sides": "mixed", "boundary_deviation": 0.0}, 16),
    ("poisson2d", {"sides": "neumann"}, 16),
    ("poisson2d", {"sides": "periodic"}, 16),
    ("convection_diffusion1d", {}, 32),
    ("convection_diffusion2d", {}, 16),
]


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize(("name", "options", "shape"), CASES)
def test_the_source_has_the_stored_solution(name, options, shape, noise):
    family = get_family(name, **options)
    settings = replace(SMALL, noise=noise)
    way, tasks, records = records_of(family, shape, settings=settings)
    for task, record in zip(tasks, records, strict=True):
        assert record.iterations == 0
        assert record.residual < 1e-13
        source = channel(way, task, record, "source")
        problem = replace(task.problem, source=Field(way.grid, source, ("source",)))
        expected = record.outputs[0]
        difference = solved_by_factorization(problem.discretize(way.grid)) - expected
        assert np.abs(difference).max() < 1e-10 * np.abs(expected).max()


class Combined:
    """Σ c_j g_j."""

    def __init__(self, functions, weights):
        self.parts = list(zip(functions, weights, strict=True))

    def on(self, grid):
        return sum(weight * function.on(grid) for function, weight in self.parts)

    def evaluate(self, points):
        return sum(weight * function.evaluate(points) for function, weight in self.parts)


@pytest.mark.parametrize("sides", ["dirichlet", "robin"])
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_drawn_boundary_values_are_combined(sides, dimension):
    family = get_family(f"poisson{dimension}d", sides=sides)
    way, tasks, records = records_of(family, {1: 32, 2: 16, 3: 6}[dimension])
    assert way.replaced_inputs == ("source", "boundary_values")
    assert way.extra_inputs == ()
    for task, record in zip(tasks, records, strict=True):
        functions = [
            family.sample(sample_generator(0, "train/operator-action-basis", number))[
                "boundary_values"
            ]
            for number in record.details["basis"]
        ]
        given = Combined(functions, record.details["weights"])
        assert channel(way, task, record, "boundary_values") == pytest.approx(given.on(way.grid))
        condition = Dirichlet(given) if sides == "dirichlet" else Robin(1.0, given)
        problem = replace(
            task.problem,
            source=Field(way.grid, channel(way, task, record, "source"), ("source",)),
            boundary_conditions={"all": condition},
            boundary_values=given,
        )
        found = solved_by_factorization(problem.discretize(way.grid))
        assert found == pytest.approx(record.outputs[0], rel=1e-9, abs=1e-11)


@dataclass(frozen=True)
class HeldAtTwo(DarcyFamily):
    """Darcy flow with u = 2 on the left, 0 on the right, no flux elsewhere."""

    name: str = "held_at_two"

    def problem(self, parameters):
        sides = dict.fromkeys(("y_lower", "y_upper"), Neumann(0.0))
        sides |= {"x_lower": Dirichlet(2.0), "x_upper": Dirichlet(0.0)}
        return replace(super().problem(parameters), boundary_conditions=sides)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_shared_boundary_values_are_kept(noise):
    settings = replace(SMALL, noise=noise)
    way, tasks, records = records_of(HeldAtTwo(2, kind="lognormal"), 16, settings=settings)
    for task, record in zip(tasks, records, strict=True):
        assert sum(record.details["weights"]) == pytest.approx(1.0)
        source = channel(way, task, record, "source")
        problem = replace(task.problem, source=Field(way.grid, source, ("source",)))
        found = solved_by_factorization(problem.discretize(way.grid))
        assert found == pytest.approx(record.outputs[0], rel=1e-10, abs=1e-12)
        # next to u = 2 the source is not much larger than elsewhere: no layer of size 1/h²
        assert np.abs(source[0]).max() < 3 * np.abs(source[1:]).max()


def test_own_boundary_values_would_put_a_layer_into_the_source():
    family = get_family("poisson2d")
    way, tasks, records = records_of(family, 32)
    problem, record = tasks[0].problem, records[0]
    system = problem.discretize(way.grid)
    boundary = system.right_hand_side - problem.diffusion.source_function.on(way.grid)
    layered = system.stencil.apply(record.outputs[0]) - boundary
    made = channel(way, tasks[0], record, "source")
    assert np.abs(layered).max() > 10 * np.abs(made).max()


def test_petsc_finds_the_stored_solution():
    from pdesolve import solve

    family = get_family("darcy2d")
    way, (task,), (record,) = records_of(family, 16, [3])
    problem = replace(task.problem, source=Field(way.grid, record.inputs[1], ("source",)))
    direct = {"ksp_type": "preonly", "pc_type": "lu"}
    found = solve(problem, mesh=way.grid, solver_parameters=direct).field.values
    assert np.abs(found - record.outputs).max() < 1e-10 * np.abs(record.outputs).max()


def test_weights_have_length_one_and_differ():
    settings = OperatorActionSettings(basis=8, weights=5)
    _, _, records = records_of(get_family("darcy1d"), 16, range(4), settings=settings)
    chosen = [tuple(record.details["basis"]) for record in records]
    assert all(len(set(numbers)) == 5 for numbers in chosen)
    assert len(set(chosen)) > 1
    for record in records:
        assert np.linalg.norm(record.details["weights"]) == pytest.approx(1.0)


def test_noise_is_as_large_as_asked_for():
    family = get_family("poisson2d", sides="neumann")
    _, _, plain = records_of(family, 16, range(8))
    _, _, noisy = records_of(family, 16, range(8), settings=replace(SMALL, noise=0.1))
    shares = [
        np.linalg.norm(one.outputs - other.outputs) / np.linalg.norm(one.outputs)
        for one, other in zip(plain, noisy, strict=True)
    ]
    assert 0.05 < np.mean(shares) < 0.2


def test_a_sample_depends_on_seed_split_and_number_alone():
    family = get_family("poisson2d", num_modes=8)
    _, _, together = records_of(family, 12, range(5))
    _, _, backwards = records_of(family, 12, [4, 1])
    for one, other in ((together[4], backwards[0]), (together[1], backwards[1])):
        assert one.inputs.tobytes() == other.inputs.tobytes()
        assert one.outputs.tobytes() == other.outputs.tobytes()
    _, _, (reseeded,) = records_of(family, 12, [4], seed=1)
    _, _, (other_split,) = records_of(family, 12, [4], split="test")
    for other in (reseeded, other_split):
        assert not np.allclose(together[4].outputs, other.outputs)


@pytest.fixture
def make(tmp_path):
    def call(name, num_samples=6, file="set.h5", settings=SMALL, **options):
        family = get_family(name)

        def strategy(grid, problem):
            return OperatorActionStrategy(
                family, grid, problem, seed=0, split="train", settings=settings
            )

        out = tmp_path / file
        return generate(family, num_samples, shape=8, out=out, strategy=strategy, **options)

    return call


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("darcy2d", ("coefficient", "source")),
        ("poisson2d", ("source", "boundary_values")),
        ("convection_diffusion1d", ("source", "diffusivity", "velocity_x")),
    ],
)
def test_data_sets_say_that_the_distribution_is_another(make, name, inputs):
    info = make(name)
    report = check_dataset(info.path)
    assert report.passed, report.text()
    assert info.inputs == inputs
    assert info.units["source"] == get_family(name).units["source"]
    told = info.settings["strategy"]["distribution"]
    assert told.startswith("made by operator action, f = A u: source")
    assert f"another distribution than the family '{name}'" in told
    card = read_card(info.path)
    assert f"**Not the family's distribution: {told}.**" in card
    assert "| source | input |" in card
    log = [json.loads(line) for line in (info.path.parent / "set.h5.log.jsonl").open()]
    assert {entry["made_by"] for entry in log} == {"operator action"}
    assert len(log[0]["weights"]) == SMALL.weights


def test_shards_do_not_matter(make):
    one = make("darcy2d", file="one.h5", shard_size=6)
    other = make("darcy2d", file="other.h5", shard_size=2)
    assert one.sha256 == other.sha256
    with open_dataset(other.path) as data:
        assert len(data) == 6


PROGRAM = """
import sys
from pdesolve.data import generate
from pdesolve.data.operator_action import OperatorActionSettings, OperatorActionStrategy
from pdesolve.problems.registry import get_family

family, settings = get_family("darcy2d"), OperatorActionSettings(basis=6, weights=3)
generate(
    family, 6, shape=8, out=sys.argv[1], shard_size=2,
    strategy=lambda grid, problem: OperatorActionStrategy(
        family, grid, problem, seed=0, split="train", settings=settings
    ),
)
"""


@pytest.mark.parallel
def test_processes_do_not_matter(make, tmp_path):
    done = start_parallel(PROGRAM, 2, str(tmp_path / "parallel.h5"))
    assert done.returncode == 0, done.stderr
    with open_dataset(tmp_path / "parallel.h5") as data:
        assert data.info.sha256 == make("darcy2d").sha256


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("heat2d", {}, "this one is in time"),
        ("bratu2d", {}, "is for linear problems"),
        ("helmholtz2d", {}, "this problem has several"),
        ("slit_plate", {}, "a mesh of its own"),
        ("elasticity2d", {}, "linear form for the backend 'grid'|has several"),
    ],
)
def test_other_families_are_refused(name, options, reason):
    family = get_family(name, **options)
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    with pytest.raises(InputError, match=rf"operator action .*({reason}).*strategy='independent'"):
        OperatorActionStrategy(family, problem.grid(8), problem, seed=0, split="train")


def test_problems_must_name_their_source():
    family = get_family("examples/own_equations/screened_poisson.py:ScreenedPoisson")
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    assert "an attribute 'source'" in operator_action_refusal(family, problem)


@dataclass(frozen=True)
class Leaking(DarcyFamily):
    """Darcy flow with a Robin condition: a on the side is a part of it."""

    name: str = "leaking"

    def problem(self, parameters):
        return replace(super().problem(parameters), boundary_conditions={"all": Robin(1.0, 0.0)})


def test_conditions_with_a_changing_operator_are_refused():
    with pytest.raises(InputError, match="the operator differs between samples"):
        records_of(Leaking(2), 8)


@dataclass(frozen=True)
class DrawnOnTheSides(DarcyFamily):
    """Darcy flow with a number on the sides that no channel holds."""

    name: str = "drawn_on_the_sides"

    def problem(self, parameters):
        value = float(parameters["coefficient"].on(self._grid).mean())
        return replace(super().problem(parameters), boundary_conditions={"all": Dirichlet(value)})

    @property
    def _grid(self):
        return DarcyProblem().grid(4)


def test_drawn_data_need_a_channel():
    with pytest.raises(InputError, match="an input channel 'boundary_values'"):
        way_of(DrawnOnTheSides(2), 8)


@dataclass(frozen=True, eq=False)
class TimesVolume(DarcyProblem):
    """Rows that are integrals over cells."""

    def discretize(self, grid):
        system = super().discretize(grid)
        volume = float(np.prod(grid.spacing))
        return replace(
            system,
            stencil=replace(system.stencil, coefficients=volume * system.stencil.coefficients),
            right_hand_side=volume * system.right_hand_side,
        )


@dataclass(frozen=True)
class Integrated(DarcyFamily):
    """Darcy flow with these rows."""

    name: str = "integrated"

    def problem(self, parameters):
        return TimesVolume(parameters["coefficient"], dimension=self.dimension)


def test_rows_of_another_scale_are_refused():
    with pytest.raises(InputError, match="rows divided by the cell volume"):
        way_of(Integrated(2), 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"basis": 0}, "basis=0 must be an integer of 2 or more"),
        ({"basis": 1}, "basis=1 must be an integer of 2 or more"),
        ({"basis": 2.5}, "basis=2.5 must be an integer"),
        ({"weights": 0}, "weights=0 must be an integer of 1 or more"),
        ({"basis": 4, "weights": 5}, "weights=5 solutions a sample cannot be taken from basis=4"),
        ({"noise": -0.1}, "noise=-0.1 must be finite and not negative"),
        ({"noise": float("nan")}, "noise=nan must be finite"),
    ],
)
def test_bad_sizes_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        OperatorActionSettings(**options)
