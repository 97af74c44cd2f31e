"""The transformer over learned slices, on points and grids."""

from __future__ import annotations

import pytest
import torch

from meshes.errors import InputError
from neural.models.physics_attention import PhysicsAttention
from neural.models.transolver import Transolver

pytestmark = pytest.mark.torch


def small(**options: object) -> Transolver:
    torch.manual_seed(0)
    given = {"width": 16, "num_layers": 2, "num_slices": 8, "projection": "linear", **options}
    return Transolver(2, 1, **given).double().eval()  # type: ignore[arg-type]


def cloud(count: int = 40, batch: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    options = {"generator": generator, "dtype": torch.float64}
    return torch.randn(batch, 2, count, **options), torch.rand(count, 2, **options)


def test_attention_is_what_its_formula_says() -> None:
    torch.manual_seed(0)
    layer = PhysicsAttention(6, num_heads=2, num_slices=4).double()
    layer.temperature.data = torch.tensor([0.3, 0.9], dtype=torch.float64)
    values = torch.randn(1, 5, 6, dtype=torch.float64)
    keys, content = layer.project(values[0]).split(6, dim=1)
    parts = []
    for head in range(2):
        columns = slice(3 * head, 3 * head + 3)
        weights = (layer.slice(keys[:, columns]) / layer.temperature[head]).softmax(-1)
        tokens = [
            sum(weights[n, g] * content[n, columns] for n in range(5))
            / (weights[:, g].sum() + 1e-5)
            for g in range(4)
        ]
        q, k, v = (m(torch.stack(tokens)) for m in (layer.query, layer.key, layer.value))
        mixed = ((q @ k.T) / 3**0.5).softmax(-1) @ v
        parts.append(weights @ mixed)
    expected = layer.join(torch.cat(parts, 1))
    assert torch.allclose(layer(values)[0], expected, atol=1e-12)


def test_starting_values() -> None:
    layer = PhysicsAttention(16, num_heads=4, num_slices=4)
    assert torch.equal(layer.temperature, torch.full((4,), 0.5))
    gram = layer.slice.weight @ layer.slice.weight.T
    assert torch.allclose(gram, torch.eye(4), atol=1e-5)


def test_number_of_parameters_of_the_published_size() -> None:
    model = Transolver(1, 1, width=128, num_layers=8, num_heads=8, num_slices=64, hidden_ratio=1)
    convolution, slices = 9 * 128 * 256 + 256, 16 * 64 + 64 + 8
    attention = convolution + slices + 3 * 16**2 + 128**2 + 128
    layer = 2 * (2 * 128) + attention + 2 * (128**2 + 128)
    ends = (3 * 256 + 256) + (256 * 128 + 128) + 2 * 128 + 129
    assert sum(weights.numel() for weights in model.parameters()) == 8 * layer + ends


def test_order_of_points_does_not_matter() -> None:
    model, (inputs, points) = small(), cloud()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(2))
    moved = model(inputs[:, :, order], points=points[order])
    assert torch.allclose(moved, model(inputs, points=points)[:, :, order], atol=1e-12)


def test_points_of_a_grid_give_what_the_grid_gives() -> None:
    model = small()
    inputs = torch.randn(2, 2, 5, 7, dtype=torch.float64)
    axes = [(torch.arange(size, dtype=torch.float64) + 0.5) / size for size in (5, 7)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    on_points = model(inputs.flatten(2), points=points).reshape(2, 1, 5, 7)
    assert torch.allclose(model(inputs), on_points, atol=1e-12)


def test_masked_points_have_no_influence() -> None:
    model, (inputs, points) = small(), cloud()
    mask = torch.ones(3, 40)
    mask[0, 25:] = 0
    mask[2, 39:] = 0
    clouds = points.expand(3, 40, 2)
    together = model(inputs, points=clouds, mask=mask)
    assert torch.allclose(together[1], model(inputs[1:2], points=points)[0], atol=1e-12)
    alone = model(inputs[:1, :, :25], points=points[:25])
    assert torch.allclose(together[0, :, :25], alone[0], atol=1e-12)
    for filling in (1e3, float("nan")):
        changed = inputs.clone()
        changed[0, :, 25:] = filling
        found = model(changed, points=clouds, mask=mask)
        assert torch.equal(found[0, :, :25], together[0, :, :25])
    for wrong in (2.0 * mask, mask / mask):
        with pytest.raises(InputError, match="1 where a point counts"):
            model(inputs, points=clouds, mask=wrong)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("projection", ["linear", "convolution"])
def test_every_dimension(dimension: int, projection: str) -> None:
    model = small(dimension=dimension, projection=projection)
    shape = (5, 4, 3)[:dimension]
    assert model(torch.randn(2, 2, *shape, dtype=torch.float64)).shape == (2, 1, *shape)


def test_doubled_points_change_nothing() -> None:
    """Slices are means: the linear projection looks at the field, not at its resolution."""
    model, (inputs, points) = small(), cloud()
    twice = model(inputs.repeat(1, 1, 2), points=points.repeat(2, 1))
    once = model(inputs, points=points)
    # up to the 1e-5 that guards the division
    assert torch.allclose(twice[:, :, :40], once, atol=1e-4)
    assert model.resolution_invariant
    assert not small(projection="convolution").resolution_invariant


def test_options_reach_the_model() -> None:
    inputs, points = cloud()
    plain = small()
    for options in ({"num_references": 3}, {"local_temperature": True}, {"hidden_ratio": 1}):
        model = small(**options)
        assert sum(p.numel() for p in model.parameters()) != sum(
            p.numel() for p in plain.parameters()
        )
        model(inputs, points=points).square().sum().backward()
        assert all(bool((p.grad != 0).any()) for p in model.parameters() if p.grad is not None)
        assert all(p.grad is not None for p in model.parameters())


def test_local_temperature_starts_as_the_common_one() -> None:
    inputs, points = cloud()
    common, local = small(), small(local_temperature=True)
    missing = local.load_state_dict(common.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert torch.equal(local(inputs, points=points), common(inputs, points=points))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Transolver(1, 1, width=30), "multiple of num_heads"),
        (lambda: Transolver(1, 1, dimension=4), "must be 1, 2 or 3"),
        (lambda: Transolver(1, 1, projection="conv"), "projection='conv' is unknown"),
        (lambda: Transolver(1, 1, num_references=-1), "between 0 and 64"),
        (lambda: Transolver(1, 1, num_references=2.5), "must be an integer between"),
        (lambda: Transolver(1, 1, num_references=2, append_coordinates=False), "needs append"),
        (lambda: small()(*map(torch.zeros, [(1, 2, 9), (8, 2)])), "do not fit the input"),
        (lambda: small()(torch.zeros(1, 3, 9), torch.zeros(9, 2)), "does not fit this model"),
        (lambda: small()(torch.zeros(1, 2, 3, 3), mask=torch.ones(1, 9)), "give the points"),
        (
            lambda: small()(torch.zeros(1, 2, 9), torch.zeros(9, 2), torch.zeros(1, 9)),
            "leaves no point",
        ),
        (
            lambda: small()(torch.zeros(1, 2, 9), torch.zeros(9, 2), torch.ones(9)),
            "a mask of shape",
        ),
        (
            lambda: small(projection="convolution")(torch.zeros(1, 2, 9), torch.zeros(9, 2)),
            "projection='linear'",
        ),
    ],
)
def test_refusals(call: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()  # type: ignore[operator]
