"""Stokes flow: orders of Taylor–Hood elements, candidates for the default solver."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import FloatArray
from pdesolve import solve
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.flow import FlowProblem
from pdesolve.problems.stokes import StokesProblem

TITLE = "Stokes flow"
FIGURES = {"stokes_channel": ["stokes_channel", "--set", "cell_size=0.04"]}
# A mesh made elsewhere: a 30 × 10 channel with numbered sides.
EXTERNAL = Path(os.environ.get("PDESOLVE_EXTERNAL_DATA", "")) / "stokes-control.msh"
CONTROL = [
    *("--mesh", str(EXTERNAL), "--set", "inflow=1", "outflow=2", "walls=3,5", "obstacle=4"),
    *("length=30", "height=10"),
]
if EXTERNAL.is_file():
    FIGURES["stokes_control"] = ["stokes_channel", *CONTROL]

Vector = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class FlowCase:
    """A flow with its exact velocity and pressure, functions of points."""

    problem: FlowProblem
    velocity: Vector
    pressure: Vector


def component(function: Vector, index: int) -> Vector:
    """One component of a vector-valued function."""

    def values(x: FloatArray) -> FloatArray:
        return np.asarray(function(x)[index], dtype=np.float64)

    return values


def given_velocity(velocity: Vector, dimension: int = 2) -> dict[str, Condition]:
    """The exact velocity on all sides."""
    return {"all": Dirichlet(tuple(component(velocity, i) for i in range(dimension)))}


def shear_velocity(x: FloatArray) -> FloatArray:
    """Velocity (3 y² sin πx, −π y³ cos πx), from the stream function y³ sin πx."""
    sine, cosine = np.sin(np.pi * x[0]), np.cos(np.pi * x[0])
    return np.stack([3 * x[1] ** 2 * sine, -np.pi * x[1] ** 3 * cosine])


def shear_pressure(x: FloatArray) -> FloatArray:
    """Pressure y cos πx, of mean zero on the unit square."""
    values: FloatArray = x[1] * np.cos(np.pi * x[0])
    return values


def shear_force(x: FloatArray, viscosity: float) -> FloatArray:
    """−ν Δu + ∇p of the shear flow."""
    sine, cosine, y = np.sin(np.pi * x[0]), np.cos(np.pi * x[0]), x[1]
    laplacian = np.stack(
        [
            6 * sine - 3 * np.pi**2 * y**2 * sine,
            np.pi**3 * y**3 * cosine - 6 * np.pi * y * cosine,
        ]
    )
    return np.asarray(-viscosity * laplacian + np.stack([-np.pi * y * sine, cosine]))


def constant_viscosity(viscosity: float = 0.06) -> FlowCase:
    """The shear flow with its velocity on all sides."""
    problem = StokesProblem(
        viscosity, lambda x: shear_force(x, viscosity), given_velocity(shear_velocity)
    )
    return FlowCase(problem, shear_velocity, shear_pressure)


def varying_viscosity(scale: float = 0.02) -> FlowCase:
    """ν = scale (1 + x) with the stress 2 ν ε(u), and the traction on the side x = 1."""

    def force(x: FloatArray) -> FloatArray:
        # −∇·(2 ν ε) = −ν Δu − 2 ε ∇ν with ∇ν = (scale, 0)
        sine, cosine, y = np.sin(np.pi * x[0]), np.cos(np.pi * x[0]), x[1]
        strain = np.stack(
            [6 * np.pi * y**2 * cosine, 6 * y * sine + np.pi**2 * y**3 * sine]
        )  # (2 u_x, u_y + v_x)
        gradient = np.stack([-np.pi * y * sine, cosine])
        viscous = (1 + x[0]) * (shear_force(x, 1.0) - gradient) - strain
        return np.asarray(scale * viscous + gradient)

    def traction(x: FloatArray) -> FloatArray:
        # (2 ν u_x − p, ν (u_y + v_x)) at x = 1, where ν = 2 scale
        y = x[1]
        return np.stack([-12 * np.pi * scale * y**2 + y, np.zeros_like(y)])

    exact = given_velocity(shear_velocity)["all"]
    sides: dict[str, Condition] = dict.fromkeys(("x_lower", "y_lower", "y_upper"), exact)
    problem = StokesProblem(
        lambda x: scale * (1.0 + x[0]), force, {**sides, "x_upper": Neumann(traction)}
    )
    return FlowCase(problem, shear_velocity, shear_pressure)


def error_of(
    case: Callable[[], FlowCase], unknown: str, degree: int = 2, **keywords: Any
) -> Callable[[float], float]:
    """The relative L2 error of velocity, pressure or (‖∇·u‖ / ‖∇u‖) divergence."""

    def error(cells: float) -> float:
        from pdesolve.fem._firedrake_errors import relative_error

        now = case()
        solution = solve(now.problem, mesh=int(cells), degree=degree, **keywords)
        if unknown == "divergence":
            return relative_divergence(solution)
        exact = now.velocity if unknown == "velocity" else now.pressure
        return relative_error(solution, exact, name=unknown)

    return error


def relative_divergence(solution: Any) -> float:
    """‖∇·u‖ / ‖∇u‖ in L2."""
    from pdesolve.fem._firedrake import firedrake, ufl

    u = solution.state.functions["velocity"]
    squares = [firedrake.assemble(ufl.inner(of, of) * ufl.dx) for of in (ufl.div(u), ufl.grad(u))]
    return float(np.sqrt(squares[0] / squares[1]))


def beltrami_velocity(x: FloatArray) -> FloatArray:
    """Velocity (sin z + cos y, sin x + cos z, sin y + cos x): Δu = −u."""
    return np.stack(
        [np.sin(x[2]) + np.cos(x[1]), np.sin(x[0]) + np.cos(x[2]), np.sin(x[1]) + np.cos(x[0])]
    )


def three_dimensional() -> FlowCase:
    """Beltrami's velocity and p = cos x − sin 1 in the unit cube."""

    def force(x: FloatArray) -> FloatArray:
        zero = np.zeros_like(x[0])
        return np.asarray(beltrami_velocity(x) + np.stack([-np.sin(x[0]), zero, zero]))

    problem = StokesProblem(1.0, force, given_velocity(beltrami_velocity, 3), dimension=3)
    return FlowCase(problem, beltrami_velocity, lambda x: np.cos(x[0]) - np.sin(1.0))


def orders() -> list[OrderStudy]:
    """Velocities of order k + 1, pressures of order k."""
    studies = []
    names = ("velocity", "pressure", "divergence")
    sizes: tuple[float, ...] = (8, 16, 32, 64)
    for label, case in (
        ("velocity all around", constant_viscosity),
        ("ν = 0.02 (1 + x), traction", varying_viscosity),
    ):
        for unknown, theory, cap in zip(names, (3, 2, 2), (1.5e-5, 6e-4, 6e-4), strict=True):
            studies.append(_study(label, case, unknown, 2, sizes, sizes[:3], theory, cap))
    label, sizes = "velocity all around", (4, 8, 16, 32)
    for unknown, theory, cap in (("velocity", 4, 3e-6), ("pressure", 3, 8e-5)):
        studies.append(_study(label, _thicker, unknown, 3, sizes, sizes[:3], theory, cap))
    return studies


def _thicker() -> FlowCase:
    return constant_viscosity(0.1)


def _study(
    label: str,
    case: Callable[[], FlowCase],
    unknown: str,
    degree: int,
    sizes: tuple[float, ...],
    small: tuple[float, ...],
    theory: float,
    cap: float,
) -> OrderStudy:
    return OrderStudy(
        f"stokes, {label}",
        f"fem P{degree}-P{degree - 1}",
        f"{unknown}, relative L2" if unknown != "divergence" else "divergence over gradient",
        error_of(case, unknown, degree),
        sizes,
        small,
        theory,
        cap,
    )


def solvers() -> list[SolverStudy]:
    """A factorisation next to block preconditioners, in two and three dimensions."""
    schur = "GMRES, Schur complement: GAMG, mass matrix"
    named = {
        "MUMPS": "direct",
        "MINRES, GAMG + mass matrix": "stokes_minres",
        schur: "stokes_schur",
    }

    def solve_with(case: Callable[[], FlowCase]) -> Callable[[int, Mapping[str, Any]], Any]:
        return lambda cells, options: (
            solve(case().problem, mesh=cells, solver_parameters=options, degree=2).result
        )

    studies = []
    for label, case, sizes, default in (
        ("2D", constant_viscosity, (32, 64, 128), "MUMPS"),
        ("3D", three_dimensional, (4, 8, 12), schur),
    ):
        candidates = {
            text + (" (default)" if text == default else ""): {"preconditioner": name}
            for text, name in named.items()
        }
        study = SolverStudy(f"stokes, {label}", "fem P2-P1", solve_with(case), sizes, candidates)
        studies.append(study)
    return studies
