"""Run the benchmarks: ``python -m benchmarks [NAME ...] [--output FOLDER]``."""

from __future__ import annotations

from benchmarks.folder_runner import RESULTS, run_named

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

if __name__ == "__main__":
    modules = {name: f"benchmarks.{name}" for name in (*NAMES, *LONG)}
    run_named(modules, __doc__, RESULTS, NAMES)
