"""Heat conduction in time on grids: orders of accuracy, solvers of the implicit steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import FloatArray
from pdesolve import evolve, get_family, sample_generator
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.evolution import EvolutionProblem
from pdesolve.problems.heat import HeatProblem, Modulation
from pdesolve.trajectory import Trajectory

TITLE = "heat conduction in time"
FIGURES = {
    "heat2d": ["heat2d"],
}

CONDUCTIVITY = 0.05
TIGHT: dict[str, Any] = {"ksp_rtol": 1e-12, "ksp_atol": 1e-14}
FIXED: dict[str, Any] = {**TIGHT, "ts_adapt_type": "none"}
MODULATION = Modulation(0.5, 1.0)


def relative_error(
    trajectory: Trajectory, exact: Callable[[FloatArray], Any], norm: float = 2.0
) -> float:
    """‖u − exact‖ / ‖exact‖ of the main unknown at the last time, in a discrete L1 or L2 norm."""
    field = trajectory.gather()
    expected = np.asarray(exact(field.mesh.points()))  # type: ignore[union-attr]
    difference = np.abs(field.values[0] - expected) ** norm
    return float((difference.sum() / (np.abs(expected) ** norm).sum()) ** (1 / norm))


def modulated(time: float) -> float:
    """∫ of the factor of κ from 0."""
    amplitude, period = MODULATION.amplitude, MODULATION.period
    angle = 2 * math.pi * time / period
    return time + amplitude * period / (2 * math.pi) * (1 - math.cos(angle))


def decaying_mode(
    dimension: int, boundary: str
) -> tuple[HeatProblem, Callable[[FloatArray], FloatArray]]:
    """One eigenfunction of the Laplacian under κ(t), and its exact decay.

    With ``"robin"`` the sides have κ ∂u/∂n + α u = g with the flux of cos(k (x − 1/2)),
    α = κ k tan(k/2), for which κ must not depend on time.
    """
    wave = {"periodic": 2 * math.pi, "dirichlet": math.pi, "neumann": math.pi, "robin": 1.0}[
        boundary
    ]

    def shape(x: FloatArray) -> FloatArray:
        if boundary == "robin":
            return np.prod(np.cos(wave * (x - 0.5)), axis=0)
        if boundary == "neumann":
            return np.prod(np.cos(wave * x), axis=0)
        return np.prod(np.sin(wave * x), axis=0)

    conditions: dict[str, Condition] = {
        "periodic": Periodic(),
        "dirichlet": Dirichlet(0.0),
        "neumann": Neumann(0.0),
        "robin": Robin(CONDUCTIVITY * wave * math.tan(0.5 * wave), 0.0),
    }
    time_dependent = boundary != "robin"
    problem = HeatProblem(
        CONDUCTIVITY,
        MODULATION if time_dependent else None,
        initial=shape,
        boundary_conditions={"all": conditions[boundary]},
        dimension=dimension,
    )
    integral = modulated(1.0) if time_dependent else 1.0
    decay = math.exp(-CONDUCTIVITY * dimension * wave**2 * integral)
    return problem, lambda x: decay * shape(x)


def space_error(dimension: int, boundary: str) -> Callable[[int], float]:
    problem, exact = decaying_mode(dimension, boundary)

    def error(size: int) -> float:
        trajectory = evolve(
            problem,
            mesh=(size,) * dimension,
            backend="grid",
            method="arkimex 4",
            rtol=1e-8,
            solver_parameters={**TIGHT, "pc_type": "bjacobi"},
        )
        return relative_error(trajectory, exact)

    return error


def variable_space_error(size: int) -> float:
    """Manufactured: κ = 1 + x/2 and a steady source that keeps u = sin(πx) + e^(−t) · 0."""
    slope = 0.5

    def conductivity(x: FloatArray) -> FloatArray:
        return 1.0 + slope * x[0]

    def exact(x: FloatArray) -> FloatArray:
        return np.sin(math.pi * x[0])

    def source(x: FloatArray) -> FloatArray:
        growing = (1.0 + slope * x[0]) * math.pi**2 * np.sin(math.pi * x[0])
        return growing - slope * math.pi * np.cos(math.pi * x[0])

    problem = HeatProblem(
        conductivity,
        source=source,
        initial=exact,
        boundary_conditions={"all": Dirichlet(0.0)},
        dimension=1,
    )
    trajectory = evolve(problem, mesh=size, backend="grid", solver_parameters=TIGHT)
    return relative_error(trajectory, exact)


def time_error(method: str) -> Callable[[float], float]:
    """Against the exact solution of the discrete equations, u' = −λ_h κ(t) u."""
    size = 16
    problem, _ = decaying_mode(1, "periodic")
    eigenvalue = CONDUCTIVITY * 4 * size**2 * math.sin(math.pi / size) ** 2
    decay = math.exp(-eigenvalue * modulated(1.0))

    def error(dt: float) -> float:
        trajectory = evolve(
            problem, mesh=size, backend="grid", method=method, dt=dt, solver_parameters=FIXED
        )
        return relative_error(trajectory, lambda x: decay * np.sin(2 * math.pi * x[0]))

    return error


TIME_ORDERS = {
    "beuler": (1.0, 3e-2),
    "cn": (2.0, 1e-4),
    "arkimex 3": (3.0, 2e-7),
    "arkimex 4": (4.0, 1e-9),
    "rosw ra34pw2": (3.0, 2e-6),
}


def orders() -> list[OrderStudy]:
    quantity = "u, relative L2"
    cells = {1: (16, 32, 64, 128), 2: (16, 32, 64), 3: (8, 16, 32)}
    small = {1: (16, 32, 64), 2: (16, 32), 3: (8, 16)}
    cases = [(1, "periodic"), (2, "periodic"), (2, "dirichlet"), (2, "neumann"), (2, "robin")]
    studies = [
        OrderStudy(
            f"heat{dimension}d, {boundary}",
            "grid",
            quantity,
            space_error(dimension, boundary),
            cells[dimension],
            small[dimension],
            2.0,
            2e-2 if dimension < 3 else 1e-2,
        )
        for dimension, boundary in [*cases, (3, "dirichlet")]
    ]
    studies.append(
        OrderStudy(
            "heat1d, κ(x)", "grid", quantity, variable_space_error, cells[1], small[1], 2.0, 1e-3
        )
    )
    implicit = (1 / 32, 1 / 64, 1 / 128)
    for method, (theory, cap) in TIME_ORDERS.items():
        studies.append(
            OrderStudy(
                "heat1d, κ(t)",
                f"grid, {method}",
                "u in time, relative L2",
                time_error(method),
                implicit,
                implicit,
                theory,
                cap,
                "time",
            )
        )
    for method, theory, cap in (("rk 3bs", 3.0, 1e-5), ("rk 4", 4.0, 1e-6)):
        steps = (1 / 40, 1 / 80, 1 / 160)
        studies.append(
            OrderStudy(
                "heat1d, κ(t)",
                f"grid, {method}",
                "u in time, relative L2",
                time_error(method),
                steps,
                steps,
                theory,
                cap,
                "time",
            )
        )
    return studies


def drawn_problem(dimension: int) -> EvolutionProblem:
    """A draw of the family with u = 0 on the sides."""
    family = get_family(f"heat{dimension}d", boundary="dirichlet")
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    assert isinstance(problem, EvolutionProblem)
    return problem


def solvers() -> list[SolverStudy]:
    gamg = {"pc_type": "gamg", "mg_levels_ksp_max_it": 2, "mg_levels_pc_type": "jacobi"}
    direct = {"ksp_type": "preonly", "pc_factor_mat_solver_type": "mumps"}
    krylov: dict[str, dict[str, Any]] = {
        "cg + bjacobi, icc (default)": {},
        "cg + jacobi": {"pc_type": "jacobi"},
        "cg + gamg": gamg,
        "cholesky, mumps": {**direct, "pc_type": "cholesky"},
        "cg + gamg set up once": {**gamg, "snes_lag_preconditioner": -2},
    }
    candidates: dict[str, dict[str, Any]] = {
        f"arkimex 3: {solver}": {"method": "arkimex 3", "solver_parameters": parameters}
        for solver, parameters in krylov.items()
    }
    candidates["cn, 100 steps: cg + bjacobi, icc"] = {"method": "cn", "dt": 0.01}
    candidates["rosw ra34pw2: cg + bjacobi, icc"] = {"method": "rosw ra34pw2"}
    candidates["rk 4 at its stable limit"] = {"method": "rk 4"}
    candidates["rk 3bs"] = {"method": "rk 3bs"}

    def solve(dimension: int) -> Callable[[int, Mapping[str, Any]], Any]:
        problem = drawn_problem(dimension)

        def run(size: int, options: Mapping[str, Any]) -> Any:
            return evolve(problem, mesh=(size,) * dimension, backend="grid", **options).result

        return run

    return [
        SolverStudy("heat2d", "grid", solve(2), (64, 128), candidates),
        SolverStudy("heat3d", "grid", solve(3), (16, 24), candidates),
    ]
