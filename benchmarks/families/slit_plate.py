"""Accuracy and solvers of heat conduction in the plate with a slit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from pdesolve import Dirichlet, Neumann, Robin, get_family, sample_generator, solve
from pdesolve.problems.slit_plate import SlitPlateProblem
from pdesolve.problems.slit_plate_geometry import SIDES, SlitPlate

TITLE = "heat conduction in a plate with a slit"
FIGURES = {"slit_plate": ["slit_plate", "--set", "mesh_size=0.02", "--seed", "1"]}
CORNER = SlitPlate().slit[1]


def smooth(x: np.ndarray) -> np.ndarray:
    """A temperature without singularities."""
    found: np.ndarray = np.sin(2 * x[0] + 0.3) * np.cos(3 * x[1])
    return found


def _slope(x: np.ndarray) -> np.ndarray:
    """∂T/∂x of it."""
    found: np.ndarray = 2 * np.cos(2 * x[0] + 0.3) * np.cos(3 * x[1])
    return found


def smooth_problem(size: float) -> SlitPlateProblem:
    """Given temperatures left and at the slit, given flux right, heat transfer at the top."""
    return SlitPlateProblem(
        2.0,
        lambda x: 26.0 * smooth(x),
        {
            "left": Dirichlet(smooth),
            "right": Neumann(lambda x: 2.0 * _slope(x)),
            "bottom": Neumann(0.0),
            "top": Robin(
                3.0,
                lambda x: 3.0 * smooth(x) - 6.0 * np.sin(2 * x[0] + 0.3) * np.sin(3 * x[1]),
            ),
            "slit": Dirichlet(smooth),
        },
        mesh_size=1.0 / size,
        graded=False,
    )


def _around_corner(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance from the slit's upper right corner, and angle from the edge that goes down."""
    across, up = x[0] - CORNER[0], x[1] - CORNER[1]
    # the angle jumps along a ray that stays inside the slit down to its lower end
    angle = np.mod(np.arctan2(up, across) + np.pi / 2 + 0.06, 2 * np.pi) - 0.06
    return np.hypot(across, up), angle


def _cut(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A function of r that falls from 1 at 0.3 to 0 at 0.7, and its derivatives."""
    width = 0.4
    t = np.clip((r - 0.3) / width, 0.0, 1.0)
    value = 1 - t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3)
    first = -140 * (t * (1 - t)) ** 3 / width
    second = -420 * (t * (1 - t)) ** 2 * (1 - 2 * t) / width**2
    return value, first, second


def singular(x: np.ndarray) -> np.ndarray:
    """r^(2/3) sin(2θ/3), zero on both edges of the corner, faded out with r."""
    r, angle = _around_corner(x)
    found: np.ndarray = _cut(r)[0] * r ** (2 / 3) * np.sin(2 * angle / 3)
    return found


def _source(x: np.ndarray) -> np.ndarray:
    """−Δ of it: zero near the corner."""
    r, angle = _around_corner(x)
    _, first, second = _cut(r)
    far = np.maximum(r, 0.1)
    found: np.ndarray = -(second + (1 + 4 / 3) * first / far) * far ** (2 / 3)
    return found * np.sin(2 * angle / 3)


def singular_problem(size: float, *, graded: bool) -> SlitPlateProblem:
    """That function given on all sides, and its source."""
    return SlitPlateProblem(
        1.0,
        _source,
        dict.fromkeys(SIDES, Dirichlet(singular)),
        mesh_size=1.0 / size,
        graded=graded,
    )


def _study(
    label: str,
    make: Callable[[float], SlitPlateProblem],
    exact: Callable[[np.ndarray], np.ndarray],
    *,
    degree: int,
    theory: float,
    cap: float,
    sizes: tuple[float, ...] = (16, 32, 64, 128),
) -> OrderStudy:
    def error(size: Any) -> float:
        from pdesolve.fem import relative_error

        solution = solve(make(size), degree=degree, solver_parameters={"ksp_rtol": 1e-11})
        return relative_error(solution, exact)

    return OrderStudy(
        family="slit_plate",
        backend=f"fem (CG degree {degree})",
        quantity=f"temperature, relative L2, {label}",
        error=error,
        sizes=sizes,
        small=(16, 32, 64),
        theory=theory,
        cap=cap,
    )


def orders() -> list[OrderStudy]:
    """Smooth and singular temperatures; sizes are one over the length of the edges."""
    equal = "r^(2/3) at a corner of the slit, equal edges"
    graded = "r^(2/3) at a corner of the slit, graded edges"
    return [
        _study("smooth", smooth_problem, smooth, degree=1, theory=2, cap=1e-3),
        _study("smooth", smooth_problem, smooth, degree=2, theory=3, cap=1e-5),
        _study(
            equal,
            lambda size: singular_problem(size, graded=False),
            singular,
            degree=2,
            theory=4 / 3,
            cap=5e-3,
        ),
        _study(
            graded,
            lambda size: singular_problem(size, graded=True),
            singular,
            degree=1,
            theory=2,
            cap=1e-3,
        ),
    ]


def _solve(size: int, options: Mapping[str, Any]) -> Any:
    family = get_family("slit_plate", mesh_size=1.0 / size)
    problem = family.problem(family.sample(sample_generator(0, "test", 0)))
    return solve(problem, solver_parameters=options).result


KRYLOV = {"ksp_type": "cg", "ksp_norm_type": "unpreconditioned"}


def solvers() -> list[SolverStudy]:
    """Sizes are one over the length of the edges."""
    candidates: dict[str, Mapping[str, Any]] = {
        "CG + GAMG (default)": {},
        "CG + ICC": {**KRYLOV, "pc_type": "icc"},
        "MUMPS": {"preconditioner": "direct"},
    }
    return [SolverStudy("slit_plate", "fem (CG degree 1)", _solve, (32, 128), candidates)]
