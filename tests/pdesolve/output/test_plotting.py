"""Pictures: they are made, in the right form, and show the right values."""

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from meshes.unstructured import UnstructuredMesh
from pdesolve.output.panels import Panel, draw_panel, label
from pdesolve.output.plotting import plot_comparison
from pdesolve.problems.darcy import DarcyProblem


def axes():
    from matplotlib.figure import Figure

    figure = Figure()
    return figure, figure.subplots()


def wave(shape, location="cell"):
    grid = StructuredGrid(shape, location=location)
    return Field(grid, np.sin(3 * grid.points()[0]) + 2.0, ("u",))


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.petsc
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_solutions_are_drawn(tmp_path, dimension):
    from pdesolve import solve

    solution = solve(DarcyProblem(lambda x: 1.0 + x[0], dimension=dimension), mesh=6)
    assert is_png(solution.plot(tmp_path / "pictures" / "u.png"))


@pytest.mark.firedrake
def test_finite_element_solutions_are_drawn(tmp_path):
    from pdesolve import solve

    problem = DarcyProblem(lambda x: 1.0 + x[0], dimension=2)
    for element in ("CG", "RT"):
        solution = solve(problem, mesh=(4, 4), backend="fem", element=element)
        assert is_png(solution.plot(tmp_path / f"{element}.png"))
    solution = solve(DarcyProblem(dimension=3), mesh=(2, 2, 2), backend="fem")
    assert is_png(solution.plot(tmp_path / "u.png"))


@pytest.mark.parametrize("shape", [(9,), (9, 7), (5, 6, 7)])
def test_comparison_for_every_dimension(tmp_path, shape):
    field = wave(shape)
    path = plot_comparison(field, field, wave(shape), tmp_path / "c.png", title="all")
    assert is_png(path)


def test_comparison_states_the_relative_error(tmp_path):
    field = wave((8, 8))
    prediction = Field(field.mesh, 1.02 * field.values, ("u",))
    text = plot_comparison(field, field, prediction, tmp_path / "c.svg").read_text()
    assert text.startswith("<?xml")
    # the title is drawn as glyphs; matplotlib keeps the text in a comment
    assert "<!-- |error|, relative L2 2 % -->" in text


def test_comparison_resamples_predictions(tmp_path):
    fine, coarse = wave((16, 16)), wave((8, 8))
    assert is_png(plot_comparison(fine, fine, coarse, tmp_path / "c.png"))


def test_x_runs_to_the_right():
    grid = StructuredGrid((4, 2), upper=(2.0, 1.0))
    figure, place = axes()
    draw_panel(figure, place, Panel(Field(grid, grid.points()[0]), "u", "x", "m", "viridis"), "m")
    image = place.get_images()[0]
    shown = np.asarray(image.get_array())
    assert shown.shape == (2, 4)
    np.testing.assert_allclose(shown[0], grid.axes()[0])
    assert list(image.get_extent()) == [0.0, 2.0, 0.0, 1.0]
    assert image.origin == "lower"
    assert place.get_xlabel() == "x [m]"


def test_planes_of_a_box():
    field = wave((3, 4, 5))
    for plane, names, shape in ((0, "xy", (4, 3)), (1, "xz", (5, 3)), (2, "yz", (5, 4))):
        figure, place = axes()
        draw_panel(figure, place, Panel(field, "u", "u", "1", "viridis"), "", plane)
        assert np.asarray(place.get_images()[0].get_array()).shape == shape
        assert place.get_xlabel() + place.get_ylabel() == names


def test_quadrilaterals_are_cut_in_two():
    mesh = UnstructuredMesh(
        [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], [[0, 1, 2, 3]], "quadrilateral"
    )
    figure, place = axes()
    draw_panel(
        figure, place, Panel(Field(mesh, [2.0], location="cell"), "u", "", "", "viridis"), ""
    )
    assert len(place.collections[0].get_array()) == 2


def test_scale_is_logarithmic_for_inputs_of_many_sizes():
    field = Field(StructuredGrid((3,)), [0.01, 1.0, 100.0])
    assert Panel(field, "u", "", "", "viridis", is_input=True).is_logarithmic
    assert not Panel(field, "u", "", "", "viridis").is_logarithmic


def test_units_are_typeset():
    assert label("x", "m") == "x [m]"
    assert label("", "m^2 Pa^-1") == "m$^{2}$ Pa$^{-1}$"
    assert label("u", "1") == "u"


def test_pyplot_is_left_alone(tmp_path):
    import subprocess
    import sys

    from tests.mpi import ROOT, clean_environment

    code = (
        "import sys; from tests.pdesolve.output.test_plotting import *\n"
        "from pdesolve.output.plotting import plot_fields\n"
        "plot_fields([wave((4, 4))], sys.argv[1], title='', units={})\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "u.png")], env=clean_environment(), cwd=ROOT
    )
    assert done.returncode == 0


def test_refused(tmp_path):
    field = wave((4, 4))
    with pytest.raises(InputError, match=r"must end in \.png, \.pdf or \.svg"):
        plot_comparison(field, field, field, tmp_path / "c.bmp")
    two = Field(field.mesh, np.zeros((2, 4, 4)), ("a", "b"))
    with pytest.raises(InputError, match="the prediction has 2 channels"):
        plot_comparison(field, field, two, tmp_path / "c.png")
    mesh = UnstructuredMesh([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0, 1, 2]], "triangle")
    with pytest.raises(InputError, match="the solution lives on no grid"):
        plot_comparison(field, Field(mesh, np.zeros(3)), field, tmp_path / "c.png")
