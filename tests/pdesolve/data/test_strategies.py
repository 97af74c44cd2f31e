"""Every strategy gives the data of a direct solve, killed or not, on any number of processes."""

import json
import signal

import numpy as np
import pytest

from meshes.errors import InputError
from pdesolve.data import generate, open_dataset, read_card
from pdesolve.data.ordering import DrawnTasks, sample_order
from pdesolve.data.pilot import PREFERENCE, choose
from pdesolve.data.requests import StrategyRequest
from pdesolve.data.schema import Status
from pdesolve.data.strategies import STRATEGIES, applicable, make_strategy
from pdesolve.problems.registry import get_family
from pdesolve.random_streams import sample_generator

pytestmark = pytest.mark.petsc

SHAPES = {
    "darcy2d": (16, 16),
    "darcy2d_lognormal": (12, 16),
    "darcy3d": (8, 8, 8),
    "poisson2d": (16, 12),
    "convection_diffusion2d": (16, 16),
    "helmholtz2d_random": (32, 32),
}
# long waves, which these grids resolve
OPTIONS = {"helmholtz2d_random": {"median": 10.0}}


def request(name, num_samples=6, **options):
    family = get_family(name, **OPTIONS.get(name, {}))
    tasks = DrawnTasks(family, num_samples, 0, "train")
    reference = tasks[0].problem
    settings = {"estimate_error": False, **options}
    grid = reference.grid(SHAPES.get(name, (16,) * family.dimension))
    return StrategyRequest(family, grid, reference, family.backends[0], **settings), tasks


def solutions(name, found, tasks):
    way = make_strategy(name, found)
    try:
        records = {record.index: record for record in way.solve(list(tasks))}
    finally:
        way.close()
    return records


@pytest.mark.parametrize("family", SHAPES)
def test_all_strategies_agree_with_a_direct_solve(family):
    found, tasks = request(family)
    exact = solutions("direct", found, tasks)
    names = [name for name in applicable(found) if name in PREFERENCE]
    assert {"independent", "direct", "skr", "lag", "multi-rhs"} <= set(names)
    for name in names:
        records = solutions(name, found, tasks)
        assert sorted(records) == list(range(len(tasks))), name
        for index, record in records.items():
            assert record.status is Status.SOLVED, (name, record.message)
            assert record.residual <= 1.5e-8, name
            assert record.inputs == pytest.approx(exact[index].inputs), name
            scale = np.abs(exact[index].outputs).max()
            assert np.abs(record.outputs - exact[index].outputs).max() < 1e-5 * scale, name


def test_a_tighter_tolerance_gives_closer_data():
    found, tasks = request("darcy2d", 4)
    tight, _ = request("darcy2d", 4, rtol=1e-11)
    exact = solutions("direct", found, tasks)
    for name in ("skr", "recycled-cg", "lag", "fast-transform"):
        for index, record in solutions(name, tight, tasks).items():
            scale = np.abs(exact[index].outputs).max()
            assert np.abs(record.outputs - exact[index].outputs).max() < 1e-8 * scale, name


def test_samples_of_a_chunk_depend_on_it_alone():
    found, tasks = request("darcy2d", 6)
    way = make_strategy("skr", found)
    alone = [record.outputs for record in way.solve(tasks[3:6])]
    list(way.solve(tasks[0:3]))
    again = [record.outputs for record in way.solve(tasks[3:6])]
    way.close()
    assert np.array_equal(alone, again)


def test_recycling_saves_iterations():
    found, tasks = request("darcy2d", 8)
    recycled = solutions("skr", found, tasks)
    way = make_strategy("skr", found)
    first = [next(iter(way.solve([task]))).iterations for task in tasks]  # nothing handed on
    way.close()
    assert recycled[0].iterations == first[0]
    later = sum(record.iterations for index, record in recycled.items() if index)
    assert later < 0.9 * sum(first[1:])


@pytest.mark.parametrize("strategy", ["skr", "lag"])
def test_files_hold_samples_by_number_whatever_the_order(strategy, tmp_path):
    options = {"shape": 16, "rtol": 1e-10}
    plain = generate("darcy2d", 9, out=tmp_path / "plain.h5", **options)
    other = generate(
        "darcy2d", 9, out=tmp_path / "sorted.h5", strategy=strategy, shard_size=4, **options
    )
    with open_dataset(plain.path) as a, open_dataset(other.path) as b:
        assert np.array_equal(a.read()[0], b.read()[0])
        assert b.read()[1] == pytest.approx(a.read()[1], rel=1e-6, abs=1e-9)
        assert b.read_records()["sample_index"].tolist() == list(range(9))
    log = [json.loads(line) for line in (tmp_path / "sorted.h5.log.jsonl").open()]
    numbers = [entry["sample"] for entry in log]
    assert sorted(numbers) == list(range(9))
    assert numbers != list(range(9))
    assert f"--strategy {strategy}" in read_card(other.path)
    assert other.settings["strategy"]["sequence"]["order"] in ("nearest-neighbor", "two-opt")


def test_orders_can_be_chosen_and_do_not_change_the_data(tmp_path):
    files = {
        order: generate(
            "darcy2d", 8, shape=12, out=tmp_path / f"{order}.h5", strategy="skr", order=order
        )
        for order in ("index", "nearest-neighbor", "two-opt", "space-filling")
    }
    with open_dataset(files["index"].path) as data:
        reference = data.read()[1]
    for info in files.values():
        with open_dataset(info.path) as data:
            assert data.read()[1] == pytest.approx(reference, rel=1e-4, abs=1e-8)


def test_sorted_run_killed_and_resumed_is_that_of_an_unbroken_one(tmp_path, start):
    settings = {"strategy": "skr", "num_samples": 12, "shape": 12, "shard_size": 3}
    process = start(tmp_path / "set.h5", kill_at=6, **settings)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, output
    assert len(list((tmp_path / "set.h5.parts").glob("shard-*.bin"))) >= 1
    (tmp_path / "whole").mkdir()
    for out in (tmp_path / "set.h5", tmp_path / "whole" / "set.h5"):
        generate("darcy2d", out=out, **settings)
    assert (tmp_path / "set.h5").read_bytes() == (tmp_path / "whole" / "set.h5").read_bytes()


@pytest.mark.parallel
def test_sorted_run_is_the_same_on_three_processes(tmp_path, start):
    settings = {"strategy": "skr", "num_samples": 12, "shape": 12, "shard_size": 3}
    files = [tmp_path / str(count) / "set.h5" for count in (1, 3)]
    for file in files:
        file.parent.mkdir()
    generate("darcy2d", out=files[0], **settings)
    process = start(files[1], num_processes=3, **settings)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert files[0].read_bytes() == files[1].read_bytes()


def test_repeated_operators_are_found(tmp_path):
    generate("poisson2d", 10, shape=12, out=tmp_path / "set.h5", strategy="multi-rhs")
    log = [json.loads(line) for line in (tmp_path / "set.h5.log.jsonl").open()]
    assert {entry["right_hand_sides"] for entry in log} == {10}
    generate("darcy2d", 4, shape=12, out=tmp_path / "other.h5", strategy="multi-rhs")
    log = [json.loads(line) for line in (tmp_path / "other.h5.log.jsonl").open()]
    assert {entry["right_hand_sides"] for entry in log} == {1}


def test_auto_says_what_it_took_and_keeps_to_it(tmp_path):
    chosen = []
    options = {"shape": 16, "strategy": "auto", "shard_size": 8}
    info = generate("darcy2d", 24, out=tmp_path / "set.h5", report=chosen.append, **options)
    (choice,) = chosen
    assert choice.name in STRATEGIES
    assert choice.trials[0].name == choice.name
    assert choice.trials[0].total == min(trial.total for trial in choice.trials)
    assert info.settings["strategy"]["name"] == choice.name
    first = json.loads((tmp_path / "set.h5.log.jsonl").open().readline())
    assert first["chosen"] == choice.name
    assert "--strategy" in read_card(info.path) or choice.name == "independent"


def test_auto_goes_on_with_the_choice_of_an_interrupted_run(tmp_path):
    class StopError(Exception):
        pass

    def stop(done, total):
        if done == 20:
            raise StopError

    chosen = []
    options = {"shape": 12, "strategy": "auto", "shard_size": 8, "report": chosen.append}
    with pytest.raises(StopError):
        generate("darcy2d", 32, out=tmp_path / "set.h5", progress=stop, **options)
    generate("darcy2d", 32, out=tmp_path / "set.h5", **options)
    assert chosen[0].name == chosen[1].name
    assert chosen[1].trials == ()
    assert "before the interruption" in chosen[1].reason


def test_auto_finds_that_an_operator_repeats():
    found, tasks = request("poisson2d", 24)
    choice = choose(found, tasks)
    assert choice.name in ("multi-rhs", "fast-transform", "batched")
    assert "independent" not in {trial.name for trial in choice.trials}


def test_auto_factorises_without_iterations_where_the_family_factorises(monkeypatch):
    monkeypatch.setattr("pdesolve.data.pilot.SHARE", 1e6)  # everything is tried
    found, tasks = request("helmholtz2d_random", 24)
    names = {trial.name for trial in choose(found, tasks).trials}
    assert "direct" in names
    assert "independent" not in names


def test_many_waves_in_the_plane_are_tried_by_factors_first(monkeypatch):
    found, tasks = request("helmholtz2d_random", 24)
    monkeypatch.setattr("pdesolve.data.pilot.SHARE", 0.0)  # the first alone
    assert choose(found, tasks).name == "fast-transform"
    monkeypatch.setattr("pdesolve.data.pilot.LARGEST_TRANSFORM", 1000)
    assert choose(found, tasks).name == "direct"


def test_auto_draws_no_more_samples_than_it_tries():
    found, tasks = request("convection_diffusion2d", 200)
    drawn = []

    class Counted(type(tasks)):
        def __getitem__(self, index):
            if not isinstance(index, slice):
                drawn.append(index)
            return super().__getitem__(index)

    counted = Counted(tasks.family, 200, tasks.seed, tasks.split)
    choose(found, counted)
    assert len(set(drawn)) <= 64


def test_auto_for_few_samples_and_for_problems_in_time():
    found, tasks = request("darcy2d", 5)
    assert choose(found, tasks).name == "independent"
    found, tasks = request("burgers1d", 30)
    assert "no other strategy" in choose(found, tasks).reason


def test_every_strategy_is_either_tried_or_changes_the_data():
    # the distribution of the data is not for a chooser to change
    assert set(STRATEGIES) - set(PREFERENCE) == {"operator-action"}


@pytest.mark.parametrize(
    ("family", "strategy", "words"),
    [
        ("darcy2d", "skrr", "skr"),
        ("convection_diffusion2d", "recycled-cg", "needs symmetric systems"),
        ("helmholtz2d_random", "batched", "one unknown a cell"),
        ("helmholtz1d", "fast-transform", "in 2D and 3D"),
        ("burgers1d", "skr", "steady problems"),
        ("bratu2d", "lag", "linear problems"),
    ],
)
def test_strategies_that_do_not_fit_are_refused(family, strategy, words, tmp_path):
    with pytest.raises(InputError, match=words):
        generate(family, 3, shape=64, out=tmp_path / "set.h5", strategy=strategy)
    assert not (tmp_path / "set.h5.parts").exists()


def test_recycling_more_than_the_restart_is_refused(tmp_path):
    with pytest.raises(InputError, match="gcrodr_recycle"):
        generate(
            "darcy2d", 3, shape=12, out=tmp_path / "set.h5", strategy="skr",
            solver_parameters={"gcrodr_restart": 10, "gcrodr_recycle": 10},
        )  # fmt: skip


def test_recycling_more_than_there_are_unknowns(tmp_path):
    info = generate("darcy2d", 4, shape=3, out=tmp_path / "set.h5", strategy="skr")
    assert info.num_failed == 0
    with open_dataset(info.path) as data:
        assert (data.read_records()["residual"] < 1.5e-8).all()


@pytest.mark.parametrize("strategy", ["skr", "recycled-cg", "lag", "fast-transform"])
def test_a_solve_that_misses_the_tolerance_is_repeated_directly(strategy, tmp_path):
    info = generate(
        "darcy2d", 5, shape=12, out=tmp_path / "set.h5", strategy=strategy,
        solver_parameters={"ksp_max_it": 1, "pc_type": "jacobi"},
    )  # fmt: skip
    with open_dataset(info.path) as data:
        records = data.read_records()
    assert (records["status"] == Status.SOLVED_DIRECTLY).all()
    assert (records["residual"] < 1e-8).all()


def test_auto_takes_no_options_of_one_solver(tmp_path):
    with pytest.raises(InputError, match="auto"):
        generate(
            "darcy2d", 30, shape=12, out=tmp_path / "set.h5", strategy="auto",
            solver_parameters={"pc_type": "jacobi"},
        )  # fmt: skip


def test_parts_of_another_order_are_refused(tmp_path):
    class StopError(Exception):
        pass

    def stop(done, total):
        if done == 5:
            raise StopError

    options = {"shape": 12, "strategy": "skr", "shard_size": 2}
    with pytest.raises(StopError):
        generate("darcy2d", 8, out=tmp_path / "set.h5", progress=stop, **options)
    with pytest.raises(InputError, match="order"):
        generate("darcy2d", 8, out=tmp_path / "set.h5", order="space-filling", **options)


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_chunk_smaller_than_one_sample_is_refused(size, tmp_path):
    with pytest.raises(InputError, match="shard_size"):
        generate("darcy2d", 4, shape=12, out=tmp_path / "s.h5", strategy="skr", shard_size=size)


def test_more_shards_than_files_may_be_open(tmp_path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        info = generate(
            "darcy1d", 270, shape=8, out=tmp_path / "set.h5", strategy="skr",
            order="space-filling", shard_size=1, estimate_error=False,
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert info.num_failed == 0


def test_a_damaged_choice_is_made_again(tmp_path):
    parts = tmp_path / "set.h5.parts"
    parts.mkdir()
    (parts / "choice.json").write_text('{"chosen": ["x"], "fingerprint": "y", "reason": ""}')
    info = generate("darcy2d", 24, shape=8, out=tmp_path / "set.h5", strategy="auto")
    assert info.num_failed == 0


def test_no_trials_without_space_for_the_data(tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    chosen = []
    with pytest.raises(InputError, match="Free some"):
        generate(
            "darcy2d", 24, shape=8, out=tmp_path / "s.h5", strategy="auto", report=chosen.append
        )
    assert not chosen
    assert not (tmp_path / "s.h5.parts").exists()


def test_samples_that_cannot_be_sorted_are_refused():
    family = get_family("darcy2d")
    draw = family.sample(sample_generator(0, "train", 0))

    class Constant:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index >= 3:
                raise IndexError
            from pdesolve.data.samples import SampleTask

            return SampleTask(index, family.problem(draw), {})

    with pytest.raises(InputError, match="none of their inputs varies"):
        sample_order(Constant(), family.problem(draw).grid(8), "two-opt")


@pytest.mark.parametrize("strategy", ["batched", "independent", "operator-action"])
def test_orders_without_use_are_refused(strategy, tmp_path):
    with pytest.raises(InputError, match="of no use"):
        generate("darcy2d", 4, shape=12, out=tmp_path / "s.h5", strategy=strategy, order="two-opt")


def test_another_preconditioner_in_the_place_of_a_strategy_s_own(tmp_path):
    info = generate(
        "darcy2d", 4, shape=12, out=tmp_path / "s.h5", strategy="fast-transform",
        solver_parameters={"pc_type": "gamg"}, unused_options="error",
    )  # fmt: skip
    assert info.settings["strategy"]["given_parameters"] == {"pc_type": "gamg", "ksp_rtol": 1e-8}


def test_repeated_solves_are_told_by_the_card(tmp_path):
    info = generate(
        "darcy2d", 5, shape=12, out=tmp_path / "set.h5", strategy="skr",
        solver_parameters={"ksp_max_it": 1},
    )  # fmt: skip
    assert "5 were repeated with a direct solver" in read_card(info.path)


def test_factors_of_an_operator_that_repeats_serve_all_chunks():
    found, tasks = request("poisson2d", 6)
    way = make_strategy("multi-rhs", found)
    first = [record.outputs for record in way.solve(tasks[:3])]
    factors = way._solver._ksp.getPC().getFactorMatrix().handle
    list(way.solve(tasks[3:]))
    assert way._solver._ksp.getPC().getFactorMatrix().handle == factors
    assert np.array_equal(first, [record.outputs for record in way.solve(tasks[:3])])
    way.close()


def test_a_krylov_method_for_blocks_starts_from_zero(tmp_path):
    info = generate(
        "poisson2d", 40, shape=12, out=tmp_path / "set.h5", strategy="multi-rhs",
        solver_parameters={
            "ksp_type": "cg", "pc_type": "jacobi", "ksp_initial_guess_nonzero": True,
        },
    )  # fmt: skip
    log = [json.loads(line) for line in (tmp_path / "set.h5.log.jsonl").open()]
    assert {entry["status"] for entry in log} == {"solved"}
    assert "directions" not in log[0]
    assert info.path.exists()


def test_few_right_hand_sides_wait_at_a_time():
    found, tasks = request("darcy2d", 70)
    way = make_strategy("multi-rhs", found)
    numbers = [record.index for record in way.solve(tasks)]
    assert numbers == list(range(70))
    way.close()


@pytest.mark.firedrake
@pytest.mark.parametrize("rtol", [1e-5, 1e-9])
def test_combinations_of_solved_samples_are_not_solved(tmp_path, rtol):
    options = {"data": "constants", "mesh_size": 0.1}
    files = []
    for strategy in ("multi-rhs", "independent"):
        out = tmp_path / f"{strategy}.h5"
        generate(
            get_family("slit_plate", **options), 80, shape=(10, 16), out=out, strategy=strategy,
            rtol=rtol if strategy == "multi-rhs" else 1e-11,
        )  # fmt: skip
        with open_dataset(out) as data:
            files.append(data.read()[1])
    log = [json.loads(line) for line in (tmp_path / "multi-rhs.h5.log.jsonl").open()]
    # a temperature and a flux, noticed after one block
    found = [entry.get("directions", "none").partition(" ")[0] for entry in log]
    assert found == ["none"] * 32 + ["2"] * 32 + ["0"] * 16
    assert all(entry["residual"] <= rtol for entry in log)
    assert {entry["status"] for entry in log} == {"solved"}
    scale = np.abs(files[1]).max()
    np.testing.assert_allclose(files[0], files[1], rtol=0, atol=10 * rtol * scale)


def test_a_family_that_names_more_inputs_than_it_gives_is_refused(tmp_path):
    from pdesolve.problems.darcy import DarcyFamily

    class More(DarcyFamily):
        inputs = ("coefficient", "source")

    with pytest.raises(InputError, match="one channel for each name"):
        generate(More(2), 3, shape=8, out=tmp_path / "set.h5")
