"""Killed at any moment and started again, a run ends with the file of an unbroken one."""

import random
import signal
import time

import pytest

pytestmark = pytest.mark.petsc

SETTINGS = {"num_samples": 12, "shape": 8, "shard_size": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    from pdesolve.data import generate
    from tests.pdesolve.data.strategies import Quick

    out = tmp_path_factory.mktemp("whole") / "set.h5"
    return generate("darcy2d", out=out, strategy=Quick, **SETTINGS).path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".jsonl"}


def test_killed_at_each_commit(whole, tmp_path, start):
    # kills itself later and later, each run going on where the last one stopped
    kills = 0
    for number in (1, 2, 3, 4, 2, 3, 1, 6, 8, 1, 2, 3, 4, 5, 6, 7, 9):
        process = start(tmp_path / "set.h5", kill_at=number, **SETTINGS)
        output, _ = process.communicate(timeout=120)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, output
        kills += 1
    else:
        process = start(tmp_path / "set.h5", **SETTINGS)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert kills >= 5
    assert contents(tmp_path) == contents(whole.parent)


def test_killed_at_random_times(whole, tmp_path, start):
    chance = random.Random(20)  # noqa: S311
    parts = tmp_path / "set.h5.parts"
    for _ in range(4):
        process = start(tmp_path / "set.h5", strategy="slow", **SETTINGS)
        before = len(list(parts.glob("*.bin")))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if len(list(parts.glob("*.bin"))) > before:
                break
            time.sleep(0.001)
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.communicate()
        if not parts.exists():
            break
    process = start(tmp_path / "set.h5", overwrite=True, **SETTINGS)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert contents(tmp_path) == contents(whole.parent)


def test_real_solves_killed_and_resumed_on_another_number_of_processes(tmp_path, start):
    settings = {"strategy": "grid", "num_samples": 8, "shape": 16, "shard_size": 2}
    process = start(tmp_path / "set.h5", kill_at=8, **settings)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, output
    (tmp_path / "whole").mkdir()
    for out, count in ((tmp_path / "set.h5", 2), (tmp_path / "whole" / "set.h5", 1)):
        process = start(out, num_processes=count, **settings)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert (tmp_path / "set.h5").read_bytes() == (tmp_path / "whole" / "set.h5").read_bytes()


@pytest.mark.parallel
def test_any_number_of_processes_gives_the_same_file(tmp_path, start):
    settings = {"strategy": "grid", "num_samples": 10, "shape": 16}
    files = []
    for count in (1, 2, 3):
        folder = tmp_path / str(count)
        folder.mkdir()
        process = start(folder / "set.h5", num_processes=count, **settings)
        output, _ = process.communicate(timeout=180)
        assert process.returncode == 0, output
        files.append(contents(folder))
    assert files[0] == files[1] == files[2]


@pytest.mark.parallel
def test_an_error_on_one_process_reaches_all(tmp_path, start):
    # with shards of one sample, sample 5 belongs to the second of two processes
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
    assert "process 1 failed with RuntimeError: a strategy broke" in output


@pytest.mark.parallel
def test_a_refusal_reaches_all(tmp_path, start):
    (tmp_path / "set.h5").write_bytes(b"precious")
    process = start(tmp_path / "set.h5", num_processes=2, num_samples=4, shape=8)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    assert output.count("exists; pass overwrite=True") >= 2
    assert (tmp_path / "set.h5").read_bytes() == b"precious"
