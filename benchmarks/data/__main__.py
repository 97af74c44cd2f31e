"""Run the measurements of this folder: ``python -m benchmarks.data [NAME ...]``."""

from __future__ import annotations

from benchmarks.folder_runner import RESULTS, run_named

NAMES = {
    "skr_reproduction": "benchmarks.data.skr_reproduction",
    "skr_table": "benchmarks.data.skr_table",
    "skr_helmholtz": "benchmarks.data.skr_helmholtz",
    "skr_sorting": "benchmarks.data.skr_sorting",
    "orders": "benchmarks.data.orders",
    "batched": "benchmarks.data.batched",
    "strategies": "benchmarks.data.strategies",
    "roofline": "benchmarks.data.roofline",
    "scaling": "benchmarks.data.scaling",
    "memory": "benchmarks.data.memory",
    "large_set": "benchmarks.data.large_set",
    "equivalence": "benchmarks.data.equivalence",
}

if __name__ == "__main__":
    run_named(NAMES, __doc__, RESULTS / "data")
