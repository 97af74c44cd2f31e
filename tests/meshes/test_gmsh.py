"""Gmsh files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from meshes import InputError, UnstructuredMesh
from tests.meshes.geometry import gmsh_model, write_square

pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)


@pytest.mark.parametrize("version", [2.2, 4.1])
@pytest.mark.parametrize("binary", [False, True])
def test_names_and_geometry(tmp_path, version, binary):
    path = write_square(tmp_path / "square.msh", version=version, binary=binary)
    mesh = UnstructuredMesh.from_gmsh(path)
    assert mesh.cell_volumes().sum() == pytest.approx(1.0, rel=1e-14)
    assert set(mesh.boundary_names) == {"inlet", "walls", "7"}
    assert mesh.dimension == 2
    assert (mesh.points[mesh.facet_tags["inlet"]][..., 0] == 0.0).all()
    assert (mesh.points[mesh.facet_tags["7"]][..., 0] == 1.0).all()
    assert set(np.unique(mesh.points[mesh.facet_tags["walls"]][..., 1])) == {0.0, 1.0}
    assert mesh.cell_tags["rock"].tolist() == list(range(mesh.num_cells))


def test_an_interval(tmp_path):
    path = tmp_path / "line.msh"
    with gmsh_model() as gmsh:
        geo = gmsh.model.geo
        ends = [geo.addPoint(x, 2.0, 0, 0.25) for x in (1.0, 3.0)]
        line = geo.addLine(*ends)
        geo.synchronize()
        gmsh.model.addPhysicalGroup(0, [ends[0]], name="start")
        gmsh.model.addPhysicalGroup(0, [ends[1]], name="end")
        gmsh.model.addPhysicalGroup(1, [line], name="rod")
        gmsh.model.mesh.generate(1)
        gmsh.write(str(path))
    mesh = UnstructuredMesh.from_gmsh(path)
    assert mesh.cell_type == "interval"
    assert mesh.cell_volumes().sum() == pytest.approx(2.0)
    assert set(mesh.boundary_names) == {"start", "end"}
    assert mesh.points[mesh.facet_tags["start"]].ravel().tolist() == [1.0]


@pytest.mark.parametrize("cell_type", ["tetrahedron", "hexahedron"])
def test_a_solid(tmp_path, cell_type):
    path = tmp_path / "box.msh"
    with gmsh_model() as gmsh:
        occ = gmsh.model.occ
        box = occ.addBox(0, 0, 0, 1, 2, 1)
        occ.synchronize()
        faces = [tag for _, tag in gmsh.model.getEntities(2)]
        gmsh.model.addPhysicalGroup(2, faces[:1], name="left")
        gmsh.model.addPhysicalGroup(2, faces[1:], name="rest")
        gmsh.model.addPhysicalGroup(3, [box], name="block")
        if cell_type == "hexahedron":
            for _, line in gmsh.model.getEntities(1):
                gmsh.model.mesh.setTransfiniteCurve(line, 3)
            for face in faces:
                gmsh.model.mesh.setTransfiniteSurface(face)
                gmsh.model.mesh.setRecombine(2, face)
            gmsh.model.mesh.setTransfiniteVolume(box)
        else:
            gmsh.option.setNumber("Mesh.MeshSizeMax", 0.6)
        gmsh.model.mesh.generate(3)
        gmsh.write(str(path))
    mesh = UnstructuredMesh.from_gmsh(path)
    assert mesh.cell_type == cell_type
    assert mesh.cell_volumes().sum() == pytest.approx(2.0)
    assert set(mesh.boundary_names) == {"left", "rest"}


def test_centres_of_arcs_are_left_out_and_mirrored_cells_turned(tmp_path):
    path = tmp_path / "disc.msh"
    with gmsh_model() as gmsh:
        geo = gmsh.model.geo
        centre = geo.addPoint(0, 0, 0)
        around = [geo.addPoint(x, y, 0, 0.4) for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        arcs = [geo.addCircleArc(around[i], centre, around[(i + 1) % 4]) for i in range(4)]
        surface = geo.addPlaneSurface([geo.addCurveLoop([-arc for arc in reversed(arcs)])])
        geo.synchronize()
        gmsh.model.addPhysicalGroup(0, [centre], name="centre")
        gmsh.model.addPhysicalGroup(2, [surface], name="disc")
        gmsh.model.mesh.generate(2)
        gmsh.option.setNumber("Mesh.SaveAll", 1)
        gmsh.option.setNumber("Mesh.MshFileVersion", 2.2)
        gmsh.write(str(path))
    mesh = UnstructuredMesh.from_gmsh(path)
    assert 2.5 < mesh.cell_volumes().sum() < np.pi
    assert mesh.boundary_names == ("unnamed",)


def _without_names(gmsh, lines, surface):
    gmsh.model.addPhysicalGroup(2, [surface])


def _twice(gmsh, lines, surface):
    gmsh.model.addPhysicalGroup(1, [lines[0]], name="a")
    gmsh.model.addPhysicalGroup(1, [lines[0], lines[1]], name="b")
    gmsh.model.addPhysicalGroup(2, [surface], name="rock")


def _recombined_half(gmsh, lines, surface):
    geo = gmsh.model.geo
    far = [geo.addPoint(2, y, 0, 0.5) for y in (0, 1)]
    loop = [-lines[1]]
    loop = [
        geo.addLine(2, far[0]),
        geo.addLine(far[0], far[1]),
        geo.addLine(far[1], 3),
        -lines[1],
    ]
    other = geo.addPlaneSurface([geo.addCurveLoop(loop)])
    geo.synchronize()
    gmsh.model.mesh.setRecombine(2, other)


def test_a_group_without_a_name_is_called_by_its_number(tmp_path):
    mesh = UnstructuredMesh.from_gmsh(write_square(tmp_path / "a.msh", prepare=_without_names))
    assert list(mesh.cell_tags) == ["1"]
    assert mesh.boundary_names == ("unnamed",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"order": 2}, r"curved cells \(line3, triangle6\).*set Mesh.ElementOrder = 1"),
        ({"prepare": _twice}, "in two physical groups, 'a' and 'b'; put each into one"),
        ({"prepare": _twice, "version": 2.2}, "is named both 'a' and 'b'"),
        ({"prepare": _recombined_half}, "mixes quad and triangle cells; a mesh has one shape"),
    ],
)
def test_refused_meshes(tmp_path, options, message):
    path = write_square(tmp_path / "bad.msh", **options)
    with pytest.raises(InputError, match=message):
        UnstructuredMesh.from_gmsh(path)


def test_surfaces_in_space_are_refused(tmp_path):
    path = tmp_path / "sphere.msh"
    with gmsh_model() as gmsh:
        gmsh.model.occ.addSphere(0, 0, 0, 1)
        gmsh.model.occ.synchronize()
        gmsh.model.mesh.generate(2)
        gmsh.write(str(path))
    with pytest.raises(InputError, match="is a 2D mesh that bends into 3D space"):
        UnstructuredMesh.from_gmsh(path)


def test_refused_files(tmp_path):
    with pytest.raises(InputError, match=r"there is no file '.*absent\.msh'"):
        UnstructuredMesh.from_gmsh(tmp_path / "absent.msh")
    strange = tmp_path / "strange.msh"
    strange.write_text("not a mesh\n")
    with pytest.raises(InputError, match="cannot be read as a Gmsh file"):
        UnstructuredMesh.from_gmsh(strange)
    whole = write_square(tmp_path / "whole.msh").read_text()
    strange.write_text(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read as a Gmsh file"):
        UnstructuredMesh.from_gmsh(strange)
    empty = tmp_path / "empty.msh"
    with gmsh_model() as gmsh:
        gmsh.model.geo.addPoint(0, 0, 0, 1)
        gmsh.model.geo.synchronize()
        gmsh.model.mesh.generate(0)
        gmsh.write(str(empty))
    with pytest.raises(InputError, match="holds no cells; mesh the geometry before saving"):
        UnstructuredMesh.from_gmsh(empty)


def test_a_mesh_made_by_others():
    folder = os.environ.get("PDESOLVE_EXTERNAL_DATA")
    if not folder:
        pytest.skip("PDESOLVE_EXTERNAL_DATA is not set")
    mesh = UnstructuredMesh.from_gmsh(Path(folder) / "stokes-control.msh")
    assert set(mesh.boundary_names) == {"1", "2", "3", "4", "5"}
    # a channel 30 x 10 less a lens-shaped obstacle
    assert mesh.cell_volumes().sum() == pytest.approx(280.87, abs=0.01)
