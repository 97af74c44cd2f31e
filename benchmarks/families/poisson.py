"""Poisson and Darcy: orders with every kind of side, and solvers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from pdesolve import Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.problems.boundary import Condition, Robin
from pdesolve.problems.poisson import PoissonProblem

TITLE = "Poisson and Darcy"
FIGURES = {
    "poisson2d": ["poisson2d", "--set", "sides=mixed", "--shape", "128", "128", "--seed", "3"],
}

LOWER, UPPER = (-0.3, 0.1, 0.0), (0.9, 1.1, 0.8)
WAVES = (2.0, 1.5, 1.0)


def potential(x: Any) -> Any:
    """Π_k cos(w_k x_k + 0.3)."""
    return np.prod([np.cos(w * part + 0.3) for w, part in zip(WAVES, x, strict=False)], axis=0)


def slope(axis: int) -> Callable[[Any], Any]:
    """∂/∂x_axis of it."""

    def value(x: Any) -> Any:
        factors = [np.cos(w * part + 0.3) for w, part in zip(WAVES, x, strict=False)]
        factors[axis] = -WAVES[axis] * np.sin(WAVES[axis] * x[axis] + 0.3)
        return np.prod(factors, axis=0)

    return value


def manufactured(dimension: int, kinds: Mapping[str, str]) -> PoissonProblem:
    """The problem that :func:`potential` solves, with these kinds of sides."""
    conditions: dict[str, Condition] = {}
    for side, kind in kinds.items():
        axis, sign = "xyz".index(side[0]), 1.0 if side.endswith("upper") else -1.0

        def transfer(x: Any) -> Any:
            return 1.0 + x[0] ** 2

        def out(x: Any, axis: int = axis, sign: float = sign) -> Any:
            return sign * slope(axis)(x)

        def robin(x: Any, out: Callable[[Any], Any] = out) -> Any:
            return out(x) + transfer(x) * potential(x)

        choices: dict[str, Condition] = {
            "dirichlet": Dirichlet(potential),
            "neumann": Neumann(out),
            "robin": Robin(transfer, robin),
        }
        conditions[side] = choices[kind]
    factor = sum(w**2 for w in WAVES[:dimension])
    return PoissonProblem(
        lambda x: factor * potential(x),
        conditions,
        dimension,
        LOWER[:dimension],
        UPPER[:dimension],
    )


MIXED = {
    "x_lower": "robin",
    "x_upper": "dirichlet",
    "y_lower": "neumann",
    "y_upper": "robin",
    "z_lower": "dirichlet",
    "z_upper": "neumann",
}


def sides(dimension: int, kind: str) -> dict[str, str]:
    """One kind everywhere, or all kinds at once."""
    names = [name for name in MIXED if name[0] in "xyz"[:dimension]]
    return {name: MIXED[name] if kind == "mixed" else kind for name in names}


def error(problem: PoissonProblem, size: float, **options: Any) -> float:
    """Relative L2 error at the cell centres (grid) or on twice as many (fem)."""
    parameters = {"ksp_rtol": 1e-11}
    solution = solve(problem, mesh=int(size), solver_parameters=parameters, **options)
    grid = problem.grid(int(size) * (1 if options["backend"] == "grid" else 2))
    found = solution.gather() if options["backend"] == "grid" else solution.on(grid)
    exact = potential(grid.points())
    return float(np.linalg.norm(found.values[0] - exact) / np.linalg.norm(exact))


def study(dimension: int, kind: str, cap: float, **options: Any) -> OrderStudy:
    """One kind of sides and one backend."""
    problem = manufactured(dimension, sides(dimension, kind))
    name = options["backend"]
    degree = options.get("degree", 1)
    element = options.get("element", "CG")
    if name == "fem":
        name = f"fem, {element}{degree}"
    theory = 2.0 if options["backend"] == "grid" else degree + (element == "CG")
    sizes: dict[int, tuple[float, ...]] = {
        1: (32, 64, 128, 256), 2: (16, 32, 64, 128), 3: (8, 16, 32),
    }  # fmt: skip
    small: dict[int, tuple[float, ...]] = {1: (16, 32, 64), 2: (8, 16, 32), 3: (6, 12, 18)}
    fem3d = options["backend"] == "fem" and dimension == 3
    return OrderStudy(
        f"poisson{dimension}d",
        name,
        f"u, {kind} sides, relative L2",
        lambda size: error(problem, size, **options),
        (4, 8, 16) if fem3d else sizes[dimension],
        (4, 8) if fem3d else small[dimension],
        float(theory),
        cap,
    )


def family_error(name: str, side: str, backend: str, size: float) -> float:
    """Relative L2 error of a draw whose solution is known mode by mode."""
    family = get_family(name, sides=side, boundary_deviation=0.0, num_modes=8)
    draw = family.sample(sample_generator(0, "test", 0))
    problem = family.problem(draw)
    grid = problem.grid(int(size))
    parameters = None if backend == "spectral" else {"ksp_rtol": 1e-11}
    solution = solve(problem, mesh=grid, backend=backend, solver_parameters=parameters)  # type: ignore[arg-type]
    exact = family.exact(draw)
    if exact is None:
        raise RuntimeError("the exact solution is known for these sides")
    values = exact(grid.points())
    found = solution.on(grid).values[0] - values
    return float(np.linalg.norm(found) / np.linalg.norm(values))


def _draw_order(side: str) -> OrderStudy:
    return OrderStudy(
        "poisson2d",
        "grid",
        f"u of a random {side} draw, relative L2",
        lambda size: family_error("poisson2d", side, "grid", size),
        (32, 64, 128),
        (32, 64, 128),
        2.0,
        1e-3,
    )


def orders() -> list[OrderStudy]:
    """Every backend, with every kind of side."""
    found = [
        study(1, "mixed", 4e-4, backend="grid"),
        study(2, "dirichlet", 5e-4, backend="grid"),
        study(2, "robin", 5e-4, backend="grid"),
        study(2, "mixed", 5e-4, backend="grid"),
        study(3, "mixed", 1e-3, backend="grid"),
        study(1, "mixed", 4e-4, backend="fem"),
        study(2, "mixed", 3e-3, backend="fem"),
        study(2, "mixed", 2e-5, backend="fem", degree=2),
        study(2, "mixed", 5e-2, backend="fem", element="RT"),
        study(3, "mixed", 3e-2, backend="fem"),
    ]
    found += [_draw_order(side) for side in ("dirichlet", "neumann", "periodic")]
    found.append(
        OrderStudy(
            "poisson2d",
            "spectral",
            "u of a random periodic draw, relative L2",
            lambda size: family_error("poisson2d", "periodic", "spectral", size),
            (8, 16),
            (8, 16),
            0.0,
            1e-8,
            "spectral",
        )
    )
    return found


MUMPS = {
    "ksp_type": "preonly",
    "pc_type": "cholesky",
    "pc_factor_mat_solver_type": "mumps",
}
GAMG = {"pc_type": "gamg", "mg_levels_ksp_max_it": 2, "mg_levels_pc_type": "jacobi"}
W_CYCLE = {
    "pc_type": "mg",
    "pc_mg_levels": 5,
    "pc_mg_galerkin": "both",
    "pc_mg_cycle_type": "w",
    "mg_levels_ksp_type": "richardson",
    "mg_levels_ksp_max_it": 1,
    "mg_levels_pc_type": "sor",
}
ILU = {
    "ksp_type": "gmres",
    "ksp_pc_side": "right",
    "ksp_gmres_restart": 100,
    "pc_type": "bjacobi",
    "sub_pc_type": "ilu",
    "ksp_max_it": 5000,
}


def _draw(name: str, size: int, options: Mapping[str, Any], **others: Any) -> Any:
    family = get_family(name)
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    return solve(problem, mesh=size, solver_parameters=options, **others).result


def solvers() -> list[SolverStudy]:
    """Finite volumes and elements of Poisson and Darcy."""
    common: dict[str, Mapping[str, Any]] = {
        "CG + ICC": {"pc_type": "icc"},
        "CG + Jacobi": {"pc_type": "jacobi", "ksp_max_it": 5000},
        "MUMPS Cholesky": MUMPS,
    }
    geometric = {"CG + geometric multigrid, W (default)": {}, "CG + GAMG": GAMG, **common}
    algebraic = {"CG + GAMG (default)": {}, "CG + geometric multigrid, W": W_CYCLE, **common}
    elements = {"CG + GAMG (default)": {}, **common, "GMRES + ILU": ILU}

    def by(name: str, backend: str) -> Callable[[int, Mapping[str, Any]], Any]:
        return lambda size, options: _draw(name, size, options, backend=backend)

    return [
        SolverStudy("poisson2d", "grid", by("poisson2d", "grid"), (128, 512), geometric),
        SolverStudy("poisson3d", "grid", by("poisson3d", "grid"), (32, 48), geometric),
        SolverStudy("darcy2d", "grid", by("darcy2d", "grid"), (128, 256), algebraic),
        SolverStudy("poisson2d", "fem, CG1", by("poisson2d", "fem"), (64, 128), elements),
        SolverStudy("poisson3d", "fem, CG1", by("poisson3d", "fem"), (16, 24), elements),
    ]
