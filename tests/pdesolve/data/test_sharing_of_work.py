import json
import math

import pytest

from pdesolve.data import generate
from pdesolve.data.samples import Schedule
from tests.mpi import start_parallel
from tests.pdesolve.data.strategies import Quick

pytestmark = pytest.mark.petsc


@pytest.mark.parametrize("most", [1, 7, 64])
@pytest.mark.parametrize("samples", [1, 2, 7, 8, 64, 65, 130, 200, 1000])
def test_shards_are_few_equal_and_in_pairs(samples, most):
    size = Schedule(chunk=most).chunk_for(samples)
    count = math.ceil(samples / size)
    assert 1 <= size <= most
    assert count <= math.ceil(samples / most) + 1
    wanted = math.ceil(samples / most)
    wanted += wanted % 2 if wanted > 1 else 0
    assert size == math.ceil(samples / wanted)


def test_a_strategy_without_chunk_leaves_it_to_the_engine():
    assert Schedule().chunk_for(100) is None


def test_the_file_grows_while_samples_are_solved(tmp_path):
    merged = tmp_path / "set.h5.parts" / "merged.h5"
    seen = []

    class Watching(Quick):
        def solve(self, tasks):
            for record in super().solve(tasks):
                seen.append(merged.exists())
                yield record

    options = {"shape": 8, "shard_size": 1, "strategy": Watching}
    generate("darcy2d", 40, out=tmp_path / "set.h5", **options)
    # no more than a few writes wait for the disk
    assert not seen[0]
    assert all(seen[10:])


def test_a_run_that_fails_leaves_no_half_of_a_file(tmp_path):
    class Breaking(Quick):
        def __init__(self, grid, problem):
            super().__init__(grid, problem, raising=20)

    with pytest.raises(RuntimeError, match="a strategy broke"):
        generate("darcy2d", 40, shape=8, out=tmp_path / "set.h5", shard_size=1, strategy=Breaking)
    parts = tmp_path / "set.h5.parts"
    assert (parts / "shard-000019.bin").exists()
    assert not (parts / "merged.h5").exists()


PROGRAM = """
import sys, time
from mpi4py import MPI
from pdesolve.data import generate
from tests.pdesolve.data.strategies import Quick

class Uneven(Quick):
    def solve(self, tasks):
        for record in super().solve(tasks):
            time.sleep(0.2 if MPI.COMM_WORLD.rank == 0 else 0.002)
            yield record

generate("darcy2d", 24, shape=8, out=sys.argv[1], shard_size=1, strategy=Uneven)
"""


@pytest.mark.parallel
def test_a_process_that_is_free_takes_the_next_shard(tmp_path):
    done = start_parallel(PROGRAM, 2, str(tmp_path / "set.h5"))
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "set.h5.log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["sample"] for entry in entries] == list(range(24))
    assert sum(entry["process"] == 1 for entry in entries) > 12
    generate("darcy2d", 24, shape=8, out=tmp_path / "alone.h5", shard_size=24, strategy=Quick)
    same = [(tmp_path / name).read_bytes() for name in ("set.h5", "alone.h5")]
    assert same[0] == same[1]
