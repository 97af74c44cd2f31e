"""Errors by the length of waves, and the largest error."""

from __future__ import annotations

import math

import numpy as np
import pytest

from meshes import StructuredGrid
from meshes.errors import InputError
from neural.evaluation import metrics
from neural.evaluation.report import DatasetErrors, EvaluationReport
from neural.evaluation.spectra import octave_errors, relative_sobolev, waves_of

pytestmark = pytest.mark.torch


def test_largest_error_by_hand() -> None:
    target = np.array([[[1.0, -4.0], [2.0, 3.0]]])
    prediction = target + np.array([[[0.5, 0.0], [0.0, -1.0]]])
    assert metrics.relative_maximum(prediction, target)[0] == pytest.approx(0.25)
    with pytest.raises(InputError, match="the maximum of target 0 is zero"):
        metrics.relative_maximum(target, 0 * target)


@pytest.mark.parametrize("upper", [(1.0, 1.0), (300.0, 300.0)])
def test_dual_norm_of_sines_is_exact_and_has_no_unit_of_length(upper) -> None:
    """u = sin πx sin πy and e = sin 3πx sin πy."""
    grid = StructuredGrid((16, 16), upper=upper)
    x, y = (axis / upper[0] for axis in grid.points())
    u = (np.sin(np.pi * x) * np.sin(np.pi * y))[None, None]
    e = (np.sin(3 * np.pi * x) * np.sin(np.pi * y))[None, None]
    expected = math.sqrt((1 + 2 * np.pi**2) / (1 + 10 * np.pi**2))
    found = relative_sobolev(u + e, u, grid, -1, grid.side_names)
    assert found[0] == pytest.approx(expected, rel=1e-12)
    assert relative_sobolev(u + e, u, grid, 0)[0] == pytest.approx(metrics.relative_l2(u + e, u)[0])


def test_series_follow_the_sides() -> None:
    grid = StructuredGrid((4, 4, 4), periodic=(False, True, False))
    assert waves_of(grid, ["x_lower", "x_upper", "z_lower"]).bases == ("odd", "periodic", "even")
    vertices = StructuredGrid((4,), location="vertex")
    assert waves_of(vertices, vertices.side_names).bases == ("even",)


def test_octaves_hold_every_wave_once() -> None:
    grid = StructuredGrid((12, 9), upper=(1.0, 2.0))
    rng = np.random.default_rng(0)
    u, e = rng.standard_normal((2, 3, 1, 12, 9))
    found = octave_errors(u + 0.1 * u, u, grid)
    assert list(found) == ["0-1", "1-2", "2-4", "4-8", "8-16"]
    np.testing.assert_allclose(list(found.values()), 0.1)
    assert max(octave_errors(u + 0.1 * e, u, grid).values()) > 0.1
    wave = np.cos(2 * np.pi * 2 * grid.axes()[0])[:, None] * np.ones(9)
    per_side = octave_errors(0 * wave[None, None], wave[None, None], grid)
    assert per_side == {"4-8": pytest.approx(1.0)}  # 2 waves on a side of 1: 4 on the side of 2


def test_spectra_reject() -> None:
    ones = np.ones((2, 1, 4))
    for other in (ones[:1], np.ones((2, 1, 5))):
        with pytest.raises(InputError, match="must have one shape \\(n, channel"):
            octave_errors(ones, other, StructuredGrid((4,)))
    with pytest.raises(InputError, match="norm of the target is zero"):
        relative_sobolev(ones, 0 * ones, StructuredGrid((4,)))


def test_report_shows_octaves_of_every_set() -> None:
    common = {"num_samples": 1, "surrogate_seconds": 1.0, "worst": {"relative_l2": 0.1}}
    mean = {"relative_l2": 0.1, "relative_maximum": 0.3, "relative_dual": 0.02}
    coarse, fine = (
        DatasetErrors("d.h5", (size,), zero_shot=size > 8, mean=mean, octaves=octaves, **common)
        for size, octaves in ((8, {"0-1": 0.5}), (16, {"0-1": 0.25, "1-2": 1.0}))
    )
    report = EvaluationReport("c", "poisson1d", "fno", (8,), 1, 1, 1.0, (coarse, fine))
    rows = {row[0]: row[1:] for row in report.rows()}
    assert rows["relative maximum"] == ("30 %", "30 %")
    assert rows["relative H-1"] == ("2 %", "2 %")
    assert rows["waves 0-1"] == ("50 %", "25 %")
    assert rows["waves 1-2"] == ("-", "100 %")
    assert report.to_dict()["datasets"][1]["octaves"] == {"0-1": 0.25, "1-2": 1.0}
