"""What every registered model of grids must do."""

from __future__ import annotations

import copy

import pytest
import torch

from meshes.errors import InputError
from neural.models.registry import MODELS, build_model, describe_model, get_model

pytestmark = pytest.mark.torch

SMALL: dict[str, dict[str, object]] = {
    "fno": {"modes": [4, 4], "width": 8},
    "lsm": {"width": 8, "num_scales": 3},
    "lsm-points": {"width": 8, "modes": [4, 4], "grid": [16, 16], "num_scales": 3},
    "message-passing": {"width": 8, "num_layers": 3},
    "transolver": {"width": 16, "num_layers": 2, "num_slices": 8},
    "deeponet": {"latent": 8, "width": 4, "sensors": 16},
    "factorized-fno": {"modes": [4, 4], "width": 8, "num_layers": 2},
    "unet": {"width": 4, "num_scales": 3},
}
"""Options of a small model for two-dimensional grids, by name."""

GRIDS = {name for name in MODELS if getattr(get_model(name), "takes_grids", True)}
SHAPES = [(16, 16), (17, 15), (21, 32)]


def small(name: str, in_channels: int = 2, out_channels: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    channels = {"in_channels": in_channels, "out_channels": out_channels}
    return build_model(name, {**channels, **SMALL[name]})


def test_every_model_has_a_small_one() -> None:
    assert set(SMALL) >= GRIDS


@pytest.mark.parametrize("name", sorted(GRIDS))
class TestEveryModel:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_keeps_the_grid(self, name: str, shape: tuple[int, ...]) -> None:
        model = small(name).eval()
        assert model(torch.randn(2, 2, *shape)).shape == (2, 3, *shape)

    def test_gradient_on_every_parameter(self, name: str) -> None:
        model = small(name)
        inputs = torch.randn(3, 2, 17, 16)
        model(inputs).square().sum().backward()
        missing = [
            key
            for key, weights in model.named_parameters()
            if weights.grad is None or not bool(torch.isfinite(weights.grad).all())
        ]
        assert missing == []
        dead = [key for key, p in model.named_parameters() if float(p.grad.abs().max()) == 0.0]
        assert [key for key in dead if key not in getattr(model, "without_effect", ())] == []

    def test_is_made_again_from_its_description(self, name: str) -> None:
        model = small(name).eval()
        described = describe_model(model)
        assert described["name"] == name
        other = build_model(described["name"], described["options"]).eval()
        other.load_state_dict(copy.deepcopy(model.state_dict()))
        inputs = torch.randn(2, 2, 16, 17)
        assert torch.equal(model(inputs), other(inputs))

    def test_samples_do_not_meet(self, name: str) -> None:
        model = small(name).eval().double()
        inputs = torch.randn(3, 2, 16, 16, dtype=torch.float64)
        alone = torch.cat([model(inputs[i : i + 1]) for i in range(3)])
        assert torch.allclose(model(inputs), alone, atol=1e-12)

    def test_depends_on_every_input_channel_and_everywhere(self, name: str) -> None:
        model = small(name).eval().double()
        inputs = torch.randn(1, 2, 16, 16, dtype=torch.float64, requires_grad=True)
        model(inputs)[0, 0].sum().backward()
        assert inputs.grad is not None
        assert bool((inputs.grad.abs().amax(0) > 0).any())
        assert bool((inputs.grad.abs().amax((0, 2, 3)) > 0).all())

    def test_refuses_other_channels_and_dimensions(self, name: str) -> None:
        model = small(name)
        with pytest.raises(InputError, match="does not fit"):
            model(torch.randn(2, 3, 16, 16))
        with pytest.raises(InputError, match="does not fit"):
            model(torch.randn(2, 2, 16))

    @pytest.mark.parametrize("shape", [(0, 2, 16, 16), (2, 2, 0, 16)])
    def test_refuses_inputs_without_values(self, name: str, shape: tuple[int, ...]) -> None:
        with pytest.raises(InputError, match="has no values"):
            small(name)(torch.zeros(shape))

    def test_refuses_whole_numbers(self, name: str) -> None:
        with pytest.raises(InputError, match=r"torch\.int64 must be real"):
            small(name)(torch.ones(2, 2, 16, 16, dtype=torch.int64))

    def test_defaults_suffice(self, name: str) -> None:
        model = build_model(name, {"in_channels": 1, "out_channels": 1}).eval()
        with torch.no_grad():
            assert model(torch.randn(1, 1, 43, 43)).shape == (1, 1, 43, 43)

    def test_half_precision(self, name: str) -> None:
        model = small(name).eval()
        inputs = torch.randn(2, 2, 16, 16)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            half = model(inputs).float()
        with torch.no_grad():
            full = model(inputs)
        assert float((half - full).norm() / full.norm()) < 0.1


CLAIMING = {name for name in GRIDS if getattr(get_model(name), "resolution_invariant", False)}


@pytest.mark.parametrize("name", sorted(CLAIMING))
def test_other_resolutions_where_claimed(name: str) -> None:
    """Smooth fields: outputs on n and 2n cells differ by O(1/n²)."""
    model = small(name, 1, 1).double().eval()
    if hasattr(model, "padding") and not isinstance(model.padding, float):
        model.padding = (0.125, 0.25)  # whole numbers of cells on all grids

    def output(size: int) -> torch.Tensor:
        x = (torch.arange(size, dtype=torch.float64) + 0.5) / size
        field = torch.exp(torch.sin(3 * x))[:, None] * torch.cos(2 * x)
        return model(field[None, None]).detach()

    differences = []
    for size in (16, 32, 64):
        finer = torch.nn.functional.avg_pool2d(output(2 * size), 2)
        differences.append(float((output(size) - finer).norm() / finer.norm()))
    assert differences[2] < 0.01
    assert differences[2] < 0.35 * differences[1]
