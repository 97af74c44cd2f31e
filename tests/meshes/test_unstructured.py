"""Unstructured meshes: what they refuse, and what they compute."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import Delaunay

from meshes import Field, InputError, UnstructuredMesh
from meshes.location_on_axes import locate_on_axes
from meshes.quality import assess, cell_shape_quality, folded_facets

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
TWO = np.array([[0, 1, 2], [0, 2, 3]])
CUBE = np.array([[*xy, z] for z in (0.0, 1.0) for xy in SQUARE])
SIX = np.array([[0, 1, 2, 6], [0, 5, 1, 6], [0, 2, 3, 6], [0, 3, 7, 6], [0, 7, 4, 6], [0, 4, 5, 6]])

EXAMPLES = {
    "interval": (np.array([[0.0], [0.5], [2.0]]), np.array([[0, 1], [1, 2]]), 2.0),
    "triangle": (SQUARE, TWO, 1.0),
    "quadrilateral": (SQUARE, np.array([[0, 1, 2, 3]]), 1.0),
    "tetrahedron": (CUBE, SIX, 1.0),
    "hexahedron": (CUBE, np.array([[0, 1, 2, 3, 4, 5, 6, 7]]), 1.0),
}


def example(cell_type: str, **more) -> UnstructuredMesh:
    points, cells, _ = EXAMPLES[cell_type]
    return UnstructuredMesh(points, cells, cell_type, **more)


@pytest.mark.parametrize("cell_type", EXAMPLES)
class TestConformance:
    """What every cell shape must do."""

    def test_volumes_and_weights(self, cell_type):
        mesh = example(cell_type)
        volume = EXAMPLES[cell_type][2]
        assert mesh.cell_volumes().shape == (mesh.num_cells,)
        assert (mesh.cell_volumes() > 0).all()
        for location in ("cell", "vertex"):
            assert mesh.quadrature_weights(location).sum() == pytest.approx(volume, rel=1e-14)
        constant = Field(mesh, np.full(mesh.num_points, 3.0))
        assert constant.norm() == pytest.approx(3.0 * volume**0.5)

    def test_boundary(self, cell_type):
        mesh = example(cell_type)
        expected = {
            "interval": 2, "triangle": 4, "quadrilateral": 4, "tetrahedron": 12, "hexahedron": 6,
        }  # fmt: skip
        assert len(mesh.boundary_facets) == expected[cell_type]
        assert mesh.boundary_names == ("unnamed",)
        named = example(cell_type, facet_tags={"all of it": mesh.boundary_facets})
        assert named.boundary_names == ("all of it",)

    def test_locate_gives_back_linear_functions(self, cell_type):
        mesh = example(cell_type)
        points = np.random.default_rng(0).uniform(0.0, 1.0, (50, mesh.dimension))
        slope = np.arange(1.0, 1.0 + mesh.dimension)
        field = Field(mesh, mesh.points @ slope + 0.5)
        np.testing.assert_allclose(field.evaluate(points)[0], points @ slope + 0.5, atol=1e-12)
        cells, weights = mesh.locate(points)
        assert cells.shape == (50,)
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)

    def test_points_outside_are_refused(self, cell_type):
        mesh = example(cell_type)
        points = np.full((2, mesh.dimension), 0.5)
        points[1] = 7.0
        with pytest.raises(InputError, match=r"1 of 2 points lie outside the mesh.*7\.0"):
            mesh.locate(points)

    def test_moved_points_are_checked_again(self, cell_type):
        mesh = example(cell_type, facet_tags={"side": example(cell_type).boundary_facets[:1]})
        moved = mesh.with_points(2.0 * mesh.points)
        assert moved.boundary_names == mesh.boundary_names
        assert moved.cell_volumes().sum() == pytest.approx(
            2.0**mesh.dimension * mesh.cell_volumes().sum()
        )
        with pytest.raises(InputError, match="no positive volume"):
            mesh.with_points(mesh.points * np.array([-1.0] + [1.0] * (mesh.dimension - 1)))
        with pytest.raises(InputError, match="must have the mesh's shape"):
            mesh.with_points(mesh.points[:-1])

    def test_arrays_cannot_be_changed(self, cell_type):
        mesh = example(cell_type)
        with pytest.raises(ValueError, match="read-only"):
            mesh.points[0] = 5.0
        with pytest.raises(ValueError, match="read-only"):
            mesh.cells[0] = 0

    def test_shape_quality(self, cell_type):
        quality = cell_shape_quality(example(cell_type))
        assert ((quality > 0) & (quality <= 1 + 1e-12)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell_type": "triangel"}, r"no cell type 'triangel'. Did you mean 'triangle'\?"),
        ({"points": SQUARE[:, :1]}, r"shape \(4, 1\) must have shape \(num_points, 2\)"),
        ({"cells": np.empty((0, 3), int)}, "the mesh is empty"),
        ({"cells": TWO[:, :2]}, r"cells of shape \(2, 2\) must have shape \(num_cells, 3\)"),
        ({"cells": TWO.astype(float)}, "cells must hold integers, not float64"),
        ({"cells": [[0, 1, 2], [0, 2, 4]]}, r"cells 1 name vertices outside 0 to 3; cell 1 is"),
        ({"cells": [[0, 1, 2], [0, 2, -1]]}, "cells 1 name vertices outside 0 to 3"),
        ({"cells": [[0, 1, 2]]}, "points 3 belong to no cell"),
        (
            {"cells": [[0, 1, 2], [0, 3, 2]]},
            r"cells 1 have no positive volume \(cell 1: -5.000e-01",
        ),
        ({"points": [[0, 0], [1, 0], [2, 0], [0, 1]]}, r"cells 0 have no positive volume"),
        ({"points": [[0, 0], [1, np.nan], [1, 1], [0, 1]]}, "finite; points 1 are not"),
        ({"cells": [*TWO.tolist(), [0, 1, 2]]}, None),
        ({"cells": [*TWO.tolist(), [0, 1, 2], [2, 0, 1]]}, "a facet joins two cells at most"),
        ({"facet_tags": {"a": [[1, 3]]}}, r"facet \(1, 3\) named 'a' is no facet of any cell"),
        ({"facet_tags": {"a": [[0, 1]], "b": [[1, 0]]}}, "named both 'a' and 'b'"),
        ({"facet_tags": {"a": [[0, 1, 2]]}}, r"must have shape \(num_facets, 2\)"),
        ({"cell_tags": {"a": [0, 2]}}, "holds 2; cells are numbered from 0 to 1"),
    ],
)
def test_refused(change, message):
    given = {"points": SQUARE, "cells": TWO, **change}
    if message is None:
        message = "a facet joins two cells at most, and cells"
    with pytest.raises(InputError, match=message):
        UnstructuredMesh(**given)


def test_a_quadrilateral_must_be_convex():
    dented = np.array([[0.0, 0.0], [1.0, 0.0], [0.2, 0.2], [0.0, 1.0]])
    with pytest.raises(InputError, match="cells 0 are not convex"):
        UnstructuredMesh(dented, [[0, 1, 2, 3]], "quadrilateral")


def test_many_bad_cells_are_counted():
    n = 20
    points = np.linspace(0.0, 1.0, n + 1)[:, None]
    cells = np.stack([np.arange(1, n + 1), np.arange(n)], axis=1)
    with pytest.raises(InputError, match=r"cells 0, 1, 2, 3, 4, 5, 6, 7, ... \(20 in all\)"):
        UnstructuredMesh(points, cells, "interval")


def test_inner_facets_do_not_bound():
    mesh = UnstructuredMesh(SQUARE, TWO, facet_tags={"inner": [[0, 2]], "left": [[0, 3]]})
    assert mesh.boundary_names == ("left", "unnamed")


def test_locate_in_a_graded_mesh():
    """Cells of very different size, where the nearest centroid misleads."""
    rng = np.random.default_rng(1)
    inner = rng.uniform(0.0, 1.0, (300, 2)) ** 3
    points = np.concatenate([SQUARE, inner])
    cells = Delaunay(points).simplices
    mesh = UnstructuredMesh(points, cells)
    where = rng.uniform(0.0, 1.0, (500, 2))
    _, weights = mesh.locate(where)
    assert weights.min() > -1e-8


def test_quality_of_a_known_triangle():
    mesh = UnstructuredMesh(SQUARE, TWO)
    # right isosceles triangle: 2 sqrt(3) * sqrt(4/12)... the mean ratio is sqrt(3)/2
    np.testing.assert_allclose(cell_shape_quality(mesh), 0.75**0.5, rtol=1e-12)
    assert assess(mesh).smallest_volume == 0.5


def test_folds_are_found():
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 1.0], [0.5, 0.7]])
    folded = np.array([[0, 1, 2], [0, 1, 3]])  # both above the edge 0-1
    assert folded_facets(points, folded, "triangle").tolist() == [[0, 1]]
    assert len(folded_facets(SQUARE, TWO, "triangle")) == 0


@pytest.mark.parametrize("dimension", [2, 3])
def test_points_of_a_grid_are_found_as_by_themselves(dimension):
    rng = np.random.default_rng(dimension)
    points = rng.random((60, dimension))
    cells = Delaunay(points).simplices
    corners = points[cells]
    axes = tuple(np.linspace(-0.1, 1.1, 9 + k) for k in range(dimension))
    found, weights = locate_on_axes(corners, axes)
    where = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, dimension)
    inside = Delaunay(points).find_simplex(where) >= 0
    np.testing.assert_array_equal(found >= 0, inside)
    assert 0.1 * len(where) < inside.sum() < len(where)
    again = np.einsum("nk,nki->ni", weights[inside], corners[found[inside]])
    np.testing.assert_allclose(again, where[inside], rtol=0, atol=1e-12)
    assert weights[inside].min() >= -1e-9


def test_points_of_a_grid_on_edges_and_corners_are_inside():
    points, cells, _ = EXAMPLES["triangle"]
    mesh = UnstructuredMesh(points, cells, "triangle")
    axes = (np.linspace(0.0, 1.0, 9),) * 2
    found, weights = locate_on_axes(mesh.points[mesh.cells], axes)
    assert (found >= 0).all()
    linear = np.array([1.0, 2.0]) @ mesh.points.T
    values = np.einsum("nk,nk->n", weights, linear[mesh.cells[found]])
    expected = np.add.outer(axes[0], 2.0 * axes[1]).reshape(-1)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-13)


def test_axes_that_do_not_increase_are_refused():
    points, cells, _ = EXAMPLES["triangle"]
    with pytest.raises(InputError, match="must increase"):
        locate_on_axes(points[cells], (np.array([1.0, 0.0]), np.array([0.0, 1.0])))
