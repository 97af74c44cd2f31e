"""Metrics against closed forms, and the report."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from meshes import InputError, StructuredGrid
from neural.evaluation import evaluate, metrics
from neural.evaluation.measurement import break_even
from neural.models import FNO
from neural.surrogate import Surrogate
from neural.training import GaussianNormalizer
from operators.failures import CheckpointError, SurrogateWarning
from pdesolve.problems.darcy import DarcyProblem

pytestmark = pytest.mark.torch


def test_pointwise_metrics_by_hand() -> None:
    target = np.array([[[1.0, 3.0], [5.0, 5.0 + 1e-300]], [[2.0, 4.0], [0.0, 2.0]]])[1:]
    prediction = target + np.array([[[1.0, -1.0], [2.0, 2.0]]])
    assert metrics.relative_l2(prediction, target)[0] == pytest.approx(math.sqrt(10 / 24))
    assert metrics.root_mean_square_error(prediction, target)[0] == pytest.approx(math.sqrt(2.5))
    assert metrics.normalized_error(prediction, target)[0] == pytest.approx(math.sqrt(10 / 24))
    assert metrics.variance_scaled_error(prediction, target)[0] == pytest.approx((1 + 2) / 2)


def test_h1_error_tends_to_the_exact_one() -> None:
    """u = sin πx sin πy and e = sin 2πx sin πy: ratio √((1 + 5π²)/(1 + 2π²))."""
    exact = math.sqrt((1 + 5 * math.pi**2) / (1 + 2 * math.pi**2))
    errors = []
    for size in (20, 40):
        grid = StructuredGrid((size, size))
        x, y = grid.points()
        u = (np.sin(np.pi * x) * np.sin(np.pi * y))[None, None]
        e = (np.sin(2 * np.pi * x) * np.sin(np.pi * y))[None, None]
        found = metrics.relative_h1(u + e, u, grid, grid.side_names)[0]
        errors.append(abs(found - exact))
        inner = metrics.relative_h1(u + e, u, grid)[0]
        assert abs(inner - exact) > errors[-1]
    assert errors[1] < errors[0] / 3.5
    assert errors[1] < 1e-2


def test_h1_wraps_on_periodic_axes() -> None:
    grid = StructuredGrid((32,), periodic=True)
    u = np.sin(2 * np.pi * grid.axes()[0])[None, None]
    shifted = np.roll(u, 5, axis=-1)
    assert metrics.relative_h1(2 * u, u, grid)[0] == pytest.approx(1.0)
    assert metrics.relative_h1(u + shifted, u, grid)[0] == pytest.approx(1.0)


def test_energy_uses_each_samples_operator() -> None:
    grid = StructuredGrid((8, 8))
    stencils = [DarcyProblem(value).discretize(grid).stencil for value in (1.0, 7.0)]
    rng = np.random.default_rng(0)
    u, e = rng.standard_normal((2, 2, 1, 8, 8))
    found = metrics.relative_energy(u + e, u, stencils)
    for index, stencil in enumerate(stencils):
        matrix = stencil.to_csr()
        one, two = e[index].ravel(), u[index].ravel()
        expected = math.sqrt(one @ (matrix @ one) / (two @ (matrix @ two)))
        assert found[index] == pytest.approx(expected)


@pytest.mark.parametrize("periodic", [(False, False), (True, True), (True, False)])
def test_bands_sum_to_the_error_and_separate_frequencies(periodic) -> None:
    grid = StructuredGrid((24, 25), periodic=periodic)
    rng = np.random.default_rng(0)
    u, e = rng.standard_normal((2, 3, 2, 24, 25))
    bands = metrics.band_errors(u + e, u, grid)
    total = sum(values**2 for values in bands.values())
    np.testing.assert_allclose(total, metrics.relative_l2(u + e, u) ** 2)
    smooth = metrics.band_errors(u + 1.0, u, grid)
    assert smooth["middle"].max() < 1e-12
    rough = metrics.band_errors(u + np.cos(np.pi * np.arange(24))[:, None], u, grid)
    assert rough["high"].min() > 10 * rough["low"].max()


def test_metrics_reject() -> None:
    ones = np.ones((2, 1, 4))
    with pytest.raises(InputError, match="must have one shape"):
        metrics.relative_l2(ones, ones[:1])
    with pytest.raises(InputError, match="the prediction of sample 1 is not finite"):
        metrics.relative_l2(ones * [[[1]], [[np.inf]]], ones)
    with pytest.raises(InputError, match="the norm of target 0 is zero"):
        metrics.relative_l2(ones, 0 * ones)
    with pytest.raises(InputError, match="the variance of target 0 is zero"):
        metrics.variance_scaled_error(ones, ones)
    with pytest.raises(InputError, match="not on the grid"):
        metrics.band_errors(ones, ones, StructuredGrid((5,)))
    with pytest.raises(InputError, match="energy norm is for one channel, not 2"):
        metrics.relative_energy(np.ones((1, 2, 4)), np.ones((1, 2, 4)), [])


def test_break_even() -> None:
    assert break_even(100.0, 0.03, 0.01) == pytest.approx(5000)
    assert math.isinf(break_even(100.0, 0.01, 0.03))  # type: ignore[arg-type]
    assert break_even(100.0, None, 0.03) is None


@pytest.fixture
def surrogate(sources):
    torch.manual_seed(0)
    normalizers = [GaussianNormalizer(1), GaussianNormalizer(1)]
    values = [sources["train.h5"].inputs, sources["train.h5"].outputs]
    for normalizer, given in zip(normalizers, values, strict=True):
        normalizer.fit([torch.as_tensor(given)], {"sha256": ["a"]})
    info = sources["train.h5"].info
    return Surrogate(
        FNO(1, 1, (3, 3), 6),
        *normalizers,
        {
            "family": info.family,
            "model": {"name": "fno"},
            "inputs": ["coefficient"],
            "outputs": ["pressure"],
            "units": info.units,
            "lower": [0.0, 0.0],
            "upper": [1.0, 1.0],
            "location": "cell",
            "shape": [12, 12],
            "parameter_ranges": {"coefficient": [3.0, 12.0]},
            "training_seconds": 60.0,
            "num_parameters": 5,
            "data": {"sha256": [info.sha256], "seed": 0, "split": "train", "num_train": 12},
        },
    )


def test_report(sources, memory_source, surrogate) -> None:
    sources["fine.h5"] = memory_source(3, (24, 24), "test")
    report = evaluate(surrogate, ["test.h5", "fine.h5"], num_timed_solves=0)
    first, second = report.datasets
    predicted = surrogate.predict_batch(sources["test.h5"].inputs)
    expected = metrics.relative_l2(predicted, sources["test.h5"].outputs)
    assert first.mean["relative_l2"] == pytest.approx(expected.mean())
    assert first.worst["relative_l2"] == pytest.approx(expected.max())
    assert not first.zero_shot
    assert second.zero_shot
    assert second.num_samples == 3
    assert {"relative_energy", "relative_h1", "band_high", "vrmse"} <= set(first.mean)
    assert {"relative_maximum", "relative_dual"} <= set(first.mean)
    assert list(first.octaves) == ["0-1", "1-2", "2-4", "4-8", "8-16"]
    assert first.solver_seconds is None
    assert first.break_even is None
    rows = report.rows()
    assert rows[0] == ("", "12 x 12", "24 x 24 (zero-shot)")
    assert len({len(row) for row in rows}) == 1
    assert json.loads(json.dumps(report.to_dict()))["datasets"][1]["shape"] == [24, 24]


@pytest.mark.petsc
def test_report_times_the_solver(sources, surrogate) -> None:
    report = evaluate(surrogate, "test.h5", num_timed_solves=2)
    errors = report.datasets[0]
    assert errors.solver_seconds is not None
    assert errors.solver_seconds > 0
    assert errors.break_even is not None
    assert errors.break_even_with_data >= errors.break_even


def test_samples_that_cannot_be_drawn_again_have_no_energy(sources, surrogate) -> None:
    sources["test.h5"].inputs[1] *= 1.5
    errors = evaluate(surrogate, "test.h5", num_timed_solves=0).datasets[0]
    assert "relative_energy" not in errors.mean
    assert "family 'darcy2d' draws other inputs here" in errors.remarks[0]


def test_solutions_of_a_finer_grid_have_no_certificate(sources, surrogate) -> None:
    assert evaluate(surrogate, "test.h5", num_timed_solves=0).datasets[0].certified is not None
    info = sources["test.h5"].info
    info.settings = {**info.settings, "strategy": {"solved_on": [36, 36]}}
    errors = evaluate(surrogate, "test.h5", num_timed_solves=0).datasets[0]
    assert errors.certified is None
    assert "relative_energy" in errors.mean
    assert "solved on 36 × 36 and are no solutions" in errors.remarks[0]
    sources["test.h5"].inputs[1] *= 1.5
    errors = evaluate(surrogate, "test.h5", num_timed_solves=0).datasets[0]
    assert "projected from a finer grid" in errors.remarks[0]


def test_evaluate_rejects(sources, memory_source, surrogate) -> None:
    with pytest.raises(InputError, match="no data set to evaluate on"):
        evaluate(surrogate, [])
    with pytest.raises(InputError, match="batch_size=0"):
        evaluate(surrogate, "test.h5", batch_size=0)
    with pytest.raises(InputError, match="num_timed_solves=-1"):
        evaluate(surrogate, "test.h5", num_timed_solves=-1)
    with pytest.warns(SurrogateWarning, match="holds training data"):
        evaluate(surrogate, "train.h5", num_timed_solves=0)
    sources["other.h5"] = memory_source(2, (12, 12), "t", units={"pressure": "bar"})
    with pytest.raises(InputError, match="has units"):
        evaluate(surrogate, "other.h5")
    sources["other.h5"] = memory_source(2, (12, 12), "t", upper=(2.0, 1.0))
    with pytest.raises(CheckpointError, match="box has upper corner"):
        evaluate(surrogate, "other.h5")
