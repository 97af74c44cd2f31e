"""The Fourier neural operator from frames to frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from meshes.errors import InputError
from neural.models.fields import ACTIVATIONS, check_choice, check_values
from neural.models.space_time_convolution import SpaceTimeConvolution
from neural.models.spectral_convolution import (
    SpectralConvolution,
    mode_counts,
    positive_integer,
)
from neural.models.spectral_head import OutputTimes, SpectralHead


class SpaceTimeFNO(nn.Module):
    r"""Space-time Fourier neural operator: some frames in, any number of frames out.

    For fields on a periodic box. With channels p of position and time, and input frames a,

    .. math::
        v_0 &= A\, \mathrm{norm}(p + a), \qquad
        v_1 = \sigma(v_0(\cdot, t_{\mathrm{last}}) + M_0 K_0 v_0), \\
        v_{l+1} &= \sigma(M_l K_l v_l + W_l v_l), \qquad u = \mathrm{head}(Q v_{L})

    with pointwise affine maps A, W, Q, pointwise networks M with one hidden layer, and
    spectral convolutions K over space and time. K₀ leads from the times of the input to a
    fixed number of latent frames; the head, :class:`SpectralHead`, from these to the times
    of the output. ``norm`` takes mean and deviation of a sample over channels, space and time
    together, so data need no statistics.

    Times. The input frames have the step of the training data; frame j lies at t =
    `time_per_frame` · j. The output is one trigonometric polynomial in time over the span
    that the frames of training had: `num_out` frames divide this span, so 20 frames are 10
    frames and those half-way between, and 10 of them agree to rounding.

    Parameters
    ----------
    in_channels
        Channels of a frame. With more than `out_channels`, the first of them are those of the
        answer, and the others (a forcing, a coefficient) are the same in every frame.
    out_channels
        Channels of an output frame.
    modes
        Number m per axis, time last; the length is the dimension of space plus one. Frequencies
        -m ... m - 1 are kept in space, and 0 ... m - 1 in time.
    width
        Channels of the hidden fields.
    num_layers
        Layers after the first.
    latent_frames
        Number of hidden frames, at least 2 m - 1 for m modes in time.
    hidden_width
        Channels inside the networks M, four times the width when left out.
    activation
        σ, ``"relu"`` as published, or ``"gelu"``.
    growth_rate
        β in the channels exp(β t) {cos, sin}(k π t) of time; about the rate of growth or
        decay of the energy, 0.01 for a forced flow and -0.01 for a decaying one in the
        publication.
    time_per_frame
        The unit of t: 0.01, so that 100 frames are a unit.
    bias_scale, output_times
        See :class:`SpectralHead`.
    divergence_free
        Project the answer onto fields without divergence; the channels are then a velocity.
    side_lengths
        Of the box, for the projection; equal when left out.

    Attributes
    ----------
    head : SpectralHead
        The last step, see :meth:`latent`.
    options
        The arguments as plain values, from which an equal model can be made.

    Raises
    ------
    InputError
        If an option is out of range, or (when applied) the input has other channels or
        another dimension, or too few points for the modes.

    References
    ----------
    S. Cao, F. Brarda, R. Li, Y. Xi (2025), Spectral-Refiner: accurate fine-tuning of
    spatiotemporal Fourier neural operator for turbulent flows, ICLR,
    doi:10.48550/arXiv.2405.17211.

    Examples
    --------
    >>> model = SpaceTimeFNO(1, 1, modes=(32, 32, 5), width=10)
    >>> sum(parameter.numel() for parameter in model.parameters())
    16469791
    >>> SpaceTimeFNO(1, 1, modes=(4, 4, 3), width=8)(torch.ones(2, 1, 16, 15, 10), 40).shape
    torch.Size([2, 1, 16, 15, 40])
    """

    takes_grids = False
    space_time = True
    resolution_invariant = True
    without_effect: tuple[str, ...] = ()

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        modes: Sequence[int] = (12, 12, 5),
        width: int = 20,
        num_layers: int = 3,
        latent_frames: int = 10,
        hidden_width: int | None = None,
        activation: Literal["relu", "gelu"] = "relu",
        growth_rate: float = 0.01,
        time_per_frame: float = 0.01,
        bias_scale: float = 0.1,
        output_times: OutputTimes = "same horizon",
        divergence_free: bool = False,
        side_lengths: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = positive_integer("in_channels", in_channels)
        self.out_channels = positive_integer("out_channels", out_channels)
        self.modes = mode_counts(modes)
        self.width = positive_integer("width", width)
        num_layers = positive_integer("num_layers", num_layers)
        self.latent_frames = positive_integer("latent_frames", latent_frames)
        hidden = 4 * width if hidden_width is None else hidden_width
        hidden = positive_integer("hidden_width", hidden)
        check_choice("activation", activation, ACTIVATIONS)
        self.activation = activation
        self.growth_rate = _finite("growth_rate", growth_rate)
        self.time_per_frame = _finite("time_per_frame", time_per_frame)
        self.divergence_free = divergence_free
        self.side_lengths = _lengths(side_lengths, self.dimension)
        self._check_options()

        self.options: dict[str, Any] = {
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "modes": list(self.modes),
            "width": width,
            "num_layers": num_layers,
            "latent_frames": latent_frames,
            "hidden_width": hidden,
            "activation": activation,
            "growth_rate": self.growth_rate,
            "time_per_frame": self.time_per_frame,
            "bias_scale": float(bias_scale),
            "output_times": output_times,
            "divergence_free": divergence_free,
            "side_lengths": list(self.side_lengths),
        }
        # one channel is added to every channel of position; more need a map
        self.embed = nn.Linear(in_channels, width, bias=False) if in_channels > 1 else None
        self.norm = _SampleNorm(width)
        self.mix = nn.Linear(width, width)
        self.lifting = SpaceTimeConvolution(width, width, self.modes)
        self.convolutions = nn.ModuleList(
            SpectralConvolution(width, width, self.modes) for _ in range(num_layers)
        )
        self.networks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, hidden),
                nn.GELU() if activation == "gelu" else nn.ReLU(),
                nn.Linear(hidden, width),
            )
            for _ in range(num_layers + 1)
        )
        self.pointwise = nn.ModuleList(nn.Linear(width, width) for _ in range(num_layers))
        self.reduce = nn.Linear(width, self.out_channels)
        self.head = SpectralHead(self.out_channels, self.modes, bias_scale, output_times)

    @property
    def dimension(self) -> int:
        """Number of axes of space."""
        return len(self.modes) - 1

    def forward(self, history: Tensor, num_out: int | None = None) -> Tensor:
        """Predict frames.

        Parameters
        ----------
        history
            Shape ``(batch, in_channels, *space, frames_in)``: time last.
        num_out
            Number of output frames; as many as go in when left out.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, *space, num_out)``.
        """
        num_out = history.shape[-1] if num_out is None else num_out
        frames = self.head(self.latent(history), self.last_frame(history), num_out)
        return self.project(frames)

    def latent(self, history: Tensor) -> Tensor:
        """All that comes before the head.

        Parameters
        ----------
        history
            Shape ``(batch, in_channels, *space, frames_in)``.

        Returns
        -------
        Tensor
            Shape ``(batch, out_channels, *space, latent_frames)``.
        """
        self._check_history(history)
        activate = ACTIVATIONS[self.activation]
        values = history.movedim(1, -1)
        frames = values.shape[-2]
        values = values if self.embed is None else self.embed(values)
        values = values + self._positions(tuple(history.shape[2:]), history)
        values = self.mix(self.norm(values))
        phases = torch.arange(frames, dtype=torch.float64) / frames
        latent = torch.arange(self.latent_frames, dtype=torch.float64) / self.latent_frames
        lifted = self.lifting(values, phases, latent)
        values = activate(values[..., -1:, :] + self.networks[0](lifted))
        for layer, convolution in enumerate(self.convolutions):
            mixed = self.networks[layer + 1](convolution(values))
            values = activate(mixed + self.pointwise[layer](values))
        reduced: Tensor = self.reduce(values).movedim(-1, 1)
        return reduced

    def last_frame(self, history: Tensor) -> Tensor:
        """What the head adds its answer to, shape ``(batch, out_channels, *space)``."""
        return history[:, : self.out_channels, ..., -1]

    def project(self, frames: Tensor) -> Tensor:
        r"""Remove the divergence, if the model is made to, else nothing.

        .. math:: u \mapsto u - \nabla \Delta^{-1} \nabla \cdot u

        with the derivatives of the trigonometric interpolant. A wave at half the number of
        points, whose derivative on the grid is zero, counts as constant along its axis.
        """
        if not self.divergence_free:
            return frames
        with torch.autocast(frames.device.type, enabled=False):
            work = frames.to(torch.promote_types(frames.dtype, torch.float32))
            axes = tuple(range(2, 2 + self.dimension))
            modes = torch.fft.fftn(work, dim=axes)
            waves = self._wave_numbers(tuple(work.shape[2:-1]), work)
            along = (modes * waves).sum(1, keepdim=True)
            square = waves.square().sum(0, keepdim=True)
            square = torch.where(square == 0, torch.ones_like(square), square)
            projected: Tensor = torch.fft.ifftn(modes - waves * along / square, dim=axes).real
            return projected

    def _positions(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """Channels of position and time, ``(*space, frames, width)``.

        Point i of n has the coordinate i/n, and the first 1/2: the mean of both sides of the
        jump that the coordinate has on the periodic box, so that its low Fourier modes
        differ by O(1/n²), not O(1/n), between grids.
        """
        *space, frames = shape
        axes = []
        for size in space:
            along = torch.arange(size, dtype=like.dtype, device=like.device) / size
            along[0] = 0.5
            axes.append(along)
        time = self.time_per_frame * torch.arange(frames, dtype=like.dtype, device=like.device)
        grids = list(torch.meshgrid(*axes, time, indexing="ij"))
        for number in range(self.width - len(grids)):
            wave = math.pi * (number // 2 + 1) * time
            wave = torch.sin(wave) if number % 2 else torch.cos(wave)
            grids.append((torch.exp(self.growth_rate * time) * wave).expand(*shape))
        return torch.stack(grids, -1)

    def _wave_numbers(self, space: Sequence[int], like: Tensor) -> Tensor:
        """Wave numbers ``(dimension, *space, 1)``."""
        waves = []
        for size, length in zip(space, self.side_lengths, strict=True):
            along = torch.fft.fftfreq(size, 1.0 / size, dtype=like.dtype, device=like.device)
            if size % 2 == 0:
                along[size // 2] = 0.0
            waves.append(along / length)
        return torch.stack(torch.meshgrid(*waves, indexing="ij"))[..., None]

    def _check_options(self) -> None:
        if not 1 <= self.dimension <= 2:
            raise InputError(
                f"modes={list(self.modes)} must hold one number per axis of space, of which there "
                "are one or two, and then one for time, such as [12, 12, 5]"
            )
        if self.latent_frames < 2 * self.modes[-1] - 1:
            raise InputError(
                f"latent_frames={self.latent_frames} do not resolve {self.modes[-1]} modes in "
                f"time: they need {2 * self.modes[-1] - 1}"
            )
        if self.width < self.dimension + 1:
            raise InputError(
                f"width={self.width} is too small: position and time alone take "
                f"{self.dimension + 1} channels"
            )
        if self.out_channels > self.in_channels:
            raise InputError(
                f"out_channels={self.out_channels} is more than in_channels={self.in_channels}: "
                "the answer is added to the last input frame, which must have its channels"
            )
        if self.divergence_free and (self.out_channels, self.dimension) != (2, 2):
            raise InputError(
                "divergence_free=True is for velocities: two output channels in two dimensions, "
                f"not {self.out_channels} in {self.dimension}"
            )

    def _check_history(self, history: Tensor) -> None:
        if history.ndim != self.dimension + 3 or history.shape[1] != self.in_channels:
            axes = ", ".join(f"n{axis}" for axis in range(self.dimension))
            raise InputError(
                f"history of shape {tuple(history.shape)} does not fit this model: it takes "
                f"(batch, {self.in_channels}, {axes}, frames)"
            )
        check_values(history)


class _SampleNorm(nn.Module):
    """Each sample less its mean, by its deviation, then scale and shift of each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, values: Tensor) -> Tensor:
        """Of ``(batch, *space, frames, width)``."""
        # torch 2.13's GroupNorm, the same function, crashes in the backward pass on the CPU
        # when its input is channels-last and needs no gradient
        normal = functional.layer_norm(values, values.shape[1:], eps=1e-6)
        return normal * self.weight + self.bias


def _finite(name: str, given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise InputError(f"{name}={given!r} must be a finite number")
    return float(given)


def _lengths(given: Sequence[float] | None, dimension: int) -> tuple[float, ...]:
    lengths = (1.0,) * dimension if given is None else tuple(given)
    if len(lengths) != dimension or not all(_finite("side_lengths", one) > 0 for one in lengths):
        raise InputError(f"side_lengths={given!r} must be {dimension} positive numbers")
    return tuple(float(one) for one in lengths)
