"""Preconditioners of earlier matrices, scaled to the present one."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.pc.constant_operator import smoothed
from pdesolve.problems.boundary import Dirichlet, Neumann
from tests.pdesolve.pc.test_fast_poisson import inverse_of

OPTIONS = {"pc_type": "python", "pc_python_type": "pdesolve.pc.Rescaled"}


def test_smoothing_keeps_constants_and_long_waves():
    x, y = StructuredGrid((40, 30)).points()
    wave = np.exp(np.cos(np.pi * x))
    noise = np.exp(np.cos(np.pi * 39 * x) * np.cos(np.pi * 29 * y))
    for periodic in ((False, False), (True, True)):
        np.testing.assert_allclose(smoothed(np.full((40, 30), 5.0), periodic), 5.0, rtol=1e-13)
    np.testing.assert_allclose(np.log(smoothed(wave, (False, False))), np.log(wave), atol=0.02)
    assert np.ptp(np.log(smoothed(noise, (False, False)))) < 0.35 * np.ptp(np.log(noise))


@pytest.mark.petsc
def test_few_iterations_for_matrices_it_was_not_made_for():
    from pdesolve.grid._petsc_solver import GridSolver
    from pdesolve.problems.registry import get_family

    family, grid = get_family("darcy2d_lognormal"), StructuredGrid((32, 32))
    counts = {}
    for scaling in ("smooth", "diagonal", "none"):
        rng = np.random.default_rng(1)
        options = {**OPTIONS, "rescaled_pc_type": "cholesky", "rescaled_scaling": scaling}
        solver = GridSolver(grid, options)
        counts[scaling] = []
        for _ in range(5):
            system = family.problem(family.sample(rng)).discretize(grid)
            _, result = solver.solve(system)
            assert result.relative_residual < 1e-7
            counts[scaling].append(result.iterations)
    assert [found[0] for found in counts.values()] == [1, 1, 1]
    assert max(counts["smooth"]) < 30
    assert 3 * np.mean(counts["smooth"][1:]) < np.mean(counts["none"][1:])
    assert np.mean(counts["smooth"]) <= np.mean(counts["diagonal"])


@pytest.mark.petsc
@pytest.mark.parametrize("scaling", ["smooth", "diagonal", "none"])
def test_it_stays_symmetric_and_definite_and_can_be_renewed(scaling):
    from petsc4py import PETSc

    from operators._petsc_stencil import stencil_matrix
    from pdesolve.pc import Rescaled

    grid, rng = StructuredGrid((6, 5)), np.random.default_rng(2)
    sides = {side: Dirichlet(0.0) for side in grid.side_names}
    systems = [
        diffusion_system(grid, np.exp(rng.standard_normal(grid.shape)), np.ones(grid.shape), sides)
        for _ in range(2)
    ]
    matrix = stencil_matrix(systems[0].stencil, PETSc.COMM_SELF)
    inner, pc = (PETSc.PC().create(comm=PETSc.COMM_SELF) for _ in range(2))
    inner.setType("lu")
    context = Rescaled(inner, scaling)
    pc.setOperators(matrix.mat)
    pc.setType("python")
    pc.setPythonContext(context)
    pc.setUp()
    exact = [np.linalg.inv(system.stencil.to_csr().toarray()) for system in systems]
    np.testing.assert_allclose(inverse_of(pc, grid.shape), exact[0], atol=1e-12)
    matrix.set_values(systems[1].stencil)
    pc.setUp()
    kept = inverse_of(pc, grid.shape)
    np.testing.assert_allclose(kept, kept.T, atol=1e-14)
    assert np.linalg.eigvalsh(kept).min() > 0
    if scaling == "none":
        np.testing.assert_allclose(kept, exact[0], atol=1e-12)
    else:
        assert np.abs(kept - exact[1]).max() > 1e-6
    matrix.set_values(systems[1].stencil)
    context.keep = False
    pc.setUp()
    np.testing.assert_allclose(inverse_of(pc, grid.shape), exact[1], atol=1e-12)
    assert context.made == 2
    matrix.mat.scale(-1.0)
    context.keep = True
    with pytest.raises(PETSc.Error) as caught:
        pc.setUp()
    assert isinstance(caught.value.__cause__, InputError)
    assert "have the ratio -" in str(caught.value.__cause__)


@pytest.mark.petsc
def test_constants_in_the_null_space():
    from pdesolve.grid._petsc_solver import GridSolver

    grid, rng = StructuredGrid((16, 16)), np.random.default_rng(3)
    sides = {side: Neumann(0.0) for side in grid.side_names}
    source = rng.standard_normal(grid.shape)
    # factors of a singular coarsest matrix are noise; its pseudo-inverse is not
    options = {**OPTIONS, "rescaled_pc_type": "gamg", "rescaled_mg_coarse_pc_type": "svd"}
    solver = GridSolver(grid, options)
    for _ in range(3):
        coefficient = np.exp(0.5 * rng.standard_normal(grid.shape))
        system = diffusion_system(grid, coefficient, source - source.mean(), sides)
        vector, _ = solver.solve(system)
        exact = np.linalg.solve(
            system.stencil.to_csr().toarray() + 1.0, system.right_hand_side.ravel()
        )
        np.testing.assert_allclose(vector.array_r, exact, atol=1e-5 * np.abs(exact).max())


@pytest.mark.petsc
def test_wrong_options_are_refused():
    from petsc4py import PETSc

    pc = PETSc.PC().create(comm=PETSc.COMM_SELF)
    pc.setOptionsPrefix("rescaled_test_")
    options = PETSc.Options("rescaled_test_")
    given = {**OPTIONS, "rescaled_scaling": "twice"}
    for key, value in given.items():
        options[key] = value
    try:
        with pytest.raises(PETSc.Error) as caught:
            pc.setFromOptions()
    finally:
        for key in given:
            del options[key]
    assert "rescaled_scaling='twice' is not known" in str(caught.value.__cause__)
