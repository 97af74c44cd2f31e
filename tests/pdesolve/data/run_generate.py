"""Started by tests as a process of its own, under MPI or to be killed.

Arguments: output file, JSON object with arguments of generate. "kill_at" counts commits
(syncs, renames, removals); at that one the process kills itself.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from strategies import Quick, raising

from pdesolve.data import generate


def kill_at(number):
    """Count the calls after which something lasting has changed on disk."""
    count = 0

    def counted(function):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **options)

        return call

    os.fsync = counted(os.fsync)
    Path.replace = counted(Path.replace)
    Path.rename = counted(Path.rename)
    os.unlink = counted(os.unlink)


class Slow(Quick):
    """Leaves time for being killed."""

    def solve(self, tasks):
        for record in super().solve(tasks):
            time.sleep(0.005)
            yield record


def main():
    options = json.loads(sys.argv[2])
    number = options.pop("kill_at", 0)
    way = options.pop("strategy", "quick")
    if number:
        kill_at(number)
    known = {"quick": Quick, "slow": Slow, "grid": "independent", "raising": raising(5)}
    strategy = known.get(way, way)
    generate("darcy2d", out=sys.argv[1], strategy=strategy, **options)


if __name__ == "__main__":
    main()
