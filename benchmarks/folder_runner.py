"""Run measurements of a folder by name, and save their tables."""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def run_named(
    modules: Mapping[str, str],
    about: str | None,
    results: Path,
    by_default: Sequence[str] | None = None,
) -> None:
    """Read names from the command line and run these measurements, or all.

    Parameters
    ----------
    modules
        Modules with a function ``run() -> Table``, by name.
    about
        Shown by ``--help``.
    results
        Folder of the tables, unless another is given.
    by_default
        Names that run when none is given; all when left out.
    """
    # as the command line does for solves; benchmarks of networks set torch's threads themselves
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=about)
    known = ", ".join(modules)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among: {known}")
    parser.add_argument("--output", type=Path, default=results)
    options = parser.parse_args()
    for name in options.names:
        if name not in modules:
            parser.error(f"there is no benchmark '{name}'; known: {known}")
    for name in options.names or by_default or modules:
        start = time.perf_counter()
        table = importlib.import_module(modules[name]).run()
        table.print()
        table.save(options.output)
        print(f"  ({name}: {time.perf_counter() - start:.0f} s)\n", flush=True)
