"""Accuracy and solvers of elasticity, linear and neo-Hookean, in two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from benchmarks.families.study import OrderStudy, SolverStudy
from pdesolve import Dirichlet, Neumann, get_family, sample_generator, solve
from pdesolve.problems.elasticity import ElasticityProblem

TITLE = "elasticity"
FIGURES = {
    "elasticity2d": ["elasticity2d", "--shape", "64", "64", "--seed", "1"],
    "neo_hookean2d": ["neo_hookean2d", "--shape", "64", "64", "--seed", "1"],
}
Values = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Manufactured:
    """A displacement chosen first, and the data that belong to it."""

    displacement: Values
    modulus: Values
    force: Values
    pull: Values

    def problem(self, **given: Any) -> ElasticityProblem:
        """Displacement given at x = 0, roller at y = 0, traction at x = 1, else as chosen."""
        size = given["dimension"]
        conditions: dict[str, Any] = {
            "x_lower": Dirichlet(self.displacement),
            "x_upper": Neumann(self.pull),
            "y_lower": Dirichlet(self.displacement),
            "y_upper": Dirichlet(self.displacement),
        }
        if size == 3:
            conditions |= {"z_lower": Dirichlet(self.displacement)}
            conditions |= {"z_upper": Dirichlet(self.displacement)}
        return ElasticityProblem(
            self.modulus, body_force=self.force, boundary_conditions=conditions, **given
        )


@cache
def manufactured(size: int, material: str, plane: str, ratio: float) -> Manufactured:
    """Force and traction of a smooth displacement; derivatives by complex steps."""
    problem = ElasticityProblem(
        poisson_ratio=ratio,
        dimension=size,
        material=material,  # type: ignore[arg-type]
        plane=plane,  # type: ignore[arg-type]
    )
    first, shear = problem.lame_factors

    def stress(points: np.ndarray) -> np.ndarray:
        """P, shape ``(size, size, n)``."""
        gradient = np.moveaxis(_gradient(points), -1, 0)
        identity = np.eye(size)
        if material == "linear":
            strain = (gradient + np.swapaxes(gradient, 1, 2)) / 2
            trace = np.trace(strain, axis1=1, axis2=2)[:, None, None]
            found = first * trace * identity + 2 * shear * strain
        else:
            deformation = identity + gradient
            inverse = np.swapaxes(np.linalg.inv(deformation), 1, 2)
            log = np.log(np.linalg.det(deformation))[:, None, None]
            found = shear * (deformation - inverse) + first * log * inverse
        return np.moveaxis(_modulus(points)[:, None, None] * found, 0, -1)

    def force(points: np.ndarray) -> np.ndarray:
        flat = points.reshape(size, -1)
        total, step = np.zeros(flat.shape), 1e-30
        for axis in range(size):
            moved = flat.astype(complex)
            moved[axis] += 1j * step
            total -= stress(moved)[:, axis].imag / step
        return total.reshape(points.shape)

    def pull(points: np.ndarray) -> np.ndarray:
        return stress(points.reshape(size, -1))[:, 0].reshape(points.shape)

    return Manufactured(_displacement, _modulus, force, pull)


def _displacement(points: np.ndarray) -> np.ndarray:
    x, y, z = points[0], points[1], points[-1]
    found = [
        np.sin(2 * x) * np.cos(y),
        np.cos(x + y) * np.exp(x / 2),
        np.sin(x + 2 * z) * np.cos(y),
    ]
    return 0.1 * np.stack(found[: len(points)])


def _gradient(points: np.ndarray) -> np.ndarray:
    """∂u_i/∂x_j, shape ``(size, size, n)``."""
    x, y, z = points[0], points[1], points[-1]
    size, zero = len(points), 0 * x
    wave, grown = np.cos(x + 2 * z) * np.cos(y), np.exp(x / 2)
    found = [
        [2 * np.cos(2 * x) * np.cos(y), -np.sin(2 * x) * np.sin(y), zero],
        [(np.cos(x + y) / 2 - np.sin(x + y)) * grown, -np.sin(x + y) * grown, zero],
        [wave, -np.sin(x + 2 * z) * np.sin(y), 2 * wave],
    ]
    return 0.1 * np.stack([np.stack(row[:size]) for row in found[:size]])


def _modulus(points: np.ndarray) -> np.ndarray:
    found: np.ndarray = 1 + points[0] * points[1] / 2
    return found


def _study(
    size: int,
    degree: int,
    cap: float,
    sizes: tuple[float, ...],
    small: tuple[float, ...],
    *,
    material: str = "linear",
    plane: str = "strain",
    ratio: float = 0.3,
) -> OrderStudy:
    def error(cells: Any) -> float:
        from pdesolve.fem import relative_error

        case = manufactured(size, material, plane, ratio)
        problem = case.problem(dimension=size, material=material, plane=plane, poisson_ratio=ratio)
        tight = {"ksp_rtol": 1e-11} if material == "linear" else {"snes_rtol": 1e-11}
        solution = solve(problem, mesh=int(cells), degree=degree, solver_parameters=tight)
        return relative_error(solution, case.displacement)

    kind = {"linear": "elasticity", "neo_hookean": "neo_hookean"}[material]
    details = f"CG degree {degree}"
    if plane == "stress":
        details += ", plane stress"
    if ratio != 0.3:
        details += f", ν = {ratio:g}"
    return OrderStudy(
        family=f"{kind}{size}d",
        backend=f"fem ({details})",
        quantity="displacement, relative L2",
        error=error,
        sizes=sizes,
        small=small,
        theory=degree + 1,
        cap=cap,
    )


def orders() -> list[OrderStudy]:
    """Degrees 1 and 2 in two and three dimensions."""
    return [
        _study(2, 1, 2e-3, (16, 32, 64, 128), (8, 16, 32)),
        _study(2, 2, 1e-5, (8, 16, 32, 64), (8, 16, 32)),
        _study(2, 1, 2e-3, (16, 32, 64, 128), (8, 16, 32), plane="stress"),
        _study(2, 2, 1e-4, (16, 32, 64), (8, 16, 32), ratio=0.499),
        _study(3, 1, 2e-2, (4, 8, 16), (4, 6, 8)),
        _study(3, 2, 1e-3, (4, 6, 8), (3, 4, 6)),
        _study(2, 1, 2e-3, (16, 32, 64, 128), (8, 16, 32), material="neo_hookean"),
        _study(2, 2, 1e-5, (8, 16, 32, 64), (8, 16, 24), material="neo_hookean"),
        _study(3, 1, 2e-2, (4, 8, 12), (4, 6, 8), material="neo_hookean"),
    ]


class WithoutRigidMotions(ElasticityProblem):
    """The same problem, whose multigrid knows nothing of rigid motions."""

    def weak_form(self, context: Any) -> Any:
        """The form without its near null space."""
        return replace(super().weak_form(context), near_null_space=None)


def _solve(name: str) -> Callable[[int, Mapping[str, Any]], Any]:
    def solve_one(size: int, options: Mapping[str, Any]) -> Any:
        family = get_family(name)
        problem: Any = family.problem(family.sample(sample_generator(0, "test", 0)))
        given = dict(options)
        if not given.pop("rigid motions", True):
            problem = WithoutRigidMotions(**vars(problem))
        return solve(problem, mesh=size, backend="fem", solver_parameters=given).result

    return solve_one


SOR = {"mg_levels_ksp_max_it": 2, "mg_levels_pc_type": "sor"}
MUMPS = {"preconditioner": "direct"}
KRYLOV = {"ksp_type": "cg", "ksp_norm_type": "unpreconditioned"}
LINEAR: dict[str, Mapping[str, Any]] = {
    "CG + GAMG with rigid motions, Jacobi (default)": {},
    "CG + GAMG with rigid motions, SOR": SOR,
    "CG + GAMG without rigid motions, Jacobi": {"rigid motions": False},
    "CG + ICC": {**KRYLOV, "pc_type": "icc"},
    "MUMPS": MUMPS,
}
MULTIGRID = {"preconditioner": "elasticity_multigrid", "ksp_type": "gmres", "ksp_pc_side": "right"}
NEWTON: dict[str, Mapping[str, Any]] = {
    "Newton + MUMPS (default up to 100,000 unknowns in 2D, 30,000 in 3D)": MUMPS,
    "Newton + GMRES + GAMG with rigid motions": MULTIGRID,
}


def solvers() -> list[SolverStudy]:
    """Linear and neo-Hookean solids."""
    return [
        SolverStudy("elasticity2d", "fem (CG degree 1)", _solve("elasticity2d"), (64, 128), LINEAR),
        SolverStudy("elasticity3d", "fem (CG degree 1)", _solve("elasticity3d"), (8, 16), LINEAR),
        SolverStudy("neo_hookean2d", "fem (CG degree 1)", _solve("neo_hookean2d"), (64,), NEWTON),
        SolverStudy("neo_hookean3d", "fem (CG degree 1)", _solve("neo_hookean3d"), (8, 12), NEWTON),
    ]
