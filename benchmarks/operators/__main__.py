"""Run the measurements of this folder: ``python -m benchmarks.operators [NAME ...]``."""

from __future__ import annotations

import argparse
import importlib
import os
import time
from pathlib import Path

NAMES = {
    "data_loading": "benchmarks.operators.data_loading",
    "space_time_fno": "benchmarks.operators.space_time_fno",
    "burgers": "benchmarks.operators.burgers",
    "comparison": "benchmarks.operators.comparison",
    "refinement": "benchmarks.operators.refinement",
    "certificates": "benchmarks.operators.certificates",
    "model_steps": "benchmarks.operators.model_steps",
    "lsm_ablation": "benchmarks.operators.lsm_ablation",
    "losses": "benchmarks.operators.losses",
    "peers": "benchmarks.operators.peers",
    "inference": "benchmarks.operators.inference",
    "trajectory_training": "benchmarks.operators.trajectory_training",
}
RESULTS = Path(__file__).parents[1] / "results" / "operators"


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"among: {', '.join(NAMES)}")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    for name in options.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark '{name}'; known: {', '.join(NAMES)}")
    for name in options.names or NAMES:
        start = time.perf_counter()
        table = importlib.import_module(NAMES[name]).run()
        table.print()
        table.save(options.output)
        print(f"  ({name}: {time.perf_counter() - start:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
