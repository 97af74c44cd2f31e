"""Models are one graph for torch.compile, with the values of the plain model."""

from __future__ import annotations

import pytest
import torch

from neural.models.registry import build_model

pytestmark = pytest.mark.torch

SMALL: dict[str, dict[str, object]] = {
    "deeponet": {"latent": 4, "width": 2, "sensors": 8, "num_layers": 1},
    "factorized-fno": {"modes": [3, 4], "width": 4, "num_layers": 1},
    "fno": {"modes": [3, 4], "width": 4, "num_layers": 1},
    "lsm-points": {"width": 8, "num_scales": 2, "modes": [2, 2], "grid": [8, 8]},
    "space-time-fno": {"modes": [3, 2], "width": 4, "num_layers": 1, "latent_frames": 4},
    "transolver": {"width": 8, "num_layers": 1, "num_slices": 4},
    "unet": {"width": 4, "num_scales": 2},
}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_is_one_graph(name: str) -> None:
    torch.manual_seed(0)
    torch._dynamo.reset()
    model = build_model(name, {"in_channels": 2, "out_channels": 2, **SMALL[name]}).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    inputs = torch.randn(2, 2, 11, 12)
    with torch.no_grad():
        assert torch.allclose(compiled(inputs), model(inputs), rtol=1e-5, atol=1e-7)
