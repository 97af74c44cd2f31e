"""Stokes flow: orders, exact flows, balance, geometry from files, forces, rejected input."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.families import stokes as study
from meshes import Field, StructuredGrid
from meshes.errors import InputError
from pdesolve import generate, get_family, open_dataset, sample_generator, solve
from pdesolve.problems.boundary import Dirichlet, Neumann
from pdesolve.problems.cylinder_geometry import CylinderChannel, cylinder_channel_mesh
from pdesolve.problems.flow import Inflow, side_names
from pdesolve.problems.navier_stokes import NavierStokesProblem
from pdesolve.problems.stokes import StokesProblem

pytestmark = pytest.mark.firedrake

EXTERNAL = Path(os.environ.get("PDESOLVE_EXTERNAL_DATA", "")) / "stokes-control.msh"
CONTROL_SIDES = {"inflow": 1, "outflow": 2, "walls": "3,5", "obstacle": 4}
WALLS = {"y_lower": Dirichlet(0.0), "y_upper": Dirichlet(0.0)}


def draw(family, index=0):
    return family.problem(family.sample(sample_generator(0, "test", index)))


@pytest.mark.parametrize("index", range(len(study.orders())))
def test_orders(index):
    study.orders()[index].check()


@pytest.mark.parametrize("kind", [StokesProblem, NavierStokesProblem])
def test_poiseuille_flow_is_exact(kind):
    """u = 4 y (1 − y), p = 8 ν (2 − x), which the free outflow leaves as it is."""
    from pdesolve.fem._firedrake_errors import relative_error

    sides = {**WALLS, "x_lower": Inflow(), "x_upper": Neumann(0.0)}
    problem = kind(0.5, 0.0, sides, upper=(2.0, 1.0))
    solution = solve(problem, mesh=(4, 3))
    velocity = lambda x: np.stack([4 * x[1] * (1 - x[1]), 0 * x[0]])  # noqa: E731
    assert relative_error(solution, velocity) < 1e-10
    assert relative_error(solution, lambda x: 4.0 * (2 - x[0]), name="pressure") < 1e-9
    assert study.relative_divergence(solution) < 1e-10


def test_symmetric_stress_with_its_traction():
    """The same flow with 2 ν ε(u), whose traction at the outflow is (−p, ν ∂u/∂y)."""
    from pdesolve.fem._firedrake_errors import relative_error

    traction = Neumann((0.0, lambda x: 0.5 * (4 - 8 * x[1])))
    sides = {**WALLS, "x_lower": Inflow(), "x_upper": traction}
    problem = StokesProblem(0.5, 0.0, sides, upper=(2.0, 1.0), stress="symmetric")
    solution = solve(problem, mesh=(4, 3))
    velocity = lambda x: np.stack([4 * x[1] * (1 - x[1]), 0 * x[0]])  # noqa: E731
    assert relative_error(solution, velocity) < 1e-10
    # with no traction the flow bends at the outflow
    free = StokesProblem(
        0.5, 0.0, {**sides, "x_upper": Neumann(0.0)}, upper=(2.0, 1.0), stress="symmetric"
    )
    assert relative_error(solve(free, mesh=(4, 3)), velocity) > 1e-3


def test_a_slip_side_is_half_a_channel():
    sides = {
        "x_lower": Dirichlet((lambda x: x[1] * (2 - x[1]), 0.0)),
        "x_upper": Neumann(0.0),
        "y_lower": Dirichlet(0.0),
        "y_upper": Dirichlet((None, 0.0)),
    }
    found = solve(StokesProblem(1.0, 0.0, sides), mesh=4).field.evaluate([[0.5, 0.5]])
    np.testing.assert_allclose(found[:, 0], [0.75, 0.0], atol=1e-10)


def test_pressure_has_mean_zero_where_no_side_holds_it():
    from pdesolve.fem._firedrake import firedrake, ufl

    solution = solve(study.constant_viscosity().problem, mesh=6)
    pressure = solution.state.functions["pressure"]
    assert abs(firedrake.assemble(pressure * ufl.dx)) < 1e-12
    assert solution.result.converged
    assert solution.on(StructuredGrid((4, 4))).names == ("velocity_x", "velocity_y", "pressure")


@pytest.mark.parametrize("name", ["stokes_minres", "stokes_schur"])
@pytest.mark.parametrize("case", [study.constant_viscosity, study.varying_viscosity])
def test_block_preconditioners_give_the_same_answer(name, case):
    problem, grid = case().problem, StructuredGrid((5, 5))
    direct = solve(problem, mesh=8).on(grid).values
    options = {"preconditioner": name, "ksp_rtol": 1e-11}
    iterative = solve(problem, mesh=8, solver_parameters=options)
    assert iterative.result.iterations < 160
    np.testing.assert_allclose(iterative.on(grid).values, direct, atol=1e-8 * abs(direct).max())


def test_family_of_channels():
    from pdesolve.fem import value_at

    family = get_family("stokes_channel", cell_size=0.2)
    problem = draw(family)
    grid = StructuredGrid((24, 8), (0.0, 0.0), (3.0, 1.0))
    inputs = problem.input_fields(grid)
    assert inputs.names == family.inputs == ("inflow_speed", "obstacle", "viscosity")
    assert 0 < inputs.values[1].mean() < 0.05
    solution = solve(problem)
    answer = solution.on(grid)
    assert answer.names == family.outputs
    # nothing flows in the obstacle, and the middle of the inflow is what was asked for
    assert (answer.values[:, inputs.values[1] == 1] == 0).all()
    middle = solution.field.evaluate([[0.0, 0.5]])[0, 0]
    assert middle == pytest.approx(1.0, abs=0.01)
    # the inflow's profile is the declared channel, skew included
    heights = np.linspace(0.1, 0.9, 5)
    places = np.column_stack([0 * heights, heights])
    given = value_at(solution.state.functions["velocity"], places)
    expected = problem.input_functions["inflow_speed"](places.T)
    np.testing.assert_allclose(given[:, 0], expected, atol=3e-3)
    with pytest.raises(InputError, match="outside the mesh"):
        solution.on(StructuredGrid((4, 4), (0.0, 0.0), (3.0, 2.0)))


def test_as_much_flows_out_as_in():
    from pdesolve.fem._firedrake import firedrake, ufl

    solution = solve(draw(get_family("stokes_channel", cell_size=0.2)))
    u, mesh = solution.state.functions["velocity"], solution.state.mesh
    normal = ufl.FacetNormal(mesh)
    fluxes = [firedrake.assemble(ufl.dot(u, normal) * ufl.ds(side)) for side in (1, 2, 3, 4)]
    assert abs(sum(fluxes)) < 1e-12 * abs(fluxes[0])
    assert fluxes[0] == pytest.approx(-2 / 3, rel=1e-2)


def test_data_sets_of_channels(tmp_path):
    out = tmp_path / "channels.h5"
    info = generate(
        get_family("stokes_channel", cell_size=0.25), 2, shape=(12, 4), backend="fem", out=out
    )
    assert info.num_failed == 0
    inputs, outputs = open_dataset(out).read()
    assert inputs.shape == (2, 3, 12, 4)
    assert outputs.shape == (2, 3, 12, 4)
    assert np.isfinite(outputs).all()


@pytest.mark.skipif(
    not EXTERNAL.is_file(), reason="no stokes-control.msh where PDESOLVE_EXTERNAL_DATA points"
)
@pytest.mark.parametrize("name", ["stokes_channel", "navier_stokes_channel"])
def test_a_mesh_made_elsewhere(name):
    """Numbered groups without names, a 30 × 10 channel with a disk of radius 2.5."""
    family = get_family(name, length=30.0, height=10.0, **CONTROL_SIDES)
    assert family.inputs == ("inflow_speed", "viscosity")
    solution = solve(draw(family), mesh=str(EXTERNAL))
    assert solution.result.converged
    assert set(solution.field.mesh.boundary_names) == {"1", "2", "3", "4", "5"}
    found = solution.field.evaluate([[0.0, 5.0], [10.0, 1.25], [29.9, 5.0]])
    assert found[0, 0] == pytest.approx(1.0, abs=0.01)
    # the gaps beside the disk take half the channel's height, so the flow is about twice as fast
    assert 1.3 < found[0, 1] < 2.2
    assert found[0, 2] > 0.6
    from pdesolve.fem import flow_force

    drag, lift = flow_force(solution, "4")
    assert drag > 0
    assert abs(lift) < drag


def test_commands(capfd, tmp_path):
    from pdesolve.command_line.main import main

    picture = tmp_path / "flow.png"
    words = ["solve", "stokes_channel", "--set", "cell_size=0.25", "--plot", str(picture)]
    assert main(words) == 0
    assert "CONVERGED_" in capfd.readouterr().out
    assert picture.stat().st_size > 10_000
    if EXTERNAL.is_file():
        sides = [f"{option}={name}" for option, name in CONTROL_SIDES.items()]
        assert main(["solve", "stokes_channel", "--mesh", str(EXTERNAL), "--set", *sides]) == 0


def test_shear_drags_the_wall():
    from pdesolve.fem import flow_force

    sides = {
        "x_lower": Dirichlet((lambda x: x[1], 0.0)),
        "x_upper": Dirichlet((lambda x: x[1], 0.0)),
        "y_lower": Dirichlet(0.0),
        "y_upper": Dirichlet((1.0, 0.0)),
    }
    solution = solve(StokesProblem(2.0, 0.0, sides), mesh=4)
    np.testing.assert_allclose(flow_force(solution, "y_lower"), [2.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(flow_force(solution, "y_upper"), [-2.0, 0.0], atol=1e-9)
    with pytest.raises(InputError, match=r"no side 'y_lowr'. Did you mean 'y_lower'"):
        flow_force(solution, "y_lowr")


def test_curved_edges_follow_the_circle_to_fourth_order():
    from meshes._firedrake import boundary_numbers, to_firedrake
    from pdesolve.fem._firedrake import firedrake, ufl
    from pdesolve.fem._firedrake_curved import curve_boundary
    from pdesolve.fem._firedrake_meshes import NamedMesh

    channel = CylinderChannel()
    counts, errors = [], []
    for body in (0.05 / 2, 0.05 / 4, 0.05 / 8):
        straight = cylinder_channel_mesh(0.1, body_size=body)
        counts.append(len(straight.facet_tags["obstacle"]))
        mesh = to_firedrake(straight)
        named = NamedMesh(mesh, boundary_numbers(mesh))
        curved = curve_boundary(named, "obstacle", channel.project)
        circle = ufl.ds(curved.sides["obstacle"], domain=curved.mesh)
        length = firedrake.assemble(firedrake.Constant(1.0) * circle)
        errors.append(abs(length - np.pi * channel.diameter))
    order = -np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert order == pytest.approx(4, abs=0.15)
    with pytest.raises(InputError, match="turns inside out"):
        curve_boundary(named, "obstacle", lambda points: points[:, ::-1] * [10.0, 1.0])
    with pytest.raises(InputError, match="gave shape"):
        curve_boundary(named, "obstacle", lambda points: points[:1])


def test_geometry_is_the_same_every_time():
    one, two = cylinder_channel_mesh(0.1), cylinder_channel_mesh(0.1)
    np.testing.assert_array_equal(one.points, two.points)
    np.testing.assert_array_equal(one.cells, two.cells)


BOX = {"x_lower": Dirichlet((1.0, 0.0)), "x_upper": Neumann(0.0), **WALLS}


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: StokesProblem(dimension=1), "dimension=1 must be 2 or 3"),
        (lambda: StokesProblem(-1.0), "viscosity=-1.0 must be positive"),
        (lambda: StokesProblem(stress="full"), "stress='full' must be"),
        (lambda: StokesProblem(boundary_conditions=3), "must map side names"),
        (lambda: StokesProblem(dimension=3, boundary_conditions={"a": Inflow()}), "is for 2D"),
        (lambda: Inflow(speed=float("nan")), "speed=nan must be a finite number"),
        (lambda: solve(StokesProblem(lambda x: x[0] - 0.5, 0.0, BOX), mesh=4), "must be positive"),
        (lambda: solve(StokesProblem(1.0, 0.0, BOX), mesh=4, element="RT"), "Taylor–Hood"),
        (
            lambda: solve(StokesProblem(1.0, 0.0, {**BOX, "x_upper": WALLS["y_lower"]}), mesh=4),
            "enters for good",
        ),
        (
            lambda: solve(StokesProblem(1.0, 0.0, {**BOX, "x_upper": Neumann(1.0)}), mesh=4),
            "a traction has 2 components",
        ),
        (lambda: solve(StokesProblem(1.0, (1.0, 2.0, 3.0), BOX), mesh=4), "source"),
        (lambda: solve(StokesProblem(1.0, 0.0, {"x_lower": Inflow()}), mesh=4), "no boundary cond"),
        (lambda: solve(StokesProblem(1.0, 0.0, BOX), mesh=4, backend="grid"), "no form for the ba"),
        (lambda: CylinderChannel(center=(0.2, 0.4)), "does not lie inside"),
        (lambda: CylinderChannel(radius=-1.0), "must be positive"),
        (lambda: cylinder_channel_mesh(1.0), "at most 0.205, half the height"),
        (lambda: cylinder_channel_mesh(0.1, body_size=0.2), "body_size=0.2"),
        (lambda: get_family("stokes_channel", viscosity=-1.0), "viscosity=-1.0 must be a positive"),
        (lambda: get_family("stokes_channel", length=1.0), "1.5 times the height"),
        (lambda: get_family("stokes_channel", inflw=3), "Did you mean 'inflow'?"),
        (lambda: get_family("stokes_channel", walls=2.5), "must name sides"),
        (lambda: side_names(True, "walls"), "must name sides"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_an_inflow_needs_a_straight_side():
    sides = {"walls": Dirichlet(0.0), "outflow": Neumann(0.0), "inflow": Dirichlet(0.0)}
    problem = StokesProblem(1.0, 0.0, {**sides, "obstacle": Inflow()})
    with pytest.raises(InputError, match="'obstacle' is not straight"):
        solve(problem, mesh=cylinder_channel_mesh(0.2))


def test_a_viscosity_field_takes_the_physical_stress():
    grid = StructuredGrid((4, 4))
    problem = StokesProblem(Field(grid, np.ones((4, 4))), 0.0, BOX)
    assert problem.has_symmetric_stress
    assert not StokesProblem(1.0, 0.0, BOX).has_symmetric_stress
    assert solve(problem, mesh=4).result.converged
