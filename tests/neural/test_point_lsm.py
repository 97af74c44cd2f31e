"""Transforms between points and grids, and latent spectral models on points."""

from __future__ import annotations

import pytest
import torch

from meshes.errors import InputError
from neural.models.point_lsm import PointLatentSpectralModel
from neural.models.point_transform import (
    CoordinateMap,
    grid_modes,
    kept_frequencies,
    modes_at_points,
    modes_on_grid,
    point_modes,
)
from neural.models.registry import build_model, describe_model

pytestmark = pytest.mark.torch

DOUBLE = torch.float64
CASES = [((9, 8), (3, 4)), ((12, 7), (6, 2)), ((6, 5, 8), (2, 2, 3)), ((11,), (5,))]


def uniform(shape: tuple[int, ...]) -> torch.Tensor:
    axes = [torch.arange(n, dtype=DOUBLE) / n for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)


@pytest.mark.parametrize(("shape", "modes"), CASES)
class TestTransforms:
    def test_on_a_uniform_grid_it_is_the_fast_transform(
        self, shape: tuple[int, ...], modes: tuple[int, ...]
    ) -> None:
        torch.manual_seed(0)
        values = torch.randn(2, *shape, 3, dtype=DOUBLE)
        found = point_modes(values.flatten(1, -2), uniform(shape), modes)
        full = torch.fft.fftn(values, dim=list(range(1, 1 + len(shape))), norm="forward")
        for axis, kept in enumerate(kept_frequencies(modes)):
            full = full.index_select(axis + 1, torch.tensor(kept) % shape[axis])
        torch.testing.assert_close(found, full.flatten(1, -2))
        torch.testing.assert_close(grid_modes(values, modes), found)

    def test_back_on_a_uniform_grid(self, shape: tuple[int, ...], modes: tuple[int, ...]) -> None:
        torch.manual_seed(0)
        count = torch.Size([len(kept) for kept in kept_frequencies(modes)]).numel()
        coefficients = torch.randn(2, count, 3, dtype=torch.complex128)
        at_points = modes_at_points(coefficients, uniform(shape), modes)
        on_grid = modes_on_grid(coefficients, shape, modes)
        torch.testing.assert_close(on_grid.flatten(1, -2), at_points)


def test_a_resolved_wave_is_found_again_between_the_points_of_a_grid() -> None:
    def wave(places: torch.Tensor) -> torch.Tensor:
        phase = 2 * torch.pi * (places @ torch.tensor([2.0, -3.0], dtype=DOUBLE))
        return (phase + 0.3).cos().unsqueeze(-1)

    coefficients = grid_modes(wave(uniform((16, 16))).view(1, 16, 16, 1), (4, 4))
    places = torch.rand(20, 2, dtype=DOUBLE)
    found = modes_at_points(coefficients, places, (4, 4))[0]
    torch.testing.assert_close(found, wave(places))


def test_masked_points_do_not_count() -> None:
    values, places = torch.randn(2, 9, 3, dtype=DOUBLE), torch.rand(2, 9, 2, dtype=DOUBLE)
    mask = torch.ones(2, 9)
    mask[:, 6:] = 0
    expected = point_modes(values[:, :6], places[:, :6], (2, 2))
    torch.testing.assert_close(point_modes(values, places, (2, 2), mask.double()), expected)


def test_the_map_starts_close_to_the_identity() -> None:
    torch.manual_seed(0)
    points = torch.rand(200, 2)
    shift = (CoordinateMap(2)(points) - points).abs()
    assert 0 < float(shift.detach().max()) < 0.1


def small(**options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    given = {"width": 8, "modes": [4, 4], "grid": [16, 16], "num_scales": 3, **options}
    return build_model("lsm-points", {"in_channels": 2, "out_channels": 3, **given})


def test_shapes_and_gradients_on_points() -> None:
    model = small()
    points = torch.rand(2, 60, 2)
    result = model(torch.randn(2, 2, 60), points)
    assert result.shape == (2, 3, 60)
    result.square().sum().backward()
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert float(weights.grad.abs().max()) > 0, name


def test_the_order_of_points_has_no_influence() -> None:
    model = small().eval().double()
    inputs, points = torch.randn(1, 2, 50, dtype=DOUBLE), torch.rand(50, 2, dtype=DOUBLE)
    order = torch.randperm(50)
    expected = model(inputs, points)[:, :, order]
    torch.testing.assert_close(model(inputs[:, :, order], points[order]), expected)


def test_a_mask_leaves_the_other_points_as_they_are() -> None:
    model = small().eval().double()
    inputs, points = torch.randn(2, 2, 40, dtype=DOUBLE), torch.rand(2, 40, 2, dtype=DOUBLE)
    filled = torch.cat([points, torch.full((2, 5, 2), 9.0, dtype=DOUBLE)], 1)
    mask = torch.cat([torch.ones(2, 40), torch.zeros(2, 5)], 1)
    more = torch.cat([inputs, torch.full((2, 2, 5), float("nan"), dtype=DOUBLE)], 2)
    found = model(more, filled, mask)[:, :, :40]
    torch.testing.assert_close(found, model(inputs, points))


def test_a_grid_is_its_points() -> None:
    model = small(lower=[0.0, 0.0], upper=[1.0, 1.0]).eval().double()
    inputs = torch.randn(2, 2, 6, 7, dtype=DOUBLE)
    axes = [(torch.arange(n, dtype=DOUBLE) + 0.5) / n for n in (6, 7)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, 1)
    expected = model(inputs.flatten(2), points).view(2, 3, 6, 7)
    torch.testing.assert_close(model(inputs), expected)


def test_units_of_the_points_are_those_of_the_box() -> None:
    unit, scaled = (
        small(lower=[0.0, 0.0], upper=[1.0, 1.0]),
        small(lower=[-1.0, 10.0], upper=[3.0, 30.0]),
    )
    scaled.load_state_dict(unit.state_dict())
    inputs, points = torch.randn(1, 2, 30), torch.rand(30, 2)
    moved = points * torch.tensor([4.0, 20.0]) + torch.tensor([-1.0, 10.0])
    torch.testing.assert_close(
        scaled.eval()(inputs, moved), unit.eval()(inputs, points), rtol=1e-3, atol=1e-4
    )


def test_without_a_box_points_may_be_scaled_and_shifted() -> None:
    model = small().eval()
    inputs, points = torch.randn(2, 2, 30), torch.rand(2, 30, 2)
    moved = points * torch.tensor([4.0, 20.0]) - 3.0
    torch.testing.assert_close(model(inputs, moved), model(inputs, points), rtol=1e-3, atol=1e-4)


def test_three_dimensions_and_description() -> None:
    model = small(modes=[2, 2, 2], grid=[8, 8, 8], num_scales=2)
    assert model(torch.randn(2, 2, 30), torch.rand(30, 3)).shape == (2, 3, 30)
    described = describe_model(model)
    again = build_model(described["name"], described["options"])
    assert describe_model(again) == described


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": [9, 4]}, "does not resolve modes"),
        ({"lower": [0.0, 0.0], "upper": [0.0, 1.0]}, "lower below upper"),
        ({"lower": [0.0]}, "must hold 2 numbers"),
        ({"padding": -0.1}, "padding"),
    ],
)
def test_refuses_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**options)


def test_refuses_points() -> None:
    model = small()
    points = torch.rand(30, 2)
    points[3, 0], points[7, 1] = 1.5, float("nan")
    with pytest.raises(InputError, match="2 points are not finite or lie outside the box"):
        small(lower=[0.0, 0.0], upper=[1.0, 1.0])(torch.randn(1, 2, 30), points)
    with pytest.raises(InputError, match="points of shape"):
        model(torch.randn(1, 2, 30), torch.rand(30, 3))
    with pytest.raises(InputError, match="does not fit"):
        model(torch.randn(1, 3, 30), torch.rand(30, 2))
    with pytest.raises(InputError, match="a mask is for point clouds"):
        model(torch.randn(1, 2, 5, 5), mask=torch.ones(1, 25))


def test_learns_a_function_of_points() -> None:
    torch.manual_seed(0)
    model = PointLatentSpectralModel(1, 1, 8, (4, 4), (16, 16), num_scales=2)
    points = torch.rand(4, 40, 2)
    inputs = (torch.rand(4, 1, 1) * (points[..., 0] * 6).sin().unsqueeze(1)).contiguous()
    targets = 2 * inputs + (points[..., 1] * 4).cos().unsqueeze(1)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    errors = []
    for _ in range(30):
        error = (model(inputs, points) - targets).norm() / targets.norm()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.3 * errors[0]
