"""Latent spectral models: their block, the published sizes, patches and paddings."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from meshes.errors import InputError
from neural.models.latent_spectral_block import (
    LatentSpectralBlock,
    _by_recurrence,
    _by_terms,
    join_patches,
    split_patches,
)
from neural.models.lsm import LatentSpectralModel
from neural.models.unet import UNet

pytestmark = pytest.mark.torch

DOUBLE = torch.float64


def of_one_patch(block: LatentSpectralBlock, x: Tensor) -> Tensor:
    """The formulas of the docstring, head by head, for one patch of values ``(L, width)``."""
    size, count = block.width // block.num_heads, block.num_bases
    key_value, query = block.key_value(x), block.query(x)
    keys, values = key_value[:, : block.width], key_value[:, block.width :]
    result = x.clone()
    for head in range(block.num_heads):
        own = slice(head * size, (head + 1) * size)
        start = block.tokens[:, own]
        tokens = start + torch.softmax(start @ keys[:, own].T, -1) @ values[:, own]
        series = torch.zeros_like(tokens)
        for k in range(count):
            angle = math.pi * k * tokens / count
            series += block.coefficients[own, k] * angle.sin()
            series += block.coefficients[own, count + k] * angle.cos()
        tokens = tokens + series
        result[:, own] += torch.softmax(query[:, own] @ tokens.T, -1) @ tokens
    return result


@pytest.mark.parametrize(
    ("space", "patch"), [((12, 6), (4, 3)), ((6, 4, 4), (3, 2, 1)), ((9,), (3,))]
)
def test_block_is_its_formula_on_each_patch(space: tuple[int, ...], patch: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    block = LatentSpectralBlock(12, num_tokens=3, num_bases=5, num_heads=4).double()
    with torch.no_grad():
        for weights in block.parameters():
            weights.copy_(torch.randn_like(weights))
    values = torch.randn(2, 12, *space, dtype=DOUBLE)
    result = block(values, patch)
    corner = (slice(None), slice(None), *(slice(0, size) for size in patch))
    for sample in range(2):
        points = values[corner][sample].flatten(1).T
        expected = of_one_patch(block, points).T.view(12, *patch)
        torch.testing.assert_close(result[corner][sample], expected, rtol=1e-10, atol=1e-10)


def test_both_ways_to_sum_the_series_agree() -> None:
    torch.manual_seed(0)
    coefficients = torch.randn(6, 10, dtype=DOUBLE, requires_grad=True)
    angles = (3 * torch.randn(7, 4, 6, dtype=DOUBLE)).requires_grad_()
    results = [sum_up(coefficients, angles) for sum_up in (_by_recurrence, _by_terms)]
    torch.testing.assert_close(*results, rtol=1e-11, atol=1e-11)
    slopes = [torch.autograd.grad(each.square().sum(), (coefficients, angles)) for each in results]
    torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-10)
    assert _by_terms(coefficients.float(), angles.float()).dtype == torch.float32


def test_patches_do_not_see_each_other() -> None:
    block = LatentSpectralBlock(8).double()
    values = torch.randn(1, 8, 6, 6, dtype=DOUBLE)
    changed = values.clone()
    changed[:, :, :3, :3] += 1.0
    with torch.no_grad():
        difference = (block(changed, (3, 3)) - block(values, (3, 3))).abs()
    assert float(difference[:, :, :3, :3].max()) > 0
    difference[:, :, :3, :3] = 0
    assert float(difference.max()) == 0


def test_block_without_tokens_values_and_series_changes_nothing() -> None:
    block = LatentSpectralBlock(16)
    with torch.no_grad():
        for weights in (block.tokens, block.coefficients):
            weights.zero_()
        block.key_value.weight[16:].zero_()
        block.key_value.bias[16:].zero_()
    values = torch.randn(3, 16, 8, 4)
    assert torch.equal(block(values, (4, 2)), values)


def test_patches_are_cut_and_joined() -> None:
    field = torch.arange(24.0).view(1, 1, 4, 6)
    points = split_patches(field, (2, 3))
    assert points[1, :, 0].tolist() == [3, 4, 5, 9, 10, 11]
    assert torch.equal(join_patches(points, 1, (4, 6), (2, 3)), field)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"width": 12}, "multiple of num_heads=8"), ({"width": 16, "num_bases": 0}, "num_bases=0")],
)
def test_block_refuses(given: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        LatentSpectralBlock(**given)


def test_block_refuses_patches_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="does not divide a grid of"):
        LatentSpectralBlock(8)(torch.zeros(1, 8, 6, 6), (4, 3))


@pytest.mark.parametrize(
    ("shape", "patch", "padding"),
    [
        ((41, 41), (3, 3), (7, 7)),
        ((64, 64), (4, 4), (0, 0)),
        ((85, 85), (6, 6), (11, 11)),
        ((221, 51), (14, 4), (3, 13)),
        ((129, 129), (9, 9), (15, 15)),
        ((101, 31, 20), (7, 2, 2), (11, 1, 12)),
    ],
)
def test_published_patches_and_paddings(
    shape: tuple[int, ...], patch: tuple[int, ...], padding: tuple[int, ...]
) -> None:
    model = LatentSpectralModel(1, 1, width=8, dimension=len(shape))
    assert model.patch_of(shape) == patch
    assert model.padding_of(shape) == padding
    given = LatentSpectralModel(1, 1, width=8, patch=patch, dimension=len(shape))
    assert given.padding_of(shape) == padding


@pytest.mark.parametrize(
    ("width", "in_channels", "count"),
    [
        (64, 1, 19_187_457),
        (64, 10, 19_188_033),
        (48, 2, 10_804_913),
        (32, 2, 4_812_833),
        (32, 1, 4_812_801),
    ],
)
def test_published_parameter_counts(width: int, in_channels: int, count: int) -> None:
    model = LatentSpectralModel(in_channels, 1, width=width)
    assert sum(weights.numel() for weights in model.parameters()) == count


def test_is_a_unet_where_the_blocks_change_nothing() -> None:
    torch.manual_seed(0)
    model = LatentSpectralModel(1, 2, width=8, num_scales=3).eval()
    plain = UNet(1, 2, width=8, num_scales=3, patch=[5, 4]).eval()
    plain.load_state_dict(
        {key: value for key, value in model.state_dict().items() if not key.startswith("blocks")}
    )
    inputs = torch.randn(2, 1, 17, 16)
    assert model.patch_of((17, 16)) == (5, 4)
    assert not torch.allclose(model(inputs), plain(inputs), atol=1e-4)
    with torch.no_grad():
        for name, weights in model.blocks.named_parameters():
            if not name.endswith(("query.weight", "query.bias")):
                weights.zero_()
    torch.testing.assert_close(model(inputs), plain(inputs))


def test_three_dimensions() -> None:
    torch.manual_seed(0)
    model = LatentSpectralModel(2, 1, width=8, num_scales=3, dimension=3)
    result = model(torch.randn(2, 2, 9, 8, 5))
    assert result.shape == (2, 1, 9, 8, 5)
    result.square().sum().backward()
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert float(weights.grad.abs().max()) > 0, name


def test_refuses_patches_of_another_dimension() -> None:
    with pytest.raises(InputError, match="patch"):
        LatentSpectralModel(1, 1, patch=[3, 3, 3])
