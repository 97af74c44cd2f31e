"""Gaussian random fields: one function at every resolution, with the covariance asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import idctn
from scipy.stats import chi2

from meshes import InputError, StructuredGrid
from operators import GaussianRandomField
from operators.parameters import LogNormalField, ThresholdedField
from operators.random_fields import _mode_order

BOUNDARIES = ("neumann", "dirichlet", "periodic")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_one_function_at_every_resolution(dimension, boundary):
    draw = GaussianRandomField(dimension, boundary=boundary, num_modes=10).sample(rng())
    # cell centres of n cells are among those of 3 n cells, vertices of n among those of 2 n - 1
    nested = {
        "cell": (
            StructuredGrid((4,) * dimension),
            StructuredGrid((12,) * dimension),
            slice(1, None, 3),
        ),
        "vertex": (
            StructuredGrid((5,) * dimension, location="vertex"),
            StructuredGrid((9,) * dimension, location="vertex"),
            slice(None, None, 2),
        ),
    }  # fmt: skip
    for coarse, fine, window in nested.values():
        found = draw.on(fine)[(window,) * dimension]
        np.testing.assert_allclose(draw.on(coarse), found, rtol=0, atol=1e-13 * abs(found).max())


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_more_modes_keep_the_first_ones(dimension):
    few = GaussianRandomField(dimension, num_modes=5).sample(rng(4)).coefficients
    many = GaussianRandomField(dimension, num_modes=9).sample(rng(4)).coefficients
    np.testing.assert_array_equal(many[(slice(0, 5),) * dimension], few)
    assert np.abs(many[5:]).min() > 0  # no mode is left out
    places = _mode_order(dimension, 6)
    assert sorted(places.tolist()) == list(range(6**dimension))


@pytest.mark.parametrize("dimension", [1, 2])
def test_agrees_with_the_inverse_cosine_transform(dimension):
    """The construction of the FNO benchmark's authors, with this draw's noise."""
    n, alpha, tau = 32, 2.0, 3.0
    field = GaussianRandomField(dimension, alpha, tau, num_modes=n)
    noise = rng(7).standard_normal(n**dimension)[_mode_order(dimension, n)]
    k = np.stack(np.meshgrid(*[np.arange(n)] * dimension, indexing="ij"))
    amplitude = tau ** (alpha - 1) * (np.pi**2 * (k**2).sum(axis=0) + tau**2) ** (-alpha / 2)
    coefficients = n ** (dimension / 2) * amplitude * noise.reshape((n,) * dimension)
    coefficients[(0,) * dimension] = 0.0
    reference = idctn(coefficients, norm="ortho")
    ours = field.sample(rng(7)).on(StructuredGrid((n,) * dimension))
    # equal up to the factor tau^(alpha - 1), which a threshold at zero does not see
    np.testing.assert_allclose(tau ** (alpha - 1) * ours, reference, rtol=0, atol=1e-12)
    thresholded = ThresholdedField(field).sample(rng(7)).on(StructuredGrid((n,) * dimension))
    np.testing.assert_array_equal(thresholded, np.where(reference >= 0, 12.0, 3.0))


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_amplitudes_are_those_of_the_covariance(boundary):
    box = {"lower": (1.0, 0.0), "upper": (3.0, 0.5)}
    field = GaussianRandomField(2, 1.7, 2.0, boundary, num_modes=6, zero_mean=False, **box)
    found = field.amplitudes()
    for i, j in np.ndindex(6, 6):
        numbers = {
            "neumann": (i, j),
            "dirichlet": (i + 1, j + 1),
            "periodic": (2 * ((i + 1) // 2), 2 * ((j + 1) // 2)),
        }[boundary]
        eigenvalue = (np.pi * numbers[0] / 2.0) ** 2 + (np.pi * numbers[1] / 0.5) ** 2
        assert found[i, j] == pytest.approx((eigenvalue + 4.0) ** (-1.7 / 2), rel=1e-13)
    without = GaussianRandomField(2, 1.7, 2.0, boundary, num_modes=6, **box).amplitudes()
    if boundary == "dirichlet":
        np.testing.assert_array_equal(without, found)
    else:
        assert without[0, 0] == 0.0
        np.testing.assert_array_equal(without.ravel()[1:], found.ravel()[1:])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("alpha", [1.5, 3.0])
def test_basis_is_orthonormal(boundary, alpha):
    """Parseval: the L2 norm of a draw is the norm of its coefficients, on any box."""
    field = GaussianRandomField(
        2, alpha, 1.0, boundary, num_modes=7, zero_mean=False, lower=(-1.0, 2.0), upper=(1.0, 2.3)
    )
    draw = field.sample(rng(1))
    # the midpoint rule is exact for products of these modes on 32 cells
    grid = StructuredGrid((32, 32), field.lower, field.upper)
    energy = np.sum(grid.quadrature_weights() * draw.on(grid) ** 2)
    assert energy == pytest.approx(np.sum(draw.coefficients**2), rel=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_covariance_by_monte_carlo(boundary):
    """Sample covariances of 4000 draws at three points against the series.

    Each variance estimate times n / σ² is χ² with n degrees of freedom; the bounds hold
    with probability 1 - 1e-6 for one estimate, and the seed is fixed.
    """
    n = 4000
    field = GaussianRandomField(1, 2.0, 3.0, boundary, num_modes=12)
    points = np.array([[0.13], [0.42], [0.77]])
    units = np.eye(12)
    from operators.random_fields import RandomFieldSample

    basis = np.stack([RandomFieldSample(field, unit).evaluate(points) for unit in units], axis=1)
    covariance = (basis * field.amplitudes() ** 2) @ basis.T
    generator = rng(11)
    draws = np.stack([field.sample(generator).evaluate(points) for _ in range(n)])
    estimate = draws.T @ draws / n
    low, high = chi2.ppf([5e-7, 1 - 5e-7], n) / n
    for i in range(3):
        assert low <= estimate[i, i] / covariance[i, i] <= high
        for j in range(i):
            # polarisation: the variance of a sum and of a difference
            for sign in (1.0, -1.0):
                exact = covariance[i, i] + covariance[j, j] + 2 * sign * covariance[i, j]
                found = estimate[i, i] + estimate[j, j] + 2 * sign * estimate[i, j]
                assert low <= found / exact <= high


@pytest.mark.parametrize("dimension", [1, 2])
def test_boundary_behaviour(dimension):
    eps = 1e-5
    tangential = rng(3).random((20, dimension))

    def at(draw, axis, value):
        points = tangential.copy()
        points[:, axis] = value
        return draw.evaluate(points)

    for axis in range(dimension):
        draws = {
            boundary: GaussianRandomField(dimension, 2.0, 3.0, boundary, num_modes=6).sample(rng(2))
            for boundary in BOUNDARIES
        }
        sizes = {name: np.abs(draw.evaluate(tangential)).max() for name, draw in draws.items()}
        for side in (0.0, 1.0):
            inward = eps if side == 0.0 else -eps
            neumann = draws["neumann"]
            slope = (at(neumann, axis, side + inward) - at(neumann, axis, side)) / eps
            # second derivative below (6π)² times the size: difference quotient below 2e-3 sizes
            assert np.abs(slope).max() < 1e-2 * sizes["neumann"]
            middle = (at(neumann, axis, 0.5 + eps) - at(neumann, axis, 0.5)) / eps
            assert np.abs(middle).max() > 0.1 * sizes["neumann"]  # elsewhere it does vary
            assert np.abs(at(draws["dirichlet"], axis, side)).max() < 1e-12
        periodic = draws["periodic"]
        np.testing.assert_allclose(at(periodic, axis, 0.0), at(periodic, axis, 1.0), atol=1e-12)
        left = at(periodic, axis, eps) - at(periodic, axis, 0.0)
        right = at(periodic, axis, 1.0) - at(periodic, axis, 1.0 - eps)
        np.testing.assert_allclose(left, right, atol=eps**2 * 1e3 * sizes["periodic"])


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_standard_deviation(dimension, boundary):
    """The variance averaged over the box is Σ amplitude² / volume."""
    upper = (2.0, 0.5, 1.5)[:dimension]
    field = GaussianRandomField(
        dimension, 2.0, 3.0, boundary, num_modes=6, standard_deviation=0.7, upper=upper
    )
    assert np.sum(field.amplitudes() ** 2) / np.prod(upper) == pytest.approx(0.49, rel=1e-12)
    # against the pointwise variance Σ amplitude² φ², averaged by a rule exact for these modes
    grid = StructuredGrid((16,) * dimension, 0.0, upper)
    total = np.zeros(grid.shape)
    from operators.random_fields import RandomFieldSample

    for place in np.ndindex(*field.amplitudes().shape):
        unit = np.zeros(field.amplitudes().shape)
        unit[place] = field.amplitudes()[place]
        total += RandomFieldSample(field, unit).on(grid) ** 2
    assert total.mean() == pytest.approx(0.49, rel=1e-12)


def test_threshold_and_log_normal():
    gaussian = GaussianRandomField(2)
    grid = StructuredGrid((43, 43))
    generator = rng(0)
    shares = []
    for _ in range(200):
        values = ThresholdedField(gaussian).sample(generator).on(grid)
        assert set(np.unique(values)) <= {3.0, 12.0}
        shares.append((values == 12.0).mean())
    # g and -g are equally likely: the mean share is 1/2 with this estimate's own error
    error = np.std(shares) / np.sqrt(len(shares))
    assert error < 0.02
    assert abs(np.mean(shares) - 0.5) < 4 * error
    g = gaussian.sample(rng(9)).on(grid)
    np.testing.assert_array_equal(
        ThresholdedField(gaussian, 5.0, 2.0).sample(rng(9)).on(grid), np.where(g >= 0, 5.0, 2.0)
    )
    np.testing.assert_allclose(
        LogNormalField(gaussian, -1.0).sample(rng(9)).on(grid), np.exp(g - 1.0), rtol=1e-14
    )


def test_draws_differ_and_repeat():
    field = GaussianRandomField(2, num_modes=8)
    generator = rng(0)
    first, second = field.sample(generator), field.sample(generator)
    assert not np.array_equal(first.coefficients, second.coefficients)
    np.testing.assert_array_equal(first.coefficients, field.sample(rng(0)).coefficients)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dimension": 4}, "dimension=4 must be 1, 2 or 3"),
        ({"dimension": 2, "alpha": 1.0}, "alpha=1.0 must exceed 1.0"),
        ({"dimension": 3, "alpha": 1.5}, "must exceed 1.5"),
        ({"dimension": 2, "alpha": float("nan")}, "alpha=nan must exceed"),
        ({"dimension": 2, "tau": -1.0}, "tau=-1.0 must be finite and not negative"),
        ({"dimension": 2, "tau": 0.0, "zero_mean": False}, "infinite variance; use zero_mean=True"),
        ({"dimension": 2, "boundary": "robin"}, "'neumann', 'dirichlet' or 'periodic'"),
        ({"dimension": 2, "num_modes": 1}, "num_modes=1 must be an integer of at least 2"),
        ({"dimension": 2, "num_modes": 8.5}, "num_modes=8.5 must be an integer"),
        ({"dimension": 2, "standard_deviation": 0.0}, "must be positive and finite"),
        ({"dimension": 2, "upper": (1.0, -1.0)}, "axis y: upper=-1.0 must be greater"),
    ],
)
def test_rejections(options, text):
    with pytest.raises(InputError) as caught:
        GaussianRandomField(**options)
    assert text in str(caught.value)


def test_a_draw_stays_in_its_box():
    draw = GaussianRandomField(2, num_modes=4).sample(rng())
    with pytest.raises(InputError, match="a 2D random field cannot be put on a 1D grid"):
        draw.on(StructuredGrid((4,)))
    with pytest.raises(InputError, match="reaches out of the random field's box"):
        draw.on(StructuredGrid((4, 4), upper=2.0))
    with pytest.raises(InputError, match=r"1 of 2 points lie outside .* \(0.5, -0.1\)"):
        draw.evaluate([[0.5, 0.5], [0.5, -0.1]])
    with pytest.raises(InputError, match="points lie outside"):
        draw.evaluate([[np.nan, 0.5]])
    with pytest.raises(InputError, match=r"must have shape \(n, 2\)"):
        draw.evaluate([[0.5]])
    with pytest.raises(InputError, match=r"above=-1\.0 must be positive"):
        ThresholdedField(draw.field, above=-1.0)
    with pytest.raises(InputError, match="mean_log=nan must be finite"):
        LogNormalField(draw.field, float("nan"))
