"""What a trial solved goes into the data, and the data are the same to the last bit."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from pdesolve import generate, get_family
from pdesolve.data.ordering import DrawnTasks
from pdesolve.data.pilot import _batch_size, choose
from pdesolve.data.reader import open_dataset
from pdesolve.data.requests import StrategyRequest
from pdesolve.data.solved_before import SolvedBefore, after_trial
from pdesolve.data.strategies import make_strategy

pytestmark = pytest.mark.petsc


def asked(name, count, shape, **options):
    family = get_family(name, **options)
    tasks = DrawnTasks(family, count, 0, "train")
    reference = tasks[0].problem
    grid = reference.grid(shape)
    return StrategyRequest(family, grid, reference, family.backends[0], 1e-8), tasks


@pytest.mark.parametrize(
    ("name", "shape", "options", "strategy"),
    [
        ("darcy2d", (16, 12), {}, "batched"),
        ("darcy2d_lognormal", (16, 16), {}, "fast-transform"),
        ("convection_diffusion2d", (16, 16), {}, "fast-transform"),
        ("helmholtz2d_random", (32, 32), {"median": 10.0}, "fast-transform"),
    ],
)
def test_answers_do_not_depend_on_other_samples(name, shape, options, strategy):
    request, tasks = asked(name, 9, shape, **options)
    way = make_strategy(strategy, request)
    assert way.samples_apart
    every = {record.index: record for record in way.solve(list(tasks))}
    some = list(way.solve([tasks[index] for index in (7, 2, 5)]))
    way.close()
    for record in some:
        same = every[record.index]
        assert np.array_equal(record.outputs, same.outputs)
        assert np.array_equal(record.inputs, same.inputs)
        assert (record.residual, record.iterations) == (same.residual, same.iterations)
        assert np.array_equal(record.error_estimate, same.error_estimate, equal_nan=True)


def test_each_is_given_once_and_the_rest_is_solved():
    request, tasks = asked("darcy2d", 6, (12, 12))
    way = make_strategy("batched", request)
    first = list(way.solve([tasks[3], tasks[1]]))
    solved = []

    class Counted:
        samples_apart = True
        schedule = way.schedule

        def describe(self):
            return way.describe()

        def solve(self, some):
            solved.extend(task.index for task in some)
            return way.solve(some)

        def close(self):
            way.close()

    again = after_trial(Counted(), first)
    assert isinstance(again, SolvedBefore)
    assert again.schedule == way.schedule
    found = [record.index for record in again.solve([tasks[index] for index in (0, 1, 2, 3)])]
    assert sorted(found) == [0, 1, 2, 3]
    assert solved == [0, 2]
    assert [record.index for record in again.solve([tasks[1]])] == [1]
    assert solved == [0, 2, 1]
    again.close()


@pytest.mark.parametrize("strategy", ["skr", "independent"])
def test_where_samples_hand_something_on_nothing_is_reused(strategy):
    request, tasks = asked("darcy2d", 4, (12, 12))
    way = make_strategy(strategy, request)
    records = list(way.solve(list(tasks)))
    assert after_trial(way, records) is way
    way.close()


def test_the_chosen_strategy_brings_its_trial_along(tmp_path, monkeypatch):
    monkeypatch.setattr("pdesolve.data.pilot.PREFERENCE", ("batched",))
    request, tasks = asked("darcy2d", 48, (12, 12))
    winner = []
    choice = choose(request, tasks, winner)
    assert choice.name == "batched"
    assert isinstance(winner[0], SolvedBefore)
    winner[0].close()
    request.close()
    by_choice = generate("darcy2d", 48, shape=12, out=tmp_path / "auto.h5", strategy="auto")
    by_name = generate("darcy2d", 48, shape=12, out=tmp_path / "named.h5", strategy="batched")
    assert by_choice.num_failed == 0
    with open_dataset(by_choice.path) as one, open_dataset(by_name.path) as other:
        assert np.array_equal(one.read()[0], other.read()[0])
        assert np.array_equal(one.read()[1], other.read()[1])
        for name, values in one.read_records().items():
            assert np.array_equal(values, other.read_records()[name], equal_nan=True), name


def test_the_log_has_the_seconds_of_the_trial(tmp_path, monkeypatch):
    monkeypatch.setattr("pdesolve.data.pilot.PREFERENCE", ("fast-transform",))
    monkeypatch.setattr("pdesolve.data.pilot.FEW", 4)
    info = generate("darcy2d", 24, shape=16, out=tmp_path / "auto.h5", strategy="auto")
    lines = (tmp_path / "auto.h5.log.jsonl").read_text().splitlines()
    entries = {entry["sample"]: entry for entry in map(json.loads, lines[1:])}
    assert sorted(entries) == list(range(info.num_samples))
    of_trial = [index for index, entry in entries.items() if entry.get("trial")]
    assert 4 <= len(of_trial) <= 8
    for index in of_trial:
        entry = entries[index]
        assert entry["seconds"] == pytest.approx(sum(entry["phases"].values()), abs=1e-5)


def test_a_later_candidate_brings_along_the_same_bytes(tmp_path, monkeypatch):
    # its iterations were watched by a clock, which must not show
    from pdesolve.data import pilot

    def slow(name, *given):
        trial = tried(name, *given)
        return replace(trial, total=1e3, each=1.0) if name == "independent" else trial

    tried = pilot._try
    monkeypatch.setattr(pilot, "_try", slow)
    monkeypatch.setattr(pilot, "PREFERENCE", ("independent", "fast-transform"))
    for name in ("darcy2d_lognormal", "convection_diffusion2d"):
        found = generate(
            name, 24, shape=16, out=tmp_path / "auto.h5", strategy="auto", overwrite=True
        )
        assert '"trial":' in (tmp_path / "auto.h5.log.jsonl").read_text()
        expected = generate(
            name,
            24,
            shape=16,
            out=tmp_path / "by_name.h5",
            strategy="fast-transform",
            overwrite=True,
        )
        assert found.path.read_bytes() == expected.path.read_bytes()


def test_a_choice_that_cannot_be_kept_leaves_nothing_open(tmp_path, monkeypatch):
    closed = []

    def full(*_):
        raise OSError(28, "No space left on device")

    close = SolvedBefore.close
    monkeypatch.setattr(SolvedBefore, "close", lambda way: (closed.append(way), close(way)))
    monkeypatch.setattr("pdesolve.data.pilot.write_safely", full)
    monkeypatch.setattr("pdesolve.data.pilot.PREFERENCE", ("fast-transform",))
    with pytest.raises(OSError, match="No space"):
        generate("darcy2d", 24, shape=12, out=tmp_path / "auto.h5", strategy="auto")
    assert len(closed) == 1


def test_no_more_is_kept_than_a_shard(monkeypatch):
    request, tasks = asked("darcy2d", 6, (12, 12))
    way = make_strategy("batched", request)
    records = list(way.solve(list(tasks)))
    one = records[0].inputs.nbytes + records[0].outputs.nbytes
    monkeypatch.setattr("pdesolve.data.solved_before.KEPT_BYTES", 2 * one + 1)
    found = list(after_trial(way, records).solve(list(tasks)))
    assert sum("trial" in record.details for record in found) == 2
    assert sorted(record.index for record in found) == list(range(6))
    monkeypatch.setattr("pdesolve.data.solved_before.KEPT_BYTES", one - 1)
    assert after_trial(way, records) is way
    way.close()
    request.close()


def test_a_copy_is_one():
    request, _ = asked("darcy2d", 2, (12, 12))
    way = make_strategy("fast-transform", request)
    again = copy.copy(SolvedBefore(way, []))
    assert again.samples_apart
    again.close()
    request.close()


def test_an_order_leaves_out_strategies_that_have_no_use_for_it(tmp_path):
    chosen = []
    info = generate(
        "darcy2d",
        24,
        shape=12,
        out=tmp_path / "sorted.h5",
        strategy="auto",
        order="nearest-neighbor",
        report=chosen.append,
    )
    refused = {trial.name for trial in chosen[0].trials if "of no use" in trial.note}
    assert "batched" in refused
    assert chosen[0].name not in refused
    assert info.num_failed == 0
    assert info.num_samples == 24


@pytest.mark.parametrize(
    ("chunk", "num_samples", "expected"),
    [(26, 200, 26), (26, 181, 11), (26, 100, 8), (64, 5000, 64), (512, 5000, 64), (None, 300, 18)],
)
def test_samples_of_a_trial_in_batches(chunk, num_samples, expected):
    """A whole chunk where that is a small part of all, else a sixteenth of all."""
    assert _batch_size(chunk, num_samples) == expected


def test_a_trial_in_batches_is_the_first_shard(tmp_path):
    """Chunks are made equal, so that the trial has as many samples as the first of them."""
    info = generate("darcy2d", 182, shape=100, out=tmp_path / "a.h5", rtol=1e-4, strategy="auto",
                    estimate_error=False)  # fmt: skip
    assert info.settings["strategy"]["name"] == "batched"
    lines = (tmp_path / "a.h5.log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines[1:]]
    batches = {entry["batch"] for entry in entries}
    assert sum(entry.get("trial", False) for entry in entries) == 23
    assert batches == {23, 21}  # seven shards of 23 and the rest
