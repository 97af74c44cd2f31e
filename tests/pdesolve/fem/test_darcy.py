"""Finite elements for Darcy flow: meshes, boundaries, data, outputs, failures."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid, UnstructuredMesh
from operators.failures import LinearSolveFailure
from pdesolve import (
    DarcyProblem,
    Dirichlet,
    Neumann,
    Periodic,
    get_family,
    sample_generator,
    solve,
)
from tests.meshes.geometry import write_square

pytestmark = pytest.mark.firedrake
TIGHT = {"ksp_rtol": 1e-12}

# Pressure falls from 1 at the inlet to 0 at the outlet: u = 1 − x, σ = (1, 0) a.
ALONG_X = {"inlet": Dirichlet(1.0), "7": Dirichlet(0.0), "walls": Neumann(0.0)}


@pytest.fixture(scope="module")
def square(tmp_path_factory) -> Path:
    pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)
    return write_square(tmp_path_factory.mktemp("gmsh") / "square.msh", size=0.2)


class TestMeshes:
    def test_named_gmsh_boundaries(self, square):
        problem = DarcyProblem(2.0, 0.0, ALONG_X)
        for mesh in (square, str(square), UnstructuredMesh.from_gmsh(square)):
            solution = solve(problem, mesh=mesh, solver_parameters=TIGHT)
            field = solution.field
            np.testing.assert_allclose(field.values[0], 1 - field.mesh.points[:, 0], atol=1e-10)
            assert set(field.mesh.boundary_names) == {"inlet", "7", "walls"}

    def test_given_flux_on_a_named_boundary(self, square):
        """2 ∂u/∂n = 6 at the outlet: u = 3 x."""
        sides = {"inlet": Dirichlet(0.0), "7": Neumann(6.0), "walls": Neumann(0.0)}
        problem = DarcyProblem(2.0, 0.0, sides)
        field = solve(problem, mesh=square, solver_parameters=TIGHT).field
        np.testing.assert_allclose(field.values[0], 3 * field.mesh.points[:, 0], atol=1e-10)
        mixed = solve(problem, mesh=square, element="RT", solver_parameters=TIGHT)
        flux = mixed.fields["flux"]
        np.testing.assert_allclose(flux["flux_x"], -6.0, atol=1e-9)
        np.testing.assert_allclose(flux["flux_y"], 0.0, atol=1e-9)
        assert flux.names == ("flux_x", "flux_y")

    @pytest.mark.parametrize(
        ("conditions", "message"),
        [
            ({**ALONG_X, "outlet": Dirichlet(0.0)}, "no side 'outlet'.*Known: 7, inlet, walls"),
            ({"inlet": Dirichlet(0.0), "walls": Neumann(0.0)}, "no boundary condition for: 7"),
            ({**ALONG_X, "all": Dirichlet(0.0)}, "side 'inlet' has two conditions"),
            ({**ALONG_X, "walls": Periodic()}, "'walls' is given Periodic.., and this mesh does"),
        ],
    )
    def test_boundary_names_are_checked(self, square, conditions, message):
        with pytest.raises(InputError, match=message):
            solve(DarcyProblem(1.0, 0.0, conditions), mesh=square)

    def test_a_firedrake_mesh(self):
        import firedrake

        mesh = firedrake.UnitDiskMesh(2)
        solution = solve(DarcyProblem(1.0, 4.0), mesh=mesh)  # u = 1 − r² on the disc
        middle = float(solution.on(StructuredGrid((1, 1), (-0.1, -0.1), (0.1, 0.1))).values.item())
        assert middle == pytest.approx(1.0, abs=0.05)
        assert solution.native.function_space().mesh() is mesh

    def test_a_mesh_kept_for_many_problems(self):
        from pdesolve.fem import box_mesh

        problem = DarcyProblem(1.0)
        kept = box_mesh(problem.grid(8))
        ones = [solve(problem, mesh=mesh, backend="fem") for mesh in (kept, kept, 8)]
        np.testing.assert_array_equal(ones[0].field.values, ones[1].field.values)
        np.testing.assert_array_equal(ones[0].field.values, ones[2].field.values)
        assert ones[0].native.function_space().mesh() is ones[1].native.function_space().mesh()

    @pytest.mark.parametrize(
        ("mesh", "options", "message"),
        [
            (object(), {}, "mesh is a object; give cells an axis"),
            ("absent.msh", {}, "there is no file 'absent.msh'"),
            ((4, 4, 4), {}, "has 3 axes; 'darcy' is 2D"),
            ((4, 4), {"element": "GC"}, r"no element 'GC'. Did you mean 'CG'\?"),
            ((4, 4), {"degree": 0}, "degree=0 must be an integer of 1 or more"),
            ((4, 4), {"degree": 99}, "degree=99 is more than the 15"),
            ((4, 4), {"degree": 1.5}, "degree=1.5 must be an integer"),
        ],
    )
    def test_refused(self, mesh, options, message):
        with pytest.raises(InputError, match=message):
            solve(DarcyProblem(1.0), mesh=mesh, backend="fem", **options)

    def test_mesh_of_another_dimension(self, square):
        with pytest.raises(InputError, match="'darcy' is 3D, and the mesh is 2D"):
            solve(DarcyProblem(1.0, dimension=3), mesh=square)

    def test_quadrilateral_elements_need_quadrilaterals(self, square):
        with pytest.raises(InputError, match="element='Q' needs quadrilaterals"):
            solve(DarcyProblem(1.0, 0.0, ALONG_X), mesh=square, element="Q")

    def test_too_few_periodic_cells(self):
        problem = DarcyProblem(1.0, 0.0, {"all": Periodic()})
        with pytest.raises(InputError, match="axis x is periodic and has 2 cells"):
            solve(problem, mesh=2, backend="fem")

    def test_fluxes_need_two_dimensions(self):
        with pytest.raises(InputError, match="element='RT' needs two or three dimensions"):
            solve(DarcyProblem(1.0, dimension=1), mesh=8, element="RT")

    @pytest.mark.parametrize("axes", ["x", "xyz"])
    def test_periodic_boxes_in_3d(self, axes):
        sides = {
            f"{axis}_{end}": Periodic() if axis in axes else Dirichlet(0.0)
            for axis in "xyz"
            for end in ("lower", "upper")
        }

        def wave(x):
            return np.sin(2 * np.pi * x[0])

        def exact(x):
            return wave(x) * (1.0 if axes == "xyz" else np.sin(np.pi * x[1]) * np.sin(np.pi * x[2]))

        factor = (4.0 if axes == "xyz" else 6.0) * np.pi**2
        problem = DarcyProblem(1.0, lambda x: factor * exact(x), sides, dimension=3)
        solution = solve(problem, mesh=(12, 4, 6), backend="fem", degree=2)
        grid = StructuredGrid((5, 3, 4))
        np.testing.assert_allclose(solution.on(grid).values[0], exact(grid.points()), atol=2e-2)


class TestData:
    def test_agrees_with_finite_volumes(self):
        """One random coefficient, two discretisations."""
        family = get_family("darcy2d_lognormal")
        problem = family.problem(family.sample(sample_generator(0, "test", 0)))
        volumes = solve(problem, mesh=64, solver_parameters=TIGHT).field
        differences = []
        for cells in (32, 64):
            elements = solve(problem, mesh=cells, backend="fem", degree=2).on(volumes.mesh)
            differences.append(
                Field(volumes.mesh, elements.values - volumes.values).norm() / volumes.norm()
            )
        assert differences[1] < 0.02

    def test_coefficient_of_the_grid_is_kept_exactly(self):
        """A draw is the same array for both backends, cell by cell."""
        family = get_family("darcy2d")
        problem = family.problem(family.sample(sample_generator(0, "test", 1)))
        solution = solve(problem, mesh=16, backend="fem")
        (used,) = solution.state.inputs
        grid = problem.grid(16)
        values = used.dat.data_ro
        assert set(np.unique(values)) == {3.0, 12.0}
        from pdesolve.fem._firedrake_data import node_coordinates

        centroids = node_coordinates(used.function_space())
        np.testing.assert_array_equal(
            values, problem.input_fields(grid).evaluate(centroids, method="nearest")[0]
        )

    def test_field_on_a_mesh_as_coefficient(self, square):
        mesh = UnstructuredMesh.from_gmsh(square)
        values = np.where(mesh.cell_centroids()[:, 1] > 0.5, 4.0, 1.0)
        by_field = DarcyProblem(Field(mesh, values, location="cell"), 0.0, ALONG_X)
        field = solve(by_field, mesh=mesh, solver_parameters=TIGHT).field
        # cells do not follow y = 1/2, yet u = 1 − x solves every layered coefficient closely
        np.testing.assert_allclose(field.values[0], 1 - field.mesh.points[:, 0], atol=0.05)

    def test_matrix_field_as_coefficient(self):
        grid = StructuredGrid((4, 4))
        layers = np.zeros((4, 4, 4))
        layers[0] = 2.0
        layers[3] = 5.0
        coefficient = Field(grid, layers, names=("xx", "xy", "yx", "yy"))
        sides = {
            "x_lower": Dirichlet(1.0), "x_upper": Dirichlet(0.0),
            "y_lower": Neumann(0.0), "y_upper": Neumann(0.0),
        }  # fmt: skip
        solution = solve(
            DarcyProblem(coefficient, 0.0, sides), mesh=8, element="RT", solver_parameters=TIGHT
        )
        np.testing.assert_allclose(solution.fields["flux"]["flux_x"], 2.0, atol=1e-10)

    @pytest.mark.parametrize(
        ("coefficient", "message"),
        [
            (lambda x: x[0] - 0.5, "the coefficient must be positive; it is -0."),
            (-1.0, "the coefficient must be positive; it is -1"),
            (lambda x: np.log(x[0] - 0.5), "coefficient is not finite at"),
            (np.array([[1.0, 0.5], [0.0, 1.0]]), "coefficient must be a symmetric matrix"),
            (np.array([[1.0, 2.0], [2.0, 1.0]]), "its least eigenvalue is -1"),
            (lambda x: x, r"gave shape \(2, .* for points of shape"),
            (np.ones(5), "an array alone does not say where its values sit"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
    def test_bad_coefficients(self, coefficient, message):
        with pytest.raises(InputError, match=message):
            solve(DarcyProblem(coefficient), mesh=4, backend="fem")

    def test_data_that_do_not_balance(self):
        problem = DarcyProblem(1.0, 1.0, {"all": Neumann(0.0)})
        with pytest.raises(InputError, match=r"sources and fluxes must balance.*100\.0% of their"):
            solve(problem, mesh=8, backend="fem")
        with pytest.raises(InputError, match=r"sources and fluxes must balance"):
            solve(problem, mesh=8, backend="fem", element="RT")


class TestSolver:
    def test_record(self):
        result = solve(DarcyProblem(1.0), mesh=16, backend="fem").result
        assert result.converged
        assert result.reason == "CONVERGED_RTOL"
        assert result.solver == "cg + gamg"
        assert result.num_unknowns == 17**2
        assert result.relative_residual <= result.rtol == 1e-8
        assert len(result.residual_norms) == result.iterations + 1
        assert set(result.seconds) == {"assembly", "setup", "solve"}

    def test_failure_keeps_the_partial_answer(self):
        options = {"ksp_max_it": 2}
        with pytest.raises(LinearSolveFailure, match="DIVERGED_ITS after 2 iterations") as caught:
            solve(DarcyProblem(1.0), mesh=16, backend="fem", solver_parameters=options)
        assert caught.value.result.iterations == 2
        partial = caught.value.solution.field.values
        assert np.isfinite(partial).all()
        assert partial.max() > 0
        kept = solve(
            DarcyProblem(1.0), mesh=16, backend="fem", solver_parameters=options, check=False
        )
        assert not kept.result.converged
        np.testing.assert_array_equal(kept.field.values, partial)

    def test_initial_guess(self):
        problem = DarcyProblem(1.0, 1.0, {"all": Dirichlet(lambda x: x[0])})
        first = solve(problem, mesh=16, backend="fem", solver_parameters=TIGHT)
        grid = StructuredGrid((17, 17), location="vertex")
        again = solve(problem, mesh=16, backend="fem", x0=first.on(grid))
        assert again.result.iterations == 0
        np.testing.assert_allclose(again.field.values, first.field.values, atol=1e-8)
        with pytest.raises(InputError, match="not used with mixed elements"):
            solve(problem, mesh=4, element="RT", x0=first.on(grid))
        with pytest.raises(InputError, match="x0 must be a Field with one channel"):
            solve(problem, mesh=4, backend="fem", x0=np.zeros(4))

    def test_options_as_in_firedrake(self):
        problem = DarcyProblem(1.0)
        for options in (
            {"ksp_type": "preonly", "pc_type": "lu"},
            {"mat_type": "matfree", "ksp_type": "cg", "pc_type": "none"},
            {
                "mat_type": "matfree",
                "pc_type": "python",
                "pc_python_type": "firedrake.AssembledPC",
                "assembled": {"pc_type": "icc"},
            },
        ):
            assert solve(
                problem, mesh=8, backend="fem", solver_parameters=options, unused_options="error"
            ).result.converged

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"ksp_tpye": "cg"}, "PETSc did not use: -ksp_tpye"),
            ({"ksp_type": "no such method"}, "PETSc refused the solver's options"),
            ({"ksp_rtol": -1.0}, "ksp_rtol=-1.0 must be finite and not negative"),
            ({"ksp_rtol": 0}, "switches every stopping test off"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(InputError, match=message):
            solve(
                DarcyProblem(1.0),
                mesh=4,
                backend="fem",
                solver_parameters=options,
                unused_options="error",
            )

    def test_unused_options_warn(self):
        with pytest.warns(UserWarning, match="PETSc did not use: -ksp_tpye"):
            solve(DarcyProblem(1.0), mesh=4, backend="fem", solver_parameters={"ksp_tpye": "cg"})

    def test_hybridization_gives_the_answer_of_a_factorization(self):
        from pdesolve.problems._firedrake_darcy import HYBRIDIZATION
        from tests.pdesolve.grid.manufactured import CASES

        case = CASES["2d-mixed"]  # with fluxes given on two sides
        answers = []
        for options in ({**HYBRIDIZATION, **TIGHT}, TIGHT):
            solution = solve(
                case.problem(), mesh=case.shape, element="RT", solver_parameters=options
            )
            assert solution.result.relative_residual <= 1e-12
            answers.append(solution)
        assert answers[0].result.solver == "fgmres + hybridization (cg + gamg)"
        for one, other in zip(*(answer.native.subfunctions for answer in answers), strict=True):
            np.testing.assert_allclose(one.dat.data_ro, other.dat.data_ro, atol=1e-11)


class TestOutput:
    def test_values_at_points(self):
        problem = DarcyProblem(1.0, 0.0, {"all": Dirichlet(lambda x: 2 * x[0] - x[1])})
        grid = StructuredGrid((7, 5), location="vertex")
        for element, accuracy in (("CG", 1e-10), ("RT", 0.3)):
            solution = solve(
                problem, mesh=(6, 4), backend="fem", element=element, solver_parameters=TIGHT
            )
            values = solution.on(grid).values[0]
            x, y = grid.points()
            np.testing.assert_allclose(values, 2 * x - y, atol=accuracy)
        with pytest.raises(InputError, match=r"of the grid lie outside the mesh"):
            solution.on(StructuredGrid((3, 3), (0.0, 0.0), (3.0, 1.0)))
        with pytest.raises(InputError, match="the grid is 1D, the mesh 2D"):
            solution.on(StructuredGrid((3,)))

    def test_paraview(self, tmp_path):
        problem = DarcyProblem(lambda x: 1 + x[0])
        for element in ("CG", "RT"):
            solution = solve(problem, mesh=4, backend="fem", element=element)
            path = solution.save(tmp_path / element / "u.pvd", time=0.5)
            text = path.read_text()
            assert 'timestep="0.5"' in text
            (data,) = path.parent.rglob("*.vtu")
            names = set(re.findall(rb'Name="(\w+)"', data.read_bytes()))
            assert {b"pressure", b"coefficient"} <= names
            assert (b"flux" in names) == (element == "RT")

    def test_checkpoint(self, tmp_path, square):
        from pdesolve.fem import load_checkpoint, save_checkpoint

        problem = DarcyProblem(2.0, 1.0, ALONG_X)
        for element in ("CG", "RT"):
            solution = solve(problem, mesh=square, element=element)
            state = load_checkpoint(save_checkpoint(tmp_path / f"{element}.h5", solution))
            assert set(state.gather().mesh.boundary_names) == {"inlet", "7", "walls"}
            grid = StructuredGrid((5, 5))
            np.testing.assert_allclose(
                state.sample(grid).values, solution.on(grid).values, atol=1e-13
            )
            assert list(state.functions) == list(solution.fields)

    def test_bad_checkpoints(self, tmp_path):
        import h5py

        from operators.failures import CheckpointError
        from pdesolve.fem import load_checkpoint, save_checkpoint

        solution = solve(DarcyProblem(1.0), mesh=4, backend="fem")
        with pytest.raises(InputError, match=r"must end in \.h5"):
            save_checkpoint(tmp_path / "a.pvd", solution)
        with pytest.raises(CheckpointError, match="there is no file"):
            load_checkpoint(tmp_path / "absent.h5")
        broken = tmp_path / "broken.h5"
        broken.write_bytes(b"nothing")
        with pytest.raises(CheckpointError, match="is not an HDF5 file or is damaged"):
            load_checkpoint(broken)
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file["x"] = 1.0
        with pytest.raises(CheckpointError, match="holds no solution written by this package"):
            load_checkpoint(tmp_path / "other.h5")
        with h5py.File(tmp_path / "newer.h5", "w") as file:
            file.attrs["pdesolve_solution"] = '{"format": 99}'
        with pytest.raises(CheckpointError, match="has format 99; this version reads up to 1"):
            load_checkpoint(tmp_path / "newer.h5")


def test_a_mesh_made_by_others():
    folder = os.environ.get("PDESOLVE_EXTERNAL_DATA")
    if not folder:
        pytest.skip("PDESOLVE_EXTERNAL_DATA is not set")
    sides = {"1": Dirichlet(1.0), "2": Dirichlet(0.0), **{n: Neumann(0.0) for n in "345"}}
    problem = DarcyProblem(1.0, 0.0, sides)
    mesh = Path(folder) / "stokes-control.msh"
    pressure = solve(problem, mesh=mesh).field.values[0]
    assert 0 <= pressure.min() <= pressure.max() <= 1 + 1e-9  # maximum principle
    mixed = solve(problem, mesh=mesh, element="RT")
    import firedrake

    flux = mixed.state.functions["flux"]
    normal = firedrake.FacetNormal(flux.function_space().mesh())
    from meshes._firedrake import boundary_numbers

    numbers = boundary_numbers(flux.function_space().mesh())
    through = {
        name: firedrake.assemble(firedrake.dot(flux, normal) * firedrake.ds(number))
        for name, number in numbers.items()
    }
    assert through["1"] == pytest.approx(-through["2"], rel=1e-8)
    assert all(abs(through[name]) < 1e-10 for name in "345")
