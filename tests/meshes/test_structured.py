"""Uniform grids: points, weights, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meshes import InputError, StructuredGrid

GRIDS = [
    StructuredGrid((5,)),
    StructuredGrid((4,), -1.0, 3.0, location="vertex"),
    StructuredGrid((3, 6), (0.0, 1.0), (2.0, 1.5)),
    StructuredGrid((4, 6), (0.0, 1.0), (2.0, 1.5), (True, False)),
    StructuredGrid((4, 6), (0.0, 1.0), (2.0, 1.5), (True, False), "vertex"),
    StructuredGrid((3, 4, 5), upper=(1.0, 2.0, 3.0)),
    StructuredGrid((1, 7)),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_points_and_weights(grid):
    points = grid.points()
    assert points.shape == (grid.dimension, *grid.shape)
    assert math.prod(grid.shape) == grid.num_points
    for axis, coordinates in enumerate(grid.axes()):
        line = np.moveaxis(points[axis], axis, 0)
        np.testing.assert_array_equal(line, np.broadcast_to(coordinates.reshape(
            -1, *[1] * (grid.dimension - 1)), line.shape))  # fmt: skip
        shift = 0.5 if grid.location == "cell" else 0.0
        assert coordinates[0] == pytest.approx(grid.lower[axis] + shift * grid.spacing[axis])
        last = grid.upper[axis] - grid.spacing[axis] * (
            0.5 if grid.location == "cell" else float(grid.periodic[axis])
        )
        assert coordinates[-1] == pytest.approx(last, rel=1e-14)
    # midpoint and trapezoidal rules are exact for constants, and for x on axes that do not wrap
    weights = grid.quadrature_weights()
    volume = math.prod(grid.extent)
    assert weights.sum() == pytest.approx(volume, rel=1e-13)
    for axis in range(grid.dimension):
        if not grid.periodic[axis]:
            mean = (grid.lower[axis] + grid.upper[axis]) / 2
            assert np.sum(weights * points[axis]) == pytest.approx(mean * volume, rel=1e-13)


def test_equality_hash_and_sides():
    grid = StructuredGrid((4, 6), (0.0, 1.0), (2.0, 1.5), (True, False))
    same = StructuredGrid([4, 6], np.array([0, 1]), [2, 1.5], [True, False])
    assert grid == same
    assert hash(grid) == hash(same)
    for other in (
        grid.with_shape((4, 7)),
        StructuredGrid((4, 6), (0.0, 1.0), (2.0, 1.5)),
        StructuredGrid((4, 6), (0.0, 1.0), (2.0, 1.6), (True, False)),
        StructuredGrid((4, 6), (0.0, 1.0), (2.0, 1.5), (True, False), "vertex"),
    ):
        assert grid != other
    assert grid.side_names == ("y_lower", "y_upper")
    assert grid.with_shape(np.int64(8)).shape == (8, 8)
    assert StructuredGrid(np.int32(3)).shape == (3,)
    # NumPy corners count, in one dimension too
    assert StructuredGrid(4, np.array([2.0]), np.array([3.0])).lower == (2.0,)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((0, 4),), "positive sizes, not 0"),
        (((-3,),), "positive sizes, not -3"),
        ((3.5,), "must hold integers, not 3.5"),
        (((2, 4.0),), "must hold integers, not 4.0"),
        ((True,), "must hold integers, not True"),
        (("64",), "must be an integer or a tuple"),
        ((None,), "must be an integer or a tuple"),
        (((),), "has 0 axes; grids have 1, 2 or 3"),
        (((2, 2, 2, 2),), "has 4 axes; grids have 1, 2 or 3"),
        (((4, 4), 0.0, (1.0, 0.0)), "axis y: upper=0.0 must be greater than lower=0.0"),
        (((4,), 2.0), "axis x: upper=1.0 must be greater than lower=2.0"),
        (((4,), float("nan")), "lower=(nan,) must be finite"),
        (((4,), 0.0, float("inf")), "upper=(inf,) must be finite"),
        (((4, 4), (0.0,)), "has 1 entries; the grid has 2 axes"),
        (((4, 4), ("a", "b")), "must be a number or 2 numbers"),
        (((4, 4), 0.0, 1.0, (True,)), "must hold 2 truth values"),
        (((4, 4), 0.0, 1.0, ("yes", "no")), "must hold 2 truth values"),
        (((4,), 0.0, 1.0, False, "face"), "location='face' must be 'cell' or 'vertex'"),
        (((1, 4), 0.0, 1.0, False, "vertex"), "a vertex grid needs two points an axis"),
    ],
)
def test_rejections(arguments, text):
    with pytest.raises(InputError) as caught:
        StructuredGrid(*arguments)
    assert text in str(caught.value)


def test_rejects_shape_of_other_dimension():
    with pytest.raises(InputError, match="must have 2 entries"):
        StructuredGrid((4, 4)).with_shape((4,))
