"""Heat conduction in the plate with a slit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.families import slit_plate
from meshes import InputError, StructuredGrid
from pdesolve import Dirichlet, Neumann, Robin, get_family, sample_generator, solve
from pdesolve.problems.slit_plate import SlitPlateProblem, heat_flow
from pdesolve.problems.slit_plate_geometry import SIDES, SlitPlate, slit_plate_mesh

gmsh = pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)
TIGHT = {"ksp_rtol": 1e-12}


def sample(index: int = 0, **options):
    family = get_family("slit_plate", **options)
    return family, family.problem(family.sample(sample_generator(3, "test", index)))


def test_mesh():
    plate = SlitPlate()
    for size, graded in ((0.1, True), (0.08, False)):
        mesh = slit_plate_mesh(size, graded=graded)
        assert set(mesh.boundary_names) == set(SIDES)
        assert mesh.cell_volumes().sum() == pytest.approx(1.52, rel=1e-12)
        assert plate.area == pytest.approx(1.52)
        middles = mesh.points[mesh.cells].mean(axis=1)
        assert plate.contains(middles.T).all()
    # edges at the slit's corners are shorter than elsewhere
    graded, equal = (slit_plate_mesh(0.04, graded=graded) for graded in (True, False))
    assert graded.cell_volumes().min() < 0.3 * equal.cell_volumes().min()
    again = slit_plate_mesh.__wrapped__(0.04, graded=True)
    np.testing.assert_array_equal(again.points, graded.points)
    np.testing.assert_array_equal(again.cells, graded.cells)


def test_family():
    family, problem = sample()
    assert family.has_own_mesh
    assert problem.backends == family.backends == ("fem",)
    grid = problem.grid(family.default_shape)
    inputs = problem.input_fields(grid)
    assert inputs.names == family.inputs
    # the grid's lines run along the slit: its cells are in it or not
    assert (1 - inputs["plate"]).mean() == pytest.approx(0.08 / 1.6)
    np.testing.assert_array_equal(inputs["left_temperature"][0], inputs["left_temperature"][-1])
    assert np.ptp(inputs["left_temperature"][0]) > 1
    described = family.describe()
    assert json.loads(json.dumps(described)) == described
    constants, plain = sample(data="constants")
    assert set(constants.parameters.names) == {"temperature", "flux"}
    assert np.ptp(plain.input_fields(grid)["right_flux"]) == 0
    assert constants.describe() != described
    assert family.with_options(mesh_size=0.1).problem(family.sample(np.random.default_rng(0)))


@pytest.mark.firedrake
@pytest.mark.parametrize("study", slit_plate.orders(), ids=lambda s: s.quantity)
def test_order(study):
    study.check()


@pytest.mark.firedrake
def test_solve_without_a_mesh(tmp_path):
    family, problem = sample()
    solution = solve(problem, solver_parameters=TIGHT)
    assert solution.field.names == family.outputs
    grid = problem.grid(family.default_shape)
    values = solution.on(grid).values[0]
    mask = problem.input_fields(grid)["plate"]
    assert (values[mask == 0] == 0).all()
    assert (values[mask == 1] != 0).all()
    assert solution.plot(tmp_path / "u.png").exists()
    assert solution.save(tmp_path / "u.pvd").exists()
    path = tmp_path / "plate.msh"
    slit_plate_mesh(0.04)  # one that other programs have written is taken as well
    _write(path)
    other = solve(problem, mesh=path, solver_parameters=TIGHT)
    difference = np.abs(other.on(grid).values[0] - values)
    assert difference.max() < 0.02 * np.ptp(values[mask == 1])


def _write(path):
    from meshes.gmsh_model import gmsh_model
    from pdesolve.problems.slit_plate_geometry import _draw

    with gmsh_model("plate") as module:
        _draw(module, SlitPlate())
        module.option.setNumber("Mesh.MeshSizeMax", 0.04)
        module.model.mesh.generate(2)
        module.write(str(path))


@pytest.mark.firedrake
def test_heat_is_conserved():
    _, problem = sample()
    flows = heat_flow(solve(problem, solver_parameters=TIGHT))
    assert set(flows) == set(SIDES)
    assert flows["slit"] == flows["top"] == flows["bottom"] == 0
    assert abs(sum(flows.values())) < 1e-8 * abs(flows["left"])
    conditions = {
        "left": Dirichlet(lambda x: 100.0 + x[1]),
        "right": Robin(5.0, 5.0 * 20.0),
        "bottom": Dirichlet(80.0),
        "top": Neumann(3.0),
        "slit": Neumann(-1.0),
    }
    problem = SlitPlateProblem(2.0, 7.0, conditions, mesh_size=0.1)
    flows = heat_flow(solve(problem, solver_parameters=TIGHT))
    assert flows["top"] == pytest.approx(3.0)
    assert flows["slit"] == pytest.approx(-1.8)
    assert sum(flows.values()) == pytest.approx(-7.0 * SlitPlate().area, rel=1e-8)


@pytest.mark.firedrake
def test_maximum_principle_and_symmetry():
    """Without flux the plate has the side's temperature; data symmetric in y give such answers."""
    conditions = dict.fromkeys(SIDES, Neumann(0.0)) | {"left": Dirichlet(40.0)}
    solution = solve(SlitPlateProblem(boundary_conditions=conditions, mesh_size=0.1))
    np.testing.assert_allclose(solution.field.values, 40.0, rtol=1e-7)
    problem = SlitPlateProblem()  # 100 K on the left, 10 W/m^2 taken out on the right
    solution = solve(problem, solver_parameters=TIGHT)
    grid = StructuredGrid((20, 32), (0.0, 0.0), (1.0, 1.6))
    values = solution.on(grid).values[0]
    np.testing.assert_allclose(values, values[:, ::-1], atol=0.02)
    inside = problem.input_fields(grid)["plate"] == 1
    assert solution.field.values.max() == pytest.approx(100.0)
    # heat goes round the slit: it is colder behind it than a plate without one would be
    assert values[inside].min() < 90.0 < values[inside].max()


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: get_family("slit_plate", data="random"), "data='random'"),
        (lambda: get_family("slit_plate", conductivity=0.0), "conductivity=0.0 must be positive"),
        (lambda: get_family("slit_plate", flux_deviation=-1.0), "flux_deviation=-1.0"),
        (lambda: get_family("slit_plate", lowest_flux=1.0), "lower <= upper"),
        (lambda: SlitPlateProblem(boundary_conditions=3), "must map side names"),
        (lambda: slit_plate_mesh(0.2), "mesh_size=0.2 must be positive and at most 0.1"),
        (lambda: slit_plate_mesh(float("nan")), "mesh_size=nan"),
    ],
)
def test_bad_input(build, text):
    with pytest.raises(InputError, match=text):
        build()


@pytest.mark.firedrake
def test_bad_problems():
    insulated = dict.fromkeys(SIDES, Neumann(0.0))
    with pytest.raises(InputError, match="no side fixes the temperature"):
        solve(SlitPlateProblem(boundary_conditions=insulated, mesh_size=0.1))
    given = {side: Dirichlet(0.0) for side in SIDES if side != "slit"}
    with pytest.raises(InputError, match="no boundary condition for: slit"):
        solve(SlitPlateProblem(boundary_conditions=given, mesh_size=0.1))
    with pytest.raises(InputError, match="has no side 'left'"):
        solve(SlitPlateProblem(), mesh=8)
    with pytest.raises(InputError, match="conductivity must be positive"):
        solve(SlitPlateProblem(lambda x: x[0] - 0.5, mesh_size=0.1))
    with pytest.raises(InputError, match="has no form for the backend 'grid'"):
        solve(SlitPlateProblem(), mesh=8, backend="grid")
