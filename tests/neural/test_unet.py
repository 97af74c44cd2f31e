"""The U-Net: its structure, sizes and refusals."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from meshes.errors import InputError
from neural.models import UNet

pytestmark = pytest.mark.torch


def test_numbers_of_parameters() -> None:
    counts = [sum(p.numel() for p in UNet(1, 1, width=width).parameters()) for width in (16, 64)]
    assert counts == [1_085_425, 17_310_913]


@pytest.mark.parametrize("shape", [(9, 14), (8, 12)])
def test_is_what_its_description_says(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = UNet(2, 1, width=4, num_scales=3, coordinates="vertex").eval().double()
    inputs = torch.randn(3, 2, *shape, dtype=torch.float64)
    ends = [torch.linspace(0, 1, size, dtype=torch.float64) for size in shape]
    places = torch.stack(torch.meshgrid(*ends, indexing="ij")).expand(3, 2, *shape)
    lifted = model.lift(torch.cat([inputs, places], 1).movedim(1, -1)).movedim(-1, 1)
    fine = functional.pad(lifted, (0, -shape[1] % 4, 0, -shape[0] % 4))
    one = model.down[0](fine)
    two = model.down[1](functional.max_pool2d(one, 2))
    three = model.down[2](functional.max_pool2d(two, 2))

    def doubled(values: torch.Tensor) -> torch.Tensor:
        return functional.interpolate(values, scale_factor=2, mode="bilinear", align_corners=True)

    up = model.up[0](torch.cat([two, doubled(three)], 1))
    up = model.up[1](torch.cat([one, doubled(up)], 1))
    cut = model.mix(up)[..., : shape[0], : shape[1]].movedim(1, -1)
    expected = model.output(functional.gelu(model.hidden(cut))).movedim(-1, 1)
    assert torch.allclose(model(inputs), expected, atol=1e-12)


def test_refuses_a_single_value_a_channel_only_where_it_is_normalised() -> None:
    inputs = torch.randn(1, 1, 16, 16)
    with pytest.raises(InputError, match="cannot be normalised over the batch"):
        UNet(1, 1, width=4)(inputs)
    for model in (
        UNet(1, 1, width=4).eval(),
        UNet(1, 1, width=4, num_scales=4),
        UNet(1, 1, width=4, normalization="group"),
    ):
        assert bool(model(inputs).isfinite().all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalization": "layer"}, "normalization='layer' is unknown"),
        ({"activation": "rel"}, "Did you mean 'relu'"),
        ({"dimension": 4}, "must be 1, 2 or 3"),
        ({"patch": (1, 1, 1)}, "must be one number or 2"),
        ({"num_scales": 0}, "num_scales=0 must be an integer"),
    ],
)
def test_rejects_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        UNet(1, 1, **{"width": 4, **options})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at_scale has 1 maps, this network 5 scales"):
        UNet(1, 1, width=4)(torch.zeros(2, 1, 16, 16), [torch.nn.Identity()])
