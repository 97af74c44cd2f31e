"""Unsteady flow past a cylinder: order in time, and what a step costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import FloatArray
from pdesolve import evolve
from pdesolve.problems.cylinder_flow import CylinderFlowProblem

TITLE = "unsteady flow past a cylinder"
FIGURES = {"cylinder_flow": ["cylinder_flow"]}

_END = 0.32


def velocity(method: str, dt: float) -> FloatArray:
    """Nodal velocities at the end, from a start at a Reynolds number of 20."""
    problem = CylinderFlowProblem(20.0, mesh_size=0.12, body_size=0.0125, times=(0.0, _END))
    trajectory = evolve(problem, method=method, dt=dt)
    return np.array(trajectory.native.subfunctions[0].dat.data_ro)


@cache
def reference() -> FloatArray:
    """The solution of the equations in time, nearly: Richardson's extrapolation."""
    coarse, fine = (velocity("bdf2-linear", dt) for dt in (0.00125, 0.000625))
    return (4.0 * fine - coarse) / 3.0


def in_time(method: str) -> Callable[[Any], float]:
    """Difference to the reference on the same mesh."""

    def error(dt: Any) -> float:
        exact = reference()
        return float(np.linalg.norm(velocity(method, float(dt)) - exact) / np.linalg.norm(exact))

    return error


def orders() -> list[OrderStudy]:
    """Time, for the linear and the nonlinear backward difference."""
    return [
        OrderStudy(
            "cylinder_flow, Re = 20",
            f"fem, P2-P1, {method}",
            "velocity on one mesh, relative l2",
            in_time(method),
            (0.01, 0.005, 0.0025),
            (0.01, 0.005, 0.0025),
            2,
            1e-3,
            "time",
        )
        for method in ("bdf2-linear", "bdf2")
    ]


def solvers() -> list[SolverStudy]:
    """Twenty steps at a Reynolds number of 100; sizes are cells across the channel."""

    def solve(method: str) -> Callable[[int, Mapping[str, Any]], Any]:
        def run(size: int, options: Mapping[str, Any]) -> Any:
            problem = CylinderFlowProblem(100.0, mesh_size=0.41 / size, times=(0.0, 0.1))
            return evolve(problem, method=method, dt=0.005, solver_parameters=options).result

        return run

    lu: dict[str, Mapping[str, Any]] = {"MUMPS LU": {"pc_type": "lu"}}
    candidates: dict[str, Mapping[str, Any]] = {
        "MUMPS LU (default)": {"pc_type": "lu"},
        "PETSc's LU": {
            "pc_type": "lu",
            "pc_factor_mat_solver_type": "petsc",
            "pc_factor_mat_ordering_type": "nd",
            "pc_factor_shift_type": "nonzero",
        },
        "GMRES + ILU(2)": {
            "ksp_type": "gmres",
            "pc_type": "ilu",
            "pc_factor_levels": 2,
            "pc_factor_shift_type": "nonzero",
        },
    }
    return [
        SolverStudy("cylinder_flow", "fem, bdf2-linear", solve("bdf2-linear"), (8, 16), candidates),
        SolverStudy("cylinder_flow", "fem, bdf2 (Newton)", solve("bdf2"), (8, 16), lu),
        SolverStudy("cylinder_flow", "fem, radau-iia-2 (Newton)", solve("radau-iia-2"), (8,), lu),
    ]
