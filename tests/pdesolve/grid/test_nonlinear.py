"""Newton solves on grids, and linear ones with several unknowns a cell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from meshes.block import GridBlock
from operators.failures import LinearSolveFailure, NonlinearSolveFailure
from pdesolve import solve
from pdesolve.grid.ghost_sides import fill_ghosts, ghost_sides
from pdesolve.grid.systems import BlockLinearSystem
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import (
    BratuProblem,
    OneSidedReactionProblem,
    PLaplacianProblem,
)
from tests.mpi import run_parallel
from tests.pdesolve.grid.jacobians import (
    apply_coefficients,
    assert_jacobian,
    with_periodic_ghosts,
)

PROGRAM = Path(__file__).with_name("check_nonlinear.py")
MIXED = {
    "x_lower": Dirichlet(lambda x: x[1]),
    "x_upper": Neumann(0.3),
    "y_lower": Robin(2.0, 1.0),
    "y_upper": Dirichlet(0.2),
}
WRAPPED = {
    "x_lower": Periodic(),
    "x_upper": Periodic(),
    "y_lower": Dirichlet(lambda x: np.sin(2 * np.pi * x[0])),
    "y_upper": Dirichlet(0.1),
}
PROBLEMS = {
    "bratu": BratuProblem(6.0),
    "bratu-1d": BratuProblem(3.0, dimension=1),
    "bratu-3d": BratuProblem(2.0, dimension=3),
    "bratu-mixed": BratuProblem(1.0, 0.5, MIXED),
    "one-sided": OneSidedReactionProblem(300.0, lambda x: np.sin(9 * x[0]), MIXED),
    "one-sided-wrapped": OneSidedReactionProblem(300.0, 1.0, WRAPPED),
    "p-1.5": PLaplacianProblem(1.5),
    "p-4": PLaplacianProblem(4.0, 1.0, 1e-2, {"all": Dirichlet(lambda x: x[0] * x[1])}),
    "p-wrapped": PLaplacianProblem(3.0, 1.0, 1e-2, WRAPPED),
}


def small_block(problem) -> GridBlock:
    return GridBlock.whole(problem.grid((7, 5, 4)[: problem.dimension]))


@pytest.mark.parametrize("name", PROBLEMS)
def test_jacobians_are_derivatives(name):
    problem = PROBLEMS[name]
    block = small_block(problem)
    system = problem.nonlinear_system(block)
    assert_jacobian(block, system.residual, system.jacobian, system.offsets)


@pytest.mark.parametrize("name", PROBLEMS)
def test_jacobians_are_symmetric(name):
    problem = PROBLEMS[name]
    block = small_block(problem)
    system = problem.nonlinear_system(block)
    assert system.symmetric
    rng = np.random.default_rng(1)
    state, u, v = rng.standard_normal((3, 1, *block.shape))
    coefficients = system.jacobian(with_periodic_ghosts(block, state))
    forward = np.sum(v * apply_coefficients(block, system.offsets, coefficients, u))
    backward = np.sum(u * apply_coefficients(block, system.offsets, coefficients, v))
    assert forward == pytest.approx(backward, rel=1e-11)


@pytest.mark.parametrize("name", ["bratu", "one-sided-wrapped", "p-4", "p-1.5", "p-wrapped"])
def test_residuals_are_derivatives_of_the_energy(name):
    problem = PROBLEMS[name]
    block = small_block(problem)
    system = problem.nonlinear_system(block)
    rng = np.random.default_rng(2)
    state, direction = rng.standard_normal((2, 1, *block.shape))
    step = 1e-5
    ends = [problem.energy(Field(block.grid, state + sign * step * direction)) for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    residual = system.residual(with_periodic_ghosts(block, state))
    exact = float(np.sum(residual * direction)) * block.grid.cell_volume
    assert slope == pytest.approx(exact, rel=1e-6)


def test_ghosts_meet_the_conditions():
    """A quadratic's value and slope at the faces, to second order, by each condition."""
    u = lambda x: 1 + 2 * x[0] - x[1] ** 2  # noqa: E731
    errors = []
    for n in (16, 32):
        grid = StructuredGrid((n, n))
        block = GridBlock.whole(grid)
        conditions = {
            "x_lower": Dirichlet(u),
            "x_upper": Neumann(2.0),
            "y_lower": Robin(3.0, lambda x: 3 * u(x)),
            "y_upper": Robin(1.0, lambda x: u(x) - 2.0),
        }
        exact = u(block.points(ghosted=True))
        values = exact.copy()
        fill_ghosts(values, ghost_sides(block, conditions))
        values[[0, 0, -1, -1], [0, -1, 0, -1]] = exact[[0, 0, -1, -1], [0, -1, 0, -1]]
        errors.append(np.abs(values - exact).max())
    assert errors[1] < 0.26 * errors[0]


@pytest.mark.petsc
class TestSolver:
    def test_record(self):
        solution = solve(BratuProblem(6.0), mesh=(24, 20))
        result = solution.result
        assert (result.converged, result.reason) == (True, "CONVERGED_FNORM_RELATIVE")
        assert result.iterations == len(result.residual_norms) - 1
        assert result.linear_iterations >= result.iterations > 2
        assert result.num_unknowns == 480
        assert result.relative_residual <= 1e-8
        # the last step shows Newton's convergence, not that of a fixed point
        assert result.residual_norms[-1] < 1e-2 * result.residual_norms[-2]
        assert solution.field.names == ("u",)
        assert json.loads(json.dumps(result.to_dict()))["linear_iterations"]

    def test_too_few_steps(self):
        problem = BratuProblem(6.0)
        with pytest.raises(NonlinearSolveFailure, match=r"DIVERGED_MAX_IT.*Raise snes_max_it") as e:
            solve(problem, mesh=16, solver_parameters={"snes_max_it": 2})
        assert e.value.result.iterations == 2
        partial = e.value.solution
        assert 0 < partial.result.relative_residual < 0.1
        again = solve(problem, mesh=16, x0=partial.gather())
        assert again.result.converged
        assert again.result.iterations < solve(problem, mesh=16).result.iterations

    def test_check_off(self):
        solution = solve(
            BratuProblem(6.0), mesh=16, solver_parameters={"snes_max_it": 1}, check=False
        )
        assert not solution.result.converged

    def test_no_solution(self):
        """Above the turning point Newton's method must not claim an answer."""
        problem = BratuProblem(6.0)
        object.__setattr__(problem, "strength", 9.0)
        with pytest.raises(NonlinearSolveFailure) as caught:
            solve(problem, mesh=32)
        assert caught.value.result.reason in ("DIVERGED_LINE_SEARCH", "DIVERGED_MAX_IT",
                                              "DIVERGED_LINEAR_SOLVE")  # fmt: skip
        with pytest.raises(NonlinearSolveFailure, match="begin nearer to the answer") as caught:
            solve(problem, mesh=32, solver_parameters={"pc_type": "lu", "ksp_type": "preonly"})
        assert caught.value.result.reason == "DIVERGED_LINE_SEARCH"
        assert "No step along Newton's direction" in str(caught.value)

    def test_residual_that_is_not_finite(self):
        class Broken(BratuProblem):
            def nonlinear_system(self, block):
                system = super().nonlinear_system(block)

                def residual(u):
                    values = system.residual(u)
                    values[0, 3, 2] = np.nan
                    return values

                return replace(system, residual=residual)

        with pytest.raises(NonlinearSolveFailure) as caught:
            solve(Broken(1.0), mesh=8)
        assert "DIVERGED_FUNCTION_NANORINF" in str(caught.value)
        assert "not finite in component 'u' at index (3, 2)" in str(caught.value)

    def test_linear_solver_that_fails(self):
        with pytest.raises(NonlinearSolveFailure, match="linear solver stopped with DIVERGED_ITS"):
            solve(
                BratuProblem(6.0), mesh=32,
                solver_parameters={"ksp_max_it": 1, "ksp_rtol": 1e-12, "pc_type": "none"},
            )  # fmt: skip

    def test_continuation(self):
        """Eight steps do not lead from zero to p = 6, but from each exponent to the next."""
        few = {"snes_max_it": 8}
        solution = solve(PLaplacianProblem(6.0), mesh=24, solver_parameters=few)
        assert solution.result.converged
        assert "continuation in 5 stages" in solution.result.notes[0]
        usual = solve(PLaplacianProblem(6.0), mesh=24)
        assert usual.result.notes == ()
        np.testing.assert_allclose(solution.field.values, usual.field.values, rtol=1e-5)
        with pytest.raises(NonlinearSolveFailure, match="DIVERGED_MAX_IT"):
            solve(
                PLaplacianProblem(6.0), mesh=24, solver_parameters=few,
                x0=Field(StructuredGrid((24, 24)), np.zeros((24, 24))),
            )  # fmt: skip

    def test_tolerance_is_relative_to_the_load(self):
        """A jump at a side gives p = 6 a first residual of which 1e-8 would be no answer."""
        problem = PLaplacianProblem(6.0, 1.0, 1e-2, {"all": Dirichlet(lambda x: 2 * x[0])})
        one = solve(problem, mesh=32)
        exact = solve(problem, mesh=32, solver_parameters={"snes_rtol": 1e-10})
        np.testing.assert_allclose(one.field.values, exact.field.values, atol=1e-8)

    @pytest.mark.parametrize(
        ("options", "method"),
        [
            ({"snes_type": "newtontr"}, "newtontr"),
            ({"snes_type": "qn", "snes_max_it": 500}, "qn"),
            ({"snes_linesearch_type": "l2"}, "newtonls"),
            ({"snes_linesearch_type": "basic"}, "newtonls"),
            ({"pc_type": "lu", "ksp_type": "preonly"}, "newtonls"),
            ({"snes_mf_operator": None}, "newtonls"),
        ],
        ids=str,
    )
    def test_methods_agree(self, options, method):
        problem = BratuProblem(5.0)
        usual = solve(problem, mesh=16).gather().values
        other = solve(problem, mesh=16, solver_parameters=options, unused_options="error")
        assert other.result.solver.startswith(method)
        np.testing.assert_allclose(other.gather().values, usual, atol=1e-6)

    def test_monitor_and_database(self, capfd):
        """What PETSc's command line does: options under a prefix."""
        from petsc4py import PETSc

        database = PETSc.Options("mine_")
        database["snes_monitor"] = None
        database["snes_type"] = "newtontr"
        try:
            solution = solve(BratuProblem(1.0), mesh=8, options_prefix="mine")
        finally:
            database.delValue("snes_monitor")
            database.delValue("snes_type")
        assert solution.result.solver.startswith("newtontr")
        assert "SNES Function norm" in capfd.readouterr().out

    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"snes_type": "newton"}, "Unable to find requested SNES type newton"),
            ({"snes_rtol": -1}, "snes_rtol=-1 must be finite and not negative"),
            ({"snes_max_it": "many"}, "snes_max_it='many' must be a number"),
            ({"snes_rtol": 0}, "switches every stopping test off"),
        ],
    )
    def test_rejected_options(self, options, text):
        with pytest.raises(InputError, match=text):
            solve(BratuProblem(1.0), mesh=8, solver_parameters=options)

    def test_unused_options(self):
        with pytest.raises(InputError, match="PETSc did not use: -snes_maxit"):
            solve(
                BratuProblem(1.0), mesh=8, solver_parameters={"snes_maxit": 3},
                unused_options="error",
            )  # fmt: skip

    def test_rejected_guesses(self):
        problem = BratuProblem(1.0)
        with pytest.raises(InputError, match="x0 must be a Field with one channel"):
            solve(problem, mesh=8, x0=Field(problem.grid(8), np.ones((2, 8, 8)), ("a", "b")))
        with pytest.raises(InputError, match="is not the problem's"):
            solve(problem, mesh=StructuredGrid((8, 8), upper=(2.0, 1.0)))

    def test_files(self, tmp_path):
        solution = solve(PLaplacianProblem(3.0), mesh=(8, 6))
        assert solution.save(tmp_path / "u.pvd").exists()
        waves = solve(HelmholtzProblem(5.0), mesh=(8, 8))
        waves.save(tmp_path / "w.pvd")
        (data,) = (tmp_path / "w").glob("*.vti")
        text = data.read_bytes()
        assert b"u_real" in text
        assert b"u_imaginary" in text
        assert b"wavenumber" in text
        assert waves.plot(tmp_path / "w.png").exists()


@pytest.mark.petsc
class TestBlocks:
    def test_guess_and_record(self):
        problem = HelmholtzProblem(8.0, lambda x: np.sin(5 * x[0]))
        solution = solve(problem, mesh=(24, 20))
        assert solution.result.num_unknowns == 960
        assert solution.field.names == ("u_real", "u_imaginary")
        again = solve(problem, mesh=(24, 20), x0=solution.field)
        assert again.result.iterations == 0
        with pytest.raises(InputError, match="channels u_real, u_imaginary"):
            solve(problem, mesh=(24, 20), x0=solution.field.select(["u_real"]))

    def test_iteration_limit(self):
        with pytest.raises(LinearSolveFailure, match="DIVERGED_ITS") as caught:
            solve(
                HelmholtzProblem(30.0), mesh=64, solver_parameters={"pc_type": "ilu",
                                                                    "ksp_max_it": 3},
            )  # fmt: skip
        assert caught.value.solution.field.names == ("u_real", "u_imaginary")

    def test_symmetric_methods_alone_take_symmetric_systems(self):
        sides = {"x_lower": Dirichlet(1.0), "x_upper": Absorbing()}
        problem = HelmholtzProblem(10.0, 0.0, sides, dimension=1)
        result = solve(
            problem, mesh=64, solver_parameters={"ksp_type": "minres", "pc_type": "none",
                                                 "ksp_rtol": 1e-6},
        ).result  # fmt: skip
        assert result.converged

    def test_data_that_are_not_finite(self):
        with pytest.raises(
            InputError, match=r"right-hand side of 'b' is not finite at index \(1,\)"
        ):
            BlockLinearSystem(
                ("a", "b"), np.zeros((1, 2, 2, 3)), np.array([[0, 0, 0], [0, np.nan, 0.0]]),
                np.zeros((1, 1), dtype=np.int64),
            )  # fmt: skip


@pytest.mark.petsc
@pytest.mark.parallel
class TestParallel:
    def test_the_same_answer_on_three_processes(self):
        one, three = (
            json.loads(run_parallel(PROGRAM, ranks, timeout=300).partition("RESULT")[2])
            for ranks in (1, 3)
        )
        assert {"continuation", "helmholtz", "one_sided_reaction2d"} <= set(one)
        for name, answer in one.items():
            scale = np.abs(answer).max()
            np.testing.assert_allclose(
                three[name], answer, rtol=0, atol=1e-10 * scale, err_msg=name
            )

    def test_an_error_on_one_process_reaches_all(self):
        out = run_parallel(PROGRAM, 3, "fail", "1", timeout=300)
        everywhere = json.loads(out.partition("RESULT")[2])
        assert [len(caught) for caught in everywhere] == [5, 5, 5]
        for here, (source, reaction, few_steps, linear, method) in enumerate(everywhere):
            if here == 1:
                assert source == "FileNotFoundError no file on this process"
                assert reaction == "ZeroDivisionError in the reaction"
            else:
                assert "FileNotFoundError: no file on this process" in source
                assert "FileNotFoundError: no file on this process" in linear
                assert "ZeroDivisionError: in the reaction" in reaction
            assert few_steps.startswith("NonlinearSolveFailure newtonls + cg + gamg: DIVERGED_MAX")
            assert method.startswith("InputError PETSc refused the solver's options")
