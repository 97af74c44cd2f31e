"""Vectors and parts of mixed spaces: data, Dirichlet values, answers on grids and in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from pdesolve import Dirichlet, Neumann, Problem, solve
from pdesolve.problems.boundary import Condition

pytestmark = pytest.mark.firedrake

SIDES = ("x_lower", "x_upper", "y_lower", "y_upper")


@dataclass(frozen=True, eq=False)
class VectorPoisson(Problem):
    """−Δu = f for a vector u; with ``mixed``, beside −Δp + p = 1 for a scalar p."""

    source: object = 0.0
    boundary_conditions: Mapping[str, Condition] = field(
        default_factory=lambda: {"all": Dirichlet(0.0)}
    )
    mixed: bool = False
    outputs: tuple[str, ...] = ()
    dimension: int = 2
    lower: tuple[float, ...] = (0.0, 0.0)
    upper: tuple[float, ...] = (1.0, 1.0)
    name: str = "vector"

    def input_fields(self, grid: StructuredGrid) -> Field:
        return Field(grid, np.ones(grid.shape), ("nothing",))

    def weak_form(self, context: Any) -> Any:
        import firedrake as fd

        from pdesolve.fem import LinearForm

        vectors, names = context.vector_space(), ("velocity",)
        space = vectors * context.space("DG", 0) if self.mixed else vectors
        u, v = fd.TrialFunction(space), fd.TestFunction(space)
        f = context.data(self.source, name="source", shape=(2,))
        form = 0
        if self.mixed:
            (u, p), (v, q) = fd.split(u), fd.split(v)
            form, names = p * q * fd.dx, ("velocity", "pressure")
        form += fd.inner(fd.grad(u), fd.grad(v)) * fd.dx
        linear = fd.dot(f, v) * fd.dx
        if self.mixed:
            linear += q * fd.dx
        part = space.sub(0) if self.mixed else space
        return LinearForm(
            form,
            linear,
            context.dirichlet(part, self.boundary_conditions),
            names,
            solver_parameters="direct",
            outputs=self.outputs,
        )


GRID = StructuredGrid((5, 4))


def on_grid(**given: Any) -> np.ndarray:
    return solve(VectorPoisson(**given), mesh=4).on(GRID).values


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        lambda x: (1.0 + x[0], x[1] - x[0]),
        lambda x: np.stack([1.0 + x[0], x[1] - x[0]]),
        (lambda x: 1.0 + x[0], lambda x: x[1] - x[0]),
    ],
    ids=("tuple of values", "array", "tuple of functions"),
)
def test_functions_as_boundary_values(value, mixed):
    x = np.asarray(GRID.points())
    expected = np.stack([1.0 + x[0], x[1] - x[0]])
    found = on_grid(boundary_conditions={"all": Dirichlet(value)}, mixed=mixed)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_constants_and_single_components():
    np.testing.assert_allclose(
        on_grid(boundary_conditions={"all": Dirichlet((2.0, -1.0))}),
        np.broadcast_to(np.array([2.0, -1.0])[:, None, None], (2, 5, 4)),
    )
    np.testing.assert_allclose(on_grid(boundary_conditions={"all": Dirichlet(3.0)}), 3.0)
    free = dict.fromkeys(SIDES, Neumann(0.0))
    x = np.asarray(GRID.points())
    conditions = {
        **free,
        "x_lower": Dirichlet((0.0, 0.0)),
        "x_upper": Dirichlet((None, 4.0)),
        "y_lower": Dirichlet(lambda x: x[0], component=0),
        "y_upper": Dirichlet(lambda x: x[0], component=0),
    }
    # u_x is harmonic with no flux at the right side: x there would need a flux of one
    found = on_grid(boundary_conditions=conditions)
    np.testing.assert_allclose(found[1], 4.0 * x[0], atol=1e-12)
    assert found[0].max() < x[0].max()
    field = Field(StructuredGrid((1, 1)), np.array([[[2.0]], [[5.0]]]), ("a", "b"))
    by_field = on_grid(boundary_conditions={"all": Dirichlet(field)})
    np.testing.assert_allclose(by_field[1], 5.0, rtol=1e-12)


def test_expressions_and_functions_of_firedrake():
    from pdesolve.fem._firedrake import firedrake, ufl

    mesh = firedrake.UnitSquareMesh(4, 4)
    x = ufl.SpatialCoordinate(mesh)
    problem = VectorPoisson(boundary_conditions={"all": Dirichlet(ufl.as_vector([x[1], x[0]]))})
    found = solve(problem, mesh=mesh).on(GRID).values
    np.testing.assert_allclose(found, np.asarray(GRID.points())[::-1], atol=1e-12)


@pytest.mark.parametrize(
    "source",
    [
        (1.0, 2.0),
        np.array([1.0, 2.0]),
        (1.0, lambda x: 2.0 + 0 * x[0]),
        lambda x: (1.0, 2.0 + 0.0 * x[0]),
        Field(
            StructuredGrid((2, 2)), np.stack([np.ones((2, 2)), np.full((2, 2), 2.0)]), ("a", "b")
        ),
    ],
    ids=("tuple", "array", "mixed tuple", "function", "field"),
)
def test_sources(source):
    found = on_grid(source=source)
    reference = on_grid(source=1.0)
    np.testing.assert_allclose(reference[0], reference[1], rtol=1e-12)
    np.testing.assert_allclose(found[0], reference[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], 2.0 * reference[0], rtol=1e-12)


def test_names_channels_and_files(tmp_path):
    solution = solve(VectorPoisson(1.0, mixed=True, outputs=("velocity", "pressure")), mesh=4)
    names = ("velocity_x", "velocity_y", "pressure")
    assert solution.on(GRID).names == names
    whole = solution.gather()
    assert whole.names == names
    assert whole.location == "cell"  # the pressure jumps
    np.testing.assert_allclose(whole.values[2], 1.0, rtol=1e-9)
    assert solution.fields["velocity"].location == "vertex"
    assert solution.fields["velocity"].names == names[:2]
    plain = solve(VectorPoisson(1.0, mixed=True), mesh=4)
    assert plain.gather().names == names[:2]
    assert solution.save(tmp_path / "u.pvd").exists()
    assert solution.plot(tmp_path / "u.png").exists()


def test_a_vector_as_first_guess():
    problem = VectorPoisson(1.0)
    guess = solve(problem, mesh=4, solver_parameters={"pc_type": "gamg"}).gather()
    again = solve(
        problem, mesh=4, x0=guess, solver_parameters={"ksp_type": "cg", "pc_type": "jacobi"}
    )
    assert again.result.iterations == 0
    with pytest.raises(InputError, match="2 channels"):
        solve(problem, mesh=4, x0=guess.select([guess.names[0]]))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"source": (1.0, 2.0, 3.0)}, r"must be finite and of shape \(2,\)"),
        ({"source": (1.0, np.nan)}, "must be finite"),
        ({"source": (1.0, lambda x: x[0] / 0.0)}, "component 1 of source is not finite"),
        ({"source": lambda x: x[0]}, "it must give"),
        ({"boundary_conditions": {"all": Dirichlet((1.0, 2.0, 3.0))}}, "has 3 components"),
        ({"boundary_conditions": {"all": Dirichlet(np.inf)}}, "not finite"),
        ({"boundary_conditions": {"all": Dirichlet(1.0, component=2)}}, "components 0 to 1"),
        ({"boundary_conditions": {"all": Dirichlet(lambda x: x[0])}}, "it must give"),
        ({"outputs": ("speed",)}, "there is no unknown 'speed'"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_bad_data(given, text):
    with pytest.raises(InputError, match=text):
        solve(VectorPoisson(**given), mesh=3)


def test_a_component_of_a_scalar_is_refused():
    from pdesolve import DarcyProblem

    problem = DarcyProblem(boundary_conditions={"all": Dirichlet(0.0, component=0)})
    with pytest.raises(InputError, match="the unknown is a scalar"):
        solve(problem, mesh=3, backend="fem")
    problem = DarcyProblem(boundary_conditions={"all": Dirichlet((0.0, 1.0))})
    with pytest.raises(InputError, match="the unknown is a scalar"):
        solve(problem, mesh=3, backend="fem")
