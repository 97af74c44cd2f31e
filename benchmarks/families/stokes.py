"""Stokes flow: orders of Taylor–Hood elements, candidates for the default solver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy
from meshes.structured import FloatArray
from pdesolve import solve
from pdesolve.problems.boundary import Condition, Dirichlet, Neumann
from pdesolve.problems.flow import FlowProblem
from pdesolve.problems.stokes import StokesProblem

TITLE = "Stokes flow"
FIGURES = {"stokes_channel": ["stokes_channel"]}

Vector = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class FlowCase:
    """A flow with its exact velocity and pressure, functions of points."""

    problem: FlowProblem
    velocity: Vector
    pressure: Vector


def component(function: Vector, index: int) -> Vector:
    """One component of a vector-valued function."""
    return lambda x: function(x)[index]


def given_velocity(velocity: Vector, dimension: int = 2) -> dict[str, Condition]:
    """The exact velocity on all sides."""
    return {"all": Dirichlet(tuple(component(velocity, i) for i in range(dimension)))}


def shear_velocity(x: FloatArray) -> FloatArray:
    """U = (3 y² sin πx, −π y³ cos πx), from the stream function y³ sin πx."""
    sine, cosine = np.sin(np.pi * x[0]), np.cos(np.pi * x[0])
    return np.stack([3 * x[1] ** 2 * sine, -np.pi * x[1] ** 3 * cosine])


def shear_pressure(x: FloatArray) -> FloatArray:
    """P = y cos πx, of mean zero on the unit square."""
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
    return -viscosity * laplacian + np.stack([-np.pi * y * sine, cosine])


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
        return scale * ((1 + x[0]) * (shear_force(x, 1.0) - gradient) - strain) + gradient

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
) -> Callable[[int], float]:
    """The relative L2 error of velocity, pressure or (‖∇·u‖ / ‖∇u‖) divergence."""

    def error(cells: int) -> float:
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


def orders() -> list[OrderStudy]:
    """Velocities of order k + 1, pressures of order k."""
    studies = []
    for label, case, caps in (
        ("stokes, velocity all around", constant_viscosity, (1.5e-5, 6e-4, 6e-4)),
        ("stokes, ν = 0.02 (1 + x), traction", varying_viscosity, (1.5e-5, 6e-4, 6e-4)),
    ):
        for unknown, theory, cap in zip(
            ("velocity", "pressure", "divergence"), (3, 2, 2), caps, strict=True
        ):
            studies.append(
                OrderStudy(
                    *(label, "fem P2-P1", f"{unknown}, relative L2", error_of(case, unknown)),
                    *((8, 16, 32, 64), (8, 16, 32), theory, cap),
                )
            )
    for unknown, theory, cap in (("velocity", 4, 3e-6), ("pressure", 3, 8e-5)):
        studies.append(
            OrderStudy(
                *("stokes, velocity all around", "fem P3-P2", f"{unknown}, relative L2"),
                error_of(lambda: constant_viscosity(0.1), unknown, 3),
                *((4, 8, 16, 32), (4, 8, 16), theory, cap),
            )
        )
    return studies
