"""Convection and diffusion: orders, boundary layers, and solvers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from pdesolve import Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.problems.boundary import Condition, Robin
from pdesolve.problems.convection_diffusion import ConvectionDiffusionProblem, boundary_layer

TITLE = "Convection and diffusion"
FIGURES = {
    "convection_diffusion2d": ["convection_diffusion2d", "--shape", "128", "128", "--seed", "5"],
}
LAYER_CELLS = 50


def concentration(x: Any) -> Any:
    """The product cos(2 x) exp(y/2) cos(z) over as many axes as there are."""
    return np.cos(2 * x[0]) * _rest(x)


def _rest(x: Any) -> Any:
    rest = np.exp(x[1] / 2) if len(x) > 1 else 1.0
    return rest * np.cos(x[2]) if len(x) > 2 else rest


def _slopes(x: Any) -> list[Any]:
    found = [-2 * np.sin(2 * x[0]) * _rest(x)]
    if len(x) > 1:
        found.append(0.5 * concentration(x))
    if len(x) > 2:
        found.append(-np.cos(2 * x[0]) * np.exp(x[1] / 2) * np.sin(x[2]))
    return found


def _diffusivity(x: Any) -> Any:
    return 0.1 + 0.05 * x[0]


VELOCITY: tuple[Callable[[Any], Any], ...] = (
    lambda x: 1 + (x[1] if len(x) > 1 else x[0]),
    lambda x: np.sin(x[0]) - 0.7,
    lambda x: 0.5 - x[1] * x[2],
)


def _source(x: Any) -> Any:
    slopes = _slopes(x)
    laplacian = (-4.0 + 0.25 * (len(x) > 1) - (len(x) > 2)) * concentration(x)
    convection = sum(b(x) * slope for b, slope in zip(VELOCITY, slopes, strict=False))
    return -_diffusivity(x) * laplacian - 0.05 * slopes[0] + convection


def manufactured(dimension: int, scheme: Any, *, mixed: bool) -> ConvectionDiffusionProblem:
    """The problem that :func:`concentration` solves; Robin and Neumann sides if `mixed`."""

    def out(axis: int, sign: float) -> Callable[[Any], Any]:
        return lambda x: sign * _diffusivity(x) * _slopes(x)[axis]

    def transfer(x: Any) -> Any:
        return 1 + x[-1] ** 2

    sides: dict[str, Condition] = {"all": Dirichlet(concentration)}
    if mixed:
        lower, upper = out(0, -1.0), out(0, 1.0)
        sides = {
            "x_lower": Robin(transfer, lambda x: lower(x) + transfer(x) * concentration(x)),
            "x_upper": Neumann(upper),
        }
    if mixed and dimension > 1:
        top = out(1, 1.0)
        sides["y_lower"] = Dirichlet(concentration)
        sides["y_upper"] = Robin(2.0, lambda x: top(x) + 2 * concentration(x))
    if mixed and dimension > 2:
        front = out(2, -1.0)
        sides["z_lower"] = Neumann(front)
        sides["z_upper"] = Dirichlet(concentration)
    return ConvectionDiffusionProblem(
        _diffusivity, VELOCITY[:dimension], _source, sides, dimension, scheme=scheme
    )


def manufactured_with_numbers() -> ConvectionDiffusionProblem:
    """The same solution in three dimensions for numbers ε and b, u given on all sides.

    The forms of elements on tetrahedra are then integrated with few points.
    """
    velocity = (1.0, -0.5, 0.7)

    def source(x: Any) -> Any:
        return 0.1 * 4.75 * concentration(x) + sum(
            b * slope for b, slope in zip(velocity, _slopes(x), strict=True)
        )

    sides = {"all": Dirichlet(concentration)}
    return ConvectionDiffusionProblem(0.1, velocity, source, sides, 3)


def error(problem: ConvectionDiffusionProblem, size: float, **options: Any) -> float:
    """Relative L2 error at the cell centres (grid) or on twice as many (fem)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # central differences at small Péclet numbers too
        solution = solve(problem, mesh=int(size), solver_parameters={"ksp_rtol": 1e-11}, **options)
    grid = problem.grid(int(size) * (1 if options["backend"] == "grid" else 2))
    exact = concentration(grid.points())
    found = solution.on(grid).values[0] - exact
    return float(np.linalg.norm(found) / np.linalg.norm(exact))


def _order(dimension: int, scheme: str, theory: float, cap: float, **options: Any) -> OrderStudy:
    problem = manufactured(dimension, scheme, mixed=options.pop("mixed", True))
    degree = options.get("degree", 1)
    fem = options["backend"] == "fem"
    small = (8, 16, 32) if fem else (32, 64, 128)
    if dimension == 3:
        small = (4, 8, 16) if fem else (8, 16, 24)
        problem = manufactured_with_numbers() if fem else problem
    sizes = tuple(2 * size for size in small) if fem else (*small, 2 * small[-1])
    label = f"fem, SUPG, CG{degree}" if fem else f"grid, {scheme}"
    return OrderStudy(
        f"convection_diffusion{dimension}d",
        label,
        "u, relative L2",
        lambda size: error(problem, size, **options),
        sizes,
        small,
        theory,
        cap,
    )


def layer(scheme: str, backend: Any, number: float, dimension: int = 1, **options: Any) -> Any:
    """A boundary layer with a cell Péclet number on 50 cells.

    Returns
    -------
    tuple
        Largest error at the cell centres of the grid or the vertices of the elements, and
        the largest value less that of the exact solution's bound 1.
    """
    exact = boundary_layer(1 / (LAYER_CELLS * number), 1.0)
    sides: dict[str, Condition] = {"x_lower": Dirichlet(0.0), "x_upper": Dirichlet(0.0)}
    velocity: Any = (1.0, 0.0)[:dimension]
    if dimension == 2:
        sides |= {"y_lower": Neumann(0.0), "y_upper": Neumann(0.0)}
    problem = ConvectionDiffusionProblem(
        1 / (LAYER_CELLS * number),
        velocity,
        1.0,
        sides,
        dimension,
        scheme=scheme,  # type: ignore[arg-type]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        solution = solve(
            problem,
            mesh=LAYER_CELLS,
            backend=backend,
            solver_parameters={"ksp_rtol": 1e-11},
            **options,
        )
    if backend == "grid":
        field = solution.gather()
        values, points = field.values[0], problem.grid(LAYER_CELLS).points()
    else:
        steps = np.linspace(0.0, 1.0, LAYER_CELLS + 1)
        points = np.stack(np.meshgrid(*[steps] * dimension, indexing="ij"))
        values = at_points(solution, points)
    return float(np.abs(values - exact(points)).max()), float(values.max() - 1.0)


def at_points(solution: Any, points: Any) -> Any:
    """A finite-element solution at points on a vertex grid."""
    from meshes import StructuredGrid

    shape = points.shape[1:]
    vertices = StructuredGrid(shape, location="vertex")
    return solution.on(vertices).values[0]


def layer_error(scheme: str, size: float) -> float:
    """Largest error in the layer's cells, resolved: −ε u'' + u' = 1, ε = 0.05."""
    exact = boundary_layer(0.05, 1.0)
    problem = ConvectionDiffusionProblem(0.05, 1.0, 1.0, dimension=1, scheme=scheme)  # type: ignore[arg-type]
    found = solve(problem, mesh=int(size), backend="grid").gather()
    return float(np.abs(found.values[0] - exact(problem.grid(int(size)).points())).max())


def _layer_order(scheme: str, cap: float) -> OrderStudy:
    return OrderStudy(
        "convection_diffusion1d",
        f"grid, {scheme}",
        "boundary layer with ε = 0.05, largest error",
        lambda size: layer_error(scheme, size),
        (64, 128, 256, 512),
        (128, 256, 512),
        2.0,
        cap,
    )


def orders() -> list[OrderStudy]:
    """Every scheme, with Dirichlet, Neumann and Robin sides."""
    found = [
        _order(1, "central", 2.0, 1e-4, backend="grid"),
        _order(1, "upwind", 1.0, 2e-2, backend="grid"),
        _order(1, "exponential", 2.0, 5e-4, backend="grid"),
        _order(2, "central", 2.0, 2e-4, backend="grid"),
        _order(2, "upwind", 1.0, 2e-2, backend="grid"),
        _order(2, "exponential", 2.0, 5e-4, backend="grid"),
        _order(1, "exponential", 2.0, 3e-3, backend="fem"),
        _order(2, "exponential", 2.0, 3e-3, backend="fem"),
        _order(2, "exponential", 3.0, 1e-4, backend="fem", degree=2),
        _order(3, "central", 2.0, 2e-3, backend="grid"),
        _order(3, "upwind", 1.0, 6e-2, backend="grid"),
        _order(3, "exponential", 2.0, 6e-3, backend="grid"),
        _order(3, "exponential", 2.0, 3e-3, backend="fem"),
    ]
    found += [_layer_order("central", 5e-3), _layer_order("exponential", 1e-3)]
    return found


MUMPS = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"}


def _draw(size: int, options: Mapping[str, Any], number: float, backend: Any) -> Any:
    value = 1 / (size * number)
    family = get_family(
        "convection_diffusion2d", least_diffusivity=value, largest_diffusivity=value
    )
    problem = family.problem(family.sample(sample_generator(0, "train", 0)))
    return solve(problem, mesh=size, solver_parameters=options, backend=backend).result


def solvers() -> list[SolverStudy]:
    """Small and large cell Péclet numbers on both backends."""
    right = {"ksp_pc_side": "right", "ksp_max_it": 5000}
    ilu = {"pc_type": "bjacobi", "sub_pc_type": "ilu"}
    gamg = {
        "pc_type": "gamg",
        "pc_gamg_agg_nsmooths": 0,
        "mg_levels_ksp_type": "richardson",
        "mg_levels_pc_type": "sor",
    }
    candidates: dict[str, dict[str, Any]] = {
        "BiCGStab + ILU": {"ksp_type": "bcgs", **right, **ilu},
        "GMRES(100) + ILU": {"ksp_type": "gmres", "ksp_gmres_restart": 100, **right, **ilu},
        "GMRES + GAMG": {"ksp_type": "gmres", **right, **gamg},
        "BiCGStab + GAMG": {"ksp_type": "bcgs", **right, **gamg},
        "MUMPS LU": MUMPS,
    }
    default = "BiCGStab + ILU"
    found = []
    for backend, sizes in (("grid", (64, 256)), ("fem", (64, 128))):
        labels = {
            f"{label} (default)" if label == default else label: options
            for label, options in candidates.items()
        }
        for number in (0.1, 2.0, 50.0):

            def one(
                size: int, options: Mapping[str, Any], number: float = number, by: str = backend
            ) -> Any:
                return _draw(size, options, number, by)

            found.append(
                SolverStudy(
                    "convection_diffusion2d", f"{backend}, Pe {number:g}", one, sizes, labels
                )
            )
    return found
