"""Files for ParaView, read back with VTK."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from meshes.errors import InputError
from meshes.field import Field
from meshes.structured import StructuredGrid
from meshes.unstructured import UnstructuredMesh
from pdesolve.output.paraview import ParaViewSeries, write_grid

vtk_io = pytest.importorskip("vtkmodules.vtkIOXML", reason="needs vtk")
from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: E402


def entries(pvd):
    """(time, path) of each data file that a collection names."""
    collection = ElementTree.parse(pvd).getroot().find("Collection")  # noqa: S314
    return [(float(e.get("timestep")), pvd.parent / e.get("file")) for e in collection]


def image(path):
    reader = vtk_io.vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


@pytest.mark.parametrize("shape", [(5,), (4, 3), (4, 3, 2)])
def test_cell_values_stand_where_they_belong(tmp_path, shape):
    d = len(shape)
    grid = StructuredGrid(shape, (1.0,) * d, (3.0, 2.0, 1.5)[:d])
    values = np.random.default_rng(0).standard_normal(shape)
    path = write_grid(tmp_path / "u.pvd", {"u": Field(grid, values)}, time=0.25)
    ((time, file),) = entries(path)
    found = image(file)
    assert time == 0.25
    assert found.GetNumberOfCells() == grid.num_points
    np.testing.assert_allclose(found.GetBounds()[: 2 * d : 2], grid.lower)
    np.testing.assert_allclose(found.GetBounds()[1 : 2 * d : 2], grid.upper)
    read = vtk_to_numpy(found.GetCellData().GetArray("u"))
    np.testing.assert_array_equal(read.reshape(shape, order="F"), values)


def test_x_is_the_first_axis(tmp_path):
    grid = StructuredGrid((4, 3))
    path = write_grid(tmp_path / "u.pvd", {"u": Field(grid, grid.points()[0])})
    found = image(entries(path)[0][1])
    array = found.GetCellData().GetArray("u")
    for index in range(found.GetNumberOfCells()):
        low, high = found.GetCell(index).GetBounds()[:2]
        assert array.GetTuple1(index) == pytest.approx((low + high) / 2)


def test_vertex_values_are_point_data(tmp_path):
    grid = StructuredGrid((3, 4), upper=(1.0, 2.0), location="vertex")
    path = write_grid(tmp_path / "u.pvd", {"y": Field(grid, grid.points()[1])})
    found = image(entries(path)[0][1])
    array = found.GetPointData().GetArray("y")
    assert found.GetNumberOfPoints() == 12
    for index in range(12):
        assert array.GetTuple1(index) == pytest.approx(found.GetPoint(index)[1])


def test_periodic_vertex_grids_are_closed(tmp_path):
    grid = StructuredGrid((4,), periodic=(True,), location="vertex")
    path = write_grid(tmp_path / "u.pvd", {"u": Field(grid, [1.0, 2.0, 3.0, 4.0])})
    found = image(entries(path)[0][1])
    assert vtk_to_numpy(found.GetPointData().GetArray("u")).tolist() == [1, 2, 3, 4, 1]
    assert found.GetBounds()[:2] == (0.0, 1.0)


def test_channels_become_components(tmp_path):
    grid = StructuredGrid((2, 2))
    flux = Field(grid, np.arange(8.0).reshape(2, 2, 2), ("x", "y"))
    path = write_grid(tmp_path / "q.pvd", {"flux": flux, "u": flux.select(["x"])})
    data = image(entries(path)[0][1]).GetCellData()
    assert data.GetArray("flux").GetNumberOfComponents() == 2
    assert data.GetArray("flux").GetTuple(0) == (0.0, 4.0)
    assert data.GetArray("u").GetNumberOfComponents() == 1


def test_series_keeps_all_times(tmp_path):
    grid = StructuredGrid((3,))
    series = ParaViewSeries(tmp_path / "out" / "heat.pvd")
    for time in (0.0, 0.1, 0.5):
        series.append({"u": Field(grid, np.full(3, time))}, time)
        assert entries(series.path)[-1][0] == time
    for time, file in entries(series.path):
        assert vtk_to_numpy(image(file).GetCellData().GetArray("u")).tolist() == [time] * 3
    assert not list(tmp_path.rglob("*.part"))
    with pytest.raises(InputError, match=r"time=0\.5 must be later than the last one, 0\.5"):
        series.append({"u": Field(grid, np.zeros(3))}, 0.5)
    with pytest.raises(InputError, match="time=nan must be finite"):
        series.append({"u": Field(grid, np.zeros(3))}, float("nan"))


def test_refused(tmp_path):
    grid = StructuredGrid((3,))
    field = Field(grid, np.zeros(3))
    with pytest.raises(InputError, match=r"must end in \.pvd"):
        write_grid(tmp_path / "u.vtk", {"u": field})
    with pytest.raises(InputError, match="there is no field"):
        write_grid(tmp_path / "u.pvd", {})
    with pytest.raises(InputError, match=r"field 'v' lives on .* resample it first"):
        write_grid(tmp_path / "u.pvd", {"u": field, "v": Field(StructuredGrid((4,)), np.zeros(4))})
    triangle = UnstructuredMesh([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0, 1, 2]], "triangle")
    with pytest.raises(InputError, match="field 'w' lives on a UnstructuredMesh"):
        write_grid(tmp_path / "u.pvd", {"w": Field(triangle, np.zeros(3))})
    (tmp_path / "w").write_text("in the way")
    with pytest.raises(InputError, match="is a file; the data of"):
        write_grid(tmp_path / "w.pvd", {"u": field})
    assert not (tmp_path / "u.pvd").exists()
