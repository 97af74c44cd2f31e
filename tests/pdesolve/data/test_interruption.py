"""Killed at any moment and started again, a run ends with the file of an unbroken one."""

import json
import random
import re
import signal

import pytest

from pdesolve.data import generate
from tests.pdesolve.data.strategies import Quick

pytestmark = pytest.mark.petsc

SETTINGS = {"num_samples": 12, "shape": 8, "shard_size": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "set.h5"
    return generate("darcy2d", out=out, strategy=Quick, **SETTINGS).path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".jsonl"}


def statuses(process):
    """Exit statuses of the processes that took turns."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return json.loads(output.splitlines()[-1]), output


def test_killed_at_each_commit(whole, tmp_path, start):
    # kills itself later and later, each run going on where the last one stopped
    numbers = [1, 2, 3, 4, 2, 3, 1, 6, 8, 1, 2, 3, 4, 5, 6, 7, 9, 0]
    found, output = statuses(start(tmp_path / "set.h5", kill_at=numbers, **SETTINGS))
    assert found[-1] == 0, output
    assert set(found[:-1]) == {-signal.SIGKILL}, output
    assert len(found) > 5
    assert contents(tmp_path) == contents(whole.parent)


def test_a_chosen_strategy_killed_at_commits(tmp_path, start):
    # the last of them are kills among tidying, when the file is whole already
    numbers = [1, 2, 3, 5, 3, 6, *range(1, 16, 2), 2, 0, 0]
    settings = {"num_samples": 24, "shape": 12, "shard_size": 8}
    folder = tmp_path / "killed"
    folder.mkdir()
    found, output = statuses(start(folder / "set.h5", kill_at=numbers, strategy="auto", **settings))
    assert found[-1] == 0, output
    assert set(found[:-1]) == {-signal.SIGKILL}, output
    choice = json.loads((folder / "set.h5.log.jsonl").read_text().splitlines()[0])
    (tmp_path / "whole").mkdir()
    generate("darcy2d", out=tmp_path / "whole" / "set.h5", strategy=choice["chosen"], **settings)
    assert contents(folder) == contents(tmp_path / "whole")


def test_killed_at_random_times(whole, tmp_path, start):
    chance = random.Random(20)  # noqa: S311
    times = [chance.random() * 0.02 for _ in range(4)]
    found, output = statuses(
        start(tmp_path / "set.h5", kill_after=times, strategy="slow", **SETTINGS)
    )
    assert found[0] == -signal.SIGKILL, output
    generate("darcy2d", out=tmp_path / "set.h5", strategy=Quick, overwrite=True, **SETTINGS)
    assert contents(tmp_path) == contents(whole.parent)


def test_real_solves_killed_and_resumed_on_another_number_of_processes(tmp_path, start):
    settings = {"strategy": "independent", "num_samples": 8, "shape": 16, "shard_size": 2}
    process = start(tmp_path / "set.h5", kill_at=8, **settings)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, output
    process = start(tmp_path / "set.h5", num_processes=2, **settings)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    (tmp_path / "whole").mkdir()
    alone = generate("darcy2d", out=tmp_path / "whole" / "set.h5", **settings).path
    assert (tmp_path / "set.h5").read_bytes() == alone.read_bytes()


@pytest.mark.parallel
def test_any_number_of_processes_gives_the_same_file(tmp_path, start):
    settings = {"strategy": "independent", "num_samples": 10, "shape": 16}
    folders = [tmp_path / str(count) for count in (1, 2, 3)]
    for folder in folders:
        folder.mkdir()
    generate("darcy2d", out=folders[0] / "set.h5", **settings)
    for count in (2, 3):
        process = start(folders[count - 1] / "set.h5", num_processes=count, **settings)
        output, _ = process.communicate(timeout=180)
        assert process.returncode == 0, output
    files = [contents(folder) for folder in folders]
    assert files[0] == files[1] == files[2]


@pytest.mark.parallel
def test_an_error_on_one_process_reaches_all(tmp_path, start):
    process = start(
        tmp_path / "set.h5",
        num_processes=2,
        strategy="raising",
        num_samples=40,
        shape=8,
        shard_size=1,
    )
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "RuntimeError: a strategy broke" in output
    # whichever of them took sample 5
    assert re.search("process [01] failed with RuntimeError: a strategy broke", output)


@pytest.mark.parallel
def test_a_refusal_reaches_all(tmp_path, start):
    (tmp_path / "set.h5").write_bytes(b"precious")
    process = start(tmp_path / "set.h5", num_processes=2, num_samples=4, shape=8)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert output.count("exists; pass overwrite=True") >= 2
    assert (tmp_path / "set.h5").read_bytes() == b"precious"
