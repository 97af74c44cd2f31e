"""Estimates on grids: near the true error where no bound is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.linalg import spsolve

from meshes.block import GridBlock
from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from neural.certificates import certify_field
from neural.certificates.grids import energy_of, unknowns_of
from neural.evaluation.certified import certified_errors
from operators.stencil import Stencil
from pdesolve import get_family, sample_generator, solve
from pdesolve.grid.laplacian_inverse import dual_energy, inverse_laplacian, is_invertible
from pdesolve.problems.boundary import Absorbing, Dirichlet, Neumann, Periodic, Robin
from pdesolve.problems.darcy import DarcyProblem
from pdesolve.problems.helmholtz import HelmholtzProblem
from pdesolve.problems.nonlinear_elliptic import BratuProblem

pytestmark = pytest.mark.torch
TIGHT = {"snes_rtol": 1e-12}


def draw(name, index=0):
    family = get_family(name)
    return family.problem(family.sample(sample_generator(0, "test", index)))


def errors_like(exact):
    """Smooth, oscillating and rough errors, and a factor, as large as the field."""
    shape = exact.shape[1:]
    axes = np.meshgrid(*[(np.arange(n) + 0.5) * np.pi / n for n in shape], indexing="ij")
    smooth, waves = np.ones(shape), np.ones(shape)
    for number, axis in enumerate(axes):
        smooth, waves = smooth * np.sin(axis), waves * np.sin((3 - number) * axis)
    rough = np.random.default_rng(0).standard_normal(exact.shape)
    found = {"smooth": smooth, "waves": waves, "rough": rough, "factor": exact}
    return {
        name: np.abs(exact).max() * np.broadcast_to(one, exact.shape) / np.abs(one).max()
        for name, one in found.items()
    }


def effectivity(problem, grid, exact, error):
    names = unknowns_of(problem)
    found = certify_field(problem, Field(grid, exact + error, names))
    assert found.kind == "estimate"
    assert np.isnan(found.lower)
    energies = [energy_of(problem, Field(grid, one, names)) for one in (error, exact + error)]
    return found.effectivity(np.sqrt(energies[0] / energies[1]))


@pytest.mark.petsc
@pytest.mark.parametrize(
    ("name", "least", "largest"), [("bratu2d", 0.9, 1.1), ("p_laplacian2d", 0.4, 1.1)]
)
@pytest.mark.parametrize("index", range(3))
def test_nonlinear_equations(name, least, largest, index):
    """Within these constants, for errors of one to thirty per cent of every kind."""
    problem = draw(name, index)
    grid = problem.grid((24, 23))
    exact = solve(problem, mesh=grid, solver_parameters=TIGHT).on(grid).values
    for error in errors_like(exact).values():
        for size in (0.01, 0.3):
            assert least < effectivity(problem, grid, exact, size * error) < largest
    assert certify_field(problem, Field(grid, exact, ("u",))).upper < 1e-6


@pytest.mark.petsc
def test_the_step_sees_a_turning_point():
    """Near it −Δ − λ e^u is nearly singular: the residual alone is three times too small."""
    problem = BratuProblem(6.5)
    grid = problem.grid(24)
    exact = solve(problem, mesh=grid, solver_parameters=TIGHT).on(grid).values
    error = 0.01 * errors_like(exact)["smooth"]
    assert 0.8 < effectivity(problem, grid, exact, error) < 1.0
    system = problem.nonlinear_system(GridBlock.whole(grid))
    residual = system.residual(np.pad(exact + error, ((0, 0), (1, 1), (1, 1))))[0]
    dual = dual_energy(grid, problem.boundary_conditions, residual)
    assert np.sqrt(dual / energy_of(problem, Field(grid, error, ("u",)))) < 0.3
    found = certify_field(problem, Field(grid, 5.0 * exact, ("u",)))
    assert found.kind == "none"  # on the other side of it
    assert "not positive" in found.statement


@pytest.mark.petsc
@pytest.mark.parametrize(
    "conditions",
    [
        {"all": Neumann(0.0)},
        {"all": Robin(2.0, 1.0)},
        {
            "x_lower": Dirichlet(1.0),
            "x_upper": Robin(1.0, 0.0),
            "y_lower": Periodic(),
            "y_upper": Periodic(),
        },
    ],
)
def test_other_sides(conditions):
    """Where the mean is free, the energy does not see it."""
    source = -1.0 if "all" in conditions else 0.5
    problem = BratuProblem(1.0 if "all" in conditions else 0.3, source, conditions)
    wraps = (False, "y_lower" in conditions)
    grid = StructuredGrid((12, 10), periodic=wraps)
    exact = solve(problem, mesh=grid, solver_parameters=TIGHT).on(grid).values
    if np.ptp(exact) < 1e-6:  # −Δu = e^u − 1 with ∂u/∂n = 0
        error = 0.1 * np.cos(np.pi * grid.points()[0])[None]
        found = certify_field(problem, Field(grid, exact + error, ("u",)))
        assert found.effectivity(1.0) == pytest.approx(1.0, rel=0.3)
        return
    error = 0.05 * errors_like(exact)["waves"]
    assert 0.8 < effectivity(problem, grid, exact, error) < 1.2


@pytest.mark.parametrize("name", ["helmholtz1d", "helmholtz2d", "helmholtz2d_random"])
@pytest.mark.parametrize("index", range(2))
def test_waves(name, index):
    """The residual is never much more than the error; less where the error is a wave itself."""
    problem = draw(name, index)
    grid = problem.grid(256 if name == "helmholtz1d" else 64)
    exact = solved_directly(problem, grid)
    for kind, error in errors_like(exact).items():
        quotient = effectivity(problem, grid, exact, 0.1 * error)
        assert (0.05 if kind == "factor" else 0.4) < quotient < 1.3
    assert certify_field(problem, Field(grid, exact, unknowns_of(problem))).upper < 1e-8


def test_real_waves():
    """One unknown; a factor leaves the residual of the source alone."""
    problem = HelmholtzProblem(3.0, 1.0, {"all": Dirichlet(0.0)}, dimension=2)
    grid = problem.grid(20)
    exact = solved_directly(problem, grid)
    assert unknowns_of(problem) == ("u",)
    assert 0.3 < effectivity(problem, grid, exact, 0.1 * exact) < 1.3


def solved_directly(problem, grid):
    system = problem.block_system(GridBlock.whole(grid))
    size = len(system.names)
    blocks = [
        [
            Stencil(
                grid, system.offsets, np.ascontiguousarray(system.coefficients[:, row, column])
            ).to_csr()
            for column in range(size)
        ]
        for row in range(size)
    ]
    answer = spsolve(sparse.bmat(blocks).tocsc(), system.right_hand_side.ravel())
    return answer.reshape(size, *grid.shape)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_where_waves_cannot_be_estimated():
    resonant = HelmholtzProblem(np.pi * np.sqrt(2.0), 1.0, {"all": Dirichlet(0.0)}, dimension=2)
    grid = resonant.grid(16)
    found = certify_field(resonant, Field(grid, np.ones((1, 16, 16)), ("u",)))
    assert (found.kind, "resonance" in found.statement) == ("none", True)
    coarse = HelmholtzProblem(40.0)
    found = certify_field(coarse, Field(grid, np.ones((2, 16, 16)), ("u_real", "u_imaginary")))
    assert "points per wavelength" in found.statement
    half = certify_field(coarse, Field(grid, np.ones((1, 16, 16)), ("u_real",)))
    assert "no channel 'u_imaginary'" in half.statement
    zero = certify_field(
        HelmholtzProblem(8.0), Field(grid, np.zeros((2, 16, 16)), ("u_real", "u_imaginary"))
    )
    assert "prediction is zero" in zero.statement


@pytest.mark.petsc
def test_over_samples():
    """Beside the true errors of several samples, channels together."""
    problems = [draw("helmholtz2d", index) for index in range(2)]
    grid = problems[0].grid(64)
    targets = np.array([solved_directly(problem, grid) for problem in problems])
    predictions = np.array([1.1 * one + 0.01 * np.abs(one).max() for one in targets])
    found, remark = certified_errors(
        problems, predictions, targets, grid, ("u_real", "u_imaginary")
    )
    assert (found.kind, remark) == ("estimate", "")
    assert 0.05 < found.least_effectivity <= found.largest_effectivity < 1.3


@pytest.mark.parametrize(
    ("condition", "shift"),
    [(Dirichlet(2.0), 0.0), (Dirichlet(2.0), 3.0), (Robin(1.5, 1.0), 0.0), (Periodic(), 3.0)],
)
def test_the_inverse_is_that_of_the_matrix(condition, shift):
    conditions, periodic = {"all": condition}, isinstance(condition, Periodic)
    grid = StructuredGrid((5, 4, 6), periodic=periodic)
    matrix = DarcyProblem(1.0, 0.0, conditions, dimension=3).discretize(grid).stencil
    residual = np.random.default_rng(1).standard_normal(grid.shape)
    found = inverse_laplacian(grid, conditions, residual, shift=shift)
    back = matrix.apply(found) + shift * found
    np.testing.assert_allclose(back, residual, atol=1e-11)
    dual = dual_energy(grid, conditions, residual, shift=shift)
    assert dual == pytest.approx(np.vdot(residual, found), rel=1e-12)


def test_constants_are_left_out_of_a_singular_inverse():
    grid = StructuredGrid((6, 5))
    conditions = {"all": Neumann(0.0)}
    residual = np.random.default_rng(1).standard_normal(grid.shape)
    found = inverse_laplacian(grid, conditions, residual)
    assert abs(found.mean()) < 1e-14
    matrix = DarcyProblem(1.0, 0.0, conditions, dimension=2).discretize(grid).stencil
    np.testing.assert_allclose(matrix.apply(found), residual - residual.mean(), atol=1e-12)


def test_what_cannot_be_inverted():
    grid = StructuredGrid((4, 1))
    assert not is_invertible(grid, {"all": Dirichlet(0.0)})
    with pytest.raises(InputError, match="two or more cells"):
        inverse_laplacian(grid, {"all": Dirichlet(0.0)}, np.ones((4, 1)))
    long = StructuredGrid(5000)
    assert is_invertible(long, {"all": Neumann(0.0)})
    assert not is_invertible(long, {"all": Robin(1.0, 0.0)})
    assert not is_invertible(long, {"x_lower": Dirichlet(0.0)})


def test_absorbing_sides_are_no_obstacle():
    sides = {"x_lower": Dirichlet(1.0), "x_upper": Absorbing()}
    problem = HelmholtzProblem(10.0, 0.0, sides, dimension=1)
    grid = problem.grid(200)
    exact = solved_directly(problem, grid)
    assert 0.02 < effectivity(problem, grid, exact, 0.1 * np.ones_like(exact)) < 1.5


@pytest.mark.parametrize(
    ("condition", "size"),
    [(Robin(1e-8, 0.0), 512), (Robin(1e-10, 0.0), 64), (Robin(1e-2, 0.0), 64)],
)
def test_a_mean_that_is_hardly_held_gives_no_false_bound(condition, size):
    """Either a bound that holds, or none."""
    problem = DarcyProblem(1.0, 1.0, {"all": condition}, dimension=1)
    grid = problem.grid(size)
    system = problem.discretize(grid)
    exact = spsolve(system.stencil.to_csr().tocsc(), system.right_hand_side)
    found = certify_field(problem, Field(grid, 1.3 * exact[None], ("pressure",)))
    assert found.kind == ("guaranteed" if condition.coefficient == 1e-2 else "none")
    if found.kind == "guaranteed":
        assert found.upper * (1 + 1e-6) >= 0.3 / 1.3


def test_long_boxes_have_no_false_bound():
    sides = {"x_lower": Neumann(0.0), "x_upper": Neumann(0.0), "y_lower": Dirichlet(0.0)}
    sides["y_upper"] = Dirichlet(0.0)
    problem = DarcyProblem(1.0, 1.0, sides, dimension=2, lower=(0.0, 0.0), upper=(1.0, 1e5))
    grid = problem.grid((16, 16))
    values = np.ones((1, 16, 16))
    found = certify_field(problem, Field(grid, values, ("pressure",)))
    assert found.kind == "none"


def test_far_from_any_solution():
    """Values whose exponential overflows have no number; large ones a warning."""
    problem = BratuProblem(1.0)
    grid = problem.grid(8)
    found = certify_field(problem, Field(grid, np.full((1, 8, 8), 800.0), ("u",)))
    assert (found.kind, "not finite" in found.statement) == ("none", True)
    small = certify_field(problem, Field(grid, np.full((1, 8, 8), 0.01), ("u",)))
    assert "far from a solution" in small.statement
    laplacian = draw("p_laplacian2d")
    far = certify_field(
        laplacian, Field(grid, np.random.default_rng(0).standard_normal((1, 8, 8)), ("u",))
    )
    assert "far from a solution" in far.statement


def test_what_a_resonance_may_do_is_said():
    closed = HelmholtzProblem(4.0, 1.0, {"all": Dirichlet(0.0)}, dimension=2)
    grid = closed.grid(16)
    found = certify_field(closed, Field(grid, np.ones((1, 16, 16)), ("u",)))
    assert "by any factor" in found.statement
    other = StructuredGrid((16, 16), upper=(2.0, 2.0))
    with pytest.raises(InputError, match="not the problem's"):
        certify_field(closed, Field(other, np.ones((1, 16, 16)), ("u",)))


def test_wider_stencils_get_wider_ghosts():
    class Wide(BratuProblem):
        stencil_width = 2

        def nonlinear_system(self, block):
            assert block.width == 2
            narrow = GridBlock.whole(block.grid)
            system = super().nonlinear_system(narrow)
            inner = (slice(None), *(slice(1, -1),) * block.dimension)
            return replace(
                system,
                residual=lambda u: system.residual(u[inner]),
                jacobian=lambda u: system.jacobian(u[inner]),
            )

    grid = BratuProblem(2.0).grid(8)
    field = Field(grid, 0.1 * np.ones((1, 8, 8)), ("u",))
    one, two = certify_field(BratuProblem(2.0), field), certify_field(Wide(2.0), field)
    assert one.upper == two.upper


@pytest.mark.petsc
def test_samples_without_an_estimate_are_counted():
    problem = BratuProblem(2.0)
    grid = problem.grid(12)
    exact = solve(problem, mesh=grid, solver_parameters=TIGHT).on(grid).values
    predictions = np.stack([1.1 * exact, 50.0 * exact])
    found, remark = certified_errors(
        [problem] * 2, predictions, np.stack([exact] * 2), grid, ("u",)
    )
    assert found.num_samples == 1
    assert 0.8 < found.mean_effectivity < 1.2
    assert "no certificate for 1 of 2 samples" in remark
