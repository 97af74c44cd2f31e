"""Steady Navier–Stokes flow: orders, published figures, Newton's method, several processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cavity, cylinder_steady
from benchmarks.families import navier_stokes as study
from meshes import StructuredGrid
from meshes.errors import InputError
from operators.failures import NonlinearSolveFailure
from pdesolve import get_family, sample_generator, solve
from pdesolve.problems.boundary import Dirichlet
from pdesolve.problems.navier_stokes import NavierStokesProblem
from tests.mpi import run_parallel

pytestmark = pytest.mark.firedrake

PROGRAM = Path(__file__).with_name("check_flows.py")


def draw(family):
    return family.problem(family.sample(sample_generator(0, "test", 0)))


@pytest.mark.parametrize("index", range(len(study.orders())))
def test_orders(index):
    study.orders()[index].check()


# Largest deviations from the published tables, in units of the lid's speed. Those at Re = 100
# and 1000 are the table's own errors: the spectral table below tells.
CAVITY = [(100, 24, 0.0055, 0.0098), (400, 32, 0.0045, 0.0065)]


@pytest.mark.parametrize(("reynolds", "cells", "largest_u", "largest_v"), CAVITY)
def test_cavity_profiles(reynolds, cells, largest_u, largest_v):
    u, v = cavity.profiles(reynolds, cells)
    assert len(u.deviations) == 17
    assert len(v.deviations) == (16 if reynolds == 400 else 17)
    assert u.deviations.max() < largest_u
    assert v.deviations.max() < largest_v


@pytest.mark.slow
def test_cavity_at_a_thousand():
    found = cavity.profiles(1000, 64)
    assert found[0].deviations.max() < 0.007
    assert found[1].deviations.max() < 0.019
    for profile in found:
        assert cavity.spectral(profile).deviations.max() < 1e-3


def test_the_published_tables_are_whole():
    """17 values each, at places that are multiples of 1/128 to four digits."""
    for table in (cavity.U, cavity.V):
        assert {len(column) for column in table.values()} == {17}
    assert len(cavity.VERTICAL) == len(cavity.HORIZONTAL) == 17
    for places in (cavity.VERTICAL, cavity.HORIZONTAL):
        assert np.abs(128 * np.array(places) - np.round(128 * np.array(places))).max() < 0.01


def test_cylinder_benchmark():
    """Drag, lift and pressure difference in the published intervals."""
    unknowns, found = cylinder_steady.measure(0.03)
    assert unknowns < 20_000
    for name, (low, high) in cylinder_steady.INTERVALS.items():
        assert low <= found[name] <= high, name
    assert found["drag"] == pytest.approx(cylinder_steady.REFERENCE["drag"], rel=1e-4)
    assert found["lift"] == pytest.approx(cylinder_steady.REFERENCE["lift"], rel=5e-3)


def test_pressure_convection_diffusion_gives_the_same_answer():
    problem, grid = study.shear_flow().problem, StructuredGrid((5, 5))
    direct = solve(problem, mesh=8, solver_parameters=study.TIGHT).on(grid).values
    options = {"preconditioner": "navier_stokes_pcd", "ksp_rtol": 1e-6, "snes_rtol": 1e-11}
    iterative = solve(problem, mesh=8, solver_parameters=options)
    assert iterative.result.linear_iterations < 60 * iterative.result.iterations
    np.testing.assert_allclose(iterative.on(grid).values, direct, atol=1e-8 * abs(direct).max())


def test_newton_converges_quadratically():
    solution = solve(study.shear_flow().problem, mesh=8, solver_parameters=study.TIGHT)
    first, *norms = solution.result.residual_norms
    relative = np.array(norms) / first
    before, after = relative[:-1], relative[1:]
    near = (before < 1e-2) & (after > 1e-11)
    assert near.any()
    assert (after[near] < 50 * before[near] ** 2 + 1e-11).all()


def test_jacobian_is_the_derivative_of_the_residual():
    from pdesolve.fem._firedrake import firedrake
    from pdesolve.fem._firedrake_forms import FormContext
    from pdesolve.fem._firedrake_meshes import box_mesh

    problem = study.shear_flow().problem
    form = problem.weak_form(FormContext(box_mesh(problem.grid(3)), degree=2))
    rng = np.random.default_rng(0)
    direction = firedrake.Function(form.state.function_space())
    for function in (form.state, direction):
        for part in function.subfunctions:
            part.dat.data[...] = rng.standard_normal(part.dat.data.shape)
    slope = firedrake.assemble(
        firedrake.action(firedrake.derivative(form.residual, form.state), direction)
    )
    ends = []
    for step in (1e-4, -1e-4):
        moved = form.state.copy(deepcopy=True)
        moved.assign(form.state + step * direction)
        ends.append(firedrake.assemble(firedrake.replace(form.residual, {form.state: moved})))
    for index in range(2):
        numeric = (ends[0].dat[index].data - ends[1].dat[index].data) / 2e-4
        exact = slope.dat[index].data
        np.testing.assert_allclose(numeric, exact, atol=1e-6 * abs(exact).max())


def test_continuation_leads_to_fast_flows():
    """Newton's method alone gets seven steps, too few at Re = 1500 from rest."""
    problem = draw(get_family("lid_driven_cavity", reynolds=1500))
    few = {"snes_max_it": 7}
    solution = solve(problem, mesh=16, solver_parameters=few)
    assert solution.result.converged
    assert any("reached in" in note for note in solution.result.notes)


def test_failure_carries_the_last_iterate():
    problem = draw(get_family("lid_driven_cavity", reynolds=1000))
    with pytest.raises(NonlinearSolveFailure) as caught:
        solve(problem, mesh=8, solver_parameters={"snes_max_it": 1})
    assert caught.value.result is not None
    assert not caught.value.result.converged
    assert np.isfinite(caught.value.solution.field.values).all()


def test_lid_driven_cavity_family():
    family = get_family("lid_driven_cavity")
    draws = [family.sample(sample_generator(0, "train", index)) for index in range(20)]
    numbers = np.array([one["reynolds"] for one in draws])
    assert 50 <= numbers.min() < 200 < numbers.max() <= 1000
    problem = draw(get_family("lid_driven_cavity", reynolds=100.0))
    solution = solve(problem, mesh=12)
    answer = solution.on(problem.grid(8))
    assert answer.names == family.outputs
    assert problem.input_fields(problem.grid(8)).names == family.inputs
    # the lid moves, its corners do not
    np.testing.assert_allclose(
        solution.field.evaluate([[0.5, 1.0], [0.0, 1.0], [1.0, 1.0]])[0], [1.0, 0.0, 0.0]
    )


def test_faster_flow_past_the_cylinder_has_less_drag():
    drags = []
    for reynolds in (10.0, 20.0):
        family = get_family("cylinder_flow_steady", reynolds=reynolds, cell_size=0.08)
        drags.append(family.quantities(solve(draw(family)), reynolds)["drag"])
    assert drags[0] > drags[1] > 5


@pytest.mark.parallel
def test_the_same_answers_on_three_processes():
    one, three = (
        json.loads(run_parallel(PROGRAM, ranks, timeout=300).partition("RESULT")[2])
        for ranks in (1, 3)
    )
    assert set(one[0]) == set(three[0]) == {"stokes", "closed", "cylinder", "forces"}
    for name, values in one[0].items():
        scale = np.abs(values).max()
        np.testing.assert_allclose(three[0][name], values, rtol=0, atol=1e-10 * scale, err_msg=name)
    assert [len(texts) for texts in three[1]] == [1, 1, 1]
    assert all("process 1 knows no curve" in texts[0] for texts in three[1])


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: get_family("lid_driven_cavity", reynolds=-1), "reynolds=-1 must be a positive"),
        (lambda: get_family("lid_driven_cavity", lowest_reynolds=0), "lowest_reynolds=0 must be"),
        (lambda: get_family("lid_driven_cavity", raynolds=3), "Did you mean 'reynolds'?"),
        (lambda: get_family("cylinder_flow_steady", cell_size=1.0), "at most half the height"),
        (lambda: get_family("navier_stokes_channel", inertia=False), "fixes 'inertia'"),
        (
            lambda: solve(
                NavierStokesProblem(1.0, 0.0, {"all": Dirichlet((lambda x: x[0], 0.0))}), mesh=4
            ),
            "leaves for good",
        ),
    ],
)
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)
