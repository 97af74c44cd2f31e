"""Started by tests as a process of its own, under MPI or to be killed.

Arguments: output file, JSON object with arguments of generate. "kill_at" counts commits
(syncs, renames, removals); at that one the process kills itself. With a list, one process
after the other goes on where the last one was killed, all forked from this one, which has
loaded everything; so they do with "kill_after", a list of seconds between the first new shard
and the kill. Then a list of exit statuses is printed, negative for signals.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import traceback
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


def run(out, number, options):
    way = options.pop("strategy", "quick")
    if number:
        kill_at(number)
    known = {"quick": Quick, "slow": Slow, "grid": "independent", "raising": raising(5)}
    generate("darcy2d", out=out, strategy=known.get(way, way), **options)


def forked(*arguments):
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        run(*arguments)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def exit_status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_after(seconds, out, options):
    """Run in a child, and kill that once it has written a shard more, and some time later."""
    parts = Path(out + ".parts")
    before = len(list(parts.glob("*.bin")))
    child = forked(out, 0, options)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not os.waitid(
        os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ):
        if len(list(parts.glob("*.bin"))) > before:
            break
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return exit_status(child)


def main():
    out, options = sys.argv[1], json.loads(sys.argv[2])
    number = options.pop("kill_at", 0)
    times = options.pop("kill_after", ())
    if not times and not isinstance(number, list):
        run(out, number, options)
        return
    with tempfile.TemporaryDirectory() as folder:  # loads what is loaded when first used
        generate("darcy2d", 1, shape=8, out=f"{folder}/set.h5", strategy=Quick)
    statuses = []
    for seconds in times:
        statuses.append(kill_after(seconds, out, dict(options)))
        if statuses[-1] == 0 or not Path(out + ".parts").exists():
            break
    for count in number or ():
        statuses.append(exit_status(forked(out, count, dict(options))))
        if statuses[-1] == 0:
            break
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
