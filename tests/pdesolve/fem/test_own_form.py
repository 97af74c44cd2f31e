"""A person's own equation, written in UFL, goes through the same solver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from pdesolve import Dirichlet, Neumann, Problem, solve
from pdesolve.problems.boundary import Condition

pytestmark = pytest.mark.firedrake


@dataclass(frozen=True, eq=False)
class ReactionDiffusion(Problem):
    """−Δu + b·∇u + c u = f."""

    velocity: tuple[float, float] = (0.0, 0.0)
    reaction: float = 1.0
    source: object = 1.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Neumann(0.0)}
    )
    dimension: int = 2
    lower: tuple[float, ...] = (0.0, 0.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    name: str = "reaction"
    wrong: bool = False

    def input_fields(self, grid: StructuredGrid) -> Field:
        return Field(grid, np.full(grid.shape, self.reaction), ("reaction",))

    def weak_form(self, context):
        import firedrake as fd

        from pdesolve.fem import LinearForm

        space = context.space()
        u, v = fd.TrialFunction(space), fd.TestFunction(space)
        a = fd.inner(fd.grad(u), fd.grad(v)) + self.reaction * u * v
        moving = any(self.velocity)
        if moving:
            a += fd.dot(fd.as_vector(self.velocity), fd.grad(u)) * v
        linear = context.data(self.source, name="source") * v * fd.dx
        if self.wrong:
            return a * fd.dx
        fixed = context.dirichlet(space, self.boundary_conditions)
        return LinearForm(a * fd.dx, linear, fixed, symmetric=not moving)


def test_symmetric():
    problem = ReactionDiffusion(reaction=2.0, source=6.0)
    assert problem.backends == ("fem",)
    solution = solve(problem, mesh=8)
    np.testing.assert_allclose(solution.field.values, 3.0, rtol=1e-7)
    assert solution.result.solver == "cg + gamg"
    assert solution.field.names == ("u",)


def test_not_symmetric():
    def exact(x):
        return np.sin(np.pi * x[0]) * x[1]

    def source(x):
        u = exact(x)
        return (np.pi**2 + 1) * u + 2.0 * np.pi * np.cos(np.pi * x[0]) * x[1] - np.sin(np.pi * x[0])

    problem = ReactionDiffusion(
        velocity=(2.0, -1.0), source=source, boundary_conditions={"all": Dirichlet(exact)}
    )
    solution = solve(problem, mesh=16, degree=2)
    assert solution.result.solver == "gmres + gamg"
    grid = StructuredGrid((9, 9))
    np.testing.assert_allclose(solution.on(grid).values[0], exact(grid.points()), atol=1e-4)
    with pytest.raises(InputError, match="ksp_type 'cg' needs a symmetric form"):
        solve(problem, mesh=4, solver_parameters={"ksp_type": "cg"})


def test_what_a_weak_form_gives_is_checked():
    with pytest.raises(InputError, match="weak_form of 'reaction' gave a Form; it must give a Lin"):
        solve(ReactionDiffusion(wrong=True), mesh=4)
