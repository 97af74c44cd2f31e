"""Run the benchmarks: ``python -m benchmarks [NAME ...] [--output FOLDER]``."""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

NAMES = (
    "start_up",
    "assembly",
    "darcy_solvers",
    "generation",
    "fno_step",
    "finite_elements",
    "raviart_thomas",
    "spectral_batch",
    "navier_stokes_time",
    "navier_stokes_throughput",
    "poisson3d",
    "convection_layers",
)
LONG = ("darcy_accuracy", "cavity", "cylinder_steady", "cylinder_unsteady")


def main() -> None:
    # as the command line does for solves; benchmarks of networks set torch's threads themselves
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"among: {', '.join((*NAMES, *LONG))}"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    for name in options.names:
        if name not in (*NAMES, *LONG):
            parser.error(f"there is no benchmark '{name}'; known: {', '.join((*NAMES, *LONG))}")
    for name in options.names or NAMES:
        start = time.perf_counter()
        table = importlib.import_module(f"benchmarks.{name}").run()
        table.print()
        table.save(options.output)
        print(f"  ({name}: {time.perf_counter() - start:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
