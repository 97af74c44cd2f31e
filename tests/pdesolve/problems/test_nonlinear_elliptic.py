"""Bratu, p-Laplace and one-sided reaction: orders, known values, energies, bad input."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.families.nonlinear_elliptic import bratu_interval, orders
from meshes import Field, InputError, StructuredGrid
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Dirichlet, Neumann, Periodic
from pdesolve.problems.nonlinear_elliptic import (
    BratuProblem,
    OneSidedReactionProblem,
    PLaplacianProblem,
)
from tests.mpi import run_parallel

PROGRAM = Path(__file__).with_name("check_elliptic_parallel.py")
NAMES = ("bratu2d", "p_laplacian2d", "one_sided_reaction2d")
ON_GRIDS = [study for study in orders() if study.backend == "grid"]
WITH_ELEMENTS = [study for study in orders() if study.backend != "grid"]


def named(study) -> str:
    return f"{study.family}-{study.backend}-{study.quantity}"


def problem_of(name: str, index: int = 0, **options):
    family = get_family(name, **options)
    return family.problem(family.sample(sample_generator(3, "test", index)))


@pytest.mark.petsc
@pytest.mark.parametrize("study", ON_GRIDS, ids=named)
def test_orders_on_grids(study):
    study.check()


@pytest.mark.firedrake
@pytest.mark.parametrize("study", WITH_ELEMENTS, ids=named)
def test_orders_with_elements(study):
    study.check()


@pytest.mark.petsc
class TestBratu:
    def test_turning_point(self):
        """6.808124423 (Karkowski 2013), extrapolated from the turning points of two grids."""
        found = [self.turning_point(n) for n in (32, 64)]
        assert found[1] + (found[1] - found[0]) / 3 == pytest.approx(6.808124423, abs=0.01)

    @staticmethod
    def turning_point(n: int) -> float:
        """The largest strength for which Newton's method finds an answer, by bisection."""
        problem = BratuProblem(1.0)
        options = {"pc_type": "lu", "ksp_type": "preonly"}
        low, high = 6.5, 7.1
        while high - low > 1e-3:
            middle = (low + high) / 2
            object.__setattr__(problem, "strength", middle)  # past the check
            solution = solve(problem, mesh=n, solver_parameters=options, check=False)
            low, high = (middle, high) if solution.result.converged else (low, middle)
        return (low + high) / 2

    def test_peak_below_the_turning_point(self):
        """Between those at λ = 6 and at the turning point, 1.3917."""
        peaks = [self.peak(6.8, n) for n in (32, 64)]
        assert 1.30 < peaks[1] + (peaks[1] - peaks[0]) / 3 < 1.3917

    @staticmethod
    def peak(strength: float, n: int) -> float:
        """Value in the middle of the square, from the four cells around it."""
        values = solve(BratuProblem(strength), mesh=n).field.values[0]
        middle = slice(n // 2 - 1, n // 2 + 1)
        average = values[middle, middle].mean()
        # the four centres are h/√2 away: u(centre) ≈ average + h² (λ e^u) / 8
        return float(average + strength * np.exp(average) / (8 * n**2))

    def test_small_strength(self):
        """For λ → 0 u is λ times the torsion function, 0.0736713533 in the middle."""
        peaks = [self.peak(1e-4, n) / 1e-4 for n in (32, 64)]
        assert peaks[1] + (peaks[1] - peaks[0]) / 3 == pytest.approx(0.0736713533, rel=2e-4)

    def test_interval(self):
        problem, exact = bratu_interval(3.5)
        answer = solve(problem, mesh=512).field
        expected = exact(answer.mesh.points())
        np.testing.assert_allclose(answer.values[0], expected, atol=2e-3)

    def test_solution_grows_with_strength(self):
        before = np.zeros((16, 16))
        for strength in (1.0, 3.0, 5.0, 6.5):
            values = solve(BratuProblem(strength), mesh=16).field.values[0]
            assert (values > before).all()
            before = values

    def test_limits(self):
        assert BratuProblem(1.0).largest_strength == 6.808124423
        assert BratuProblem(1.0, upper=(2.0, 2.0)).largest_strength == 6.808124423 / 4
        assert BratuProblem(1.0, dimension=1).largest_strength == 3.513830719
        assert BratuProblem(20.0, boundary_conditions={"all": Dirichlet(-1.0)}).strength == 20.0
        with pytest.raises(InputError, match=r"strength=7 is above 6.80812442, beyond which"):
            BratuProblem(7.0)
        with pytest.raises(InputError, match="no solution"):
            BratuProblem(12.0, dimension=3)  # above 3 π² / e
        with pytest.raises(InputError, match=r"the turning point: there is no solution above"):
            get_family("bratu2d", largest=6.9)


@pytest.mark.petsc
class TestEnergies:
    @pytest.mark.parametrize(
        "problem",
        [
            PLaplacianProblem(4.0, lambda x: 1 + np.sin(7 * x[0])),
            PLaplacianProblem(1.5, lambda x: 1 + np.sin(7 * x[0])),
            OneSidedReactionProblem(300.0, lambda x: np.sin(7 * x[0])),
            BratuProblem(4.0),
        ],
        ids=lambda problem: problem.name,
    )
    def test_newton_steps_lower_the_energy(self, problem):
        energies = [problem.energy(Field(problem.grid(24), np.zeros((24, 24)), ("u",)))]
        for steps in range(1, 12):
            solution = solve(
                problem, mesh=24, check=False, x0=Field(problem.grid(24), np.zeros((24, 24))),
                solver_parameters={"snes_max_it": steps, "ksp_rtol": 1e-8},
            )  # fmt: skip
            energies.append(problem.energy(solution.field))
            if solution.result.converged:
                break
        assert solution.result.converged
        assert energies[-1] < energies[0]
        slack = 1e-12 * abs(energies[-1])
        assert all(after <= before + slack for before, after in pairwise(energies))

    def test_the_answer_is_the_minimum(self):
        problem = problem_of("p_laplacian2d")
        answer = solve(problem, mesh=16).field
        least = problem.energy(answer)
        rng = np.random.default_rng(0)
        for size in (1e-3, 1e-2, 1e-1):
            other = answer.values + size * rng.standard_normal(answer.values.shape)
            assert problem.energy(Field(answer.mesh, other)) > least

    def test_exponent_two_is_the_laplacian(self):
        source = lambda x: np.sin(3 * x[0]) + x[1]  # noqa: E731
        one = solve(PLaplacianProblem(2.0, source), mesh=(17, 14)).field.values
        other = solve(OneSidedReactionProblem(0.0, source), mesh=(17, 14)).field.values
        np.testing.assert_allclose(one, other, atol=1e-9)

    def test_scaling(self):
        """u ↦ s u where f ↦ s^(p−1) f, for small ε."""
        one = solve(PLaplacianProblem(3.0, 1.0, 1e-6), mesh=16).field.values
        other = solve(PLaplacianProblem(3.0, 4.0, 1e-6), mesh=16).field.values
        np.testing.assert_allclose(other, 2 * one, rtol=1e-4)


@pytest.mark.petsc
class TestOneSided:
    def test_negative_part_is_free(self):
        """With f < 0 u is that of the Poisson problem whatever κ."""
        free = solve(OneSidedReactionProblem(0.0, -1.0), mesh=16).field.values
        held = solve(OneSidedReactionProblem(1e4, -1.0), mesh=16).field.values
        np.testing.assert_allclose(held, free, atol=1e-10)

    def test_positive_part_is_damped(self):
        held = solve(OneSidedReactionProblem(1e6, 1.0), mesh=32).field.values
        assert 0 < held.max() < 1.1e-6

    def test_steps(self):
        problem = problem_of("one_sided_reaction2d")
        assert solve(problem, mesh=48).result.iterations <= 8

    def test_needs_a_side_that_holds(self):
        with pytest.raises(InputError, match="no side has Dirichlet or Robin"):
            OneSidedReactionProblem(1.0, boundary_conditions={"all": Neumann(0.0)})
        with pytest.raises(InputError, match="rate=-1 must be finite and not negative"):
            OneSidedReactionProblem(-1)


@pytest.mark.firedrake
@pytest.mark.parametrize("name", NAMES)
def test_grid_and_elements_agree(name):
    problem = problem_of(name, index=1, **({} if name == "bratu2d" else {"num_modes": 8}))
    grid = problem.grid(48)
    one = solve(problem, mesh=grid).field
    other = solve(problem, mesh=(48, 48), backend="fem", degree=1).on(grid)
    assert one.names == other.names == ("u",)
    scale = np.abs(one.values).max()
    assert np.abs(one.values - other.values).max() < 0.02 * scale


@pytest.mark.firedrake
@pytest.mark.parallel
def test_elements_on_three_processes():
    """Helmholtz too."""
    one, three = (
        json.loads(run_parallel(PROGRAM, ranks, timeout=300).partition("RESULT")[2])
        for ranks in (1, 3)
    )
    for name, answer in one.items():
        scale = np.abs(answer).max()
        np.testing.assert_allclose(three[name], answer, rtol=0, atol=1e-10 * scale, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
def test_family(name):
    family = get_family(name)
    assert (family.name, family.dimension, len(family.default_shape)) == (name, 2, 2)
    described = family.describe()
    assert json.loads(json.dumps(described)) == described
    for channel in (*family.inputs, *family.outputs, *family.parameters.names):
        assert family.units[channel]
    grid = StructuredGrid((12, 12))
    one, again, other = (problem_of(name, index).input_fields(grid) for index in (0, 0, 1))
    assert one.names == family.inputs
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)
    coarse = problem_of(name).input_fields(StructuredGrid((4, 4))).values
    np.testing.assert_allclose(one.values[:, 1::3, 1::3], coarse, rtol=1e-12)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: BratuProblem(-1.0), "strength=-1.0 must be finite and not negative"),
        (lambda: BratuProblem(1.0, dimension=4), "dimension=4 must be 1, 2 or 3"),
        (lambda: BratuProblem(1.0, float("nan")), "not a finite number"),
        (lambda: PLaplacianProblem(1.0), "exponent=1.0 must lie between 1.1 and 6"),
        (lambda: PLaplacianProblem(3.0, 1.0, 0.0), "regularisation=0.0 must be positive"),
        (lambda: PLaplacianProblem(boundary_conditions="u"), "must map side names"),
        (lambda: get_family("p_laplacian2d", exponent=9.0), "must lie between 1.1 and 6"),
        (lambda: get_family("one_sided_reaction2d", smallest=0.0), "a log scale needs lower > 0"),
        (lambda: get_family("bratu2d").problem({"strength": 7.0}), "is outside [0.1, 6.8]"),
        (lambda: get_family("bratu2d", larges=1.0), "Did you mean 'largest'?"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


@pytest.mark.petsc
def test_conditions_that_a_problem_does_not_take():
    mixed = {"all": Neumann(0.0)}
    with pytest.raises(InputError, match="use Dirichlet"):
        solve(PLaplacianProblem(3.0, 1.0, 1e-2, mixed), mesh=8)
    wrapped = {"all": Periodic()}
    with pytest.raises(InputError, match="no side has Dirichlet or Robin"):
        OneSidedReactionProblem(1.0, boundary_conditions=wrapped)
    missing = {"x_lower": Dirichlet(0.0)}
    with pytest.raises(InputError, match="no boundary condition for: x_upper, y_lower, y_upper"):
        solve(BratuProblem(1.0, 0.0, missing), mesh=8)
