"""Nonlinear weak forms go through PETSc's SNES."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from operators.failures import NonlinearSolveFailure
from pdesolve import Dirichlet, Problem, solve
from pdesolve.problems.boundary import Condition

pytestmark = pytest.mark.firedrake


def exact(x: np.ndarray) -> np.ndarray:
    return 1.0 + x[0] + 2.0 * x[1]


@dataclass(frozen=True, eq=False)
class NonlinearDiffusion(Problem):
    """−∇·((1 + strength u²) ∇u) = f with the linear u above."""

    strength: float = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(exact)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = (0.0, 0.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    name: str = "nonlinear diffusion"
    jacobian: str = ""
    led: bool = False

    def input_fields(self, grid: StructuredGrid) -> Field:
        return Field(grid, np.full(grid.shape, self.strength), ("strength",))

    def weak_form(self, context: Any) -> Any:
        import firedrake as fd

        from pdesolve.fem import NonlinearForm

        space = context.space()
        u, v = fd.Function(space), fd.TestFunction(space)
        strength = fd.Constant(self.strength)
        f = context.data(lambda x: -10.0 * self.strength * exact(x), name="source")
        flux = (1.0 + strength * u**2) * fd.grad(u)
        share = strength / self.strength
        residual = fd.inner(flux, fd.grad(v)) * fd.dx - share * f * v * fd.dx
        jacobian = None
        if self.jacobian == "picard":
            w = fd.TrialFunction(space)
            jacobian = (1.0 + strength * u**2) * fd.inner(fd.grad(w), fd.grad(v)) * fd.dx
        return NonlinearForm(
            residual,
            u,
            context.dirichlet(space, self.boundary_conditions),
            jacobian=jacobian,
            continuation=(lambda s: strength.assign(s * self.strength)) if self.led else None,
        )


def test_newton_converges_quadratically():
    solution = solve(NonlinearDiffusion(), mesh=6)
    values = solution.field.values[0]
    np.testing.assert_allclose(values, exact(solution.field.mesh.points.T), rtol=1e-8)
    result = solution.result
    assert result.converged
    assert result.reason == "CONVERGED_FNORM_RELATIVE"
    assert result.solver == "newtonls (preonly + lu)"
    assert result.relative_residual <= result.rtol == 1e-8
    assert result.iterations == len(result.residual_norms) - 1 <= 8
    assert result.linear_iterations == result.iterations
    assert result.num_unknowns == 49
    logs = -np.log10(np.array(result.residual_norms) / result.residual_norms[0])
    assert logs[-1] > 1.7 * logs[-2]


def test_a_jacobian_of_ones_own():
    newton, picard = (
        solve(NonlinearDiffusion(jacobian=kind), mesh=6).result for kind in ("", "picard")
    )
    assert picard.converged
    assert picard.iterations > newton.iterations


def test_named_preconditioners_and_other_options():
    for given in (
        "multigrid",
        {"preconditioner": "multigrid", "ksp_rtol": 1e-9},
        {"preconditioner": "direct", "pc_type": "gamg"},
        {"ksp_type": "gmres", "pc_type": "gamg"},
    ):
        result = solve(NonlinearDiffusion(), mesh=6, solver_parameters=given).result
        assert result.solver.endswith("+ gamg)"), given
        assert result.linear_iterations >= result.iterations
    with pytest.raises(InputError, match="no preconditioner 'multigird'"):
        solve(NonlinearDiffusion(), mesh=6, solver_parameters="multigird")
    with pytest.raises(InputError, match="or be a preconditioner's name"):
        solve(NonlinearDiffusion(), mesh=6, solver_parameters=3)


def test_unused_options_are_reported():
    with pytest.warns(UserWarning, match="-snes_maxit"):
        solve(NonlinearDiffusion(), mesh=6, solver_parameters={"snes_maxit": 3})
    with pytest.raises(InputError, match="-pc_gamg_threshold"):
        solve(
            NonlinearDiffusion(),
            mesh=6,
            solver_parameters={"pc_gamg_threshold": 0.1},
            unused_options="error",
        )


def test_options_of_the_command_line_win():
    from pdesolve.fem._firedrake import firedrake

    options = firedrake.PETSc.Options("mine_")
    options["snes_max_it"] = 1
    try:
        solution = solve(
            NonlinearDiffusion(),
            mesh=6,
            options_prefix="mine",
            solver_parameters={"snes_max_it": 20},
            check=False,
        )
    finally:
        options.delValue("snes_max_it")
    assert solution.result.reason == "DIVERGED_MAX_IT"
    assert not solution.result.converged
    assert not options.hasName("snes_type")


def test_a_failure_carries_the_last_iterate():
    with pytest.raises(NonlinearSolveFailure, match="Raise snes_max_it") as caught:
        solve(NonlinearDiffusion(), mesh=6, solver_parameters={"snes_max_it": 2})
    failure = caught.value
    assert failure.result.iterations == 2
    assert np.isfinite(failure.solution.field.values).all()
    assert failure.solution.native.function_space().dim() == 49
    with pytest.raises(NonlinearSolveFailure, match="The linear solver inside ended with"):
        solve(
            NonlinearDiffusion(),
            mesh=12,
            solver_parameters={"ksp_type": "gmres", "pc_type": "none", "ksp_max_it": 2},
        )


def test_a_guess_saves_iterations():
    problem = NonlinearDiffusion()
    guess = solve(problem, mesh=6).gather()
    result = solve(problem, mesh=6, x0=guess).result
    assert result.converged
    assert result.iterations == 0
    assert result.relative_residual <= 1e-8
    with pytest.raises(InputError, match="x0 must be a Field with one channel"):
        solve(problem, mesh=6, x0=1.0)


def test_a_residual_at_the_level_of_rounding_counts_as_solved():
    problem = NonlinearDiffusion(boundary_conditions={"all": Dirichlet(0.0)})
    result = solve(problem, mesh=6, solver_parameters={"snes_rtol": 1e-18}).result
    assert result.converged
    assert result.reason == "CONVERGED_SNORM_RELATIVE"


def test_continuation_where_newton_fails():
    problem = NonlinearDiffusion(strength=1.0, led=True)
    # so few iterations that the whole way is too long for one Newton solve
    result = solve(problem, mesh=6, solver_parameters={"snes_max_it": 5}).result
    assert result.converged
    assert "steps, since Newton's method failed in one" in result.notes[0]
    with pytest.raises(NonlinearSolveFailure, match="smaller shares of the load did not help"):
        solve(problem, mesh=6, solver_parameters={"snes_max_it": 1})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"snes_rtol": "small"}, "snes_rtol='small' must be a number"),
        ({"snes_rtol": -1.0}, "must be finite and not negative"),
        ({"snes_rtol": 0.0}, "switches every stopping test off"),
        ({"snes_type": "newtonxx"}, "PETSc refused the solver's options"),
    ],
)
def test_bad_options(options, text):
    with pytest.raises(InputError, match=text):
        solve(NonlinearDiffusion(), mesh=4, solver_parameters=options)
