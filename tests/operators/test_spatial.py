"""Conformance of every function of space: on(grid) is evaluate(points)."""

from __future__ import annotations

import numpy as np
import pytest

from meshes import Field, InputError, StructuredGrid
from operators import GaussianRandomField
from operators.parameters import LogNormalField, ThresholdedField
from operators.spatial import SpatialFunction, as_spatial_function

GAUSSIAN = {d: GaussianRandomField(d, 2.0, 3.0, num_modes=8) for d in (1, 2, 3)}


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def cells(dimension: int) -> Field:
    grid = StructuredGrid((4,) * dimension)
    return Field(grid, rng().standard_normal(grid.shape))


MAKERS = {
    "number": lambda _: 2.5,
    "formula": lambda _: lambda x: np.sin(3 * x[0]) + (x**2).sum(axis=0),
    "formula-constant": lambda _: lambda _: 4.0,
    "field": cells,
    "gaussian-neumann": lambda d: GAUSSIAN[d].sample(rng()),
    "gaussian-dirichlet": lambda d: GaussianRandomField(
        d, boundary="dirichlet", num_modes=8
    ).sample(rng()),
    "gaussian-periodic": lambda d: GaussianRandomField(d, boundary="periodic", num_modes=8).sample(
        rng()
    ),
    "threshold": lambda d: ThresholdedField(GAUSSIAN[d]).sample(rng()),
    "log-normal": lambda d: LogNormalField(GAUSSIAN[d], 0.5).sample(rng()),
}


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("name", MAKERS)
def test_on_agrees_with_evaluate(name, dimension):
    function = as_spatial_function(MAKERS[name](dimension))
    assert isinstance(function, SpatialFunction)
    assert as_spatial_function(function) is function
    shape = (5, 3, 6)[:dimension]
    for grid in (StructuredGrid(shape), StructuredGrid(shape, location="vertex")):
        values = function.on(grid)
        assert values.shape == grid.shape
        assert values.dtype == np.float64
        points = grid.points().reshape(dimension, -1).T
        found = function.evaluate(points)
        assert found.shape == (grid.num_points,)
        np.testing.assert_allclose(found, values.ravel(), rtol=1e-12, atol=1e-12)


def test_field_function_keeps_jumps():
    values = np.array([3.0, 12.0, 3.0])
    function = as_spatial_function(Field(StructuredGrid((3,)), values))
    np.testing.assert_array_equal(function.on(StructuredGrid((9,))), np.repeat(values, 3))
    np.testing.assert_array_equal(function.on(StructuredGrid((6,))), np.repeat(values, 2))
    np.testing.assert_array_equal(function.evaluate([[0.32], [0.35], [0.99]]), [3.0, 12.0, 3.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "nan is not a finite number"),
        (np.ones((2, 2)), "an array alone does not say where its values sit"),
        ([1.0, 2.0], "an array alone does not say"),
        ("three", "'three' is no function of space"),
        (2j, "2j is no function of space"),
        (Field(StructuredGrid((2,)), np.zeros((2, 2)), ("u", "v")), "channels ('u', 'v')"),
    ],
)
def test_rejections(value, text):
    with pytest.raises(InputError) as caught:
        as_spatial_function(value)
    assert text in str(caught.value)


def test_formulas_are_checked():
    grid = StructuredGrid((3, 4))

    def wrong(x):
        return x

    with pytest.raises(InputError, match=r"'wrong' gave shape \(2, 3, 4\) for points of shape"):
        as_spatial_function(wrong).on(grid)
    with pytest.raises(InputError, match="gave complex values"):
        as_spatial_function(lambda x: 1j * x[0]).on(grid)
