"""Nonlinear elliptic equations: orders of accuracy, and candidates inside Newton's method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import StructuredGrid
from operators.result import SolveResult
from pdesolve import solve
from pdesolve.problems.base import Problem
from pdesolve.problems.boundary import Dirichlet
from pdesolve.problems.nonlinear_elliptic import (
    BratuProblem,
    OneSidedReactionProblem,
    PLaplacianProblem,
)

TITLE = "nonlinear elliptic equations"

FIGURES = {
    "bratu2d": ["bratu2d", "--seed", "0"],
    "p_laplacian2d": ["p_laplacian2d", "--seed", "0"],
    "one_sided_reaction2d": ["one_sided_reaction2d", "--seed", "0"],
}

Exact = Callable[[Any], Any]
Case = Callable[[], tuple[Problem, Exact]]


def bratu_interval(strength: float = 2.0) -> tuple[Problem, Exact]:
    """The lower solution on the unit interval: −2 ln(cosh((x − ½) θ/2) / cosh(θ/4)).

    θ is the smaller root of θ = √(2 λ) cosh(θ/4).
    """
    theta = 0.0
    for _ in range(500):
        theta = float(np.sqrt(2 * strength) * np.cosh(theta / 4))

    def exact(x: Any) -> Any:
        return -2.0 * np.log(np.cosh((x[0] - 0.5) * theta / 2) / np.cosh(theta / 4))

    return BratuProblem(strength, dimension=1), exact


def bratu_square() -> tuple[Problem, Exact]:
    """A manufactured solution with λ = 4."""

    def exact(x: Any) -> Any:
        return np.sin(np.pi * x[0]) * np.sin(np.pi * x[1])

    source = lambda x: 2 * np.pi**2 * exact(x) - 4.0 * np.exp(exact(x))  # noqa: E731
    return BratuProblem(4.0, source), exact


def p_laplacian_square(exponent: float) -> tuple[Problem, Exact]:
    """The manufactured solution x + 0.3 sin(2x + 3y), with its values on the sides."""
    shift, power = 1e-2**2, (exponent - 2.0) / 2.0

    def exact(x: Any) -> Any:
        return x[0] + 0.3 * np.sin(2 * x[0] + 3 * x[1])

    def source(x: Any) -> Any:
        phase = 2 * x[0] + 3 * x[1]
        first, second = 0.3 * np.cos(phase), -0.3 * np.sin(phase)
        ux, uy = 1.0 + 2 * first, 3 * first
        size = ux**2 + uy**2 + shift
        along = 4 * ux**2 + 12 * ux * uy + 9 * uy**2  # ∇u·H∇u over `second`
        return -second * (13 * size**power + 2 * power * size ** (power - 1) * along)

    return PLaplacianProblem(exponent, source, 1e-2, {"all": Dirichlet(exact)}), exact


def one_sided_square() -> tuple[Problem, Exact]:
    """The manufactured solution sin 2πx sin πy, whose kink at x = ½ is on element edges."""

    def exact(x: Any) -> Any:
        return np.sin(2 * np.pi * x[0]) * np.sin(np.pi * x[1])

    source = lambda x: 5 * np.pi**2 * exact(x) + 100 * np.maximum(exact(x), 0)  # noqa: E731
    return OneSidedReactionProblem(100.0, source), exact


def error_of(case: Case, **options: Any) -> Any:
    """Takes cells an axis; the relative L2 error."""

    def error(size: int) -> float:
        problem, exact = case()
        # far below the errors of the discretisation
        tight = {"snes_rtol": 1e-10}
        if "backend" not in options:  # elements factorise
            tight["ksp_rtol"] = 1e-8
        solution = solve(problem, mesh=int(size), solver_parameters=tight, **options)
        grid = problem.grid(int(size))
        if options.get("backend") == "fem":  # away from the elements' nodes
            grid = StructuredGrid((41,) * problem.dimension)
        expected = exact(grid.points())
        difference = solution.on(grid).values[0] - expected
        return float(np.linalg.norm(difference) / np.linalg.norm(expected))

    return error


def orders() -> list[OrderStudy]:
    """Second order on grids, degree + 1 with elements."""
    found = []
    for family, what, case, caps in (
        ("bratu2d", "u on an interval, strength 2", bratu_interval, (2e-3, 2e-3, 1e-5)),
        ("bratu2d", "u, strength 4", bratu_square, (3e-3, 5e-3, 1e-4)),
        ("p_laplacian2d", "u, p = 1.5", lambda: p_laplacian_square(1.5), (2e-3, 2e-3, 3e-5)),
        ("p_laplacian2d", "u, p = 4", lambda: p_laplacian_square(4.0), (2e-3, 2e-3, 3e-5)),
        ("one_sided_reaction2d", "u, rate 100", one_sided_square, (5e-3, 5e-3, 2e-4)),
    ):
        quantity = f"{what}, relative L2"
        sizes, small = (16, 32, 64, 128), (16, 32, 64)
        found.append(
            OrderStudy(family, "grid", quantity, error_of(case), sizes, small, 2.0, caps[0])
        )
        found += [
            OrderStudy(
                family,
                f"fem, CG {degree}",
                quantity,
                error_of(case, backend="fem", degree=degree),
                sizes if degree == 1 else sizes[:-1],
                small if degree == 1 else (8, 16, 32),
                degree + 1.0,
                caps[degree],
            )
            for degree in (1, 2)
        ]
    return found


def _run(problem: Problem, **more: Any) -> Callable[[int, Mapping[str, Any]], SolveResult]:
    def run(size: int, options: Mapping[str, Any]) -> SolveResult:
        return solve(problem, mesh=size, solver_parameters=dict(options), **more).result

    return run


CANDIDATES: dict[str, dict[str, Any]] = {
    "Newton, CG + GAMG to 1e-4 (default)": {},
    "Newton, CG + GAMG to 1e-2": {"ksp_rtol": 1e-2},
    "Newton, CG + GAMG to 1e-8": {"ksp_rtol": 1e-8},
    "Newton, CG + ICC(0)": {"pc_type": "icc"},
    "Newton, MUMPS Cholesky": {"ksp_type": "preonly", "pc_type": "cholesky"},
    "Newton with trust region, CG + GAMG": {"snes_type": "newtontr"},
    "Newton with trust region, GMRES + LU": {
        "snes_type": "newtontr",
        "ksp_type": "gmres",
        "pc_type": "lu",
    },
    "L-BFGS": {"snes_type": "qn", "snes_max_it": 1000},
}


def solvers() -> list[SolverStudy]:
    """Newton's linear solvers, and other nonlinear methods."""
    sizes = (64, 128, 256)
    wave = lambda x: 1.0 + np.sin(7 * x[0]) * np.cos(5 * x[1])  # noqa: E731
    return [
        SolverStudy("bratu2d", "grid", _run(BratuProblem(6.0)), sizes, CANDIDATES),
        SolverStudy(
            "p_laplacian2d, p = 3", "grid", _run(PLaplacianProblem(3.0, wave)), sizes, CANDIDATES
        ),
        SolverStudy(
            "p_laplacian2d, p = 1.5", "grid", _run(PLaplacianProblem(1.5, wave)), sizes, CANDIDATES
        ),
        SolverStudy(
            "one_sided_reaction2d",
            "grid",
            _run(OneSidedReactionProblem(300.0, wave)),
            sizes,
            CANDIDATES,
        ),
    ]
