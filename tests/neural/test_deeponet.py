"""Deep operator network: linear functionals, output at any points, input on any grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.models.deeponet import DeepONet
from neural.models.fields import grid_coordinates

pytestmark = pytest.mark.torch


def smooth(shape: tuple[int, ...], kind: str = "cell") -> torch.Tensor:
    """The same smooth function on every grid."""
    points = grid_coordinates(shape, kind, torch.zeros(1, dtype=torch.float64))
    return torch.cos(points @ torch.arange(2.0, 2.0 + len(shape), dtype=torch.float64))[None, None]


@pytest.mark.parametrize("shape", [(12,), (8, 9), (4, 5, 6)])
def test_is_exact_for_a_linear_functional(shape: tuple[int, ...]) -> None:
    """A linear branch that holds quadrature weights and a trunk that is a constant."""
    model = DeepONet(
        1, 2, latent=3, width=2, num_layers=1, sensors=shape, dimension=len(shape), branch="linear"
    ).double()
    rng = np.random.default_rng(0)
    weights = torch.as_tensor(rng.standard_normal((2, 3, math.prod(shape))))
    factors = torch.as_tensor(rng.standard_normal((2, 3)))
    with torch.no_grad():
        parts = dict(model.named_parameters())
        parts["branch.1.weight"].copy_(weights.flatten(0, 1))
        parts["branch.1.bias"].zero_()
        parts["trunk.2.weight"].zero_()
        parts["trunk.2.bias"].copy_(factors.flatten())
        model.bias.copy_(torch.tensor([0.5, -2.0]))
    values = torch.as_tensor(rng.standard_normal((4, 1, *shape)))
    functional = torch.einsum("ck,ckn->cn", factors, weights)
    expected = values.flatten(1) @ functional.T + torch.tensor([0.5, -2.0])
    result = model(values, points=torch.rand(7, len(shape), dtype=torch.float64))
    assert torch.allclose(result, expected.unsqueeze(-1).expand(4, 2, 7), rtol=1e-12)


def small(**options: object) -> DeepONet:
    torch.manual_seed(0)
    settings = {"latent": 8, "width": 4, "sensors": 16, **options}
    return DeepONet(1, 2, **settings).double()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["cell", "vertex"])
def test_output_at_the_points_of_the_grid_is_the_output_on_the_grid(kind: str) -> None:
    model, values = small(coordinates=kind), torch.randn(3, 1, 12, 17, dtype=torch.float64)
    points = grid_coordinates((12, 17), kind, values).flatten(0, -2)
    on_grid = model(values)
    assert torch.allclose(model(values, points).unflatten(-1, (12, 17)), on_grid, rtol=1e-12)
    order = torch.stack([torch.randperm(len(points)) for _ in range(3)])
    each = model(values, points[order])
    for sample in range(3):
        expected = on_grid[sample].flatten(1)[:, order[sample]]
        assert torch.allclose(each[sample], expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["cell", "vertex"])
def test_the_grid_of_the_input_matters_little_for_a_smooth_input(kind: str) -> None:
    model, points = small(coordinates=kind), torch.rand(20, 2, dtype=torch.float64)
    exact = model(smooth((16, 16), kind), points).detach()
    opposite = model(-smooth((16, 16), kind), points).detach()
    response = float((opposite - exact).norm())
    assert response > 0
    for shape in ((64, 48), (31, 33), (12, 16)):
        other = model(smooth(shape, kind), points).detach()
        assert float((other - exact).norm()) < 0.02 * response


@pytest.mark.parametrize("kind", ["cell", "vertex"])
@pytest.mark.parametrize("size", [7, 16, 40])
def test_sensors_reproduce_what_they_should(kind: str, size: int) -> None:
    """Constants exactly on every grid; linear functions inside, from coarser or finer grids."""
    model = small(coordinates=kind, dimension=1)
    like = torch.zeros(1, dtype=torch.float64)
    assert torch.allclose(
        model._at_sensors(torch.full((1, 1, size), 3.0, dtype=torch.float64)), like + 3.0
    )
    line = 2 * grid_coordinates((size,), kind, like).T[None] - 1
    wanted = 2 * grid_coordinates((16,), kind, like).T[None] - 1
    inside = slice(2, -2)
    tolerance = 1e-12 if size <= 16 else 0.02
    assert float((model._at_sensors(line) - wanted)[..., inside].abs().max()) < tolerance


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_trains_in_every_dimension(dimension: int) -> None:
    model = small(dimension=dimension, sensors=9)
    inputs = torch.randn(2, 1, *(7, 8, 9)[:dimension], dtype=torch.float64)
    model(inputs).square().sum().backward()
    assert model(inputs).shape == (2, 2, *inputs.shape[2:])
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert float(weights.grad.abs().max()) > 0, name


def test_works_without_frequencies_and_after_inference_mode() -> None:
    model = small(num_frequencies=0)
    with torch.inference_mode():
        model(torch.randn(1, 1, 21, 21, dtype=torch.float64))
    model(torch.randn(1, 1, 21, 21, dtype=torch.float64)).sum().backward()


def test_rejects_points() -> None:
    model, values = small(), torch.randn(3, 1, 12, 17, dtype=torch.float64)
    with pytest.raises(InputError, match=r"give \(num_points, 2\), or \(3, num_points, 2\)"):
        model(values, torch.rand(10, 3))
    with pytest.raises(InputError, match="do not fit this model"):
        model(values, torch.rand(2, 10, 2))
    with pytest.raises(InputError, match="must lie in the unit box"):
        model(values, 2 * torch.ones(10, 2))
    with pytest.raises(InputError, match="must lie in the unit box"):
        model(values, torch.full((10, 2), math.nan))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"branch": "convolutions"}, "Did you mean 'convolution'"),
        ({"activation": "tanh"}, "activation='tanh' is unknown"),
        ({"sensors": (16,)}, "must be one number or 2"),
        ({"sensors": 0}, r"sensors\[0\]=0 must be an integer"),
        ({"num_frequencies": -1}, "num_frequencies=-1 must be an integer"),
        ({"dimension": 4}, "must be 1, 2 or 3"),
        ({"latent": 0}, "latent=0 must be an integer"),
        ({"coordinates": "node"}, "coordinates='node' is unknown"),
    ],
)
def test_rejects_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DeepONet(1, 1, **options)  # type: ignore[arg-type]
