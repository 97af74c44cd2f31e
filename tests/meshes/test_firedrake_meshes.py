"""Meshes to Firedrake and back."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import InputError, UnstructuredMesh
from tests.meshes.test_unstructured import EXAMPLES, example

pytestmark = pytest.mark.firedrake


def sorted_rows(array):
    array = np.round(np.asarray(array, dtype=float), 12) + 0.0
    return array[np.lexsort(array.T[::-1])]


@pytest.mark.parametrize("cell_type", EXAMPLES)
def test_round_trip(cell_type):
    plain = example(cell_type)
    first, rest = plain.boundary_facets[:1], plain.boundary_facets[1:2]
    mesh = UnstructuredMesh(
        plain.points, plain.cells, cell_type, {"inlet": first, "12": rest}, {"rock": [0]}
    )
    back = UnstructuredMesh.from_firedrake(mesh.to_firedrake())
    np.testing.assert_array_equal(sorted_rows(back.points), sorted_rows(mesh.points))
    centroids = [sorted_rows(item.cell_centroids()) for item in (back, mesh)]
    np.testing.assert_allclose(*centroids, atol=1e-14)
    assert set(back.boundary_names) == set(mesh.boundary_names)
    for name in ("inlet", "12"):
        places = [sorted_rows(m.points[m.facet_tags[name]].mean(axis=1)) for m in (back, mesh)]
        np.testing.assert_allclose(*places, atol=1e-14)
    region = [m.cell_centroids()[m.cell_tags["rock"]] for m in (back, mesh)]
    np.testing.assert_allclose(*region, atol=1e-14)


def test_names_and_numbers():
    from meshes._firedrake import boundary_numbers

    plain = example("triangle")
    facets = plain.boundary_facets
    mesh = UnstructuredMesh(
        plain.points, plain.cells, "triangle", {"inlet": facets[:1], "2": facets[1:2]}
    )
    numbers = boundary_numbers(mesh.to_firedrake())
    assert numbers["2"] == 2  # a name that is a number keeps it
    assert set(numbers) == {"inlet", "2", "unnamed"}
    assert len(set(numbers.values())) == 3


def test_periodic_meshes_are_unrolled():
    import firedrake

    periodic = firedrake.PeriodicRectangleMesh(4, 3, 2.0, 1.0, direction="x")
    mesh = UnstructuredMesh.from_firedrake(periodic)
    assert mesh.num_points == 5 * 4
    assert mesh.cell_volumes().sum() == pytest.approx(2.0)


def test_refused():
    import firedrake

    flat = firedrake.UnitSquareMesh(2, 2)
    space = firedrake.VectorFunctionSpace(flat, "CG", 2)
    where = firedrake.Function(space).interpolate(firedrake.SpatialCoordinate(flat))
    with pytest.raises(InputError, match=r"curved \(coordinates of degree 2\)"):
        UnstructuredMesh.from_firedrake(firedrake.Mesh(where))
    with pytest.raises(InputError, match="2D and bends into 3D space"):
        UnstructuredMesh.from_firedrake(firedrake.UnitIcosahedralSphereMesh(0))
