"""Losses, and statistics of the training data."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from meshes.errors import InputError
from neural.training import GaussianNormalizer, RelativeH1, RelativeL2
from neural.training.symmetries import BoxSymmetries

pytestmark = pytest.mark.torch


def test_relative_l2_by_hand_and_its_reductions() -> None:
    target = torch.tensor([[[3.0, 4.0]], [[0.0, 2.0]]])
    prediction = torch.tensor([[[3.0, 0.0]], [[0.0, 1.0]]])
    loss = RelativeL2()
    assert torch.allclose(loss.per_sample(prediction, target), torch.tensor([0.8, 0.5]))
    assert float(loss(prediction, target)) == pytest.approx(0.65)
    assert float(RelativeL2("sum")(prediction, target)) == pytest.approx(1.3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_norms_are_not_taken_in_half_precision(dtype: torch.dtype) -> None:
    target = torch.full((1, 1, 40, 40), 4096.0, dtype=dtype)  # the norm is beyond float16
    for loss in (RelativeL2(), RelativeH1(0.0)):
        found = loss(target + 512, target)
        assert found.dtype == torch.float32
        assert float(found) == pytest.approx(0.125)


def test_relative_h1_adds_the_differences() -> None:
    target = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    prediction = target + 1  # differences are exact, values are not
    l2 = float(RelativeL2()(prediction, target))
    assert float(RelativeH1(2.0)(prediction, target)) == pytest.approx(l2)
    assert float(RelativeH1(2.0)(2 * target, target)) == pytest.approx(1.0 + 2.0)


def box(lower: tuple[float, ...], upper: tuple[float, ...], **changes: object) -> SimpleNamespace:
    given = {"path": "a.h5", "location": "cell", "periodic": (False,) * len(lower)}
    return SimpleNamespace(lower=lower, upper=upper, **{**given, **changes})


@pytest.mark.parametrize("location", ["cell", "vertex"])
def test_relative_h1_divides_by_the_spacings(location: str) -> None:
    sizes = (7, 11)
    closed = int(location == "vertex")
    steps = [side / (size - closed) for side, size in zip((1.0, 4.0), sizes, strict=True)]
    x = steps[0] * torch.arange(7, dtype=torch.float64)[:, None]
    y = steps[1] * torch.arange(11, dtype=torch.float64)
    target = (2 * x + 0 * y)[None, None] + 1.0
    prediction = target + (0.5 * y)[None, None]  # the slope (0, 1/2) for (2, 0)
    loss = RelativeH1(1.0)
    loss.prepare(box((0.0, 0.0), (1.0, 4.0), location=location))
    slopes = float(loss(prediction, target) - RelativeL2()(prediction, target))
    count = math.sqrt(7 * 10 / (6 * 11))  # of the differences along y and x
    assert slopes == pytest.approx(0.25 * count)


def test_relative_h1_of_equal_spacings_needs_no_box() -> None:
    prediction, target = torch.randn(2, 3, 1, 8, 16, generator=torch.Generator().manual_seed(0))
    loss = RelativeH1()
    without = loss(prediction, target)
    loss.prepare(box((0.0, 1.0), (2.0, 5.0)))
    assert torch.allclose(loss(prediction, target), without)
    loss.check(box((0.0, 0.0), (1.0, 2.0)))
    with pytest.raises(InputError, match="has not the form"):
        loss.check(box((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(InputError, match="with 2 axes of space"):
        loss(prediction[..., 0], target[..., 0])


def test_relative_h1_without_weight_is_l2() -> None:
    ones = torch.ones(1, 1, 4)
    assert float(RelativeH1(0.0)(2 * ones, ones)) == 1.0


def test_losses_reject() -> None:
    with pytest.raises(InputError, match="target is zero for sample\\(s\\) \\[1\\]"):
        RelativeL2()(torch.ones(2, 1, 3), torch.tensor([[[1.0, 1, 1]], [[0.0, 0, 0]]]))
    with pytest.raises(InputError, match="has no values to compare"):
        RelativeL2()(torch.ones(0, 1, 3), torch.ones(0, 1, 3))
    with pytest.raises(InputError, match="must be equal in shape"):
        RelativeL2()(torch.ones(2, 1, 3), torch.ones(2, 1, 4))
    with pytest.raises(InputError, match=r"reduction='men' is unknown\. Did you mean 'mean'"):
        RelativeL2("men")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="weight=-1 must be a number of at least 0"):
        RelativeH1(-1)


@pytest.mark.parametrize("statistics", ["scalar", "channel", "point"])
def test_statistics_match_torch_and_invert(statistics: str) -> None:
    torch.manual_seed(0)
    values = 1e3 + torch.randn(30, 2, 4, 5, dtype=torch.float64) * torch.tensor([1.0, 5.0]).view(
        2, 1, 1
    )
    normalizer = GaussianNormalizer(2, statistics)  # type: ignore[arg-type]
    normalizer.fit(values.split(7), {"sha256": "a"})
    axes = {"scalar": (0, 1, 2, 3), "channel": (0, 2, 3), "point": (0,)}[statistics]
    assert torch.allclose(
        normalizer.mean.double(), values.mean(axes, keepdim=True)[0], rtol=1e-6, atol=0
    )
    spread = values.std(axes, correction=0, keepdim=True)[0]
    assert torch.allclose(normalizer.deviation.double(), spread, rtol=1e-5, atol=0)
    assert torch.equal(normalizer.minimum, values.amin((0, 2, 3)))
    assert torch.equal(normalizer.maximum, values.amax((0, 2, 3)))
    assert torch.allclose(normalizer.inverse(normalizer(values)), values)
    copy = GaussianNormalizer.from_state(normalizer.state())
    copy.load_state_dict(normalizer.state_dict())
    assert torch.equal(copy(values), normalizer(values))


def test_normalizer_rejects() -> None:
    normalizer = GaussianNormalizer(1)
    with pytest.raises(InputError, match="has no statistics: fit it on the training data"):
        normalizer(torch.zeros(1, 1, 4))
    with pytest.raises(InputError, match="zero variance"):
        normalizer.fit([torch.full((3, 1, 4), 7.0)], {"sha256": "a"})
    with pytest.raises(InputError, match="not finite"):
        normalizer.fit([torch.full((3, 1, 4), torch.nan)], {"sha256": "a"})
    with pytest.raises(InputError, match="no training sample"):
        normalizer.fit([], {"sha256": "a"})
    with pytest.raises(InputError, match=r"must have shape \(batch, 1, \*space\)"):
        normalizer.fit([torch.zeros(3, 2, 4)], {"sha256": "a"})
    with pytest.raises(InputError, match="Did you mean 'channel'"):
        GaussianNormalizer(1, "chanel")  # type: ignore[arg-type]
    points = GaussianNormalizer(1, "point")
    points.fit([torch.randn(5, 1, 4)], {"sha256": "a"})
    with pytest.raises(InputError, match="fitted on grid \\(4,\\), the field is on \\(8,\\)"):
        points(torch.zeros(1, 1, 8))


def test_box_symmetries_form_the_group() -> None:
    values = torch.arange(9.0).view(1, 3, 3)
    images = {
        tuple(symmetry.apply(values).flatten().tolist())
        for symmetry in BoxSymmetries((3, 3), (1.0, 1.0))
    }
    assert len(images) == 8
    assert len(BoxSymmetries((3, 3, 3), (1.0, 1.0, 1.0))) == 48
    assert len(BoxSymmetries((3, 3), (1.0, 2.0))) == 4
    assert len(BoxSymmetries((5,), (1.0,))) == 2
    assert torch.equal(BoxSymmetries((3, 3), (1.0, 1.0))[0].apply(values), values)


def test_points_on_a_boundary_may_be_constant() -> None:
    values = torch.randn(6, 2, 5, 5, dtype=torch.float64)
    values[:, 0, 0] = 0.0  # a side with given values
    values[:, 0, :, 0] = 3.0
    normalizer = GaussianNormalizer(2, "point")
    normalizer.fit([values], {"sha256": "a"})
    scaled = normalizer(values)
    assert torch.all(scaled[:, 0, 0, 1:] == 0)
    spread = values.std(0, correction=0)
    expected = spread[0].square().mean().sqrt()
    assert torch.allclose(normalizer.deviation[0, 0].double(), expected.expand(5), rtol=1e-5)
    assert torch.allclose(normalizer.deviation[1].double(), spread[1], rtol=1e-5)
    assert torch.allclose(normalizer.inverse(scaled), values)
    values[:, 1] = torch.randn(5, 5, dtype=torch.float64)
    with pytest.raises(InputError, match="channel 1 have zero variance"):
        normalizer.fit([values], {"sha256": "a"})
