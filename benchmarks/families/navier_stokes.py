"""Steady Navier–Stokes flow: orders of Taylor–Hood elements, candidates for the solver."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.families.stokes import (
    FlowCase,
    error_of,
    given_velocity,
    shear_force,
    shear_pressure,
    shear_velocity,
)
from benchmarks.families.study import OrderStudy
from meshes.structured import FloatArray
from pdesolve.problems.navier_stokes import NavierStokesProblem

TITLE = "steady Navier–Stokes flow"
FIGURES = {
    "navier_stokes_channel": ["navier_stokes_channel"],
    "lid_driven_cavity": ["lid_driven_cavity", "--set", "reynolds=1000", "--shape", "64"],
    "cylinder_flow_steady": ["cylinder_flow_steady"],
}
TIGHT: dict[str, Any] = {"snes_rtol": 1e-11}


def shear_flow(viscosity: float = 0.05) -> FlowCase:
    """The flow u = (3 y² sin πx, −π y³ cos πx), whose u·∇u is no gradient."""

    def force(x: FloatArray) -> FloatArray:
        sine, cosine, y = np.sin(np.pi * x[0]), np.cos(np.pi * x[0]), x[1]
        convection = np.stack([3 * np.pi * y**4 * sine * cosine, 3 * np.pi**2 * y**5])
        return shear_force(x, viscosity) + convection

    problem = NavierStokesProblem(viscosity, force, given_velocity(shear_velocity))
    return FlowCase(problem, shear_velocity, shear_pressure)


def kovasznay(reynolds: float = 40.0) -> FlowCase:
    """Kovasznay's flow behind a grid, an exact solution without a force."""
    rate = reynolds / 2 - math.sqrt(reynolds**2 / 4 + 4 * math.pi**2)
    lower, upper = (-0.5, -0.5), (1.0, 1.5)
    mean = (math.exp(2 * rate * upper[0]) - math.exp(2 * rate * lower[0])) / (
        4 * rate * (upper[0] - lower[0])
    )

    def velocity(x: FloatArray) -> FloatArray:
        decay, angle = np.exp(rate * x[0]), 2 * np.pi * x[1]
        return np.stack([1 - decay * np.cos(angle), rate / (2 * np.pi) * decay * np.sin(angle)])

    def pressure(x: FloatArray) -> FloatArray:
        return mean - np.exp(2 * rate * x[0]) / 2

    problem = NavierStokesProblem(
        1 / reynolds, boundary_conditions=given_velocity(velocity), lower=lower, upper=upper
    )
    return FlowCase(problem, velocity, pressure)


def orders() -> list[OrderStudy]:
    """Velocities of order k + 1, pressures of order k."""
    studies = []
    for label, case, sizes, small, caps in (
        ("manufactured, ν = 0.05", shear_flow, (8, 16, 32, 64), (8, 16, 32), (1.5e-5, 6e-4, 6e-4)),
        ("Kovasznay, Re = 40", kovasznay, (24, 48, 96), (24, 48), (8e-5, 3e-4, 8e-4)),
    ):
        for unknown, theory, cap in zip(
            ("velocity", "pressure", "divergence"), (3, 2, 2), caps, strict=True
        ):
            studies.append(
                OrderStudy(
                    *(f"navier_stokes, {label}", "fem P2-P1", f"{unknown}, relative L2"),
                    error_of(case, unknown, solver_parameters=TIGHT),
                    *(sizes, small, theory, cap),
                )
            )
    return studies
