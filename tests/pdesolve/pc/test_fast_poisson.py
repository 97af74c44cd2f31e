"""The fast Poisson preconditioner against direct solves, and what it refuses."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.pc import AxisTransform, FastSolver, StencilValues, nearest_constant_operator
from pdesolve.problems.boundary import Dirichlet, Neumann, Robin
from tests.mpi import run_parallel

PREFIX = "fast_poisson_test_"
ENDS = ("lower", "upper")


def sides_of(kinds):
    """Conditions on the sides of axes such as ``"dn"``; ``"p"`` is periodic."""
    made = {"d": Dirichlet(0.0), "n": Neumann(0.0), "r": Robin(3.0, 0.0), "s": Robin(40.0, 0.0)}
    return {
        f"{'xyz'[axis]}_{end}": made[kind]
        for axis, pair in enumerate(kinds)
        if pair != "p"
        for end, kind in zip(ENDS, pair, strict=True)
    }


def system_of(shape, kinds, coefficient=1.0, upper=None):
    periodic = tuple(pair == "p" for pair in kinds)
    grid = StructuredGrid(shape, (), upper or (1.0, 0.7, 1.9)[: len(shape)], periodic=periodic)
    values = coefficient * np.ones(shape) if np.isscalar(coefficient) else coefficient
    return diffusion_system(grid, values, np.zeros(shape), sides_of(kinds))


def values_of(stencil):
    """What the preconditioner reads off a matrix, by another way."""
    coefficients, dimension = stencil.coefficients, stencil.grid.dimension
    couplings = -coefficients[1:].reshape(dimension, 2, *stencil.grid.shape).sum(axis=1)
    return StencilValues(
        coefficients[0], couplings, coefficients.sum(axis=0), stencil.grid.periodic
    )


def preconditioner(matrix, **options):
    from petsc4py import PETSc

    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setOptionsPrefix(PREFIX)
    given = {"pc_type": "python", "pc_python_type": "pdesolve.pc.FastPoisson", **options}
    base = PETSc.Options(PREFIX)
    for key, value in given.items():
        base[key] = value
    try:
        pc.setOperators(matrix)
        pc.setFromOptions()
        pc.setUp()
    except PETSc.Error as error:  # PETSc chains what Python code raises inside it
        raise error.__cause__ or error from None
    finally:
        for key in given:
            del base[key]
    return pc


def stencil_matrix(stencil):
    from petsc4py import PETSc

    from operators._petsc_stencil import stencil_matrix

    return stencil_matrix(stencil, PETSc.COMM_SELF).mat


def applied(pc, right):
    from petsc4py import PETSc

    x = PETSc.Vec().createWithArray(np.array(right, dtype=float).ravel(), comm=PETSc.COMM_SELF)
    y = x.duplicate()
    pc.apply(x, y)
    return y.array_r.reshape(np.shape(right)).copy()


def inverse_of(pc, shape):
    """The preconditioner as a matrix."""
    size = int(np.prod(shape))
    return np.stack([applied(pc, row.reshape(shape)).ravel() for row in np.eye(size)], axis=1)


@pytest.mark.parametrize("size", [2, 3, 6, 7, 90, 91])
@pytest.mark.parametrize("pair", ["dd", "nn", "dn", "nd", "p", "rn", "sd"])
def test_bases_are_orthonormal_eigenvectors(size, pair):
    weights = {"d": 2.0, "n": 0.0, "r": 0.3, "s": 1.4}
    transform = (
        AxisTransform(size, periodic=True)
        if pair == "p"
        else AxisTransform(size, weights[pair[0]], weights[pair[1]])
    )
    matrix = 2.0 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1)
    if pair == "p":
        matrix[0, -1] -= 1.0
        matrix[-1, 0] -= 1.0
    else:
        matrix[0, 0], matrix[-1, -1] = 1.0 + weights[pair[0]], 1.0 + weights[pair[1]]
    basis = transform.backward(np.eye(size), 0)
    np.testing.assert_allclose(basis.T @ basis, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(basis.T @ matrix @ basis, np.diag(transform.eigenvalues), atol=1e-11)
    values = np.random.default_rng(0).random((3, size, 2))
    image = transform.forward(values.copy(), 1)
    np.testing.assert_allclose(image, np.einsum("ji,ajb->aib", basis, values), atol=1e-12)


KINDS = ("dd", "nn", "dn", "nd", "p", "rd", "sn")
COMBINATIONS = [
    *itertools.product(KINDS, repeat=1),
    *itertools.product(KINDS, repeat=2),
    *itertools.product(("dd", "nn", "dn", "p"), repeat=3),
]


@pytest.mark.petsc
@pytest.mark.parametrize("kinds", COMBINATIONS, ids="-".join)
def test_it_inverts_constant_coefficients(kinds):
    shape = (9, 6, 5)[: len(kinds)]
    system = system_of(shape, kinds, coefficient=2.5)
    matrix = stencil_matrix(system.stencil)
    pc = preconditioner(matrix)
    dense = system.stencil.to_csr().toarray()
    right = np.random.default_rng(1).standard_normal(shape)
    if system.constant_null_space:
        right -= right.mean()
        # a square system: constants are added to its range
        dense = dense + 1.0
    expected = np.linalg.solve(dense, right.ravel()).reshape(shape)
    np.testing.assert_allclose(applied(pc, right), expected, atol=1e-11 * np.abs(expected).max())
    pc.destroy()


@pytest.mark.petsc
@pytest.mark.parametrize("kinds", [("dd", "nn"), ("p", "nd"), ("p", "nn"), ("rd", "sn")])
@pytest.mark.parametrize("scaling", ["auto", "smooth", "diagonal", "none"])
def test_it_is_symmetric_and_positive_definite(kinds, scaling):
    shape = (8, 7)
    coefficient = np.exp(np.random.default_rng(2).standard_normal(shape))
    system = system_of(shape, kinds, coefficient)
    inverse = inverse_of(
        preconditioner(stencil_matrix(system.stencil), fast_poisson_scaling=scaling), shape
    )
    size = np.abs(inverse).max()
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-13 * size)
    least = np.sort(np.linalg.eigvalsh(inverse))
    if system.constant_null_space:  # the constants, and nothing else
        assert abs(least[0]) < 1e-13 * size
        least = least[1:]
    assert least[0] > 1e-6 * size


def test_sides_spacings_and_scaling_are_read_off_the_matrix():
    shape = (12, 10, 9)
    coefficient = np.exp(np.random.default_rng(3).standard_normal(shape))
    system = system_of(shape, ("dn", "p", "nd"), coefficient)
    found = nearest_constant_operator(values_of(system.stencil), "diagonal")
    assert found.sides == ((2.0, 0.0), None, (0.0, 2.0))
    constant = nearest_constant_operator(values_of(system_of(shape, ("dn", "p", "nd")).stencil))
    spacing = system.stencil.grid.spacing
    np.testing.assert_allclose(constant.weights, [1 / h**2 for h in spacing], rtol=1e-12)
    np.testing.assert_allclose(constant.scale, 1.0, rtol=1e-12)
    full = found.scale**2 * nearest_constant_operator(values_of(system.stencil), "none").scale ** 0
    scaled = sum(w * d for w, d in zip(found.weights, _diagonals(found), strict=True))
    np.testing.assert_allclose(full * scaled, system.stencil.diagonal(), rtol=1e-12)


def _diagonals(operator):
    for axis, (size, side) in enumerate(zip(operator.scale.shape, operator.sides, strict=True)):
        line = np.full(size, 2.0)
        if side is not None:
            line[[0, -1]] = 1.0 + np.array(side)
        yield line.reshape([-1 if k == axis else 1 for k in range(len(operator.sides))])


def test_the_scaling_follows_the_kind_of_coefficient():
    from pdesolve.problems.registry import get_family

    grid, rng = StructuredGrid((128, 128)), np.random.default_rng(8)
    for name, least, most in (("darcy2d", 0.0, 0.0), ("darcy2d_lognormal", 0.8, 1.1)):
        family = get_family(name)
        for _ in range(3):
            problem = family.problem(family.sample(rng))
            values = values_of(problem.discretize(grid).stencil)
            spread = np.ptp(2 * np.log(nearest_constant_operator(values).scale))
            full = np.ptp(np.log(problem.coefficient_on(grid)))
            assert least * full <= spread <= most * full


@pytest.mark.petsc
@pytest.mark.parametrize("shift", [250.0, -70.0])
def test_a_zeroth_order_term_is_inferred(shift):
    from operators.stencil import Stencil

    stencil = system_of((9, 8), ("dd", "dn")).stencil
    coefficients = stencil.coefficients.copy()
    coefficients[0] += shift
    shifted = Stencil(stencil.grid, stencil.offsets, coefficients)
    matrix = stencil_matrix(shifted)
    right = np.random.default_rng(4).standard_normal((9, 8))
    expected = np.linalg.solve(shifted.to_csr().toarray(), right.ravel()).reshape(9, 8)
    found = applied(preconditioner(matrix), right)
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())
    without = applied(preconditioner(matrix, fast_poisson_shift="0"), right)
    plain = np.linalg.solve(stencil.to_csr().toarray(), right.ravel()).reshape(9, 8)
    ratio = plain / without  # S² is diag(A − c) / diag(L): the same with and without the shift
    np.testing.assert_allclose(ratio, 1.0, rtol=1e-9)


@pytest.mark.petsc
def test_iterations_do_not_grow_with_the_grid_and_values_may_change():
    from pdesolve.grid._petsc_solver import GridSolver
    from pdesolve.problems.registry import get_family

    options = {"pc_type": "python", "pc_python_type": "pdesolve.pc.FastPoisson"}
    for name, most in (("darcy2d", 21), ("darcy2d_lognormal", 15), ("darcy3d_lognormal", 17)):
        family = get_family(name)
        grid = StructuredGrid({2: (48, 48), 3: (12, 12, 12)}[family.dimension])
        solver, rng = GridSolver(grid, options), np.random.default_rng(5)
        for _ in range(3):
            system = family.problem(family.sample(rng)).discretize(grid)
            vector, result = solver.solve(system)
            assert result.relative_residual <= 1.1e-8
            assert 5 <= result.iterations <= most, name
        alone, _ = GridSolver(grid, options).solve(system)
        np.testing.assert_array_equal(alone.array_r, vector.array_r)  # nothing of the others


@pytest.mark.petsc
def test_all_slopes_given():
    from pdesolve.grid._petsc_solver import GridSolver

    grid = StructuredGrid((24, 16), periodic=(True, False))
    rng = np.random.default_rng(6)
    coefficient = np.exp(0.5 * rng.standard_normal(grid.shape))
    source = rng.standard_normal(grid.shape)
    sides = {"y_lower": Neumann(0.0), "y_upper": Neumann(0.0)}
    system = diffusion_system(grid, coefficient, source - source.mean(), sides)
    solver = GridSolver(
        grid, {"pc_type": "python", "pc_python_type": "pdesolve.pc.FastPoisson", "ksp_rtol": 1e-11}
    )
    vector, _ = solver.solve(system)
    dense = system.stencil.to_csr().toarray() + 1.0
    expected = np.linalg.solve(dense, system.right_hand_side.ravel())
    np.testing.assert_allclose(vector.array_r, expected, atol=1e-8 * np.abs(expected).max())


@pytest.mark.petsc
@pytest.mark.parametrize("option", ["scaling", "shift"])
def test_wrong_options_are_refused(option):
    matrix = stencil_matrix(system_of((5,), ("dd",)).stencil)
    with pytest.raises(InputError, match=f"fast_poisson_{option}='twice'"):
        preconditioner(matrix, **{f"fast_poisson_{option}": "twice"})


@pytest.mark.petsc
def test_wrong_matrices_are_refused():
    from petsc4py import PETSc

    bare = PETSc.Mat().createAIJ((4, 4), nnz=1, comm=PETSc.COMM_SELF)
    bare.assemble()
    with pytest.raises(InputError, match=r"this one has none\. Make it with"):
        preconditioner(bare)
    pair = PETSc.DMDA().create(dim=1, dof=2, sizes=(4,), comm=PETSc.COMM_SELF).createMat()
    with pytest.raises(InputError, match=r"one unknown a cell, and the matrix's grid has 2"):
        preconditioner(pair)
    with pytest.raises(InputError, match="three cells or more"):
        preconditioner(stencil_matrix(system_of((5, 2), ("dd", "dd")).stencil))
    for entry in (-1.0, np.nan):
        matrix = stencil_matrix(system_of((5, 4), ("dd", "dd")).stencil)
        matrix.setValue(3, 3, entry)
        matrix.assemble()
        with pytest.raises(InputError, match=r"diagonal entry of cell \(0, 3\) .* is (-1|nan)"):
            preconditioner(matrix)
    matrix = stencil_matrix(system_of((5, 4), ("dd", "dd")).stencil)
    matrix.setValue(3, 2, np.inf)
    matrix.assemble()
    with pytest.raises(InputError, match="1 rows of the matrix have entries that are not finite"):
        preconditioner(matrix)


def test_couplings_of_the_wrong_sign_are_refused():
    values = values_of(system_of((5, 4), ("dd", "dd")).stencil)
    wrong = StencilValues(values.diagonal, -values.couplings, values.row_sums, values.periodic)
    with pytest.raises(InputError, match="towards the neighbours along x have the mean"):
        nearest_constant_operator(wrong)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AxisTransform(1), "two or more"),
        (lambda: AxisTransform(4, -1.0), "must be finite and not negative"),
        (lambda: FastSolver([AxisTransform(4)], [0.0]), "positive numbers"),
        (lambda: FastSolver([AxisTransform(4)], [1.0, 1.0]), "positive numbers"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


@pytest.mark.petsc
@pytest.mark.parallel
def test_several_processes_are_refused():
    program = Path(__file__).with_name("check_serial_only.py")
    for said in json.loads(run_parallel(program, 2).partition("RESULT")[2]):
        assert said[0].startswith("FastPoisson works on one process, and the matrix is spread")
        assert said[1].startswith("a lagged preconditioner works on one process, not 2")
