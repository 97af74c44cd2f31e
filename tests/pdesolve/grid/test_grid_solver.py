"""The Krylov solver of the backend ``grid``: options, reuse, failures."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from operators import LinearSolveFailure, SolveFailure, Stencil
from pdesolve import (
    DarcyProblem,
    Dirichlet,
    LinearSystem,
    Neumann,
    Problem,
    get_family,
    sample_generator,
    solve,
)

pytestmark = pytest.mark.petsc
PROBLEM = DarcyProblem(lambda x: 1.0 + x[0], dimension=2)
BALANCED = DarcyProblem(1.0, lambda x: np.cos(np.pi * x[0]), {"all": Neumann(0.0)})


def database() -> dict[str, str]:
    from petsc4py import PETSc

    return dict(PETSc.Options().getAll())


def new_solver(grid, parameters=None, prefix=""):
    from pdesolve.grid._petsc_solver import GridSolver

    return GridSolver(grid, parameters, prefix)


def samples(count: int) -> list[Problem]:
    family = get_family("darcy2d_lognormal")
    return [family.problem(family.sample(sample_generator(0, "t", i))) for i in range(count)]


def test_record_of_a_solve():
    before = database()
    solution = solve(PROBLEM, mesh=24)
    result = solution.result
    assert result.converged
    assert result.reason == "CONVERGED_RTOL"
    assert result.rtol == 1e-8
    assert result.relative_residual <= 1e-8
    assert result.num_unknowns == 576
    assert result.solver == "cg + gamg"
    assert len(result.residual_norms) == result.iterations + 1
    system = PROBLEM.discretize(PROBLEM.grid(24))
    size = np.linalg.norm(system.right_hand_side)
    # the method monitors the true residual, from b for a zero guess down to the last
    assert result.residual_norms[0] == pytest.approx(size)
    assert result.residual_norms[-1] == pytest.approx(result.relative_residual * size, rel=1e-3)
    assert set(result.seconds) == {"assembly", "setup", "solve"}
    assert all(seconds > 0 for seconds in result.seconds.values())
    assert json.loads(json.dumps(result.to_dict()))["iterations"] == result.iterations
    assert result.describe() == f"cg + gamg: CONVERGED_RTOL after {result.iterations} iterations"
    assert database() == before  # options do not leak


def test_reused_solver_gives_the_answers_of_fresh_ones():
    grid = StructuredGrid((32, 32))
    systems = [problem.discretize(grid) for problem in samples(3)]
    kept = new_solver(grid)
    exact = new_solver(grid, {"pc_gamg_reuse_interpolation": False})
    for system in systems:
        vector, result = kept.solve(system)
        fresh = new_solver(grid)
        alone, alone_result = fresh.solve(system)
        found, expected = kept.matrix.gather(vector), fresh.matrix.gather(alone)
        # multigrid keeps the first matrix's interpolation: equal up to the tolerance 1e-8
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * expected.max())
        # the history is that of one solve
        assert len(result.residual_norms) == result.iterations + 1
        assert abs(result.iterations - alone_result.iterations) <= 3
        # without that, identical
        vector, _ = exact.solve(system)
        again = new_solver(grid, {"pc_gamg_reuse_interpolation": False})
        alone, _ = again.solve(system)
        np.testing.assert_array_equal(exact.matrix.gather(vector), again.matrix.gather(alone))


def test_reuse_across_null_spaces_and_after_destroy():
    grid = StructuredGrid((16, 16))
    kept = new_solver(grid)
    assert kept.solve(BALANCED.discretize(grid))[1].converged
    for problem in (PROBLEM, BALANCED, PROBLEM, BALANCED):
        vector, result = kept.solve(problem.discretize(grid))
        assert result.converged
        alone = solve(problem, mesh=grid).field.values[0]
        # both met 1e-8 in the residual, from hierarchies of different matrices at most
        np.testing.assert_allclose(
            kept.matrix.gather(vector), alone, rtol=0, atol=1e-6 * np.abs(alone).max()
        )
    kept.destroy()
    assert kept.solve(PROBLEM.discretize(grid))[1].converged


def test_exact_initial_guess_needs_no_iteration():
    tight = {"ksp_rtol": 1e-10}
    first = solve(PROBLEM, mesh=24, solver_parameters=tight)
    again = solve(PROBLEM, mesh=24, x0=first.field, solver_parameters={"ksp_rtol": 1e-9})
    assert again.result.iterations == 0
    np.testing.assert_array_equal(again.field.values, first.field.values)
    # the tolerance stays relative to the right-hand side, so a good guess saves iterations
    plain = solve(PROBLEM, mesh=24)
    near = Field(first.field.mesh, 0.9999 * first.field.values, ("pressure",))
    helped = solve(PROBLEM, mesh=24, x0=near)
    assert helped.result.iterations <= plain.result.iterations - 3
    assert helped.result.relative_residual <= 1e-8
    assert helped.result.residual_norms[0] == pytest.approx(
        1e-4 * plain.result.residual_norms[0], rel=1e-4
    )


def test_the_answer_has_mean_zero_whatever_the_guess():
    shifted = Field(BALANCED.grid(16), np.full((16, 16), 5.0), ("pressure",))
    values = solve(BALANCED, mesh=16, x0=shifted).field.values
    assert abs(values.mean()) < 1e-12
    plain = solve(BALANCED, mesh=16).field.values
    np.testing.assert_allclose(values, plain, rtol=0, atol=1e-6 * np.abs(plain).max())


def test_initial_guess_on_another_grid_is_interpolated():
    coarse = solve(PROBLEM, mesh=12).field
    solution = solve(PROBLEM, mesh=24, x0=coarse)
    grid = PROBLEM.grid(24)
    system = PROBLEM.discretize(grid)
    residual = system.right_hand_side - system.stencil.apply(coarse.resample(grid).values[0])
    assert solution.result.residual_norms[0] == pytest.approx(np.linalg.norm(residual))
    for wrong, text in (
        (np.zeros((24, 24)), "x0 must be a Field with one channel"),
        (Field(grid, np.zeros((2, 24, 24)), ("u", "v")), "x0 must be a Field with one channel"),
        (Field(StructuredGrid((4, 4), upper=0.5), np.zeros((4, 4))), "outside the box"),
    ):
        with pytest.raises(InputError, match=text):
            solve(PROBLEM, mesh=24, x0=wrong)


def test_not_converged_is_an_exception_that_keeps_the_work():
    few = {"ksp_max_it": 3}
    with pytest.raises(LinearSolveFailure, match="DIVERGED_ITS after 3 iterations") as caught:
        solve(PROBLEM, mesh=24, solver_parameters=few)
    failure = caught.value
    assert isinstance(failure, SolveFailure)
    assert "Raise ksp_max_it" in str(failure)
    assert not failure.result.converged
    assert failure.result.iterations == 3
    partial = failure.solution.field.values
    assert np.isfinite(partial).all()
    assert np.abs(partial).max() > 0
    unchecked = solve(PROBLEM, mesh=24, solver_parameters=few, check=False)
    assert not unchecked.result.converged
    assert unchecked.result.reason == "DIVERGED_ITS"
    np.testing.assert_array_equal(unchecked.field.values, partial)
    # the solver's own interface too, with the PETSc vector as the partial answer
    grid = PROBLEM.grid(24)
    with pytest.raises(LinearSolveFailure) as caught:
        new_solver(grid, few).solve(PROBLEM.discretize(grid))
    assert caught.value.solution.norm() > 0


def test_a_solver_recovers_after_a_failure():
    grid = PROBLEM.grid(24)
    kept = new_solver(grid, {"ksp_max_it": 12})
    system = PROBLEM.discretize(grid)
    huge = Stencil(grid, system.stencil.offsets, -system.stencil.coefficients)
    negative = LinearSystem(huge, system.right_hand_side, symmetric=True)
    assert kept.solve(system, check=False)[1].converged
    kept.solve(negative, check=False)
    assert kept.solve(system, check=False)[1].converged


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"ksp_type": "preonly", "pc_type": "lu"}, "CONVERGED_ITS"),
        ({"ksp_type": "preonly", "pc_type": "cholesky"}, "CONVERGED_ITS"),
        (
            {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "mumps"},
            "CONVERGED_ITS",
        ),
        ({"ksp_type": "gmres", "pc_type": "ilu"}, "CONVERGED_RTOL"),
        ({"ksp_type": "minres", "pc_type": "jacobi"}, "CONVERGED_RTOL"),
        ({"ksp_type": "symmlq", "pc_type": "jacobi"}, "CONVERGED_RTOL"),
        ({"ksp_type": "cr", "pc_type": "jacobi"}, "CONVERGED_RTOL"),
        ({"ksp_type": "bcgs", "pc_type": "none"}, "CONVERGED_RTOL"),
        ({"ksp_type": "cg", "pc_type": "mg"}, "CONVERGED_RTOL"),
        ({"ksp_atol": 1e-3, "ksp_rtol": 0}, "CONVERGED_ATOL"),
    ],
    ids=str,
)
def test_other_methods(parameters, reason):
    if parameters.get("pc_factor_mat_solver_type") == "mumps":
        from petsc4py import PETSc

        if not PETSc.Sys.hasExternalPackage("mumps"):
            pytest.skip("this PETSc has no MUMPS")
    reference = solve(PROBLEM, mesh=16, solver_parameters={"ksp_rtol": 1e-12}).field.values
    solution = solve(PROBLEM, mesh=16, solver_parameters=parameters, unused_options="error")
    assert solution.result.reason == reason
    assert solution.result.solver.startswith(parameters.get("ksp_type", "cg"))
    # some of these measure a preconditioned residual or stop at 1e-3 of norm 16
    np.testing.assert_allclose(
        solution.field.values, reference, rtol=0, atol=1e-4 * reference.max()
    )


def test_a_fixed_number_of_steps_is_no_convergence():
    with pytest.raises(LinearSolveFailure, match="without testing the residual"):
        solve(PROBLEM, mesh=16, solver_parameters={"ksp_type": "preonly"})


def test_a_tolerance_below_what_float64_reaches_is_not_met():
    with pytest.raises(LinearSolveFailure, match="below what float64 reaches") as caught:
        solve(PROBLEM, mesh=24, solver_parameters={"ksp_rtol": 1e-30})
    result = caught.value.result
    assert not result.converged
    assert 1e-17 < result.relative_residual < 1e-12
    assert solve(PROBLEM, mesh=24, solver_parameters={"ksp_rtol": 1e-13}).result.converged


def test_singular_matrices_are_reported():
    grid = StructuredGrid((6, 6))
    direct = {"ksp_type": "preonly", "pc_type": "lu", "pc_factor_mat_solver_type": "petsc"}
    # a zero row: PETSc finds the zero pivot
    coefficients = np.ones((1, 6, 6))
    coefficients[0, 2, 3] = 0.0
    system = LinearSystem(Stencil(grid, [[0, 0]], coefficients), np.ones((6, 6)))
    with pytest.raises(
        LinearSolveFailure, match=r"DIVERGED_PC_FAILED.* the matrix may be singular"
    ) as caught:
        new_solver(grid, direct).solve(system)
    assert caught.value.result.residual_norms == ()
    # an indefinite matrix under CG
    signs = np.where(np.arange(36).reshape(6, 6) % 2, -1.0, 1.0)[None]
    indefinite = LinearSystem(
        Stencil(grid, [[0, 0]], signs), np.arange(36.0).reshape(6, 6), symmetric=True
    )
    with pytest.raises(LinearSolveFailure, match="DIVERGED_INDEFINITE"):
        new_solver(grid, {"pc_type": "none"}).solve(indefinite)


def test_zero_right_hand_side():
    solution = solve(DarcyProblem(1.0, 0.0), mesh=8)
    assert solution.result.converged
    assert (solution.field.values == 0).all()


def test_unused_options_warn_or_are_refused():
    wrong = {"ksp_typ": "cg", "pc_type": "jacobi"}
    with pytest.warns(UserWarning, match=r"did not use: -ksp_typ\. .*Did you mean 'ksp_type'\?"):
        solve(PROBLEM, mesh=8, solver_parameters=wrong)
    with pytest.raises(InputError, match="did not use: -ksp_typ"):
        solve(PROBLEM, mesh=8, solver_parameters=wrong, unused_options="error")
    # a second solve reads fewer options; what the first one read stays used
    grid = PROBLEM.grid(8)
    kept = new_solver(grid, {"ksp_type": "cg", "ksp_rtol": 1e-6, "ksp_typ": "x"})
    for _ in range(2):
        kept.solve(PROBLEM.discretize(grid))
        assert kept.unused_options() == ["ksp_typ"]


def test_nested_parameters_reach_the_parts():
    flat = {
        "ksp_type": "fgmres",
        "pc_type": "ksp",
        "ksp_ksp_type": "cg",
        "ksp_ksp_max_it": 4,
        "ksp_pc_type": "jacobi",
    }
    nested = {
        "ksp_type": "fgmres",
        "pc_type": "ksp",
        "ksp": {"ksp": {"type": "cg", "max_it": 4}, "pc_type": "jacobi"},
    }
    one, two = (
        solve(PROBLEM, mesh=16, solver_parameters=p, unused_options="error").result
        for p in (flat, nested)
    )
    assert one.residual_norms == two.residual_norms
    plain = solve(PROBLEM, mesh=16, solver_parameters={"ksp_type": "fgmres", "pc_type": "jacobi"})
    assert one.iterations < plain.result.iterations


def test_flags_without_a_value(capfd):
    solve(PROBLEM, mesh=8, solver_parameters={"ksp_monitor": None}, unused_options="error")
    assert "0 KSP" in capfd.readouterr().out


def test_the_users_options_under_the_prefix_come_first():
    from petsc4py import PETSc

    options = PETSc.Options()
    options["mine_ksp_type"] = "gmres"
    options["mine_ksp_rtol"] = "1e-3"
    try:
        mine = solve(
            PROBLEM, mesh=16, options_prefix="mine", solver_parameters={"ksp_rtol": 1e-11}
        ).result
        other = solve(PROBLEM, mesh=16, options_prefix="other_").result
        assert (mine.solver, mine.rtol, mine.options_prefix) == ("gmres + gamg", 1e-3, "mine_")
        assert (other.solver, other.rtol) == ("cg + gamg", 1e-8)
        # what the user put there is still there
        assert database()["mine_ksp_type"] == "gmres"
    finally:
        options.delValue("mine_ksp_type")
        options.delValue("mine_ksp_rtol")


def test_options_of_one_solver_do_not_reach_another():
    grid = PROBLEM.grid(16)
    system = PROBLEM.discretize(grid)
    first = new_solver(grid, {"ksp_type": "gmres", "pc_type": "jacobi"})
    second = new_solver(grid)
    for _ in range(2):
        assert first.solve(system)[1].solver == "gmres + jacobi"
        assert second.solve(system)[1].solver == "cg + gamg"


def test_options_are_taken_out_after_a_failure():
    before = database()
    for parameters in ({"ksp_type": "cgg"}, {"ksp_max_it": 1}, {"ksp_type": "preonly"}):
        with pytest.raises((InputError, LinearSolveFailure)):
            solve(PROBLEM, mesh=16, solver_parameters=parameters)
        assert database() == before


def advection() -> LinearSystem:
    grid = StructuredGrid((12,))
    stencil = Stencil(grid, [-1, 0, 1], [-2.0, 3.0, -1.0])
    return LinearSystem(stencil, np.ones(12))


def test_methods_for_symmetric_matrices():
    system = advection()
    for method in ("cg", "minres"):
        with pytest.raises(InputError, match=f"'{method}' needs a symmetric operator, and this"):
            new_solver(system.stencil.grid, {"ksp_type": method}).solve(system)
    # declared symmetric, and found not to be
    wrong = dataclasses.replace(system, symmetric=True)
    with pytest.raises(InputError, match="needs a symmetric operator, and this one is not; use"):
        new_solver(system.stencil.grid).solve(wrong)
    vector, result = new_solver(system.stencil.grid, {"ksp_type": "gmres"}).solve(system)
    assert result.converged
    direct = np.linalg.solve(system.stencil.to_csr().toarray(), np.ones(12))
    # ‖x error‖ ≤ cond(A) 1e-8 with cond(A) about 30
    np.testing.assert_allclose(np.array(vector.array_r), direct, rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"ksp_rtol": -1e-8}, "ksp_rtol=-1e-08 must be finite and not negative"),
        ({"ksp_rtol": "small"}, "ksp_rtol='small' must be a number"),
        ({"ksp_atol": math.inf}, "ksp_atol=inf must be finite"),
        ({"ksp_max_it": -5}, "ksp_max_it=-5 must be"),
        ({"ksp_rtol": 0}, "switches every stopping test off"),
        ({"ksp_type": "cgg"}, "Unable to find requested KSP type cgg"),
        ({"pc_type": "gammg"}, "Unable to find requested PC type gammg"),
        ({"-ksp_type": "cg"}, "option name '-ksp_type' must be a PETSc name without the dash"),
        ({"": 1}, "must be a PETSc name"),
        (["ksp_type"], "must map option names to values"),
    ],
    ids=str,
)
def test_options_that_are_refused(parameters, text):
    with pytest.raises(InputError) as caught:
        solve(PROBLEM, mesh=8, solver_parameters=parameters)
    assert text in str(caught.value)
    assert solve(PROBLEM, mesh=8).result.converged  # nothing of it is left behind


def test_what_does_not_fit_the_solver():
    grid = PROBLEM.grid(8)
    solver = new_solver(grid)
    with pytest.raises(InputError, match=r"the system lives on .*the solver on"):
        solver.solve(PROBLEM.discretize(PROBLEM.grid(9)))
    with pytest.raises(InputError, match=r"x0 of shape \(4, 4\) does not fit"):
        solver.solve(PROBLEM.discretize(grid), np.zeros((4, 4)))
    with pytest.raises(InputError, match="x0 is not finite"):
        solver.solve(PROBLEM.discretize(grid), np.full((8, 8), np.nan))
    with pytest.raises(InputError, match="must be a name without a dash"):
        new_solver(grid, prefix="-mine")
    stencil = PROBLEM.discretize(grid).stencil
    with pytest.raises(InputError, match=r"right-hand side of shape \(8,\) does not fit"):
        LinearSystem(stencil, np.zeros(8))
    with pytest.raises(InputError, match=r"not finite at index \(0, 0\)"):
        LinearSystem(stencil, np.full((8, 8), np.inf))


def test_index_overflow_is_found_before_anything_is_allocated():
    from petsc4py import PETSc

    if np.dtype(PETSc.IntType).itemsize > 4:
        pytest.skip("this PETSc has 64-bit indices")
    with pytest.raises(InputError, match="2500000000 unknowns overflow"):
        solve(PROBLEM, mesh=50_000)


def test_a_solution_outlives_its_solver():
    import gc

    solution = solve(PROBLEM, mesh=12)
    values = solution.field.values.copy()
    others = [solve(PROBLEM, mesh=(n, 8)) for n in (9, 10)]
    del others
    gc.collect()
    np.testing.assert_array_equal(solution.gather().values, values)
    finer = PROBLEM.grid(24)
    np.testing.assert_array_equal(
        solution.on(finer).values,
        Field(PROBLEM.grid(12), values, ("pressure",)).resample(finer).values,
    )
    assert solution.native.getSize() == 144


def test_dirichlet_value_from_a_field_and_a_function():
    grid = StructuredGrid((16, 16))
    x, _ = grid.points()
    by_field = Field(grid, 2 + 0 * x)
    for value in (2.0, lambda x: 2 + 0 * x[0], by_field):
        problem = DarcyProblem(1.0, 0.0, {"all": Dirichlet(value)})
        np.testing.assert_allclose(solve(problem, mesh=grid).field.values, 2.0, rtol=1e-7)
