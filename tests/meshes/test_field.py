"""Fields on grids: conformance over locations, dimensions and wrapping; rejections."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid

GRIDS = [
    StructuredGrid((6,), 1.0, 3.0),
    StructuredGrid((6,), 1.0, 3.0, location="vertex"),
    StructuredGrid((5, 4), (0.0, -1.0), (2.0, 1.0)),
    StructuredGrid((5, 4), (0.0, -1.0), (2.0, 1.0), location="vertex"),
    StructuredGrid((3, 4, 5), upper=(1.0, 2.0, 3.0)),
    StructuredGrid((3, 4, 5), upper=(1.0, 2.0, 3.0), location="vertex"),
]


def multilinear(x):
    """Linear in each coordinate, with products: what linear interpolation gives exactly."""
    value = 1.0 + 0.0 * x[0]
    for axis, line in enumerate(x):
        value = value * (axis + 2.0 + (axis - 0.5) * line)
    return value


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_linear_interpolation_is_exact_up_to_the_boundary(grid):
    field = Field(grid, [multilinear(grid.points()), 2.0 * multilinear(grid.points())], ("u", "v"))
    rng = np.random.default_rng(0)
    inside = rng.uniform(grid.lower, grid.upper, (50, grid.dimension))
    corners = np.array(np.meshgrid(*zip(grid.lower, grid.upper, strict=True))).reshape(
        grid.dimension, -1
    )
    points = np.concatenate([inside, corners.T])
    values = field.evaluate(points)
    assert values.shape == (2, len(points))
    np.testing.assert_allclose(values[0], multilinear(points.T), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(values[1], 2 * values[0], rtol=1e-12, atol=1e-12)
    # onto other grids of the box, with the other location too
    for location in ("cell", "vertex"):
        other = StructuredGrid([n + 3 for n in grid.shape], grid.lower, grid.upper,
                               location=location)  # fmt: skip
        moved = field.resample(other)
        assert moved.names == field.names
        assert moved.location == location
        np.testing.assert_allclose(moved["u"], multilinear(other.points()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_nearest_gives_the_cells_value(grid):
    values = np.random.default_rng(1).standard_normal(grid.shape)
    field = Field(grid, values)
    index = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"))
    points = grid.points().reshape(grid.dimension, -1).T
    nudge = 0.4 * np.array(grid.spacing)
    for sign in (-1.0, 1.0):
        moved = np.clip(points + sign * nudge, grid.lower, grid.upper)
        found = field.evaluate(moved, method="nearest")[0]
        np.testing.assert_array_equal(found, values[tuple(index.reshape(grid.dimension, -1))])


def test_periodic_interpolation_wraps():
    for location in ("cell", "vertex"):
        grid = StructuredGrid((64, 48), upper=(2.0, 1.0), periodic=True, location=location)
        x, y = grid.points()
        field = Field(grid, np.cos(np.pi * x) * np.sin(2 * np.pi * y))
        points = np.random.default_rng(2).uniform(-3.0, 5.0, (200, 2))
        exact = np.cos(np.pi * points[:, 0]) * np.sin(2 * np.pi * points[:, 1])
        # error of linear interpolation: h²/8 (π² + 4 π²) with h = 1/48 and 1/32, below 0.006
        np.testing.assert_allclose(field.evaluate(points)[0], exact, atol=6e-3)
        shifted = field.evaluate(points + [2.0, -3.0])
        np.testing.assert_allclose(field.evaluate(points), shifted, atol=1e-12)


def test_single_cell_axis_and_identity():
    grid = StructuredGrid((4, 1))
    field = Field(grid, [[1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_allclose(field.evaluate([[0.375, 0.1], [0.375, 0.9]]), [[2.0, 2.0]])
    assert field.resample(StructuredGrid((4, 1))) is field


def test_norm_is_the_l2_norm():
    # midpoint and trapezoidal rule of cos² over full half-periods: exact
    for location in ("cell", "vertex"):
        grid = StructuredGrid((8, 9), upper=(2.0, 3.0), location=location)
        x, y = grid.points()
        wave = np.cos(np.pi * x) * np.cos(np.pi * y)
        assert Field(grid, wave).norm() == pytest.approx(np.sqrt(6.0 / 4.0), rel=1e-12)
        two = Field(grid, [wave, 2 * wave], ("u", "v"))
        assert two.norm() == pytest.approx(np.sqrt(5 * 6.0 / 4.0), rel=1e-12)


def test_channels_by_name():
    grid = StructuredGrid((3,))
    field = Field(grid, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], ("u", "v"))
    np.testing.assert_array_equal(field["v"], [4.0, 5.0, 6.0])
    chosen = field.select(["v", "u"])
    assert chosen.names == ("v", "u")
    np.testing.assert_array_equal(chosen.values[1], field["u"])
    with pytest.raises(InputError, match="no channel 'w'"):
        field["w"]


GRID = StructuredGrid((2, 3))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Field(GRID, np.zeros((3, 2))), "values of shape (3, 2) do not fit the mesh"),
        (lambda: Field(GRID, np.zeros((1, 1, 2, 3))), "expected (channel, 2, 3)"),
        (lambda: Field(GRID, 0.0), "values of shape (1,) do not fit"),
        (lambda: Field(GRID, np.zeros((0, 2, 3)), ()), "at least one channel"),
        (lambda: Field(GRID, np.zeros((2, 2, 3))), "must hold 2 different names"),
        (lambda: Field(GRID, np.zeros((2, 2, 3)), ("u", "u")), "must hold 2 different names"),
        (lambda: Field(GRID, np.zeros((2, 3)) + 1j), "real values; give real and imaginary"),
        (lambda: Field(GRID, [[0, 0, 0], [0, np.nan, 0]]), "nan at index (1, 1)"),
        (lambda: Field(GRID, [[0, np.inf, 0], [0, 0, 0]]), "inf at index (0, 1)"),
        (lambda: Field(GRID, np.zeros((2, 3)), location="vertex"), "differs from the grid's"),
        (lambda: Field((2, 3), np.zeros((2, 3))), "mesh is a tuple; a field lives on"),
    ],
)  # fmt: skip
def test_rejections(build, text):
    with pytest.raises(InputError) as caught:
        build()
    assert text in str(caught.value)


def test_points_are_checked():
    field = Field(GRID, np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"1 of 2 points lie outside the box .* \(0.5, 1.2\)"):
        field.evaluate([[0.5, 0.5], [0.5, 1.2]])
    with pytest.raises(InputError, match=r"must have shape \(n, 2\)"):
        field.evaluate([[0.5], [0.2]])
    with pytest.raises(InputError, match="'linear' or 'nearest'"):
        field.evaluate([[0.5, 0.5]], method="cubic")
    wrapping = Field(StructuredGrid((4,), periodic=True), np.zeros(4))
    for broken in (field, wrapping):
        point = [[np.nan] * broken.mesh.dimension]
        with pytest.raises(InputError, match="point 0 is not finite"):
            broken.evaluate(point)
    with pytest.raises(InputError, match="outside the box"):
        field.resample(StructuredGrid((2, 3), upper=2.0))
