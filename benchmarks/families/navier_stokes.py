"""Steady Navier–Stokes flow: orders of Taylor–Hood elements, candidates for the solver."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.stokes import (
    CONTROL,
    EXTERNAL,
    FlowCase,
    error_of,
    given_velocity,
    shear_force,
    shear_pressure,
    shear_velocity,
)
from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import FloatArray
from pdesolve import get_family, solve
from pdesolve.problems.navier_stokes import NavierStokesProblem

TITLE = "steady Navier–Stokes flow"
FIGURES = {
    "navier_stokes_channel": ["navier_stokes_channel", "--set", "cell_size=0.04"],
    "lid_driven_cavity": ["lid_driven_cavity", "--set", "reynolds=1000", "--shape", "64"],
    "cylinder_flow_steady": ["cylinder_flow_steady", "--set", "reynolds=20"],
}
if EXTERNAL.is_file():
    FIGURES["navier_stokes_control"] = ["navier_stokes_channel", *CONTROL]
TIGHT: dict[str, Any] = {"snes_rtol": 1e-11}


def shear_flow(viscosity: float = 0.05) -> FlowCase:
    """The flow u = (3 y² sin πx, −π y³ cos πx), whose u·∇u is no gradient."""

    def force(x: FloatArray) -> FloatArray:
        sine, cosine, y = np.sin(np.pi * x[0]), np.cos(np.pi * x[0]), x[1]
        convection = np.stack([3 * np.pi * y**4 * sine * cosine, 3 * np.pi**2 * y**5])
        return np.asarray(shear_force(x, viscosity) + convection)

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
        return np.asarray(mean - np.exp(2 * rate * x[0]) / 2)

    problem = NavierStokesProblem(
        1 / reynolds, boundary_conditions=given_velocity(velocity), lower=lower, upper=upper
    )
    return FlowCase(problem, velocity, pressure)


def orders() -> list[OrderStudy]:
    """Velocities of order k + 1, pressures of order k."""
    studies = []
    usual: tuple[float, ...] = (8, 16, 32, 64)
    finer: tuple[float, ...] = (24, 48, 96)
    for label, case, sizes, small, caps in (
        ("manufactured, ν = 0.05", shear_flow, usual, usual[:3], (1.5e-5, 6e-4, 6e-4)),
        ("Kovasznay, Re = 40", kovasznay, finer, finer[:2], (8e-5, 3e-4, 8e-4)),
    ):
        for unknown, theory, cap in zip(
            ("velocity", "pressure", "divergence"), (3.0, 2.0, 2.0), caps, strict=True
        ):
            over = "divergence over gradient"
            studies.append(
                OrderStudy(
                    f"navier_stokes, {label}",
                    "fem P2-P1",
                    over if unknown == "divergence" else f"{unknown}, relative L2",
                    error_of(case, unknown, solver_parameters=TIGHT),
                    sizes,
                    small,
                    theory,
                    cap,
                )
            )
    return studies


def solvers() -> list[SolverStudy]:
    """A factorisation next to pressure convection–diffusion."""
    candidates = {
        "MUMPS (default)": {"preconditioner": "direct"},
        "FGMRES, PCD with MUMPS for the velocity": {"preconditioner": "navier_stokes_pcd"},
        "FGMRES, PCD with GAMG for the velocity": {
            "preconditioner": "navier_stokes_pcd",
            "fieldsplit_0_assembled_pc_type": "gamg",
            "fieldsplit_0_assembled_mg_levels_pc_type": "sor",
        },
    }

    def cavity(reynolds: float) -> Callable[[int, Mapping[str, Any]], Any]:
        family = get_family("lid_driven_cavity", reynolds=reynolds)
        problem = family.problem({"reynolds": reynolds})
        return lambda cells, options: (
            solve(problem, mesh=cells, solver_parameters=options, degree=2).result
        )

    found = []
    for reynolds, sizes in ((100.0, (16, 32, 64)), (400.0, (32,))):
        name = f"lid_driven_cavity, Re = {reynolds:g}"
        found.append(SolverStudy(name, "fem P2-P1", cavity(reynolds), sizes, candidates))
    return found
