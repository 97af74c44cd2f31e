"""When preconditioners are kept, and that keeping them never costs an answer."""

from __future__ import annotations

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.structured import StructuredGrid
from pdesolve.grid.finite_volume import diffusion_system
from pdesolve.problems.boundary import Dirichlet
from pdesolve.sequences.lagging import LagRule, LagSettings, closeness
from tests.pdesolve.sequences.lagged_systems import GAMG, box


def decisions(rule, systems, iterations):
    """Ask the rule before each system and tell it the iterations after."""
    made = []
    for system, count in zip(systems, iterations, strict=True):
        made.append(rule.before(np.array(system)))
        rule.after(count, converged=True)
    return made


def test_closeness_bounds_the_condition_number():
    rng = np.random.default_rng(0)
    grid = StructuredGrid((7, 6))
    sides = {side: Dirichlet(0.0) for side in grid.side_names}
    old, new = np.exp(rng.standard_normal((2, *grid.shape)))
    matrices = [
        diffusion_system(grid, a, np.ones(grid.shape), sides).stencil.to_csr().toarray()
        for a in (old, 3.0 * new)
    ]
    values = np.linalg.eigvals(np.linalg.solve(*matrices)).real
    bound = closeness(3.0 * new, old).condition
    assert values.max() / values.min() <= bound
    assert closeness(3.0 * new, old).spread == pytest.approx(closeness(new, old).spread)
    assert closeness(7.0 * old, old).spread == pytest.approx(0.0, abs=1e-14)
    assert closeness(7.0 * old, old).factor == pytest.approx(7.0)
    assert closeness([1.0, -1.0], [1.0, 1.0]).spread == np.inf
    assert closeness([1.0, 1.0], [1.0, 0.0]).condition == np.inf


def test_far_systems_are_seen_before():
    rule = LagRule(LagSettings(closest=0.5))
    systems = [[1.0, 1.0], [2.0, 2.2], [2.0, 5.0], [2.0, 6.0], [9.0, 2.0]]
    assert decisions(rule, systems, [10] * 5) == [True, False, True, False, True]
    rule.restart()
    assert rule.before(np.array([9.0, 2.0]))
    rule.after(10, converged=True)
    assert rule.before(np.ones(3))  # another size


def test_growing_iterations_are_seen_after():
    same = [[1.0]] * 8
    rule = LagRule(LagSettings(growth=1.5))
    # 10 · 1.5 + 2 = 17 are allowed
    assert decisions(rule, same, [10, 12, 17, 18, 11, 11, 11, 11]) == [
        True, False, False, False, True, False, False, False,
    ]  # fmt: skip
    assert decisions(LagRule(LagSettings(most=2)), same, [5] * 8) == [
        True, False, False, True, False, False, True, False,
    ]  # fmt: skip
    assert decisions(LagRule(LagSettings(most=0)), same, [5] * 8) == [True] * 8


def test_the_cost_model_finds_the_cheapest_period():
    # after t solves a kept preconditioner takes 10 + 2 t iterations, and 30 to make
    def cost(period):
        return (30.0 + sum(10.0 + 2.0 * t for t in range(period))) / period

    best = min(range(1, 40), key=cost)
    rule, age, ages = LagRule(LagSettings(setup_cost=30.0, closest=np.inf)), 0, []
    for _ in range(60):
        if rule.before(np.ones(1)):
            ages.append(age)
            age = 0
        rule.after(10 + 2 * age, converged=True)
        age += 1
    periods = ages[1:]
    assert len(periods) > 5
    assert all(abs(period - best) <= 2 for period in periods)
    assert cost(periods[0]) <= 1.05 * cost(best) < 0.6 * cost(1)


def test_the_clock_counts_seconds_only_when_asked():
    rule = LagRule(LagSettings(clock=True))
    made = []
    for seconds in (1.0, 1.5, 9.0, 1.0):
        made.append(rule.before(np.ones(1)))
        rule.after(10, converged=True, seconds=seconds, setup_seconds=3.0)
    assert made == [True, False, False, True]
    with pytest.raises(InputError, match="needs seconds"):
        rule.after(10, converged=True)
    counts = [LagRule(LagSettings()) for _ in range(2)]
    for rule, second in zip(counts, (1e-3, 1e3), strict=True):
        for step in range(20):
            rule.before(np.array([1.0, 1.0 + 0.1 * step]))
            rule.after(10 + step, converged=True, seconds=second, setup_seconds=1 / second)
    assert vars(counts[0]).keys() == vars(counts[1]).keys()
    np.testing.assert_array_equal(counts[0]._old, counts[1]._old)
    assert counts[0]._kept == counts[1]._kept


def test_failures_make_the_rule_shy_and_success_bold_again():
    rule = LagRule(LagSettings(closest=np.inf))
    made = []
    for _ in range(200):  # kept ones always fail
        fresh = rule.before(np.ones(1))
        if not fresh:
            rule.repeat()
        rule.after(10, converged=True)
        made.append(fresh)
    assert sum(made) > 180
    assert not all(made)  # it goes on trying
    for _ in range(80):  # from now on they are good
        made.append(rule.before(np.ones(1)))
        rule.after(10, converged=True)
    assert not any(made[-10:])


def test_a_failed_solve_leaves_nothing_to_keep():
    rule = LagRule()
    assert rule.before(np.ones(1))
    rule.after(1000, converged=False)
    assert rule.limit is None
    assert rule.before(np.ones(1))
    rule.after(10, converged=True)
    assert rule.limit == 30
    assert not rule.before(np.ones(1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("closest", -1.0),
        ("closest", "near"),
        ("growth", 0.5),
        ("growth", np.nan),
        ("patience", 0.0),
        ("most", -1),
        ("most", 1.5),
        ("setup_cost", np.inf),
        ("setup_cost", -1),
        ("scaling", "rough"),
    ],
)
def test_wrong_settings_are_refused(name, value):
    with pytest.raises(InputError, match=f"{name}="):
        LagSettings(**{name: value})
    with pytest.raises(InputError, match="must have one shape"):
        closeness([1.0], [1.0, 2.0])


def drifting(grid, sides, count):
    """Systems whose coefficient changes slowly and smoothly."""
    x, y = grid.points()
    for step in range(count):
        shift = 0.06 * step
        coefficient = np.exp(np.sin(5 * x + shift) * np.cos(4 * y - 2 * shift))
        yield diffusion_system(grid, coefficient, np.ones(grid.shape), sides)


@pytest.mark.petsc
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("scaling", "most"), [("smooth", 4), ("none", 10)])
def test_slowly_changing_coefficients_need_few_set_ups(sequence, named, scaling, most):
    grid, sides = box(24)
    options, settings = GAMG, LagSettings(scaling=scaling)
    if named:
        python = {"pc_type": "python", "pc_python_type": "pdesolve.pc.Rescaled"}
        inner = {f"rescaled_{k}": v for k, v in GAMG.items() if k.startswith(("pc_", "mg_"))}
        krylov = {key: value for key, value in GAMG.items() if key.startswith("ksp_")}
        options = {**krylov, **python, **inner, "rescaled_scaling": scaling}
    lagged = sequence(grid, options, settings)
    for system in drifting(grid, sides, 30):
        lagged.solve(system.stencil, system.right_hand_side)
    fresh = lagged.iterations[0]
    assert 1 <= lagged.done.count("fresh") <= most
    assert lagged.done.count("repeated") == 0
    assert max(lagged.iterations) <= 1.5 * fresh + 2
    assert max(lagged.errors) < 1e-6


@pytest.mark.petsc
def test_implicit_heat_steps_with_changing_steps_and_conductivity(sequence):
    from operators.stencil import Stencil

    grid, sides = box(24)
    lagged = sequence(grid, GAMG, LagSettings())
    state = np.ones(grid.shape)
    for number, system in enumerate(drifting(grid, sides, 25)):
        step = 0.01 * 1.02**number
        coefficients = step * system.stencil.coefficients
        coefficients[0] += 1.0
        stencil = Stencil(grid, system.stencil.offsets, coefficients)
        state = lagged.solve(stencil, state)
    assert lagged.done.count("kept") >= 20
    assert max(lagged.iterations) <= 1.5 * lagged.iterations[0] + 2
    assert max(lagged.errors) < 1e-6


def random_systems(grid, sides, count, name="darcy2d"):
    from pdesolve.problems.registry import get_family

    family, rng = get_family(name), np.random.default_rng(1)
    for _ in range(count):
        yield family.problem(family.sample(rng)).discretize(grid)


@pytest.mark.petsc
@pytest.mark.parametrize("closest", [0.7, np.inf])
def test_random_fields_have_no_neighbors_and_the_rule_notices(sequence, closest):
    grid, sides = box(32)
    # without the test before, only the iterations after can tell
    lagged = sequence(grid, GAMG, LagSettings(closest=closest, growth=1.2))
    for system in random_systems(grid, sides, 60):
        lagged.solve(system.stencil, system.right_hand_side)
    own = len(lagged.done) - lagged.done.count("kept")
    assert own >= 0.9 * len(lagged.done)
    assert max(lagged.errors) < 1e-6
    assert lagged.done.count("kept") == 0 or closest == np.inf


@pytest.mark.petsc
def test_scaled_to_a_smooth_random_field_one_hierarchy_serves_all(sequence):
    grid, sides = box(32)
    lagged = sequence(grid, GAMG, LagSettings(closest=np.inf, growth=2.0))
    for system in random_systems(grid, sides, 20, "darcy2d_lognormal"):
        lagged.solve(system.stencil, system.right_hand_side)
    assert lagged.done == ["fresh"] + ["kept"] * 19
    assert max(lagged.iterations) <= 2 * lagged.iterations[0] + 2
    assert max(lagged.errors) < 1e-6


@pytest.mark.petsc
@pytest.mark.parametrize("kind", ["gamg", "rescaled"])
def test_a_kept_one_that_fails_is_repeated_from_the_same_guess(sequence, kind):
    grid, sides = box(16)
    options = {**GAMG, "pc_type": "cholesky"}
    if kind == "rescaled":
        options.update(
            pc_type="python",
            pc_python_type="pdesolve.pc.Rescaled",
            rescaled_pc_type="cholesky",
            rescaled_scaling="none",
        )
    del options["mg_levels_ksp_max_it"], options["mg_levels_pc_type"]
    lagged = sequence(grid, options, LagSettings(closest=np.inf, patience=1.0))
    first, second = random_systems(grid, sides, 2)
    lagged.solve(first.stencil, first.right_hand_side)
    lagged.ksp.setInitialGuessNonzero(True)
    guess = np.random.default_rng(0).random(grid.shape)
    lagged.solution.array = guess.ravel()
    lagged.solve(second.stencil, second.right_hand_side)
    assert lagged.done == ["fresh", "repeated"]
    assert lagged.iterations == [1, 1]  # its own factors
    history = lagged.ksp.getTolerances()[3]
    assert history == 1000
    # the same matrix again: nothing to do, and nothing the rule would count
    assert lagged.lagged.solve(lagged.right, lagged.solution) == "kept"
    assert lagged.ksp.getIterationNumber() <= 1


@pytest.mark.petsc
def test_a_method_without_iterations_keeps_nothing(sequence):
    grid, sides = box(12)
    lagged = sequence(grid, {"ksp_type": "preonly", "pc_type": "cholesky"}, LagSettings())
    for system in drifting(grid, sides, 3):
        lagged.solve(system.stencil, system.right_hand_side)
    assert lagged.done == ["fresh"] * 3
    assert max(lagged.errors) < 1e-10


@pytest.mark.petsc
def test_a_kept_answer_is_held_to_the_true_residual(sequence):
    grid, sides = box(16)
    # a test of nothing: the method calls any first iterate converged
    options = {"ksp_type": "richardson", "ksp_norm_type": "none", "ksp_max_it": 1,
               "ksp_rtol": 1e-8, "pc_type": "cholesky"}  # fmt: skip
    lagged = sequence(grid, options, LagSettings(closest=np.inf))
    for system in random_systems(grid, sides, 3):
        lagged.solve(system.stencil, system.right_hand_side)
    assert "kept" not in lagged.done
    assert max(lagged.errors) < 1e-10


@pytest.mark.petsc
def test_kept_answers_repeat_bit_for_bit(sequence):
    grid, sides = box(16)
    answers = []
    for _ in range(2):
        lagged = sequence(grid, GAMG, LagSettings(setup_cost=12.0))
        for system in drifting(grid, sides, 12):
            last = lagged.solve(system.stencil, system.right_hand_side)
        answers.append((last, tuple(lagged.done)))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    assert answers[0][1] == answers[1][1]
    assert "kept" in answers[0][1]
