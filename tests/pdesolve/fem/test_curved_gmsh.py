"""Gmsh files of second order: cells that follow a circle or a sphere."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import InputError, UnstructuredMesh
from pdesolve import DarcyProblem, Dirichlet, solve

gmsh = pytest.importorskip("gmsh", reason="needs gmsh", exc_type=ImportError)
pytestmark = pytest.mark.firedrake


def write_ball(path, size: float, *, order: int, dimension: int = 2, version: float = 4.1):
    """The unit disk or ball with the side ``rim``."""
    from meshes.gmsh_model import gmsh_model

    with gmsh_model("ball") as module:
        shape = module.model.occ
        whole = shape.addDisk(0, 0, 0, 1, 1) if dimension == 2 else shape.addSphere(0, 0, 0, 1)
        shape.synchronize()
        rim = [tag for _, tag in module.model.getBoundary([(dimension, whole)], oriented=False)]
        module.model.addPhysicalGroup(dimension - 1, rim, 1, "rim")
        module.model.addPhysicalGroup(dimension, [whole], 2, "inside")
        module.option.setNumber("Mesh.MeshSizeMin", size)
        module.option.setNumber("Mesh.MeshSizeMax", size)
        module.option.setNumber("Mesh.MshFileVersion", version)
        module.option.setNumber("Mesh.ElementOrder", order)
        try:
            module.model.mesh.generate(dimension)
            module.write(str(path))
        finally:
            module.option.setNumber("Mesh.ElementOrder", 1)
    return path


def measure(path) -> float:
    from pdesolve.fem._firedrake import firedrake, ufl
    from pdesolve.fem._firedrake_meshes import named_mesh

    problem = DarcyProblem(dimension=3 if "3d" in path.name else 2)
    named = named_mesh(problem, path, firedrake.COMM_WORLD)
    assert set(named.sides) == {"rim"}
    return float(firedrake.assemble(firedrake.Constant(1.0) * ufl.dx(domain=named.mesh)))


@pytest.mark.parametrize("version", [2.2, 4.1])
def test_area_of_a_disk(tmp_path, version):
    straight, curved = (
        measure(write_ball(tmp_path / f"{order}.msh", 0.25, order=order, version=version))
        for order in (1, 2)
    )
    assert abs(straight - np.pi) > 1e-2
    assert abs(curved - np.pi) < 1e-4


def test_volume_of_a_ball(tmp_path):
    straight, curved = (
        measure(write_ball(tmp_path / f"3d_{order}.msh", 0.5, order=order, dimension=3))
        for order in (1, 2)
    )
    exact = 4 / 3 * np.pi
    assert abs(curved - exact) < 0.05 * abs(straight - exact)


@pytest.mark.parametrize(("order", "theory"), [(1, 2), (2, 3)])
def test_degree_two_needs_curved_cells(tmp_path, order, theory):
    """−Δu = 18 r with u = 2 (1 − r³): order 3 on curved cells, 2 on straight ones."""
    from pdesolve.fem import relative_error

    problem = DarcyProblem(
        1.0,
        lambda x: 18.0 * np.hypot(x[0], x[1]),
        {"rim": Dirichlet(0.0)},
        lower=(-1.0, -1.0),
    )
    errors, sizes = [], (0.4, 0.2, 0.1)
    for size in sizes:
        path = write_ball(tmp_path / "disk.msh", size, order=order)
        solution = solve(problem, mesh=path, degree=2, solver_parameters={"ksp_rtol": 1e-11})
        errors.append(relative_error(solution, lambda x: 2.0 * (1.0 - np.hypot(x[0], x[1]) ** 3)))
    fitted = np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert fitted > theory - 0.15, errors
    if order == 1:
        assert fitted < 2.3
    assert errors[-1] < {1: 6e-3, 2: 2e-4}[order]
    whole = solution.gather()  # the values at the corners of the cells
    assert whole.names == ("pressure",)
    assert whole.values.max() == pytest.approx(2.0, abs=0.01)


def test_straight_meshes_refuse_curved_files(tmp_path):
    path = write_ball(tmp_path / "disk.msh", 0.4, order=2)
    with pytest.raises(InputError, match="The backend 'fem' takes the path"):
        UnstructuredMesh.from_gmsh(path)
    third = write_ball(tmp_path / "third.msh", 0.4, order=3)
    with pytest.raises(InputError, match="curved cells"):
        solve(DarcyProblem(), mesh=third)
