"""Finite elements for Darcy flow reach their orders, on smooth and on jumping coefficients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pdesolve import DarcyProblem, Solution, solve
from tests.pdesolve.grid.manufactured import CASES, Manufactured

pytestmark = pytest.mark.firedrake

# The algebraic error stays far below the smallest discretisation error met here (1e-8).
TIGHT = {"ksp_rtol": 1e-13}

# Like "2d-mixed" of the grid backend, with a full matrix as coefficient.
MATRIX = np.array([[2.0, 0.5], [0.5, 1.0]])


def relative_error(solution: Solution, name: str, exact, *, up_to_a_constant: bool = False):
    """‖u_h − u‖ / ‖u‖ in L2, both read at Gauss points inside the cells."""
    from pdesolve.fem._firedrake import firedrake, ufl
    from pdesolve.fem._firedrake_data import interior_space, node_coordinates

    found = solution.state.functions[name]
    mesh = found.function_space().mesh()
    degree = found.function_space().ufl_element().embedded_superdegree + 1
    scalar = interior_space(mesh, degree)
    space = scalar
    if found.ufl_shape:
        space = firedrake.VectorFunctionSpace(mesh, scalar.ufl_element())
    reference = firedrake.Function(space)
    values = np.asarray(exact(node_coordinates(scalar).T))
    reference.dat.data[...] = values.T if found.ufl_shape else values
    difference = firedrake.Function(space).interpolate(found)
    difference -= reference
    if up_to_a_constant:
        volume = firedrake.assemble(firedrake.Constant(1.0) * ufl.dx(domain=mesh))
        assert abs(firedrake.assemble(found * ufl.dx)) < 1e-10 * volume
        for function in (difference, reference):
            function -= firedrake.assemble(function * ufl.dx) / volume
    norms = [
        firedrake.assemble(ufl.inner(function, function) * ufl.dx)
        for function in (difference, reference)
    ]
    return float(np.sqrt(norms[0] / norms[1]))


def fitted_order(errors: list[float], refinements: np.ndarray) -> float:
    return float(-np.polyfit(np.log(refinements), np.log(errors), 1)[0])


def coarsest(case: Manufactured) -> tuple[int, ...]:
    """As many cells as finite volumes start with, an even number."""
    return tuple(2 * (n // 2) for n in case.shape)


# (case, element, degree, bound of the relative error on the finest mesh)
LAGRANGE = [
    ("1d-mixed", "CG", 1, 6e-4),
    ("1d-mixed", "CG", 2, 8e-6),
    ("2d", "CG", 1, 7e-4),
    ("2d", "CG", 2, 4e-6),
    ("2d", "CG", 3, 1.9e-8),
    ("2d", "Q", 2, 3.5e-6),
    ("2d-mixed", "CG", 1, 1e-3),
    ("2d-neumann", "CG", 2, 7e-6),
    ("2d-periodic", "CG", 2, 3.4e-5),
    ("2d-periodic-in-x", "CG", 1, 4.8e-3),
    ("2d-jump-in-x", "CG", 1, 8e-4),
    ("2d-jump-in-x", "CG", 2, 3.2e-6),
    ("2d-jump-in-y", "CG", 3, 1.5e-8),
    ("3d-mixed", "CG", 1, 1.8e-3),
    ("3d", "CG", 2, 1.8e-5),
]


@pytest.mark.parametrize(("name", "element", "degree", "cap"), LAGRANGE)
def test_lagrange_order(name, element, degree, cap):
    case = CASES[name]
    refinements = np.array([1, 2, 3] if case.dimension == 3 else [1, 2, 4])
    errors = []
    for refinement in refinements:
        mesh = tuple(n * int(refinement) for n in coarsest(case))
        solution = solve(
            case.problem(),
            mesh=mesh,
            backend="fem",
            element=element,
            degree=degree,
            solver_parameters=TIGHT,
        )
        errors.append(
            relative_error(solution, "pressure", case.u, up_to_a_constant=case.up_to_a_constant)
        )
    assert fitted_order(errors, refinements) == pytest.approx(degree + 1, abs=0.15), errors
    assert errors[-1] < cap


# (case, element, degree, bounds for pressure and flux)
RAVIART_THOMAS = [
    ("2d-mixed", "RT", 1, 0.022, 0.035),
    ("2d-mixed", "RT", 2, 2.5e-4, 2.5e-4),
    ("2d-jump-in-x", "RT", 1, 0.031, 0.022),
    ("2d-jump-in-x", "RT", 2, 3.1e-4, 1.3e-4),
    ("2d-neumann", "RT", 1, 0.023, 0.035),
    ("2d-periodic", "RT", 1, 0.047, 0.055),
    ("2d-mixed", "RTCF", 1, 0.027, 0.008),
    ("3d-mixed", "RT", 1, 0.051, 0.079),
]


@pytest.mark.parametrize(("name", "element", "degree", "cap", "flux_cap"), RAVIART_THOMAS)
def test_raviart_thomas_orders(name, element, degree, cap, flux_cap):
    case = CASES[name]
    refinements = np.array([1, 2, 3] if case.dimension == 3 else [1, 2, 4])
    base = (4, 4, 3) if case.dimension == 3 else coarsest(case)
    errors, flux_errors = [], []
    for refinement in refinements:
        mesh = tuple(n * int(refinement) for n in base)
        solution = solve(
            case.problem(),
            mesh=mesh,
            backend="fem",
            element=element,
            degree=degree,
            solver_parameters={"ksp_rtol": 1e-12},
        )
        errors.append(
            relative_error(solution, "pressure", case.u, up_to_a_constant=case.up_to_a_constant)
        )
        flux_errors.append(
            relative_error(solution, "flux", lambda x: -case.a(x) * np.array(case.gradient(x)))
        )
    assert fitted_order(errors, refinements) == pytest.approx(degree, abs=0.15), errors
    assert fitted_order(flux_errors, refinements) == pytest.approx(degree, abs=0.15), flux_errors
    assert errors[-1] < cap
    assert flux_errors[-1] < flux_cap


def _matrix_problem(coefficient) -> tuple[DarcyProblem, Manufactured]:
    """The smooth 2D case with a matrix in place of the number a."""
    case = CASES["2d"]

    def source(x):
        mixed = -np.sin(2 * x[0]) * np.exp(x[1] / 2)  # ∂²u/∂x∂y
        u_xx = -4 * np.cos(2 * x[0]) * np.exp(x[1] / 2)
        u_yy = 0.25 * np.cos(2 * x[0]) * np.exp(x[1] / 2)
        return -(MATRIX[0, 0] * u_xx + 2 * MATRIX[0, 1] * mixed + MATRIX[1, 1] * u_yy)

    return replace(case.problem(), coefficient=coefficient, source=source), case


def _of_points(x):
    return np.broadcast_to(MATRIX[:, :, None], (2, 2, x.shape[1]))


@pytest.mark.parametrize("form", ["array", "function", "ufl"])
def test_matrix_coefficient(form):
    from pdesolve.fem._firedrake import ufl

    coefficient = {
        "array": MATRIX,
        "function": _of_points,
        "ufl": ufl.as_matrix(MATRIX.tolist()),
    }[form]
    problem, case = _matrix_problem(coefficient)
    refinements = np.array([1, 2, 4])
    errors = [
        relative_error(
            solve(
                problem,
                mesh=tuple(int(r) * n for n in coarsest(case)),
                backend="fem",
                degree=2,
                solver_parameters=TIGHT,
            ),
            "pressure",
            case.u,
        )
        for r in refinements
    ]
    assert fitted_order(errors, refinements) == pytest.approx(3.0, abs=0.15), errors
    assert errors[-1] < 4e-6


def test_matrix_coefficient_with_fluxes():
    problem, case = _matrix_problem(MATRIX)
    refinements = np.array([1, 2, 4])
    errors = []
    for refinement in refinements:
        solution = solve(
            problem,
            mesh=tuple(int(refinement) * n for n in coarsest(case)),
            backend="fem",
            element="RT",
        )
        errors.append(
            relative_error(
                solution, "flux", lambda x: -np.einsum("ij,jn->in", MATRIX, case.gradient(x))
            )
        )
    assert fitted_order(errors, refinements) == pytest.approx(1.0, abs=0.15), errors
    assert errors[-1] < 0.037
