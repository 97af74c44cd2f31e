"""Spectral convolutions with fewer weights: exactness, parameter counts, rejected inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from meshes.errors import InputError
from neural.models import FNO, FactorizedFNO, SpectralConvolution
from neural.models.factorized_convolution import (
    FACTORIZATIONS,
    AxisConvolution,
    CPConvolution,
    TuckerConvolution,
    make_convolution,
)
from neural.models.fields import with_coordinates

pytestmark = pytest.mark.torch

GRIDS = [(15,), (16,), (15, 16), (16, 15), (14, 14), (9, 10, 8), (8, 9, 9)]
MODES = {1: (5,), 2: (4, 5), 3: (3, 2, 4)}
Converter = Callable[[SpectralConvolution], SpectralConvolution]
FACTORIZED = [name for name in FACTORIZATIONS if name != "dense"]


def kept_field(shape: tuple[int, ...], modes: tuple[int, ...], channels: int = 2) -> torch.Tensor:
    """A sum of cosines of frequencies below the limits, the same function on every grid."""
    rng = np.random.default_rng(0)
    axes = np.meshgrid(*(np.arange(size) / size for size in shape), indexing="ij")
    values = np.zeros((3, *shape, channels))
    for frequency in itertools.product(*(range(-count + 1, count) for count in modes)):
        phase = 2 * np.pi * sum(k * x for k, x in zip(frequency, axes, strict=True))
        amplitude = rng.standard_normal((2, 3, *(1,) * len(shape), channels))
        values += amplitude[0] * np.cos(phase)[..., None] + amplitude[1] * np.sin(phase)[..., None]
    return torch.as_tensor(values)


def decomposed(
    weights: torch.Tensor, ranks: Sequence[int]
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Tucker decomposition of a complex tensor by singular vectors of its unfoldings."""
    core, factors = weights, []
    for index, rank in enumerate(ranks):
        unfolded = weights.movedim(index, 0).flatten(1)
        vectors = torch.linalg.svd(unfolded, full_matrices=True).U[:, :rank]
        factors.append(vectors)
        core = torch.tensordot(vectors.conj().T, core.movedim(index, 0), 1).movedim(0, index)
    return core, factors


def assign(parameter: torch.nn.Parameter, values: torch.Tensor) -> None:
    with torch.no_grad():
        parameter.copy_(torch.view_as_real(values.resolve_conj()))


def tucker_of(dense: SpectralConvolution) -> TuckerConvolution:
    """The same operator at full rank."""
    lengths = (*dense.kept_per_axis, dense.in_channels, dense.out_channels)
    weights = torch.view_as_complex(dense.weight.detach()).reshape(lengths)
    layer = TuckerConvolution(dense.in_channels, dense.out_channels, dense.modes, lengths).double()
    core, factors = decomposed(weights, lengths)
    assign(layer.core, core)
    for parameter, factor in zip(layer.factors, factors, strict=True):
        assign(parameter, factor)
    return layer


def cp_of(dense: SpectralConvolution) -> CPConvolution:
    """The same operator: a term for each mode and input channel, with its row of weights."""
    lengths = (*dense.kept_per_axis, dense.in_channels)
    terms = list(itertools.product(*(range(length) for length in lengths)))
    layer = CPConvolution(dense.in_channels, dense.out_channels, dense.modes, len(terms)).double()
    for axis, length in enumerate(lengths):
        units = torch.eye(length, dtype=torch.complex128)
        assign(layer.factors[axis], units[:, [term[axis] for term in terms]])
    rows = torch.view_as_complex(dense.weight.detach()).reshape(-1, dense.out_channels)
    assign(layer.factors[-1], rows.T)
    return layer


@pytest.mark.parametrize("shape", [(15,), (14, 15), (8, 9, 9)])
def test_a_batch_of_many_samples_gives_the_values_of_few(shape: tuple[int, ...]) -> None:
    """Terms are summed by other products where the batch is large."""
    torch.manual_seed(0)
    layer = CPConvolution(3, 4, MODES[len(shape)], 40).double()
    values = torch.randn(12, *shape, 3, dtype=torch.float64)
    alone = torch.cat([layer(part) for part in values.split(1)])
    assert float(alone.detach().abs().max()) > 0
    assert torch.allclose(layer(values), alone, rtol=1e-10, atol=1e-14)


def dense_layer(modes: tuple[int, ...], width: int = 2, out: int = 3) -> SpectralConvolution:
    torch.manual_seed(0)
    layer = SpectralConvolution(width, out, modes).double()
    torch.nn.init.normal_(layer.weight)
    return layer


@pytest.mark.parametrize("shape", GRIDS)
@pytest.mark.parametrize("convert", [tucker_of, cp_of])
def test_full_rank_is_the_dense_operator(shape: tuple[int, ...], convert: Converter) -> None:
    dense = dense_layer(MODES[len(shape)])
    layer = convert(dense)
    values = torch.randn(2, *shape, 2, dtype=torch.float64)
    plus = torch.randn(2, *shape, 3, dtype=torch.float64)
    expected = dense(values, plus).detach()
    assert torch.allclose(layer(values, plus), expected, atol=1e-11 * float(expected.abs().max()))


def identity(factorization: str, modes: tuple[int, ...], width: int) -> torch.nn.Module:
    if factorization == "axes":
        layer = AxisConvolution(width, width, modes).double()
        part = torch.eye(width, dtype=torch.complex128) / len(modes)
        for weights in layer.weights:
            assign(weights, part.expand(len(weights), -1, -1))
        return layer
    dense = SpectralConvolution(width, width, modes).double()
    eye = torch.eye(width, dtype=torch.complex128)
    assign(dense.weight, eye.expand(len(dense.weight), -1, -1))
    return tucker_of(dense) if factorization == "tucker" else cp_of(dense)


@pytest.mark.parametrize("shape", GRIDS)
@pytest.mark.parametrize("factorization", FACTORIZED)
def test_identity_returns_a_field_of_kept_modes(shape: tuple[int, ...], factorization: str) -> None:
    modes = MODES[len(shape)]
    field = kept_field(shape, modes)
    result = identity(factorization, modes, 2)(field)
    assert torch.allclose(result, field, rtol=0, atol=1e-11 * float(field.abs().max()))


@pytest.mark.parametrize("shape", [(15,), (15, 16), (9, 9, 8)])
@pytest.mark.parametrize("factorization", FACTORIZED)
def test_same_weights_on_twice_the_points(shape: tuple[int, ...], factorization: str) -> None:
    torch.manual_seed(0)
    modes = MODES[len(shape)]
    layer = make_convolution(2, 2, modes, factorization).double()  # type: ignore[arg-type]
    coarse = layer(kept_field(shape, modes))
    fine = layer(kept_field(tuple(2 * size for size in shape), modes))
    every_second = (slice(None), *(slice(None, None, 2),) * len(shape))
    assert float(coarse.detach().norm()) > 0
    assert torch.allclose(fine[every_second], coarse, atol=1e-11)


def test_a_sum_over_axes_agrees_with_full_transforms() -> None:
    torch.manual_seed(0)
    layer = AxisConvolution(2, 3, (4, 6)).double()
    values = torch.randn(2, 11, 10, 2, dtype=torch.float64)
    expected = torch.zeros(2, 11, 10, 3, dtype=torch.float64)
    for axis, (count, weights) in enumerate(zip(layer.modes, layer.weights, strict=True), 1):
        size = values.shape[axis]
        modes = torch.fft.rfft(values, dim=axis).narrow(axis, 0, count).movedim(axis, 1)
        mixed = torch.einsum("bkxi,kio->bkxo", modes, torch.view_as_complex(weights.detach()))
        expected += torch.fft.irfft(mixed.movedim(1, axis), n=size, dim=axis)
    assert torch.allclose(layer(values), expected, atol=1e-12)


@pytest.mark.parametrize("factorization", FACTORIZED)
def test_a_gradient_on_every_parameter(factorization: str) -> None:
    torch.manual_seed(0)
    model = FNO(2, 3, (3, 4), 6, num_layers=2, factorization=factorization)  # type: ignore[arg-type]
    model(torch.randn(2, 2, 13, 12)).square().sum().backward()
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert float(weights.grad.abs().max()) > 0, name


def count(model: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


def test_parameter_counts() -> None:
    rest = count(FNO(1, 1, (12, 12), 32)) - 4 * 2 * 24 * 12 * 32 * 32
    assert rest + 4 * 2 * 24 * 12 * 32 * 32 == 2_368_001
    assert count(FNO(1, 1, factorization="axes")) == rest + 4 * 2 * (12 + 12) * 32 * 32
    cp = FNO(1, 1, factorization="cp", rank=16)
    assert count(cp) == rest + 4 * 2 * 16 * (24 + 12 + 32 + 32)
    tucker = FNO(1, 1, factorization="tucker", rank=[6, 4, 16, 8])
    products = 24 * 6 + 12 * 4 + 32 * 16 + 32 * 8
    assert count(tucker) == rest + 4 * 2 * (6 * 4 * 16 * 8 + products)


@pytest.mark.parametrize("kind", [TuckerConvolution, CPConvolution])
@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5])
def test_a_fraction_bounds_the_parameters(
    kind: type[TuckerConvolution | CPConvolution], fraction: float
) -> None:
    layer = kind(32, 24, (12, 12), fraction)
    dense = 2 * 24 * 12 * 32 * 24
    assert 0.85 * fraction * dense < count(layer) <= fraction * dense


@pytest.mark.parametrize("factorization", ["tucker", "cp"])
def test_modes_come_out_about_as_large_as_they_go_in(factorization: str) -> None:
    torch.manual_seed(0)
    kept = torch.randn(4, 16, 8, 16, dtype=torch.complex64)
    sizes = []
    for _ in range(40):
        layer = make_convolution(16, 24, (8, 8), factorization)  # type: ignore[arg-type]
        sizes.append(float(layer.mix(kept).detach().abs().square().mean()))  # type: ignore[operator]
    assert 0.5 < float(np.mean(sizes)) < 2.0


def test_a_model_is_described_with_its_factorization() -> None:
    tucker = FNO(1, 1, (4, 4), 8, factorization="tucker", rank=(2, 2, 4, 4))
    assert tucker.options["rank"] == [2, 2, 4, 4]
    again = FNO(**tucker.options)
    assert again.convolutions[0].ranks == (2, 2, 4, 4)
    assert "factorization" not in FNO(1, 1).options  # as checkpoints of older versions


@pytest.mark.parametrize("factorization", FACTORIZED)
def test_refuses_modes_above_half_the_grid(factorization: str) -> None:
    model = FNO(1, 1, (8, 8), 4, padding=0.0, factorization=factorization)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"modes\[0\]=8 is more than a grid of 12 points"):
        model(torch.zeros(2, 1, 12, 20))
    with pytest.raises(InputError, match="the input has 1 space axes"):
        model.convolutions[0](torch.zeros(2, 20, 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factorization": "tucked"}, "Did you mean 'tucker'"),
        ({"factorization": "axes", "rank": 3}, "has no meaning with factorization='axes'"),
        ({"rank": 0.5}, "has no meaning with factorization='dense'"),
        ({"factorization": "cp", "rank": 0}, "rank=0 must be an integer of at least 1"),
        ({"factorization": "cp", "rank": 1.5}, "rank=1.5 must lie between 0 and 1"),
        ({"factorization": "cp", "rank": [3, 3]}, r"rank=\[3, 3\] must be an integer"),
        ({"factorization": "tucker", "rank": [3, 3]}, "must be one number or 4"),
        ({"factorization": "tucker", "rank": "full"}, "must be one number or 4"),
        ({"factorization": "tucker", "rank": [9, 4, 8, 8]}, r"rank\[0\]=9 is more than the length"),
    ],
)
def test_rejects_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FNO(1, 1, modes=(4, 4), width=8, **options)  # type: ignore[arg-type]


def test_layers_of_a_factorized_fno() -> None:
    torch.manual_seed(0)
    model = FactorizedFNO(1, 2, (3, 4), 6, num_layers=3, padding=0.0).double()
    inputs = torch.randn(2, 1, 12, 13, dtype=torch.float64)
    values = model.lift(with_coordinates(inputs, "cell"))
    for convolution, widen, narrow in zip(
        model.convolutions, model.widen, model.narrow, strict=True
    ):
        values = values + narrow(torch.nn.functional.gelu(widen(convolution(values))))
    expected = model.output(torch.nn.functional.gelu(model.hidden(values))).movedim(-1, 1)
    assert torch.allclose(model(inputs), expected, rtol=1e-12)
    shared = FactorizedFNO(1, 2, (3, 4), 6, num_layers=3, shared=True)
    assert count(model) - count(shared) == 2 * 2 * (3 + 4) * 36
    assert shared(inputs.float()).shape == (2, 2, 12, 13)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "tanh"}, "activation='tanh' is unknown"),
        ({"expansion": 0}, "expansion=0 must be an integer"),
        ({"padding": 2.0}, "must lie between 0 and 1"),
        ({"coordinates": "node"}, "coordinates='node' is unknown"),
    ],
)
def test_a_factorized_fno_rejects_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FactorizedFNO(1, 1, **options)  # type: ignore[arg-type]
