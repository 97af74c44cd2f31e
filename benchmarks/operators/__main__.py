"""Run the measurements of this folder: ``python -m benchmarks.operators [NAME ...]``."""

from __future__ import annotations

from benchmarks.folder_runner import RESULTS, run_named

NAMES = {
    "data_loading": "benchmarks.operators.data_loading",
    "space_time_fno": "benchmarks.operators.space_time_fno",
    "burgers": "benchmarks.operators.burgers",
    "comparison": "benchmarks.operators.comparison",
    "figures": "benchmarks.operators.figures",
    "refinement": "benchmarks.operators.refinement",
    "certificates": "benchmarks.operators.certificates",
    "certificates_of_tasks": "benchmarks.operators.certificates_of_tasks",
    "model_steps": "benchmarks.operators.model_steps",
    "lsm_ablation": "benchmarks.operators.lsm_ablation",
    "mesh_models": "benchmarks.operators.mesh_models",
    "full_size": "benchmarks.operators.full_size",
    "losses": "benchmarks.operators.losses",
    "peers": "benchmarks.operators.peers",
    "inference": "benchmarks.operators.inference",
    "trajectory_training": "benchmarks.operators.trajectory_training",
}

if __name__ == "__main__":
    run_named(NAMES, __doc__, RESULTS / "operators")
