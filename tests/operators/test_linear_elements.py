"""Mass and stiffness matrices of linear elements."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from meshes import UnstructuredMesh
from operators.linear_elements import mass_and_stiffness

_SIMPLEX = {"interval": 1, "triangle": 2, "tetrahedron": 3}


def box(cell_type: str, n: int = 3) -> UnstructuredMesh:
    """The unit box, its inner points moved where cells stay straight."""
    dimension = {"quadrilateral": 2, "hexahedron": 3, **_SIMPLEX}[cell_type]
    axes = [np.linspace(0, 1, n + 1)] * dimension
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, dimension)
    number = np.arange(len(points)).reshape((n + 1,) * dimension)
    cells = []
    for corner in itertools.product(range(n), repeat=dimension):

        def at(*step: int, corner=corner) -> int:
            return int(number[tuple(np.add(corner, step))])

        if cell_type in ("interval", "triangle", "tetrahedron"):
            for order in itertools.permutations(range(dimension)):
                path = [np.zeros(dimension, dtype=int)]
                for axis in order:
                    path.append(path[-1] + np.eye(dimension, dtype=int)[axis])
                cell = [at(*step) for step in path]
                edges = points[cell[1:]] - points[cell[0]]
                cells.append(cell if np.linalg.det(edges) > 0 else [cell[1], cell[0], *cell[2:]])
        elif cell_type == "quadrilateral":
            cells.append([at(0, 0), at(1, 0), at(1, 1), at(0, 1)])
        else:
            square = ((0, 0), (1, 0), (1, 1), (0, 1))
            cells.append([at(x, y, z) for z in (0, 1) for x, y in square])
    if cell_type != "hexahedron":  # bent faces are not straight cells
        inner = ((points > 0) & (points < 1)).all(axis=1)
        shift = np.random.default_rng(0).uniform(-0.18 / n, 0.18 / n, points.shape)
        points = points + inner[:, None] * shift
    return UnstructuredMesh(points, cells, cell_type)


@pytest.mark.parametrize(
    "cell_type", ["interval", "triangle", "quadrilateral", "tetrahedron", "hexahedron"]
)
def test_linear_functions_are_integrated_exactly(cell_type) -> None:
    mesh = box(cell_type)
    dimension = mesh.points.shape[1]
    mass, stiffness = mass_and_stiffness(mesh)
    slope = np.arange(1.0, dimension + 1)
    u = 2.0 + mesh.points @ slope
    ones = np.ones(len(u))
    # ∫ (2 + s·x)² over the unit box: square of the mean, plus variances
    expected = (2 + slope.sum() / 2) ** 2 + (slope**2).sum() / 12
    assert u @ (mass @ u) == pytest.approx(expected, rel=1e-12)
    assert u @ (stiffness @ u) == pytest.approx((slope**2).sum(), rel=1e-12)
    assert abs(stiffness @ ones).max() < 1e-12
    assert abs(mass - mass.T).max() < 1e-15
    volumes = np.zeros(len(u))
    np.add.at(volumes, mesh.cells, mesh.cell_volumes()[:, None] / mesh.cells.shape[1])
    if cell_type in _SIMPLEX:
        np.testing.assert_allclose(mass @ ones, volumes, rtol=1e-12)


def test_eigenvalues_tend_to_those_of_the_laplacian() -> None:
    from scipy.linalg import eigh

    errors = []
    for n in (4, 8):
        mesh = box("triangle", n)
        mass, stiffness = (matrix.toarray() for matrix in mass_and_stiffness(mesh))
        found = eigh(stiffness, mass, eigvals_only=True)
        assert abs(found[0]) < 1e-10
        errors.append(found[1] / math.pi**2 - 1)
    assert 0 < errors[1] < errors[0] / 3
    assert errors[1] < 0.03


@pytest.mark.firedrake
@pytest.mark.parametrize("quadrilateral", [False, True])
def test_matrices_are_firedrakes(quadrilateral) -> None:
    fd = pytest.importorskip("firedrake")
    mesh = fd.UnitSquareMesh(3, 4, quadrilateral=quadrilateral)
    x, y = fd.SpatialCoordinate(mesh)
    mesh.coordinates.interpolate(fd.as_vector([x + 0.1 * x * y, y]))
    space = fd.FunctionSpace(mesh, "CG", 1)
    u, v = fd.TrialFunction(space), fd.TestFunction(space)
    theirs = []
    from scipy.sparse import csr_array

    for form in (u * v * fd.dx, fd.inner(fd.grad(u), fd.grad(v)) * fd.dx(degree=3)):
        indptr, indices, data = fd.assemble(form).petscmat.getValuesCSR()
        theirs.append(csr_array((data, indices, indptr)))
    points = mesh.coordinates.dat.data_ro
    cells = space.cell_node_map().values.copy()
    if quadrilateral:
        cells = cells[:, [0, 1, 3, 2]]  # tensor order there, round the cell here
    sides = points[cells]
    turn = np.cross(
        np.c_[sides[:, 1] - sides[:, 0], np.zeros(len(cells))],
        np.c_[sides[:, 2] - sides[:, 0], np.zeros(len(cells))],
    )[:, 2]
    cells[turn < 0] = cells[turn < 0][:, ::-1]
    ours = mass_and_stiffness(
        UnstructuredMesh(points, cells, "quadrilateral" if quadrilateral else "triangle")
    )
    for one, other in zip(ours, theirs, strict=True):
        assert abs(one - other).max() < 1e-12
