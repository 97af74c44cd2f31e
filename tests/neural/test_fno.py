"""Fourier layers: exactness on odd and even grids, parameter counts, rejected inputs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.models import FNO, SpectralConvolution, build_model, get_model
from neural.models.fields import grid_coordinates

pytestmark = pytest.mark.torch

GRIDS = [
    *itertools.product([15, 16]),
    *itertools.product([15, 16], repeat=2),
    *itertools.product([9, 10], repeat=3),
]
MODES = {1: (5,), 2: (4, 5), 3: (3, 2, 4)}


def identity_layer(modes: tuple[int, ...], width: int) -> SpectralConvolution:
    layer = SpectralConvolution(width, width, modes).double()
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[..., 0] = torch.eye(width, dtype=torch.float64)
    return layer


def kept_field(
    shape: tuple[int, ...], modes: tuple[int, ...], rng: np.random.Generator, channels: int = 2
) -> torch.Tensor:
    """A sum of cosines of frequencies below the limits, the same function on every grid."""
    axes = np.meshgrid(*(np.arange(size) / size for size in shape), indexing="ij")
    values = np.zeros((3, *shape, channels))
    ranges = [range(-count + 1, count) for count in modes]
    for frequency in itertools.product(*ranges):
        phase = 2 * np.pi * sum(k * x for k, x in zip(frequency, axes, strict=True))
        amplitude = rng.standard_normal((2, 3, *(1,) * len(shape), channels))
        values += amplitude[0] * np.cos(phase)[..., None] + amplitude[1] * np.sin(phase)[..., None]
    return torch.as_tensor(values)


def reference(layer: SpectralConvolution, values: torch.Tensor) -> torch.Tensor:
    """The same map by full FFTs."""
    dimension = len(layer.modes)
    axes = tuple(range(1, dimension + 1))
    spectrum = torch.fft.rfftn(values, dim=axes)
    result = torch.zeros(*spectrum.shape[:-1], layer.out_channels, dtype=spectrum.dtype)
    frequencies = [[*range(count), *range(-1, -count - 1, -1)] for count in layer.modes[:-1]]
    frequencies.append(list(range(layer.modes[-1])))
    for index, kept in enumerate(itertools.product(*frequencies)):
        where = (slice(None), *kept)
        matrix = torch.view_as_complex(layer.weight[index].contiguous())
        result[where] = spectrum[where] @ matrix.to(spectrum.dtype)
    return torch.fft.irfftn(result, s=values.shape[1:-1], dim=axes)


@pytest.mark.parametrize("shape", GRIDS)
def test_identity_weights_return_a_field_of_kept_modes(shape: tuple[int, ...]) -> None:
    modes = MODES[len(shape)]
    field = kept_field(shape, modes, np.random.default_rng(0))
    layer = identity_layer(modes, 2)
    assert torch.allclose(layer(field), field, rtol=0, atol=1e-12 * float(field.abs().max()))
    single = layer.float()(field.float())
    assert float((single - field).detach().norm() / field.norm()) < 1e-6


@pytest.mark.parametrize("shape", [(16,), (15,), (8, 8), (8, 7), (4, 6, 6)])
def test_all_modes_of_a_grid_nyquist_included(shape: tuple[int, ...]) -> None:
    modes = (*(size // 2 for size in shape[:-1]), shape[-1] // 2 + 1)
    field = torch.as_tensor(np.random.default_rng(1).standard_normal((2, *shape, 3)))
    assert torch.allclose(identity_layer(modes, 3)(field), field, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [*GRIDS, (8, 8), (6, 6, 8)])
def test_agrees_with_full_transforms(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = SpectralConvolution(3, 2, MODES[len(shape)]).double()
    torch.nn.init.normal_(layer.weight)
    values = torch.randn(2, *shape, 3, dtype=torch.float64)
    plus = torch.randn(2, *shape, 2, dtype=torch.float64)
    expected = (reference(layer, values) + plus).detach()
    assert torch.allclose(layer(values, plus), expected, atol=1e-12 * float(expected.abs().max()))


@pytest.mark.parametrize("shape", [(15,), (15, 16), (9, 9, 8)])
def test_same_weights_on_twice_the_points(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    modes = MODES[len(shape)]
    layer = SpectralConvolution(2, 2, modes).double()
    fine = tuple(2 * size for size in shape)
    coarse_out = layer(kept_field(shape, modes, np.random.default_rng(3)))
    fine_out = layer(kept_field(fine, modes, np.random.default_rng(3)))
    every_second = (slice(None), *(slice(None, None, 2),) * len(shape))
    assert torch.allclose(fine_out[every_second], coarse_out, atol=1e-11)


def count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_published_parameter_counts() -> None:
    old = {"activation": "relu", "normalization": "batch", "padding": 0.0}
    assert count(FNO(1, 1, (12, 12), 32)) == 2_368_001
    assert count(FNO(10, 1, (8, 8), 20, **old)) == 414_517
    assert count(FNO(10, 1, (8, 8, 8), 20, **old)) == 6_558_537


@pytest.mark.parametrize("shape", [(20,), (21,), (12, 13), (10, 8, 9)])
@pytest.mark.parametrize("recipe", ["gelu", "relu"])
def test_shape_and_a_gradient_on_every_parameter(shape: tuple[int, ...], recipe: str) -> None:
    torch.manual_seed(0)
    options = {} if recipe == "gelu" else {"activation": "relu", "normalization": "batch"}
    model = FNO(2, 3, (3,) * len(shape), 6, num_layers=2, projection_width=8, **options)
    output = model(torch.randn(4, 2, *shape))
    assert output.shape == (4, 3, *shape)
    output.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if "norms" not in name and not (recipe == "relu" and name.startswith("pointwise")):
            assert parameter.grad.abs().sum() > 0, name


def test_blocks_of_the_projection_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, values = FNO(1, 1, (3, 3), 4).double(), torch.randn(5, 1, 9, 9, dtype=torch.float64)
    whole = model(values)
    monkeypatch.setattr("neural.models.fno._BLOCK", 1)
    assert torch.allclose(model(values), whole, rtol=0, atol=1e-14)


def test_training_works_after_inference_mode() -> None:
    model = FNO(1, 1, (3,), 4, padding=0.37)
    with torch.inference_mode():
        model(torch.randn(1, 1, 19))
    model(torch.randn(1, 1, 19)).sum().backward()
    assert all(weights.grad is not None for weights in model.parameters())


def test_coordinates_of_cells_stay_in_place_under_refinement() -> None:
    like = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    coarse = grid_coordinates((4, 4), "cell", like)
    fine = grid_coordinates((8, 8), "cell", like)
    averaged = (fine[::2, ::2] + fine[1::2, 1::2]) / 2
    assert torch.allclose(coarse, averaged)
    ends = grid_coordinates((4, 4), "vertex", like)
    assert ends[0, 0].tolist() == [0.0, 0.0]
    assert ends[-1, -1].tolist() == [1.0, 1.0]


def test_coordinates_in_half_precision_are_rounded_once() -> None:
    single = grid_coordinates((421,), "cell", torch.zeros(1))
    half = grid_coordinates((421,), "cell", torch.zeros(1, dtype=torch.bfloat16))
    assert torch.equal(half, single.bfloat16())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": (4, 4, 4, 4)}, "one to three axes"),
        ({"modes": 12}, "one number per space axis"),
        ({"modes": (4, 0)}, r"modes\[1\]=0 must be an integer of at least 1"),
        ({"width": 2.5}, "width=2.5 must be an integer"),
        ({"num_layers": True}, "num_layers=True must be an integer"),
        ({"activation": "gelo"}, "Did you mean 'gelu'"),
        ({"normalization": "layer"}, "normalization='layer' is unknown"),
        ({"padding": -0.1}, "padding=-0.1 must lie between 0 and 1"),
        ({"padding": (0.1,)}, "must be one number or 2"),
        ({"coordinates": "node"}, "coordinates='node' is unknown"),
    ],
)
def test_rejects_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FNO(**{"in_channels": 1, "out_channels": 1, "modes": (4, 4), "width": 8, **options})


def test_rejects_inputs() -> None:
    model = FNO(1, 1, (8, 8), 4, padding=0.0)
    with pytest.raises(InputError, match=r"takes \(batch, 1, n0, n1\)"):
        model(torch.zeros(2, 3, 20, 20))
    with pytest.raises(InputError, match=r"shape \(2, 1, 20\) does not fit"):
        model(torch.zeros(2, 1, 20))
    with pytest.raises(InputError, match=r"modes\[0\]=8 is more than a grid of 12 points"):
        model(torch.zeros(2, 1, 12, 20))


def test_registry() -> None:
    assert get_model("fno") is FNO
    with pytest.raises(InputError, match="Did you mean 'fno'"):
        get_model("fna")
    with pytest.raises(InputError, match=r"no option 'widht'\. Did you mean 'width'"):
        build_model("fno", {"in_channels": 1, "out_channels": 1, "modes": [4], "widht": 8})
    with pytest.raises(InputError, match=r"missing .* required .*'out_channels'"):
        build_model("fno", {"in_channels": 1, "modes": [4]})
