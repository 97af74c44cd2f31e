"""Helmholtz: orders of accuracy, and which solver works from which wavenumber on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from meshes.structured import StructuredGrid
from operators.result import SolveResult
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Absorbing, Condition, Dirichlet, Neumann
from pdesolve.problems.helmholtz import HelmholtzProblem

TITLE = "Helmholtz"

FIGURES = {
    "helmholtz1d": ["helmholtz1d", "--seed", "0"],
    "helmholtz2d": ["helmholtz2d", "--seed", "0"],
    "helmholtz2d_random": ["helmholtz2d_random", "--seed", "0"],
}

Exact = Callable[[Any], Any]


def travelling_wave() -> tuple[HelmholtzProblem, Exact]:
    """e^(ikx) from a given value at the left through an absorbing side at the right."""
    sides = {"x_lower": Dirichlet(1.0), "x_upper": Absorbing()}
    return HelmholtzProblem(10.0, 0.0, sides, dimension=1), lambda x: np.exp(10j * x[0])


def wave_in_a_guide() -> tuple[HelmholtzProblem, Exact]:
    """e^(ikx) cos πy: straight through the absorbing side, with a source π² u."""
    k = 8.0

    def exact(x: Any) -> Any:
        return np.exp(1j * k * x[0]) * np.cos(np.pi * x[1])

    sides = {
        "x_lower": Dirichlet((lambda x: np.cos(np.pi * x[1]), 0.0)),
        "x_upper": Absorbing(),
        "y_lower": Neumann(0.0),
        "y_upper": Neumann(0.0),
    }
    source = (lambda x: np.pi**2 * exact(x).real, lambda x: np.pi**2 * exact(x).imag)
    return HelmholtzProblem(k, source, sides), exact


def varying_wavenumber() -> tuple[HelmholtzProblem, Exact]:
    """A real solution with k between 5.6 and 10.4, and its values on all sides."""

    def number(x: Any) -> Any:
        return 8.0 + 2.4 * np.sin(np.pi * x[0]) * np.cos(np.pi * x[1])

    def exact(x: Any) -> Any:
        return np.sin(3 * x[0] + 0.4) * np.cos(2 * x[1])

    source = lambda x: (13.0 - number(x) ** 2) * exact(x)  # noqa: E731
    return HelmholtzProblem(number, source, {"all": Dirichlet(exact)}), exact


def wave_in_a_duct() -> tuple[HelmholtzProblem, Exact]:
    """e^(ikx) cos πy cos πz: the guide in three dimensions, with a source 2π² u."""
    k = 3.0

    def profile(x: Any) -> Any:
        return np.cos(np.pi * x[1]) * np.cos(np.pi * x[2])

    def exact(x: Any) -> Any:
        return np.exp(1j * k * x[0]) * profile(x)

    sides: dict[str, Condition] = {"x_lower": Dirichlet((profile, 0.0)), "x_upper": Absorbing()}
    for axis in "yz":
        sides |= {f"{axis}_lower": Neumann(0.0), f"{axis}_upper": Neumann(0.0)}
    source = (lambda x: 2 * np.pi**2 * exact(x).real, lambda x: 2 * np.pi**2 * exact(x).imag)
    return HelmholtzProblem(k, source, sides, dimension=3), exact


def varying_in_a_box() -> tuple[HelmholtzProblem, Exact]:
    """A real solution in three dimensions with k between 2.1 and 3.9."""

    def number(x: Any) -> Any:
        return 3.0 + 0.9 * np.sin(np.pi * x[0]) * np.cos(np.pi * x[1]) * np.cos(np.pi * x[2])

    def exact(x: Any) -> Any:
        return np.sin(2 * x[0] + 0.4) * np.cos(2 * x[1]) * np.cos(x[2] + 0.2)

    source = lambda x: (9.0 - number(x) ** 2) * exact(x)  # noqa: E731
    return HelmholtzProblem(number, source, {"all": Dirichlet(exact)}, dimension=3), exact


def error_of(case: Callable[[], tuple[HelmholtzProblem, Exact]], **options: Any) -> Any:
    """Takes cells an axis; the relative L2 error of the complex answer."""

    def error(size: int) -> float:
        problem, exact = case()
        solution = solve(problem, mesh=int(size), **options)
        grid = problem.grid(int(size))
        if options.get("backend") == "fem":  # away from the elements' nodes
            grid = StructuredGrid(((17,) if problem.dimension == 3 else (41,)) * problem.dimension)
        values = solution.on(grid).values
        answer = values[0] + 1j * values[1] if len(values) == 2 else values[0]
        expected = exact(grid.points())
        return float(np.linalg.norm(answer - expected) / np.linalg.norm(expected))

    return error


def orders() -> list[OrderStudy]:
    """Second order on grids, degree + 1 with elements."""
    found = []
    wide, small = (64, 128, 256, 512), (64, 128, 256)
    plane, plane_small = (32, 64, 128), (32, 48, 72)
    box, box_small = (8, 16, 32), (8, 12, 16)
    for family, case, sizes, least, (cap, caps) in (
        ("helmholtz1d", travelling_wave, wide, small, (1e-3, {1: 1e-3, 2: 1e-5})),
        ("helmholtz2d", wave_in_a_guide, plane, plane_small, (2e-2, {1: 2e-2, 2: 3e-4})),
        ("helmholtz2d_random", varying_wavenumber, plane, plane_small, (5e-3, {1: 5e-3, 2: 3e-5})),
        ("helmholtz3d_random", wave_in_a_duct, box, box_small, (8e-3, {1: 3e-2})),
        ("helmholtz3d_random", varying_in_a_box, box, box_small, (3e-3, {2: 5e-4})),
    ):
        what = {
            travelling_wave: "exp(ikx), absorbing end",
            wave_in_a_guide: "exp(ikx) cos(pi y), absorbing side",
            varying_wavenumber: "u, k(x) smooth",
            wave_in_a_duct: "exp(ikx) cos(pi y) cos(pi z), absorbing side",
            varying_in_a_box: "u, k(x) smooth",
        }[case]
        quantity = f"{what}, relative L2"
        found.append(OrderStudy(family, "grid", quantity, error_of(case), sizes, least, 2.0, cap))
        found += [
            OrderStudy(
                family,
                f"fem, CG {degree}",
                quantity,
                error_of(case, backend="fem", degree=degree),
                tuple(n // degree for n in sizes),
                tuple(n // degree for n in least),
                degree + 1.0,
                bound,
            )
            for degree, bound in caps.items()
        ]
    return found


def _bump(x: Any) -> Any:
    return 1000.0 * np.exp(-((x[0] - 0.5) ** 2 + (x[1] - 0.5) ** 2) / (2 * 0.03**2))


def _solve_grid(number: float) -> Callable[[int, Mapping[str, Any]], SolveResult]:
    def run(size: int, options: Mapping[str, Any]) -> SolveResult:
        given = dict(options)
        shift = given.pop("shift", 0.0)
        problem = HelmholtzProblem(number, _bump, preconditioner_shift=shift)
        given.setdefault("ksp_max_it", 300)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return solve(problem, mesh=size, solver_parameters=given).result

    return run


def _solve_random(name: str, spread: float, median: float) -> Callable[..., SolveResult]:
    family = get_family(name).with_options(median=median, standard_deviation=spread)
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))

    def run(size: int, options: Mapping[str, Any]) -> SolveResult:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = {"ksp_max_it": 300, **options}
            return solve(problem, mesh=size, solver_parameters=given).result

    return run


def _solve_fem(number: float) -> Callable[[int, Mapping[str, Any]], SolveResult]:
    def run(size: int, options: Mapping[str, Any]) -> SolveResult:
        problem = HelmholtzProblem(number, _bump)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return solve(
                problem, mesh=size, backend="fem", degree=2, solver_parameters=dict(options)
            ).result

    return run


_SMOOTHER = {
    "ksp_type": "fgmres",
    "pc_type": "gamg",
    "mg_levels_ksp_type": "gmres",
    "mg_levels_ksp_max_it": 3,
    "mg_levels_pc_type": "jacobi",
}
GRID_CANDIDATES: dict[str, dict[str, Any]] = {
    "GMRES + MUMPS LDLt (default)": {},
    "GMRES + MUMPS LU": {"pc_type": "lu"},
    "GMRES + ILU(0)": {"pc_type": "ilu"},
    "GMRES + ILU(2)": {"pc_type": "ilu", "pc_factor_levels": 2},
    "GMRES + GAMG": {"pc_type": "gamg"},
    "GMRES + LU of the Laplacian shifted by 0.5 i": {"pc_type": "lu", "shift": 0.5},
    "FGMRES + GAMG of the Laplacian shifted by 0.5 i": {**_SMOOTHER, "shift": 0.5},
    "FGMRES + GAMG of the Laplacian shifted by 1 i": {**_SMOOTHER, "shift": 1.0},
}
RANDOM_CANDIDATES: dict[str, dict[str, Any]] = {
    "GMRES + MUMPS LDLt (default)": {},
    "GMRES + GAMG": {"pc_type": "gamg"},
    "GMRES + FastHelmholtz": {
        "ksp_gmres_restart": 300,
        "pc_type": "python",
        "pc_python_type": "pdesolve.pc.FastHelmholtz",
    },
}
FEM_CANDIDATES: dict[str, dict[str, Any]] = {
    "GMRES + MUMPS LDLt (default)": {},
    "GMRES + MUMPS LU": {"pc_type": "lu"},
    "GMRES + ILU(0)": {"pc_type": "ilu", "ksp_max_it": 300},
}


def solvers() -> list[SolverStudy]:
    """Twenty points per wavelength; all sides absorb."""
    found = []
    for number, size in ((5, 16), (10, 32), (20, 64), (40, 128), (80, 256)):
        kind = f"helmholtz2d, k = {number}"
        candidates = GRID_CANDIDATES
        found.append(SolverStudy(kind, "grid", _solve_grid(number), (size,), candidates))
    for number, size in ((10, 16), (20, 32), (40, 64)):
        kind = f"helmholtz2d, k = {number}"
        found.append(SolverStudy(kind, "fem, CG 2", _solve_fem(number), (size,), FEM_CANDIDATES))
    for name, number, size in (
        ("helmholtz2d_random", 10, 32),
        ("helmholtz2d_random", 40, 128),
        ("helmholtz3d_random", 11.5, 37),
    ):
        for spread in (0.05, 0.15, 0.4):
            kind = f"{name}, median k = {number}, spread {spread}"
            run = _solve_random(name, spread, number)
            found.append(SolverStudy(kind, "grid", run, (size,), RANDOM_CANDIDATES))
    return found
