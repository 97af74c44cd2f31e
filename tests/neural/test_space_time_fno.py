"""The space-time Fourier neural operator, its head and its convolution."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from meshes.errors import InputError
from neural.models.registry import build_model, describe_model
from neural.models.space_time_convolution import SpaceTimeConvolution
from neural.models.space_time_fno import SpaceTimeFNO
from neural.models.spectral_head import OutputTimes, SpectralHead

pytestmark = pytest.mark.torch


def small(**options: object) -> SpaceTimeFNO:
    torch.manual_seed(0)
    given: dict[str, object] = {
        "in_channels": 1,
        "out_channels": 1,
        "modes": (4, 4, 3),
        "width": 8,
        "latent_frames": 6,
    }
    model = build_model("space-time-fno", {**given, **options})
    assert isinstance(model, SpaceTimeFNO)
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # the bias too, so that it counts
    return model.eval()


def smooth_history(size: int, frames: int = 6, channels: int = 1) -> torch.Tensor:
    """Waves of low frequency on n x n points of the periodic box, the same at every n."""
    x = torch.arange(size, dtype=torch.float64) / size
    x, y = torch.meshgrid(x, x, indexing="ij")
    t = torch.arange(frames, dtype=torch.float64) / frames
    waves = [
        torch.sin(2 * math.pi * (x + 2 * y)[..., None] + t + channel)
        + 0.5 * torch.cos(2 * math.pi * (2 * x - y)[..., None] - 2 * t)
        for channel in range(channels)
    ]
    return torch.stack(waves)[None]


def test_published_numbers_of_parameters() -> None:
    for modes, width, hidden, expected in (
        ((12, 12, 5), 20, 128, 9_250_333),
        ((32, 32, 5), 10, 40, 16_469_791),
    ):
        model = SpaceTimeFNO(1, 1, modes=modes, width=width, hidden_width=hidden)
        assert sum(parameter.numel() for parameter in model.parameters()) == expected


class TestModel:
    @pytest.mark.parametrize("space", [(16, 16), (17, 15), (9, 24)])
    @pytest.mark.parametrize(("frames_in", "num_out"), [(6, 6), (5, 11), (1, 1), (13, 4)])
    def test_shapes(self, space: tuple[int, int], frames_in: int, num_out: int) -> None:
        outputs = small()(torch.randn(2, 1, *space, frames_in), num_out)
        assert outputs.shape == (2, 1, *space, num_out)
        assert bool(torch.isfinite(outputs).all())

    def test_one_axis_of_space(self) -> None:
        model = small(modes=(5, 3))
        assert model.dimension == 1
        assert model(torch.randn(2, 1, 17, 6), 9).shape == (2, 1, 17, 9)

    def test_more_channels_in_than_out(self) -> None:
        model = small(in_channels=3, out_channels=2)
        history = torch.randn(2, 3, 16, 16, 6)
        assert model(history).shape == (2, 2, 16, 16, 6)
        assert torch.equal(model.last_frame(history), history[:, :2, ..., -1])

    def test_gradient_on_every_parameter(self) -> None:
        model = small(in_channels=2, activation="gelu")
        model(torch.randn(2, 2, 17, 16, 6), 5).square().sum().backward()
        dead = [
            name
            for name, parameter in model.named_parameters()
            if parameter.grad is None or not 0 < float(parameter.grad.abs().max()) < math.inf
        ]
        assert dead == []

    def test_is_made_again_from_its_description(self) -> None:
        model = small(activation="gelu", output_times="published")
        described = describe_model(model)
        assert described["name"] == "space-time-fno"
        other = build_model(described["name"], described["options"]).eval()
        other.load_state_dict(copy.deepcopy(model.state_dict()))
        history = torch.randn(2, 1, 16, 17, 6)
        assert torch.equal(model(history, 4), other(history, 4))

    def test_samples_do_not_meet(self) -> None:
        model = small().double()
        history = torch.randn(3, 1, 16, 16, 6, dtype=torch.float64)
        alone = torch.cat([model(history[i : i + 1]) for i in range(3)])
        assert torch.allclose(model(history), alone, atol=1e-12)

    def test_last_frame_goes_through(self) -> None:
        model = small()
        for parameter in model.head.parameters():
            torch.nn.init.zeros_(parameter)
        history = torch.randn(2, 1, 16, 16, 6)
        expected = history[..., -1:].expand(2, 1, 16, 16, 7)
        assert torch.equal(model(history, 7), expected)

    def test_latent_and_head_are_the_model(self) -> None:
        model = small()
        history = torch.randn(2, 1, 16, 16, 6)
        latent = model.latent(history)
        assert latent.shape == (2, 1, 16, 16, 6)
        assert torch.equal(model.head(latent, model.last_frame(history), 9), model(history, 9))

    def test_other_numbers_of_frames_agree_at_common_times(self) -> None:
        model = small().double()
        history = torch.randn(1, 1, 16, 16, 6, dtype=torch.float64)
        ten, twenty, forty = (model(history, num) for num in (10, 20, 40))
        assert torch.allclose(twenty[..., 1::2], ten, atol=1e-12)
        assert torch.allclose(forty[..., 3::4], ten, atol=1e-12)

    def test_published_times(self) -> None:
        """Then the step is the horizon divided by one more than the number of frames."""
        published = small(output_times="published").double()
        history = torch.randn(1, 1, 16, 16, 6, dtype=torch.float64)
        few, many = published(history, 10), published(history, 21)
        assert torch.allclose(many[..., 1::2], few, atol=1e-12)
        same = small().double()  # equal where as many frames go out as are latent
        assert torch.allclose(published(history, 6), same(history, 6), atol=1e-12)
        assert not torch.allclose(published(history, 7), same(history, 7), atol=1e-3)

    def test_smooth_input_on_finer_grids(self) -> None:
        """What is added to the last frame settles as the grid of smooth fields is refined."""
        model = small(activation="gelu").double()
        for layer in (model.lifting, *model.convolutions):
            torch.nn.init.normal_(layer.weight, std=0.3)  # so that these layers count
        values = []
        with torch.no_grad():
            for n in SIZES:
                history, step = smooth_history(n), n // SIZES[0]
                added = model(history, 4) - history[..., -1:]
                values.append(added[:, :, ::step, ::step])
        errors = [float((one - values[-1]).norm() / values[-1].norm()) for one in values[:-1]]
        assert errors[0] < 1e-3
        assert errors[-1] < 0.15 * errors[0]  # of second order: a factor of 13

    def test_half_precision(self) -> None:
        model = small()
        history = torch.randn(2, 1, 16, 16, 6)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            half = model(history).float()
        with torch.no_grad():
            full = model(history)
        assert float((half - full).norm() / full.norm()) < 0.1

    def test_learns_to_carry_waves_along(self) -> None:
        """Training lowers the error well below that of repeating the last frame."""
        torch.manual_seed(0)
        x, t = torch.arange(32) / 32, torch.arange(16) * 0.02
        phase, wave = torch.rand(32, 1, 1), torch.randint(1, 4, (32, 1, 1))
        values = torch.sin(2 * math.pi * wave * (x[:, None] - t + phase))[:, None]
        history, future = values[..., :8], values[..., 8:]
        model = SpaceTimeFNO(1, 1, modes=(6, 3), width=12, latent_frames=8)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        for _ in range(60):
            optimizer.zero_grad()
            loss = (model(history[:24], 8) - future[:24]).square().mean()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            error = (model(history[24:], 8) - future[24:]).norm() / future[24:].norm()
        persistence = (history[24:, ..., -1:] - future[24:]).norm() / future[24:].norm()
        assert float(error) < 0.3 * float(persistence)


SIZES = (16, 32, 64, 128)


class TestVelocity:
    @pytest.mark.parametrize("shape", [(16, 16), (17, 15)])
    @pytest.mark.parametrize("side_lengths", [(1.0, 1.0), (2.0, 0.5)])
    def test_no_divergence(self, shape: tuple[int, int], side_lengths: tuple[float, float]) -> None:
        options = {"in_channels": 2, "out_channels": 2, "divergence_free": True}
        model = small(**options, side_lengths=side_lengths)
        with torch.no_grad():
            frames = model(torch.randn(2, 2, *shape, 6), 5)
        slopes = [[derivative(frames[:, i], j, side_lengths[j]) for j in (0, 1)] for i in (0, 1)]
        size = torch.stack([slope for row in slopes for slope in row]).norm()
        assert float((slopes[0][0] + slopes[1][1]).norm() / size) < 1e-6

    def test_changes_no_field_without_divergence(self) -> None:
        model = small(in_channels=2, out_channels=2, divergence_free=True)
        stream = smooth_history(16)
        flow = torch.cat([derivative(stream[:, :1], 1, 1.0, 2), -derivative(stream, 0, 1.0, 2)], 1)
        assert torch.allclose(model.project(flow), flow, atol=1e-12)
        gradient = torch.cat([derivative(stream, axis, 1.0, 2) for axis in (0, 1)], 1)
        assert float(model.project(gradient).abs().max()) < 1e-12 * float(gradient.abs().max())

    def test_refusals(self) -> None:
        with pytest.raises(InputError, match="two output channels in two dimensions, not 1 in 2"):
            small(divergence_free=True)
        with pytest.raises(InputError, match="must be 2 positive numbers"):
            small(side_lengths=(1.0, 0.0))


def derivative(values: torch.Tensor, axis: int, length: float, first: int = 1) -> torch.Tensor:
    """Spectral derivative along an axis of space, the axes of which begin at `first`."""
    size = values.shape[first + axis]
    waves = torch.fft.fftfreq(size, 1 / size, dtype=values.dtype)
    if size % 2 == 0:
        waves[size // 2] = 0
    shape = [1] * values.ndim
    shape[first + axis] = size
    modes = 2j * math.pi / length * waves.view(shape) * torch.fft.fft(values, dim=first + axis)
    slopes: torch.Tensor = torch.fft.ifft(modes, dim=first + axis).real
    return slopes


def with_bias(head: SpectralHead) -> torch.nn.Parameter:
    """Draw a bias, which is zero at first."""
    assert head.convolution.bias is not None
    torch.nn.init.normal_(head.convolution.bias)
    return head.convolution.bias


class TestHead:
    @pytest.mark.parametrize(("n", "num_out"), [((12, 14), 6), ((11, 9), 11), ((8, 8), 20)])
    def test_against_fast_transforms(self, n: tuple[int, int], num_out: int) -> None:
        """The equations written with real FFTs of the padded field, for the published times."""
        torch.manual_seed(0)
        head = SpectralHead(1, (4, 3, 3), output_times="published").double()
        drawn = with_bias(head)
        latent = torch.randn(2, 1, *n, 6, dtype=torch.float64)
        last = torch.randn(2, 1, *n, dtype=torch.float64)
        padded = torch.cat([torch.zeros(2, *n, 7), last[:, 0, ..., None], latent[:, 0]], -1)
        modes = torch.fft.rfftn(padded, dim=(1, 2, 3), norm="forward")
        weight = torch.view_as_complex(head.convolution.weight).reshape(8, 6, 3)
        bias = torch.view_as_complex(drawn).reshape(8, 6, 3)
        kept = torch.zeros(2, *n, num_out + 2, dtype=torch.complex128)
        rows, columns = [*range(4), *range(-4, 0)], [*range(3), *range(-3, 0)]
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                mode = modes[:, row, column, :3]
                kept[:, row, column, :3] = weight[i, j] * mode + 0.1 * bias[i, j]
        size = (*n, 2 * (num_out + 1))
        frames = torch.fft.irfftn(kept, s=size, dim=(1, 2, 3), norm="forward")[..., -num_out:]
        expected = frames[:, None] + last[..., None]
        assert torch.allclose(head(latent, last, num_out), expected, atol=1e-12)

    @pytest.mark.parametrize("n", [16, 17])
    def test_enlarged_gives_the_same(self, n: int) -> None:
        torch.manual_seed(0)
        head = SpectralHead(2, (4, 3, 2)).double()
        with_bias(head)
        latent = torch.randn(2, 2, n, n, 6, dtype=torch.float64)
        last = torch.randn(2, 2, n, n, dtype=torch.float64)
        larger = head.enlarged((8, 7, 6))
        assert larger.modes == (8, 7, 6)
        expected = head(latent, last, 9, bias_scale=0.7)
        assert torch.allclose(larger(latent, last, 9, bias_scale=0.7), expected, atol=1e-12)
        assert all(parameter.requires_grad for parameter in larger.parameters())

    def test_enlarged_is_in_double_precision(self) -> None:
        head = SpectralHead(1, (4, 3, 2))
        larger = head.enlarged((5, 5, 3))
        latent, last = torch.randn(1, 1, 16, 16, 6), torch.randn(1, 1, 16, 16)
        frames = larger(latent, last, 9)
        assert frames.dtype == torch.float64
        assert torch.allclose(frames.float(), head(latent, last, 9), atol=1e-5)

    def test_enlarged_refuses_fewer_modes(self) -> None:
        with pytest.raises(InputError, match=r"modes=\[4, 2, 5\] must hold at least"):
            SpectralHead(1, (4, 3, 2)).enlarged((4, 2, 5))

    def test_affine_in_its_parameters(self) -> None:
        """Twice the bias by twice its scale, and a new mode is what its bias says."""
        head = SpectralHead(1, (4, 2, 2)).double()
        bias = with_bias(head)
        torch.nn.init.zeros_(bias)
        latent = torch.randn(1, 1, 8, 8, 6, dtype=torch.float64)
        last = torch.randn(1, 1, 8, 8, dtype=torch.float64)
        before = head(latent, last, 3)
        with torch.no_grad():  # frequency -3 along x, 1 along y, 0 in time
            bias[(5 * 4 + 1) * 2, 0, 0] = 2.0
        change = head(latent, last, 3, bias_scale=0.25) - before
        x, y = torch.meshgrid(*[torch.arange(8, dtype=torch.float64) / 8] * 2, indexing="ij")
        expected = 0.5 * torch.cos(2 * math.pi * (y - 3 * x))
        assert torch.allclose(change, expected[None, None, ..., None].expand(1, 1, 8, 8, 3))

    @pytest.mark.parametrize("output_times", ["same horizon", "published"])
    def test_derivative_in_time(self, output_times: OutputTimes) -> None:
        """Frames that are a hundred times as dense give it by differences."""
        torch.manual_seed(0)
        head = SpectralHead(1, (4, 3, 3), output_times=output_times).double()
        latent = torch.randn(1, 1, 8, 8, 6, dtype=torch.float64)
        last = torch.randn(1, 1, 8, 8, dtype=torch.float64)
        spectrum = head.spectrum(latent, last)
        exact = head.frames(spectrum, last, 4, 6, derivative=1)
        dense = 400 if output_times == "same horizon" else 499
        frames = head.frames(spectrum, last, dense, 6)
        differences = 50 * (frames[..., 2:] - frames[..., :-2])
        assert torch.allclose(differences[..., 98::100][..., :3], exact[..., :3], atol=1e-2)
        assert float(exact.detach().abs().max()) > 0.1

    def test_refusals(self) -> None:
        head = SpectralHead(1, (4, 3, 3))
        with pytest.raises(InputError, match="do not fit this head"):
            head(torch.zeros(1, 1, 8, 8, 6), torch.zeros(1, 2, 8, 8), 3)
        with pytest.raises(InputError, match="more than 1 latent frames resolve"):
            head(torch.zeros(1, 1, 8, 8, 1), torch.zeros(1, 1, 8, 8), 3)
        with pytest.raises(InputError, match="num_out=0 must be an integer"):
            head(torch.zeros(1, 1, 8, 8, 6), torch.zeros(1, 1, 8, 8), 0)
        with pytest.raises(InputError, match=r"modes\[0\]=4 is more than a grid of 7 points"):
            head(torch.zeros(1, 1, 7, 8, 6), torch.zeros(1, 1, 7, 8), 3)
        with pytest.raises(InputError, match="output_times='sometimes' is unknown"):
            SpectralHead(1, (4, 3, 3), output_times="sometimes")  # type: ignore[arg-type]


class TestConvolution:
    def test_identity_carries_fields_to_other_times(self) -> None:
        """With R = 1 a field of kept modes comes out at the times asked for."""
        layer = SpaceTimeConvolution(1, 1, (3, 3)).double()
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[..., 0] = 1.0

        def field(num: int) -> torch.Tensor:
            x = torch.arange(9, dtype=torch.float64)[:, None] / 9
            t = torch.arange(num, dtype=torch.float64) / num
            waves = torch.cos(2 * math.pi * (2 * x - t)) + torch.sin(2 * math.pi * (x + 2 * t))
            return (waves + 0.3)[None, ..., None]

        for few, many in ((7, 10), (12, 5)):
            phases = (torch.arange(num, dtype=torch.float64) / num for num in (few, many))
            assert torch.allclose(layer(field(few), *phases), field(many), atol=1e-12)

    def test_modes_that_frames_do_not_resolve_are_left_out(self) -> None:
        layer = SpaceTimeConvolution(1, 1, (2, 4))
        phases = torch.arange(4) / 4
        modes = layer.analyse(torch.randn(1, 8, 4, 1), phases, num_samples=4)
        over_time = modes.reshape(4, 4)
        assert bool((over_time[:, 2:] == 0).all())
        assert bool((over_time[:, :2] != 0).all())

    def test_refuses_modes_without_time(self) -> None:
        with pytest.raises(InputError, match="and then one for time"):
            SpaceTimeConvolution(1, 1, (4,))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modes": (4,)}, "and then one for time"),
        ({"modes": (4, 4, 4)}, "latent_frames=6 do not resolve 4 modes in time: they need 7"),
        ({"width": 2}, "width=2 is too small"),
        ({"out_channels": 2}, "out_channels=2 is more than in_channels=1"),
        ({"activation": "tanh"}, "activation='tanh' is unknown"),
        ({"growth_rate": math.nan}, "growth_rate=nan must be a finite number"),
        ({"bias_scale": 0.0}, "bias_scale=0.0 must be a positive number"),
        ({"width": 2.5}, "width=2.5 must be an integer"),
    ],
)
def test_refused_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**options)


def test_refused_histories() -> None:
    model = small()
    with pytest.raises(InputError, match=r"takes \(batch, 1, n0, n1, frames\)"):
        model(torch.zeros(1, 2, 16, 16, 6))
    with pytest.raises(InputError, match="does not fit this model"):
        model(torch.zeros(1, 1, 16, 16))
    with pytest.raises(InputError, match=r"modes\[0\]=4 is more than a grid of 6 points"):
        model(torch.zeros(1, 1, 6, 16, 6))


@pytest.mark.parametrize("shape", [(0, 1, 16, 16, 10), (2, 1, 16, 16, 0), (2, 1, 0, 16, 10)])
def test_refuses_histories_without_values(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="has no values"):
        SpaceTimeFNO(1, 1, modes=(4, 4, 3), width=6)(torch.zeros(shape))
